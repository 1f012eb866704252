"""Owns Circuit: one (tenant, provider) of a tracker, as programs hold it."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, NoReturn, overload

from . import _abi, _native
from ._constants import Mode, State
from ._duration import Duration, nanoseconds, seconds
from ._ending import Classify, required
from ._entry import Entry, Name, as_bytes, of_handle
from ._guard import guard
from ._lane import NO_LANE, Grant, all_counted, grants, hand_in
from ._library import library
from ._number import U32_MAX, U64_MAX, require_int
from ._permit import Permit
from ._recovery import PermitWhenReady, admitted, admitted_async
from ._rejection import CircuitOpen, Rejection
from ._watching import wake_all

if TYPE_CHECKING:
    from typing_extensions import ParamSpec, Self, TypeVar

    from ._tracker import Tracker

    P = ParamSpec("P")
    R = TypeVar("R")

_OK = _abi.TRIP_OK

_EXPLANATION_MAX = 4096  # bytes
_NOT_YET = object()  # in place of a function that a decorator with options will get


@dataclass(frozen=True)
class CircuitInfo:
    """A circuit seen from outside; include/trip.h says what each member counts.

    When no call is in progress, permits = successes + failures_total + drops + cancels + permits not yet settled.
    """

    state: State
    mode: Mode
    failures: int
    level: int
    probes_out: int
    epoch: int
    retry_after_ns: int
    open_duration_ns: int
    permits: int
    successes: int
    failures_total: int
    drops: int
    cancels: int
    rejections: int
    stale: int
    opens: int
    mode_left_ns: int

    @classmethod
    def of(cls, info: _abi.trip_circuit_info) -> CircuitInfo:
        """What the library has told."""
        members = {name: getattr(info, name) for name in cls.__dataclass_fields__}
        return cls(**{**members, "state": State(info.state), "mode": Mode(info.mode)})

    @property
    def mode_left(self) -> float | None:
        """Seconds until the mode ends by itself; None: it does not."""
        return seconds(self.mode_left_ns) if self.mode_left_ns else None

    @property
    def retry_after(self) -> float:
        """Seconds that a refusal would tell now; 0 where a permit would be granted."""
        return seconds(self.retry_after_ns)

    @property
    def open_duration(self) -> float:
        """Seconds of this open period (half-open: of the one before it) as configured; 0 when closed."""
        return seconds(self.open_duration_ns)


class Circuit:
    """The circuit of one (tenant, provider), given by Tracker.circuit. Keep it, or ask for it again: it is the same.

    Circuits are equal when they are the same circuit of the same Tracker object. A circuit that a full tracker has
    evicted, or that somebody has removed, is asked for again by its names, once per call.
    """

    __slots__ = ("__weakref__", "_entry", "_tracker")

    _entry: Entry
    _tracker: Tracker | None  # which lives as long as somebody holds this; None: that somebody else keeps

    @classmethod
    def from_handle(cls, handle: int) -> Self:
        """The circuit that another language in this process, or an event, knows by its number. It keeps no tracker
        alive, and raises trip.Error once that is closed or the circuit is gone: it is not asked for again by its names.
        At once where there is no such circuit. Equal to a circuit of the same number that was got so too.
        """
        require_int("handle", handle, 0, U64_MAX)
        circuit = cls()
        circuit._tracker, circuit._entry = None, of_handle(handle)
        return circuit

    @property
    def tenant(self) -> str:
        """Whose calls these are; bytes that are not UTF-8 appear as surrogate escapes, as in os.fsdecode."""
        return self._entry.shown[0]

    @property
    def provider(self) -> str:
        """Who is called; bytes that are not UTF-8 appear as surrogate escapes, as in os.fsdecode."""
        return self._entry.shown[1]

    @property
    def handle(self) -> int:
        """The library's own number for this circuit, the same in every language of this process."""
        return self._entry.circuit.value

    def permit(self) -> Permit:
        """Ask for a permit to make one call; never waits. Use it in `with` or `async with`, or settle it yourself.

        Raises CircuitOpen when the provider must not be called now. Raises trip.Error when the library fails: let the
        call through unguarded then and report it, for the breaker must never be the outage. `guard` does so.
        """
        permit = Permit()
        entry = self._entry
        lane = entry.lane
        if lane is not NO_LANE and ((word := lane.word[0]) == lane.value or lane.value <= word <= lane.last):
            try:
                permit._ticket = lane.tickets.pop()
            except IndexError:
                permit._ticket = lane.issue()
            permit._lane = lane
        else:
            permit._lane = NO_LANE
            try:
                permit._ticket = grant = grants.pop()
            except IndexError:
                permit._ticket = grant = Grant()
            status = _native.permit(entry.circuit, grant.to_handle, grant.to_refusal)
            if status < 0:
                status = entry.insist_on_permit(status, grant)
            if status != _OK:
                raise entry.refused(status, grant)
        permit._circuit = self
        return permit

    def permit_when_ready(self, timeout: Duration | None = None) -> Permit:
        """As permit, but where that would refuse, wait until it does not: until the open period is over, the probe that
        is out has ended, or an operator closes the circuit.

            with circuit.permit_when_ready(timeout=60): ...

        After `timeout` (seconds or timedelta; None: as long as it takes) it raises the CircuitOpen that a permit would
        raise then; with 0 it is `permit`. Others may ask meanwhile, and get the permit first. Raises trip.Error, as
        permit does, and when the tracker is closed meanwhile.

        The thread is blocked: on asyncio take permit_when_ready_async. Steered, or its manual clock moved, in another
        language, the circuit is asked again within a second.
        """
        return admitted(self, self.permit, timeout)

    def permit_when_ready_async(self, timeout: Duration | None = None) -> PermitWhenReady:
        """The same on asyncio, to be awaited, or held in `async with`: no thread is blocked. Those who wait on one loop
        get their permits in the order in which they came. Cancelled, it leaves nothing behind, and no permit out.

            async with circuit.permit_when_ready_async(timeout=60): ...
        """
        return PermitWhenReady(admitted_async(self, self.permit, timeout))

    def wait(self, timeout: Duration | None = None) -> bool:
        """Wait, as permit_when_ready does, until `permit` would grant one, and take none: whoever asks first gets it.
        False when the time is over. The thread is blocked: on asyncio take wait_async.
        """
        try:
            admitted(self, self._require_admission, timeout)
        except CircuitOpen:
            return False
        return True

    async def wait_async(self, timeout: Duration | None = None) -> bool:
        """The same on asyncio: no thread is blocked.

        if not await circuit.wait_async(timeout=60):
            return "still down"
        """
        try:
            await admitted_async(self, self._require_admission, timeout)
        except CircuitOpen:
            return False
        return True

    def _require_admission(self) -> None:
        """Raise what `permit` would."""
        refused = self.peek()
        if refused is not None:
            raise CircuitOpen(self.tenant, self.provider, refused)

    def peek(self) -> Rejection | None:
        """What `permit` would answer now: None, or why it would refuse. Changes nothing, counts nothing."""
        refused = _abi.trip_rejection(ctypes.sizeof(_abi.trip_rejection))
        status = self._entry.ask(library.trip_circuit_peek, ctypes.byref(refused))
        return None if status == _abi.TRIP_OK else Rejection.of(status, refused)

    def inspect(self) -> CircuitInfo:
        """State, times and counters. Changes nothing; its time grows with the permits ever out at once."""
        return CircuitInfo.of(self._entry.inspect())

    def explain(self) -> str:
        """One paragraph for people: what the circuit does and why, who or what opened it, when, after which calls, and
        what comes next and when. Its wording may change. Changes nothing.
        """
        text = ctypes.create_string_buffer(_EXPLANATION_MAX)
        length = ctypes.c_size_t()
        with all_counted(self.handle):
            self._entry.ask(library.trip_circuit_explain, text, len(text), ctypes.byref(length))
        return text.raw[: length.value].decode(errors="backslashreplace")

    def key(self) -> tuple[bytes, bytes]:
        """Tenant and provider as the library has them."""
        return self._entry.key()

    def set_mode(self, mode: Mode, *, ttl: Duration | None = None, reason: Name = "") -> None:
        """Set who decides about permits from now on; Mode.AUTO gives the circuit its say back.

            circuit.set_mode(trip.Mode.FORCED_OPEN, ttl=600, reason="key rotation")

        No call begins on any thread, in any language, against a mode that was set before it. After `ttl` (seconds or
        timedelta, at most a year) the mode is AUTO again; None: when somebody sets it. `reason`, at most 255 bytes, is
        told to people by `explain`, and in the event. While it is forced a circuit keeps its state, and calls that were
        admitted before still count in it; calls that are granted by force are in the counters alone.

        Raises trip.Error, and changes nothing, where there is no such mode or a bound is passed.
        """
        ttl_ns = None if ttl is None else nanoseconds("ttl", ttl)
        self.set_mode_ns(mode, ttl_ns, reason=reason)

    def set_mode_ns(self, mode: Mode, ttl_ns: int | None, *, reason: Name = "") -> None:
        """The same in nanoseconds. A time to live of 0 is refused: it might be meant as over, and never end."""
        require_int("mode", mode, 0, U32_MAX, Mode)
        if ttl_ns is not None:
            require_int("ttl_ns", ttl_ns, 1, U64_MAX)
        said = as_bytes("reason", reason)
        self._steer(library.trip_circuit_set_mode, mode, ttl_ns or 0, said, len(said))

    def trip(self) -> None:
        """Open the circuit now, for the period of its level: the first one if it is closed. Its mode stays as it is.
        Permits that are out become stale.
        """
        self._steer(library.trip_circuit_trip)

    def reset(self) -> None:
        """Close the circuit and let it forget its failures, its level, its windows and what its provider asked to wait.
        The counters go on, its mode stays as it is. Permits that are out become stale.
        """
        self._steer(library.trip_circuit_reset)

    def remove(self) -> None:
        """Remove the circuit, such as that of a tenant who is gone. Its permits settle as stale. A policy that was set
        for it stays. Whoever uses its names again, by this object too, makes it anew.
        """
        hand_in(self.handle)  # its provider's metrics keep what it has counted
        self._steer(library.trip_circuit_remove)

    def _steer(self, order: Callable[..., int], *arguments: Any) -> None:
        self._entry.ask(order, *arguments)
        if self._tracker is not None:
            wake_all(self._tracker._waiting)

    @overload
    def guard(self, function: Callable[P, R], *, classify: Classify | None = None) -> Callable[P, R]: ...

    @overload
    def guard(self, *, classify: Classify | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]: ...

    def guard(self, function: Any = _NOT_YET, *, classify: Classify | None = None) -> Any:
        """Decorate a function, plain, `async def` or a generator function, so that each call of it holds a permit, as
        in `with`.

            @circuit.guard
            def complete(prompt): ...

            @circuit.guard(classify=lambda error: trip.classify_http(error.code, error.read()))
            def embed(text): ...

        `classify` says what an Exception tells of the provider, as in Permit.classified_by.

        A call raises CircuitOpen, and does not run the function, when the circuit refuses. When the library itself
        fails, the call goes through unguarded and the logger "trip" says so, once per function and status: the breaker
        must never be the outage. The decorated function has the parameters and the defaults that the function had when
        it was decorated; a call that does not fit them is its caller's TypeError and asks for no permit.

        What a generator function yields, plain or async, is a stream: one call, from its first value on. Each value is
        told as progress; the end is a success, an exception a failure, and a stream that is closed early counts as
        nothing. A plain function that returns an awaitable has called nobody yet: decorate the `async def` that it
        calls.
        """
        if classify is not None:
            required(classify)
        if function is _NOT_YET:
            return lambda function: guard(self, function, classify)
        return guard(self, function, classify)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Circuit):
            return NotImplemented
        if self._tracker is not other._tracker or self._entry.names != other._entry.names:
            return False
        return self._tracker is not None or self.handle == other.handle

    def __hash__(self) -> int:
        return hash(self._entry.names)  # not the handle, which an eviction changes

    def __reduce__(self) -> NoReturn:
        raise TypeError("a circuit cannot be copied or pickled: it lives in this process")

    def __repr__(self) -> str:
        return f"<trip.Circuit tenant={self.tenant!r} provider={self.provider!r}>"
