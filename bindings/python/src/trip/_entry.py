"""Owns Entry: one circuit of a tracker, its lane, and the permits it is asked for; found again when it was evicted."""

from __future__ import annotations

import ctypes
from typing import Any, Callable, Union

from . import _abi, _native
from ._errors import failure
from ._lane import NO_LANE, Grant, Lane, fetch, grants, hand_in
from ._library import library
from ._rejection import CircuitOpen

Name = Union[str, bytes]
Names = tuple[bytes, bytes]

NAME_MAX = 255  # bytes of a name, of a reason too

# Successes of an entry, and times that it is asked for by name again, before it fetches a lane: who makes a call or two
# does not pay for one.
COLD = 4

# And successes before it asks again where there is none for its policy, which may be replaced.
SELDOM = 256

_OK = _abi.TRIP_OK


class Entry:
    """What every Circuit object of the same names shares. It keeps no tracker alive: who holds it must."""

    __slots__ = ("_shown", "circuit", "lane", "names", "tracker", "until_warm")

    names: Names
    circuit: _abi.trip_circuit  # replaced, never changed: others may be reading it
    lane: Lane
    tracker: _abi.trip_tracker | None  # that is asked for the names again; None: nobody is
    _shown: tuple[str, str] | None
    until_warm: int

    @property
    def shown(self) -> tuple[str, str]:
        """The names for people; bytes that are not UTF-8 appear as surrogate escapes."""
        if self._shown is None:
            tenant, provider = self.names
            self._shown = tenant.decode(errors="surrogateescape"), provider.decode(errors="surrogateescape")
        return self._shown

    def ask_permit(self, grant: Grant) -> int:
        """Have a permit granted, or refused: then the status is not TRIP_OK. Raises trip.Error."""
        status = _native.permit(self.circuit, grant.to_handle, grant.to_refusal)
        return status if status >= 0 else self.insist_on_permit(status, grant)

    def insist_on_permit(self, status: int, grant: Grant) -> int:
        """The same after an answer that was an error."""
        return self._insist(status, _native.permit, grant.to_handle, grant.to_refusal)

    def refused(self, status: int, grant: Grant) -> CircuitOpen:
        """The refusal that has just been told, after which the grant is anybody's."""
        tenant, provider = self._shown or self.shown
        refusal = CircuitOpen(tenant, provider, (status, grant.refusal.tobytes()))
        grants.append(grant)
        return refusal

    def succeeded(self) -> None:
        """A permit of the library's own was settled as a success: the circuit may be healthy, and have a new lane."""
        if self.until_warm:
            self.until_warm -= 1
        elif not self.lane.value <= self.lane.word[0] <= self.lane.last:
            self.fetch_lane()

    def warm_up(self) -> bool:
        """It is asked for by name, and has no lane that admits: whether it has one now."""
        if self.until_warm:
            self.until_warm -= 1
            return False
        return self.lane is NO_LANE and self.fetch_lane()

    def fetch_lane(self) -> bool:
        """Whether there is one, which says that the circuit is there, and closed."""
        lane = fetch(self.circuit.value)
        if lane is None:
            self.until_warm = SELDOM
        self.lane = lane or NO_LANE
        return self.lane is not NO_LANE

    def ask(self, function: Callable[..., int], *arguments: Any) -> int:
        status = function(self.circuit, *arguments)
        return status if status >= 0 else self._insist(status, function, *arguments)

    def inspect(self) -> _abi.trip_circuit_info:
        """With what the lanes have counted, and the calls that they have admitted and that have not ended."""
        info = _abi.trip_circuit_info(ctypes.sizeof(_abi.trip_circuit_info))
        hand_in(self.circuit.value)
        self.ask(library.trip_circuit_inspect, ctypes.byref(info))
        info.permits += hand_in(self.circuit.value)
        return info

    def key(self) -> Names:
        """The names as the library has them."""
        text = ctypes.create_string_buffer(2 * NAME_MAX)
        tenant, provider = ctypes.c_size_t(), ctypes.c_size_t()
        self.ask(library.trip_circuit_key, text, len(text), ctypes.byref(tenant), ctypes.byref(provider))
        both = text.raw[: tenant.value + provider.value]
        return both[: tenant.value], both[tenant.value :]

    def _insist(self, status: int, function: Callable[..., int], *arguments: Any) -> int:
        """The answer to a question that first came to `status`: asked once more if the circuit had been evicted."""
        if status == _abi.TRIP_E_HANDLE and self.tracker is not None:
            self.circuit = found(self.tracker, self.names).circuit
            status = function(self.circuit, *arguments)
        if status < 0:
            raise failure(status)
        return status


def encoded(tenant: Name, provider: Name) -> Names:
    """The names as the library takes them."""
    return as_bytes("tenant", tenant), as_bytes("provider", provider)


def as_bytes(what: str, name: Name) -> bytes:
    if isinstance(name, str):
        return name.encode(errors="surrogateescape")
    if isinstance(name, bytes):
        return name
    raise TypeError(f"{what} must be str or bytes, not {type(name).__name__}")


def found(tracker: _abi.trip_tracker, names: Names) -> Entry:
    """The circuit of these names, looked up, and made when it does not exist."""
    tenant, provider = names
    try:
        tenant_length, provider_length = _native.LENGTHS[len(tenant)], _native.LENGTHS[len(provider)]
    except IndexError:
        raise failure(_abi.TRIP_E_INVALID) from None
    entry = Entry()
    entry.tracker, entry.names = tracker, names
    entry.lane, entry.until_warm, entry._shown = NO_LANE, COLD, None
    entry.circuit = circuit = _abi.trip_circuit()
    status = _native.circuit(tracker, tenant, tenant_length, provider, provider_length, ctypes.byref(circuit))
    if status < 0:
        raise failure(status)
    return entry


def of_handle(handle: int) -> Entry:
    """The circuit that has this handle, which is not asked for by name when it is gone."""
    entry = Entry()
    entry.tracker, entry.circuit = None, _abi.trip_circuit(handle)
    entry.lane, entry.until_warm, entry._shown = NO_LANE, COLD, None
    entry.names = entry.key()
    return entry
