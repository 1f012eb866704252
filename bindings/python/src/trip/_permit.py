"""Owns Permit: the right to make one call, settled once. Every call's path leads through here: few steps, no locks."""

from __future__ import annotations

import ctypes
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, NoReturn, cast

from . import _abi
from ._duration import seconds
from ._errors import Error, failure
from ._library import library
from ._rejection import CircuitOpen

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

# ctypes takes a permit's own cell where C wants its value: no Python int is made for the way through.
Settle = Callable[[_abi.trip_permit], int]

_OK = _abi.TRIP_OK
_record_success = cast(Settle, library.trip_permit_record_success)
_record_failure = cast(Settle, library.trip_permit_record_failure)
_cancel = cast(Settle, library.trip_permit_cancel)
_drop = cast(Settle, library.trip_permit_drop)

_log = logging.getLogger("trip")


@dataclass(frozen=True)
class PermitInfo:
    """A permit seen from outside. A probe must be settled or renewed within its lease; no probe has a lease of 0."""

    is_probe: bool
    lease_left_ns: int

    @property
    def lease_left(self) -> float:
        """Seconds left of the lease."""
        return seconds(self.lease_left_ns)


class Permit:
    """The right to make one call, granted by Circuit.permit. Settle it once, on any thread:

        with circuit.permit():
            call_the_provider()

    records a success when the block ends, a failure when it raises an Exception, and cancels when the call never told
    us anything about the provider: on asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit and the
    like, and when the exception is the breaker's own (a CircuitOpen of another circuit, a trip.Error). The exception
    goes on. A block may settle the permit itself. A permit that is collected unsettled is dropped, which counts as the
    tracker's on_drop says.

    The block's end never raises anything of its own: what the library has against it goes to the logger "trip".
    """

    # _owner: what keeps the tracker alive while the permit is unsettled; None once there is nothing left to settle.
    __slots__ = ("__weakref__", "_handle", "_owner")

    def __init__(self, owner: object) -> None:
        # The library writes the handle right into the object that drops it, so that an exception thrown in between, by
        # a signal handler say, leaks no permit. Until it does, the handle is 0, which settles nothing.
        self._handle = _abi.trip_permit()
        self._owner: object = owner

    @classmethod
    def from_handle(cls, handle: int) -> Self:
        """Take over a permit that another language in this process was granted; dropped if collected unsettled.

        Any int is legal. One that is no unsettled permit gets its error when it is used, and so does one that 64 bits
        cannot hold: it becomes 0, which is never a permit.
        """
        if isinstance(handle, bool) or not isinstance(handle, int):
            raise TypeError(f"a handle must be an int, not {type(handle).__name__}")
        permit = cls(owner=cls)
        permit._handle.value = handle if 0 <= handle < 2**64 else 0
        return permit

    @property
    def handle(self) -> int:
        """The library's own number for this permit, the same in every language of this process."""
        return self._handle.value

    def detach(self) -> int:
        """Give the permit away: whoever gets the handle must settle it, and this object no longer will."""
        self._owner = None
        return self._handle.value

    def record_success(self) -> bool:
        """Settle: the provider answered as it should. False if the circuit has moved on and the permit is stale."""
        status = _record_success(self._handle)
        self._owner = None
        return True if status == _OK else _settled(status)

    def record_failure(self) -> bool:
        """Settle: the provider failed. False if the circuit has moved on and the permit is stale."""
        status = _record_failure(self._handle)
        self._owner = None
        return True if status == _OK else _settled(status)

    def cancel(self) -> bool:
        """Settle: the call told us nothing about the provider. False if the permit is stale."""
        status = _cancel(self._handle)
        self._owner = None
        return True if status == _OK else _settled(status)

    def drop(self) -> bool:
        """Settle as the tracker's on_drop says, as if the permit had been collected. False if it is stale."""
        status = _drop(self._handle)
        self._owner = None
        return True if status == _OK else _settled(status)

    def renew(self) -> bool:
        """Start the lease of a probe again, for a call that takes long. False if the permit is stale."""
        return _settled(library.trip_permit_renew(self._handle.value))

    def inspect(self) -> PermitInfo | None:
        """Whether this is a probe, and its lease: so that nobody probes with his longest call. None if it is stale."""
        info = _abi.trip_permit_info(ctypes.sizeof(_abi.trip_permit_info))
        if not _settled(library.trip_permit_inspect(self._handle.value, ctypes.byref(info))):
            return None
        return PermitInfo(bool(info.is_probe), info.lease_left_ns)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._owner is None:
            return
        if kind is None:
            status = _record_success(self._handle)
        elif issubclass(kind, Exception) and not issubclass(kind, (CircuitOpen, Error)):
            status = _record_failure(self._handle)
        else:
            status = _cancel(self._handle)
        self._owner = None
        if status < 0 and status != _abi.TRIP_E_CONSUMED:  # consumed: the block settled it, through its handle
            _log.warning("a call could not be recorded: %s", failure(status))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __del__(self, _drop: Settle = _drop) -> None:  # bound: globals may be gone when the interpreter ends
        if self._owner is not None:
            _drop(self._handle)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a permit cannot be copied or pickled: it is settled once, in this process")

    def __repr__(self) -> str:
        return f"<trip.Permit {self._handle.value:#x}>"


def _settled(status: int) -> bool:
    """Whether it counted; a positive status that this package does not know is an answer other than yes."""
    if status < 0:
        raise failure(status)
    return status == _OK
