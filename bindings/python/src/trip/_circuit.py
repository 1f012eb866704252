"""Owns Circuit: one (tenant, provider) of a tracker, as programs hold it."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, NoReturn, overload

from . import _abi, _native
from ._constants import Mode, State
from ._duration import seconds
from ._ending import Classify, required
from ._entry import Entry
from ._guard import guard
from ._lane import NO_LANE, Grant, grants
from ._library import library
from ._permit import Permit
from ._rejection import Rejection

if TYPE_CHECKING:
    from typing_extensions import ParamSpec, TypeVar

    from ._tracker import Tracker

    P = ParamSpec("P")
    R = TypeVar("R")

_OK = _abi.TRIP_OK


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
    evicted is looked up again by its names, once per call.
    """

    __slots__ = ("__weakref__", "_entry", "_tracker")

    _entry: Entry
    _tracker: Tracker  # which lives as long as somebody holds this

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

    def peek(self) -> Rejection | None:
        """What `permit` would answer now: None, or why it would refuse. Changes nothing, counts nothing."""
        refused = _abi.trip_rejection(ctypes.sizeof(_abi.trip_rejection))
        status = self._entry.ask(library.trip_circuit_peek, ctypes.byref(refused))
        return None if status == _abi.TRIP_OK else Rejection.of(status, refused)

    def inspect(self) -> CircuitInfo:
        """State, times and counters. Changes nothing; its time grows with the permits ever out at once."""
        info = self._entry.inspect()
        members = {name: getattr(info, name) for name in CircuitInfo.__dataclass_fields__}
        return CircuitInfo(**{**members, "state": State(info.state), "mode": Mode(info.mode)})

    def key(self) -> tuple[bytes, bytes]:
        """Tenant and provider as the library has them."""
        text = ctypes.create_string_buffer(510)
        tenant, provider = ctypes.c_size_t(), ctypes.c_size_t()
        self._entry.ask(library.trip_circuit_key, text, len(text), ctypes.byref(tenant), ctypes.byref(provider))
        both = text.raw[: tenant.value + provider.value]
        return both[: tenant.value], both[tenant.value :]

    @overload
    def guard(self, function: Callable[P, R], *, classify: Classify | None = None) -> Callable[P, R]: ...

    @overload
    def guard(self, *, classify: Classify) -> Callable[[Callable[P, R]], Callable[P, R]]: ...

    def guard(self, function: Any = None, *, classify: Classify | None = None) -> Any:
        """Decorate a function, plain or `async def`, so that each call of it holds a permit, as in `with`.

            @circuit.guard
            def complete(prompt): ...

            @circuit.guard(classify=lambda error: trip.classify_http(error.code, error.read()))
            def embed(text): ...

        `classify` says what an Exception tells of the provider, as in Permit.classified_by.

        A call raises CircuitOpen, and does not run the function, when the circuit refuses. When the library itself
        fails, the call goes through unguarded and the logger "trip" says so, once per function and status: the breaker
        must never be the outage. The decorated function has the parameters and the defaults that the function had when
        it was decorated; a call that does not fit them is its caller's TypeError and asks for no permit.

        Generator functions are refused: they have called nobody when they return. So has a plain function that returns
        an awaitable, which cannot be told beforehand: decorate the `async def` that it calls.
        """
        if classify is not None:
            required(classify)
        if classify is None or function is not None:
            return guard(self, function, classify)
        return lambda function: guard(self, function, classify)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Circuit):
            return NotImplemented
        return self._tracker is other._tracker and self._entry.names == other._entry.names

    def __hash__(self) -> int:
        return hash(self._entry.names)  # not the handle, which an eviction changes

    def __reduce__(self) -> NoReturn:
        raise TypeError("a circuit cannot be copied or pickled: it lives in this process")

    def __repr__(self) -> str:
        return f"<trip.Circuit tenant={self.tenant!r} provider={self.provider!r}>"
