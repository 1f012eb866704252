"""Owns Permit: the right to make one call, settled once. Every call's path leads through here: few steps, no locks."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, cast

from . import _abi
from ._constants import StatusClass
from ._duration import Duration, seconds
from ._ending import Classify, recording, report, required, settlement
from ._errors import Error, failure
from ._lane import NO_LANE, Grant, Lane, Ticket, grants
from ._library import library
from ._native import Settle, cancel, drop, record_failure, record_success
from ._outcome import Outcome, complete

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from ._circuit import Circuit

_OK = _abi.TRIP_OK


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
    goes on. `classified_by` says what an Exception tells beside that. A block may settle the permit itself. A permit
    that is collected unsettled is dropped, which counts as the tracker's on_drop says.

    The block's end never raises anything of its own: what the library has against it goes to the logger "trip".
    """

    __slots__ = ("__weakref__", "_circuit", "_classify", "_lane", "_ticket")

    # What admitted the call: a lane, or NO_LANE where it is a Grant, and the library that sees to it that it is settled
    # once. A lane's ticket is taken away by whoever settles the permit, which is one step: of many threads one can.
    _lane: Lane
    _ticket: Ticket
    _circuit: Circuit | None  # kept, and its tracker with it, while the permit is unsettled
    _classify: Classify  # absent unless classified_by was asked for

    @classmethod
    def from_handle(cls, handle: int) -> Self:
        """Take over a permit that another language in this process was granted; dropped if collected unsettled.

        Any int is legal. One that is no unsettled permit gets its error when it is used, and so does one that 64 bits
        cannot hold: it becomes 0, which is never a permit.
        """
        if isinstance(handle, bool) or not isinstance(handle, int):
            raise TypeError(f"a handle must be an int, not {type(handle).__name__}")
        grant = Grant()
        grant.is_shown = True
        grant.handle.value = handle if 0 <= handle < 2**64 else 0
        permit = cls()
        permit._circuit, permit._lane, permit._ticket = None, NO_LANE, grant
        return permit

    @property
    def handle(self) -> int:
        """The library's own number for this permit, the same in every language of this process; 0 if the permit was
        settled before anybody asked.
        """
        if self._lane is not NO_LANE:
            self._leave_lane(self._lane)
        return self._shown() or 0

    def detach(self) -> int:
        """Give the permit away: whoever gets the handle must settle it, and this object no longer will."""
        handle = self.handle
        ticket = getattr(self, "_ticket", None)
        if isinstance(ticket, Grant):
            ticket.permit = None
        elif ticket is not None:
            self._lane.tickets.append(ticket)
            del self._ticket
        self._circuit = None
        return handle

    def record_success(self) -> bool:
        """Settle: the provider answered as it should. False if the circuit has moved on and the permit is stale."""
        lane = self._lane
        if lane is NO_LANE:
            status = self._settle_granted(record_success, True)
            return status == _OK or _counted(status)
        if lane.word[0] == lane.value:
            try:
                ticket = self._ticket
                del self._ticket
            except AttributeError:
                raise failure(_abi.TRIP_E_CONSUMED) from None
            for _ in lane.successes:
                break
            else:
                lane.begin_batch()
            lane.tickets.append(ticket)
            self._circuit = None
            return True
        return _counted(self._settle(record_success, True))

    def record(
        self,
        outcome: Outcome | StatusClass,
        *,
        retry_after: Duration | None = None,
        duration: Duration | None = None,
    ) -> bool:
        """Settle with how the call went, as on_auth, on_timeout and so on of the tracker say. False if it is stale.

            permit.record(trip.classify_http(response.status_code, response.content))
            permit.record(trip.StatusClass.TIMEOUT)

        `retry_after`, what the provider asks to wait, and `duration`, how long the call took, replace what the outcome
        says of them. Without a duration the library takes the time since the permit. A bad argument settles nothing.
        """
        said = complete(outcome, retry_after, duration)
        settle = recording(said)
        succeeds = said.status_class == StatusClass.SUCCESS
        if succeeds and self._lane is not NO_LANE:  # nobody asks for how long its calls take
            return self.record_success()
        return _counted(self._settle(settle, succeeds))

    def record_failure(self) -> bool:
        """Settle: the provider failed. False if the circuit has moved on and the permit is stale."""
        return _counted(self._settle(record_failure))

    def cancel(self) -> bool:
        """Settle: the call told us nothing about the provider. False if the permit is stale."""
        return _counted(self._settle(cancel))

    def drop(self) -> bool:
        """Settle as the tracker's on_drop says, as if the permit had been collected. False if it is stale."""
        return _counted(self._settle(drop))

    def renew(self) -> bool:
        """Start the lease of a probe again, for a call that takes long. False if the permit is stale."""
        return _counted(library.trip_permit_renew(self._known()))

    def progress(self) -> bool:
        """Tell that a long response goes on: at its first token, and as often after it as you like. False if the permit
        is stale, or the stream has been silent for longer than the tracker's `stall`.

        A probe whose response has begun counts as a success at once and frees its place.
        """
        return _counted(library.trip_permit_progress(self._known()))

    def classified_by(self, classify: Classify) -> Self:
        """Let a function say what an Exception that ends the block tells of the provider: an Outcome or a StatusClass;
        None where it knows nothing, which is a failure.

            with circuit.permit().classified_by(lambda error: trip.classify_text(str(error))):
                call_the_provider()

        What would cancel the permit is not asked about. A function that raises, or gives something else, is reported to
        the logger "trip", and the exception counts as a failure.
        """
        self._classify = required(classify)
        return self

    def inspect(self) -> PermitInfo | None:
        """Whether this is a probe, and its lease: so that nobody probes with his longest call. None if it is stale."""
        info = _abi.trip_permit_info(ctypes.sizeof(_abi.trip_permit_info))
        if not _counted(library.trip_permit_inspect(self._known(), ctypes.byref(info))):
            return None
        return PermitInfo(bool(info.is_probe), info.lease_left_ns)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        lane = self._lane
        if kind is None and lane.word[0] == lane.value:
            try:
                ticket = self._ticket
                del self._ticket
            except AttributeError:
                return  # the block has settled it
            for _ in lane.successes:
                break
            else:
                lane.begin_batch()
            lane.tickets.append(ticket)
            self._circuit = None
        elif getattr(getattr(self, "_ticket", None), "permit", None) is not None:
            if kind is None:
                report(self._settle(record_success, True))
            else:
                report(self._settle(settlement(kind, error, getattr(self, "_classify", None))))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def _settle(self, settle: Settle, succeeds: bool = False) -> int:
        """Let the library settle it."""
        lane = self._lane
        if lane is NO_LANE:
            return self._settle_granted(settle, succeeds)
        self._circuit = None
        try:
            ticket = self._ticket
            del self._ticket
        except AttributeError:
            return _abi.TRIP_E_CONSUMED
        return lane.settle(ticket, settle)

    def _settle_granted(self, settle: Settle, succeeds: bool) -> int:
        """The same for what the library has granted."""
        try:
            grant = cast(Grant, self._ticket)
            if grant.is_shown:
                grant = cast(Grant, self._ticket)  # still: else it may be another call's by now, and shown by that
            else:
                del self._ticket
        except AttributeError:
            return _abi.TRIP_E_CONSUMED
        status = settle(grant.handle)
        if grant.is_shown:
            grant.permit = None
        else:
            grants.append(grant)
        circuit, self._circuit = self._circuit, None
        if circuit is not None and succeeds and status == _OK:
            entry = circuit._entry
            if entry.until_warm:
                entry.until_warm -= 1
            else:
                entry.succeeded()
        return status

    def _shown(self) -> int | None:
        """What the library knows it by, and somebody else from now on; None if it was settled before that."""
        ticket = getattr(self, "_ticket", None)
        if ticket is None:
            return None
        if not isinstance(ticket, Grant):
            return self._lane.permit.value
        ticket.is_shown = True
        handle = ticket.handle.value
        # If another thread has settled it by now, the grant may be another call's, and was when its handle was read.
        return handle if getattr(self, "_ticket", None) is ticket else None

    def _known(self) -> int:
        """What the library knows it by."""
        handle = self._shown()
        if handle is None:
            raise failure(_abi.TRIP_E_CONSUMED)
        return handle

    def _leave_lane(self, lane: Lane) -> bool:
        """Become a permit of the library's own, with a number that is this permit's alone and is settled once. It
        cannot when it is settled, nor when the circuit has moved on: then the lane's number stands for it, and
        whatever is settled by that changes no state.
        """
        circuit = self._circuit
        if circuit is None or library.trip_permit_renew(lane.permit.value) != _OK:
            return False
        grant = Grant()
        try:
            if circuit._entry.ask_permit(grant) != _OK:
                return False
        except Error:
            return False
        try:
            ticket = self._ticket
        except AttributeError:  # settled meanwhile by another thread
            cancel(grant.handle)
            return False
        self._lane, self._ticket = NO_LANE, grant
        lane.tickets.append(ticket)
        return True

    def __reduce__(self) -> NoReturn:
        raise TypeError("a permit cannot be copied or pickled: it is settled once, in this process")

    def __repr__(self) -> str:
        handle = self.handle
        return f"<trip.{type(self).__name__} {hex(handle) if handle else 'settled'}>"


def _counted(status: int) -> bool:
    """Whether it counted; a positive status that this package does not know is an answer other than yes."""
    if status < 0:
        raise failure(status)
    return status == _OK
