"""Owns Circuit: one (tenant, provider) of a tracker, found again when the library has evicted it."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, NoReturn, Union, cast

from . import _abi
from ._constants import Mode, State
from ._duration import seconds
from ._errors import failure
from ._guard import guard
from ._library import library
from ._permit import Permit
from ._rejection import CircuitOpen, Rejection

if TYPE_CHECKING:
    from typing_extensions import ParamSpec, TypeVar

    from ._tracker import Tracker

    P = ParamSpec("P")
    R = TypeVar("R")

Name = Union[str, bytes]

_OK = _abi.TRIP_OK
_Rejection = _abi.trip_rejection
_REJECTION_SIZE = ctypes.sizeof(_abi.trip_rejection)
# ctypes passes the address of an object where C wants a pointer to its type: no reference object is made for it.
_permit = cast("Callable[[int, _abi.trip_permit, _abi.trip_rejection], int]", library.trip_circuit_permit)


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

    __slots__ = ("__weakref__", "_handle", "_names", "_tracker")

    def __init__(self, tracker: Tracker, tenant: Name, provider: Name) -> None:
        self._tracker = tracker
        self._names = (_bytes("tenant", tenant), _bytes("provider", provider))
        self._handle = self._look_up()

    @property
    def tenant(self) -> str:
        """Whose calls these are; bytes that are not UTF-8 appear as surrogate escapes, as in os.fsdecode."""
        return self._names[0].decode(errors="surrogateescape")

    @property
    def provider(self) -> str:
        """Who is called; bytes that are not UTF-8 appear as surrogate escapes, as in os.fsdecode."""
        return self._names[1].decode(errors="surrogateescape")

    @property
    def handle(self) -> int:
        """The library's own number for this circuit, the same in every language of this process."""
        return self._handle

    def permit(self) -> Permit:
        """Ask for a permit to make one call; never waits. Use it in `with` or `async with`, or settle it yourself.

        Raises CircuitOpen when the provider must not be called now. Raises trip.Error when the library fails: let the
        call through unguarded then and report it, for the breaker must never be the outage. `guard` does so.
        """
        permit = Permit(self)
        refused = _Rejection(_REJECTION_SIZE)
        status = _permit(self._handle, permit._handle, refused)
        if status != _OK:
            status = self._insist(status, _permit, permit._handle, refused)
            if status != _OK:
                raise CircuitOpen(self.tenant, self.provider, Rejection.of(status, refused))
        return permit

    def peek(self) -> Rejection | None:
        """What `permit` would answer now: None, or why it would refuse. Changes nothing, counts nothing."""
        refused = _Rejection(_REJECTION_SIZE)
        status = self._ask(library.trip_circuit_peek, ctypes.byref(refused))
        return None if status == _OK else Rejection.of(status, refused)

    def inspect(self) -> CircuitInfo:
        """State, times and counters. Changes nothing; its time grows with the permits ever out at once."""
        info = _abi.trip_circuit_info(ctypes.sizeof(_abi.trip_circuit_info))
        self._ask(library.trip_circuit_inspect, ctypes.byref(info))
        members = {name: getattr(info, name) for name in CircuitInfo.__dataclass_fields__}
        return CircuitInfo(**{**members, "state": State(info.state), "mode": Mode(info.mode)})

    def key(self) -> tuple[bytes, bytes]:
        """Tenant and provider as the library has them."""
        text = ctypes.create_string_buffer(510)
        tenant, provider = ctypes.c_size_t(), ctypes.c_size_t()
        self._ask(library.trip_circuit_key, text, len(text), ctypes.byref(tenant), ctypes.byref(provider))
        both = text.raw[: tenant.value + provider.value]
        return both[: tenant.value], both[tenant.value :]

    def guard(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function, plain or `async def`, so that each call of it holds a permit, as in `with`.

        A call raises CircuitOpen, and does not run the function, when the circuit refuses. When the library itself
        fails, the call goes through unguarded and the logger "trip" says so, once per function and status: the breaker
        must never be the outage.

        Generator functions are refused: they have called nobody when they return. So has a plain function that returns
        an awaitable, which cannot be told beforehand: decorate the `async def` that it calls.
        """
        return guard(self, function)

    def _ask(self, function: Callable[..., int], *arguments: Any) -> int:
        status = function(self._handle, *arguments)
        return status if status >= 0 else self._insist(status, function, *arguments)

    def _insist(self, status: int, function: Callable[..., int], *arguments: Any) -> int:
        """The answer to a question that first came to `status`: asked once more if the circuit had been evicted."""
        if status == _abi.TRIP_E_HANDLE:
            self._handle = self._look_up()
            status = function(self._handle, *arguments)
        if status < 0:
            raise failure(status)
        return status

    def _look_up(self) -> int:
        tenant, provider = self._names
        circuit = _abi.trip_circuit()
        status = library.trip_tracker_circuit(
            self._tracker.handle, tenant, len(tenant), provider, len(provider), ctypes.byref(circuit)
        )
        if status < 0:
            raise failure(status)
        return circuit.value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Circuit):
            return NotImplemented
        return self._tracker is other._tracker and self._names == other._names

    def __hash__(self) -> int:
        return hash(self._names)  # not the handle, which an eviction changes

    def __reduce__(self) -> NoReturn:
        raise TypeError("a circuit cannot be copied or pickled: it lives in this process")

    def __repr__(self) -> str:
        return f"<trip.Circuit tenant={self.tenant!r} provider={self.provider!r}>"


def _bytes(what: str, name: Name) -> bytes:
    if isinstance(name, str):
        return name.encode(errors="surrogateescape")
    if isinstance(name, bytes):
        return name
    raise TypeError(f"{what} must be str or bytes, not {type(name).__name__}")
