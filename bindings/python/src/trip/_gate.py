"""Owns Gate and Token: how many calls may be in progress at once, and the place that each of them has."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, TypedDict

from . import _abi
from ._config import Config
from ._constants import Adapt, Effect, StatusClass
from ._duration import Duration, seconds
from ._ending import Classify, judged, report, says_nothing
from ._ending import required as required_classify
from ._entry import Name, as_bytes
from ._errors import failure, settled
from ._fields import Fields, required
from ._library import library
from ._number import U32_MAX, require_int
from ._owned import Owned, described
from ._shed import Shed
from ._tracker import Tracker, handle_of

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Callable

    from typing_extensions import Self, Unpack


@dataclass(frozen=True)
class GateConfig(Fields):
    """How many calls may be in progress: the library's trip_gate_config, field for field, times in nanoseconds.

    It holds whatever that can hold; whether it makes sense, the library says when a Gate is made of it.
    """

    _struct = _abi.trip_gate_config

    capacity: int = 100
    soft_limit: int = 0
    adapt: int = Adapt.NONE
    min_limit: int = 1
    initial_limit: int = 0
    latency_ns: int = 0
    decrease: float = 0.9
    tolerance: float = 1.5
    smoothing: float = 0.2


class GateOptions(TypedDict, total=False):
    """What Gate takes: the fields of GateConfig, and its time without the _ns, in seconds."""

    capacity: int
    soft_limit: int
    adapt: Adapt
    min_limit: int
    initial_limit: int
    latency: Duration
    decrease: float
    tolerance: float
    smoothing: float


@dataclass(frozen=True)
class GateInfo:
    """A gate seen from outside; include/trip.h says what each member of trip_gate_info counts.

    When no call is in progress, acquired = released + depth.
    """

    depth: int
    limit: int
    capacity: int
    soft_limit: int
    soft_depth_ratio: float
    acquired: int
    released: int
    shed: int
    latency_ns: int

    @property
    def latency(self) -> float:
        """Seconds that calls take in the long run, of a gate that adapts by them; else 0."""
        return seconds(self.latency_ns)


class Gate(Owned):
    """A bound on the calls that are in progress at once. Share one among all threads.

        gate = trip.Gate(tracker, "embeddings", capacity=20, soft_limit=15)
        with gate.acquire():       # raises trip.Shed when 20 calls are in progress
            call_the_provider()

    The options are those of trip.GateOptions, by name; what is not said has the default that trip.GateConfig shows.
    What each means and may be stands in include/trip.h under the field of the same name of trip_gate_config; bad values
    raise ConfigError, whose `field` is the field's name in GateConfig.

    It goes by the clock of `tracker`, which it keeps alive and among whose events its own are told, by `name`; without
    one by the machine's, and without events. It is destroyed when it is closed, or when nobody holds it any more: its
    tokens do.
    """

    _destroy = staticmethod(library.trip_gate_destroy)

    def __init__(self, tracker: Tracker | None = None, name: Name = "", **options: Unpack[GateOptions]) -> None:
        self._begin(GateConfig.of("Gate", options), tracker, name)

    @classmethod
    def from_config(cls, config: GateConfig, tracker: Tracker | None = None, name: Name = "") -> Self:
        """A gate of an exact config, times in nanoseconds."""
        gate = cls.__new__(cls)
        gate._begin(required(config, GateConfig), tracker, name)
        return gate

    def _begin(self, config: GateConfig, tracker: Tracker | None, name: Name) -> None:
        named = as_bytes("name", name)
        self._make(library.trip_gate_create, config, handle_of(tracker), named, len(named))
        self._tracker = tracker

    def acquire(self) -> Token:
        """Ask for a place; never waits. Use it in `with` or `async with`, or release it yourself.

        Raises Shed when there is none. Raises trip.Error when the library fails: for want of memory, say, or of tokens.
        """
        token = Token()
        token._gate = self
        shed = _abi.trip_shed(ctypes.sizeof(_abi.trip_shed))
        status = library.trip_gate_acquire(self._handle, ctypes.byref(token._token), ctypes.byref(shed))
        if status < 0:
            raise failure(status)
        if status != _abi.TRIP_OK:
            raise Shed(shed.depth, shed.limit, shed.capacity)
        return token

    def inspect(self) -> GateInfo:
        """How full it is, and its counters."""
        return described(GateInfo, self._told(library.trip_gate_inspect, _abi.trip_gate_info))


# What the end of a call is to a gate: what its class is to a circuit, if nobody has ordered otherwise.
_EFFECTS = {each: Effect(getattr(Config, f"on_{each.name.lower()}", Effect.SUCCESS)) for each in StatusClass}


class Token:
    """A place in a gate, given by Gate.acquire. Release it once, on any thread:

        with gate.acquire():
            call_the_provider()

    releases it with Effect.SUCCESS when the block ends, with Effect.FAILURE when it raises an Exception, and with
    Effect.NOTHING on asyncio.CancelledError, KeyboardInterrupt and the like, and on what the breaker itself raises.
    Only a gate that adapts makes a difference of that. A token that is collected is released with Effect.NOTHING.

    The block's end never raises anything of its own: what the library has against it goes to the logger "trip".
    """

    __slots__ = ("__weakref__", "_classify", "_gate", "_token")

    _gate: Gate  # kept, as it must be there to take the token back
    _classify: Classify | None

    def __init__(self) -> None:
        # The library writes into this, which releases it: an exception thrown in between, by a signal handler say, must
        # not leave a place taken for ever. Until it does, this is 0, which is no token.
        self._token = _abi.trip_token()
        self._classify = None

    @property
    def handle(self) -> int:
        """The library's own number for this token, the same in every language of this process."""
        return self._token.value

    def release(self, effect: Effect = Effect.SUCCESS) -> bool:
        """Give the place back. Raises Consumed if that was done before, which changes nothing. False for a token that
        the parent of this process has acquired.
        """
        require_int("effect", effect, 0, U32_MAX)
        return settled(library.trip_token_release(self._token.value, effect))

    def classified_by(self, classify: Classify) -> Self:
        """Let a function say what an Exception that ends the block tells of the provider, as in Permit.classified_by:
        what is the caller's mistake is no sign of too many calls.
        """
        self._classify = required_classify(classify)
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        report(library.trip_token_release(self._token.value, _effect(kind, error, self._classify)))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    # Bound here: globals may be gone when the interpreter ends.
    def __del__(
        self, _release: Callable[..., int] = library.trip_token_release, _effect: int = _abi.TRIP_EFFECT_NOTHING
    ) -> None:
        _release(self._token.value, _effect)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token cannot be copied or pickled: it is released once, in this process")

    def __repr__(self) -> str:
        return f"<trip.Token {self.handle:#x}>"


def _effect(kind: type[BaseException] | None, error: BaseException | None, classify: Classify | None) -> Effect:
    """What the end of a block tells of how full the provider is."""
    if kind is None:
        return Effect.SUCCESS
    if says_nothing(kind):
        return Effect.NOTHING
    outcome = judged(error, classify)
    return Effect.FAILURE if outcome is None else _EFFECTS.get(outcome.status_class, Effect.NOTHING)
