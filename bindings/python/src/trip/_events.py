"""Owns events: taking them, and waiting for them on asyncio. An event is taken by one taker, in Python or elsewhere.

Who waits watches a descriptor of his own, a duplicate of the tracker's: a loop knows a descriptor by its number, of
which it has one watcher, and the tracker's number is somebody else's once the tracker is destroyed.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from . import _abi
from ._constants import Cause, EventKind, Mode, Scope, State
from ._duration import seconds
from ._entry import NAME_MAX
from ._errors import Error, failure
from ._library import library
from ._watching import until_readable

if TYPE_CHECKING:
    from ._tracker import Tracker

KEPT = 4096  # events, by the library
_AT_ONCE = 64
_TEXT_MAX = 3 * NAME_MAX  # bytes: tenant, provider and reason


@dataclass(frozen=True)
class Event:
    """Something that happened to a circuit, or to its tracker; include/trip.h says what each member tells of each kind.

    `circuit` is its number, 0 for the tracker: see Circuit.from_handle. `state`, `mode`, `epoch` and `failures` are
    what it has after the event; `depth` and `limit` are those of a gate, whose name is the `reason`. Events are
    numbered from 1, without gaps; those of one circuit that happen at once may come in either order. In texts, bytes
    that are not UTF-8 appear as surrogate escapes, as in os.fsdecode: Tracker.circuit takes them back.
    """

    kind: EventKind
    number: int
    at_ns: int
    at_unix_ns: int
    circuit: int
    epoch: int
    duration_ns: int
    state: State
    mode: Mode
    cause: Cause
    scope: Scope
    failures: int
    tenant: str
    provider: str
    reason: str
    depth: int
    limit: int

    @property
    def at(self) -> float:
        """When, in seconds of the tracker's clock."""
        return seconds(self.at_ns)

    @property
    def at_unix(self) -> float:
        """When, in seconds since 1970, as in time.time."""
        return seconds(self.at_unix_ns)

    @property
    def duration(self) -> float:
        """Seconds that the circuit will be open, that the mode will last (0: without end), that a call has waited."""
        return seconds(self.duration_ns)

    @classmethod
    def of(cls, told: _abi.trip_event, text: memoryview[int]) -> Event:
        """What the library has told."""

        def said(offset: int, length: int) -> str:
            return bytes(text[offset : offset + length]).decode(errors="surrogateescape")

        return cls(
            kind=EventKind(told.kind),
            number=told.number,
            at_ns=told.at_ns,
            at_unix_ns=told.at_unix_ns,
            circuit=told.circuit,
            epoch=told.epoch,
            duration_ns=told.duration_ns,
            state=State(told.state),
            mode=Mode(told.mode),
            cause=Cause(told.cause),
            scope=Scope(told.scope),
            failures=told.failures,
            tenant=said(told.tenant_offset, told.tenant_len),
            provider=said(told.provider_offset, told.provider_len),
            reason=said(told.reason_offset, told.reason_len),
            depth=told.depth,
            limit=told.limit,
        )


class TakenEvents(NamedTuple):
    """Events that were taken, the oldest first; and how many the tracker has lost ever, for want of somebody to take
    those before them: it keeps 4096.
    """

    events: list[Event]
    lost: int


def take(tracker: int, at_most: int) -> TakenEvents:
    """The events that wait, and no more than `at_most`."""
    room = min(at_most, _AT_ONCE)
    told, text = (_abi.trip_event * room)(), ctypes.create_string_buffer(room * _TEXT_MAX)
    count, lost = ctypes.c_size_t(room), ctypes.c_uint64()
    events: list[Event] = []
    while count.value == room and len(events) < at_most:
        room = min(room, at_most - len(events))
        status = library.trip_tracker_events(
            tracker,
            ctypes.byref(told[0]),
            ctypes.sizeof(_abi.trip_event),
            room,
            text,
            len(text),
            ctypes.byref(count),
            ctypes.byref(lost),
        )
        if status < 0 and not events:
            raise failure(status)
        if status < 0:  # destroyed meanwhile: what was taken before is nowhere else
            break
        said = memoryview(text).cast("B")
        events += [Event.of(event, said) for event in told[: count.value]]
    return TakenEvents(events, lost.value)


class Events(AsyncIterator[Event]):
    """The events of a tracker as they happen, given by Tracker.events: `async for event in tracker.events()`.

    Nothing is watched but while somebody waits: an iteration that is left, cancelled or forgotten needs no closing and
    loses no event. It keeps its tracker alive, and ends when that is closed.
    """

    __slots__ = ("_tracker", "lost")

    lost: int  # by the tracker, ever, when the last event was taken

    def __init__(self, tracker: Tracker) -> None:
        _descriptor(tracker.handle)  # here, not in a task of which nobody looks at the end
        self._tracker = tracker
        self.lost = 0

    async def __anext__(self) -> Event:
        try:
            while True:
                events, self.lost = take(self._tracker.handle, 1)
                if events:
                    return events[0]
                await until_readable(lambda: _duplicate(self._tracker.handle), self._tracker)
        except Error as error:
            if error.status != _abi.TRIP_E_HANDLE:
                raise
            raise StopAsyncIteration from None

    def __repr__(self) -> str:
        return f"<trip.Events of {self._tracker!r}>"


def _descriptor(tracker: int) -> int:
    descriptor = ctypes.c_int32()
    status = library.trip_tracker_event_fd(tracker, ctypes.byref(descriptor))
    if status < 0:
        raise failure(status)
    return descriptor.value


def _duplicate(tracker: int) -> int:
    """The tracker's descriptor under a number of one's own."""
    descriptor = _descriptor(tracker)
    try:
        duplicate = os.dup(descriptor)
    except OSError:
        _descriptor(tracker)  # raises if that is why
        raise
    try:
        _descriptor(tracker)  # as it is still there, nobody else has had the number meanwhile
    except Error:
        os.close(duplicate)
        raise
    return duplicate
