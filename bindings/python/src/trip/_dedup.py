"""Owns Dedup, Ticket and Cached: of all who want the same call one makes it, and the others get what it has brought."""

from __future__ import annotations

import ctypes
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, NoReturn, TypedDict, Union, overload

from . import _abi
from ._duration import NS_PER_S, Duration, end_of, left_until, seconds
from ._ending import report
from ._entry import Name, as_bytes
from ._errors import failure, settled
from ._fields import Fields, required
from ._library import library
from ._owned import Owned, described
from ._tracker import Bytes, Tracker, handle_of
from ._watching import until_readable

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self, Unpack

_ROOM = 4096  # bytes for a value, at first
_ASLEEP_NS = NS_PER_S // 10  # that the main thread, which sees to signals, waits at a stretch


@dataclass(frozen=True)
class DedupConfig(Fields):
    """How long calls are remembered: the library's trip_dedup_config, field for field, times in nanoseconds.

    It holds whatever that can hold; whether it makes sense, the library says when a Dedup is made of it.
    """

    _struct = _abi.trip_dedup_config

    max_entries: int = 65536
    max_bytes: int = 64 * 2**20
    lease_ns: int = 600_000_000_000
    ttl_ns: int = 300_000_000_000


class DedupOptions(TypedDict, total=False):
    """What Dedup takes: the fields of DedupConfig, and its times without their _ns, in seconds."""

    max_entries: int
    max_bytes: int
    lease: Duration
    ttl: Duration


@dataclass(frozen=True)
class DedupInfo:
    """What a Dedup holds and has counted; include/trip.h says what each member of trip_dedup_info counts."""

    in_progress: int
    cached: int
    waiting: int
    bytes: int
    started: int
    hits: int
    joined: int
    completed: int
    failed: int
    expired: int
    evicted: int


@dataclass(frozen=True)
class Cached:
    """This very call has been made, and this is what it has brought."""

    value: bytes


class Dedup(Owned):
    """A memory of which calls are being made, and what the last ones brought. Share one among all threads.

        dedup = trip.Dedup(ttl=60)
        found = dedup.wait("the same question")
        if isinstance(found, trip.Cached):
            return found.value
        with found as ticket:               # else the call is ours
            answer = ask("the same question")
            ticket.complete(answer)
        return answer

    Keys are str, taken as UTF-8, or bytes, at most 65536 of them. The options are those of trip.DedupOptions, by name;
    what is not said has the default that trip.DedupConfig shows. What each means and may be stands in include/trip.h
    under the field of the same name of trip_dedup_config; bad values raise ConfigError, whose `field` is the field's
    name in DedupConfig.

    It goes by the clock of `tracker`, which it keeps alive; without one by the machine's. It is destroyed when it is
    closed, or when nobody holds it any more: its tickets do.
    """

    _destroy = staticmethod(library.trip_dedup_destroy)

    def __init__(self, tracker: Tracker | None = None, **options: Unpack[DedupOptions]) -> None:
        self._begin(DedupConfig.of("Dedup", options), tracker)

    @classmethod
    def from_config(cls, config: DedupConfig, tracker: Tracker | None = None) -> Self:
        """One of an exact config, times in nanoseconds."""
        dedup = cls.__new__(cls)
        dedup._begin(required(config, DedupConfig), tracker)
        return dedup

    def _begin(self, config: DedupConfig, tracker: Tracker | None) -> None:
        self._make(library.trip_dedup_create, config, handle_of(tracker))
        self._tracker = tracker
        self._room = _ROOM

    def check(self, key: Name) -> Found:
        """Whether a call must be made: a Ticket, whoever gets that makes it; Cached, what it has brought; None while
        somebody else is making it. Never waits for that.
        """
        return self._ask(library.trip_dedup_check, as_bytes("key", key))

    @overload
    def wait(self, key: Name, timeout: None = None) -> Ticket | Cached: ...

    @overload
    def wait(self, key: Name, timeout: Duration) -> Found: ...

    def wait(self, key: Name, timeout: Duration | None = None) -> Found:
        """As check, but while somebody else is making the call wait for its end, at most `timeout`: None when that is
        over. Without one it waits as long as it takes, and never gives None.

        The thread is blocked: on asyncio take wait_async.
        """
        ends = end_of(timeout)
        while True:
            left = left_until(ends)
            if threading.current_thread() is threading.main_thread():
                left = min(left, _ASLEEP_NS)  # Ctrl-C is heard between two stretches
            found = self._ask(library.trip_dedup_wait, as_bytes("key", key), left)
            if found is not None or (ends is not None and time.monotonic_ns() >= ends):
                return found

    @overload
    async def wait_async(self, key: Name, timeout: None = None) -> Ticket | Cached: ...

    @overload
    async def wait_async(self, key: Name, timeout: Duration) -> Found: ...

    async def wait_async(self, key: Name, timeout: Duration | None = None) -> Found:
        """The same on asyncio: no thread is blocked. Cancelled, it leaves nothing behind: no ticket, no descriptor.

        A lease that ends on a manual clock wakes nobody.
        """
        ends = end_of(timeout)
        while True:
            found = self.check(key)
            if found is not None or left_until(ends) == 0:
                return found
            left = None if ends is None else seconds(left_until(ends))
            await until_readable(lambda: self._watched(key), self._tracker, left)

    def forget(self, key: Name) -> None:
        """Forget what a call has brought. One that is in progress goes on."""
        named = as_bytes("key", key)
        status = library.trip_dedup_forget(self._handle, named, len(named))
        if status < 0:
            raise failure(status)

    def inspect(self) -> DedupInfo:
        """What it holds, and its counters."""
        return described(DedupInfo, self._told(library.trip_dedup_inspect, _abi.trip_dedup_info))

    def _ask(self, ask: Callable[..., int], key: bytes, *arguments: Any) -> Found:
        ticket, length = Ticket(), ctypes.c_size_t()
        ticket._dedup = self
        written, to_ticket = ctypes.byref(length), ctypes.byref(ticket._ticket)
        while True:
            room = self._room
            value = ctypes.create_string_buffer(room)
            status = ask(self._handle, key, len(key), *arguments, to_ticket, value, room, written)
            if status < 0:
                raise failure(status)
            if status == _abi.TRIP_OK:
                return ticket
            if status != _abi.TRIP_CACHED:
                return None
            if length.value <= room:
                return Cached(ctypes.string_at(value, length.value))
            self._room = length.value

    def _watched(self, key: Name) -> int:
        """A descriptor, of one's own, that is readable when check has something new to say."""
        named, descriptor = as_bytes("key", key), ctypes.c_int32()
        status = library.trip_dedup_watch(self._handle, named, len(named), ctypes.byref(descriptor))
        if status < 0:
            raise failure(status)
        return descriptor.value


class Ticket:
    """The duty to make a call that others wait for, given by Dedup. Settle it once, on any thread:

        with ticket:
            ticket.complete(ask())

    fails it when the block raises an Exception, and drops it when the block ends without settling it, or on
    asyncio.CancelledError, KeyboardInterrupt and the like. One that is collected unsettled is dropped. Either frees the
    key at once, and one of those who wait gets the next ticket.

    The block's end never raises anything of its own: what the library has against it goes to the logger "trip".
    """

    __slots__ = ("__weakref__", "_dedup", "_ticket")

    _dedup: Dedup  # kept, as it must be there to take the ticket back

    def __init__(self) -> None:
        self._ticket = _abi.trip_ticket()  # into which the library writes: whatever is thrown in between, this drops it

    @property
    def handle(self) -> int:
        """The library's own number for this ticket, the same in every language of this process."""
        return self._ticket.value

    def complete(self, value: Bytes) -> bool:
        """The call has brought this: whoever waits for it gets it, and so does who asks within the `ttl`. False if the
        lease is over and nothing has changed. Raises Consumed if the ticket was settled before.
        """
        return settled(self._complete(value))

    def fail(self) -> bool:
        """The call has failed. False if the lease is over and nothing has changed."""
        return settled(library.trip_ticket_fail(self._ticket.value))

    def drop(self) -> bool:
        """The call was given up. False if the lease is over and nothing has changed."""
        return settled(library.trip_ticket_drop(self._ticket.value))

    def renew(self) -> bool:
        """The call takes longer: start its lease again. False if that is over already."""
        return settled(library.trip_ticket_renew(self._ticket.value))

    def _complete(self, value: Bytes) -> int:
        if not isinstance(value, (bytes, bytearray, memoryview)):
            raise TypeError(f"a value must be bytes, not {type(value).__name__}")
        said = bytes(value)
        return library.trip_ticket_complete(self._ticket.value, said, len(said))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        has_failed = kind is not None and issubclass(kind, Exception)
        report((library.trip_ticket_fail if has_failed else library.trip_ticket_drop)(self._ticket.value))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    # Bound here: globals may be gone when the interpreter ends.
    def __del__(self, _drop: Callable[..., int] = library.trip_ticket_drop) -> None:
        _drop(self._ticket.value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a ticket cannot be copied or pickled: it is settled once, in this process")

    def __repr__(self) -> str:
        return f"<trip.Ticket {self.handle:#x}>"


Found = Union[Ticket, Cached, None]
