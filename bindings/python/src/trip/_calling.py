"""Owns one call: the order in which it asks for what it needs, and that it gives all of it back, however it ends.

The order is written once, for plain functions and for asyncio: where a call on asyncio is suspended, that of a plain
function blocks its thread, and never suspends.
"""

from __future__ import annotations

import logging
import time
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Callable, Generic, NamedTuple, TypeVar, cast

from . import _abi
from ._circuit import Circuit
from ._constants import StatusClass
from ._dedup import Cached, Dedup, Ticket
from ._ending import Classify, judged, report, says_nothing
from ._errors import Error
from ._gate import Gate
from ._rejection import CircuitOpen
from ._route import Route

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Union

    from ._entry import Name
    from ._outcome import Outcome
    from ._retry import Attempts, Retry

    Found = Union[Ticket, Cached]

R = TypeVar("R")

_log = logging.getLogger("trip")

# Mistakes of the caller, closed objects among them. All other errors are the library's own: they keep no call from
# being made.
_MISUSE = frozenset([_abi.TRIP_E_INVALID, _abi.TRIP_E_HANDLE])


class Parts(NamedTuple):
    """What a call passes on its way, as far as it is there, and which errors of these have been reported."""

    to: Route | Circuit | None
    retry: Retry | None
    dedup: Dedup | None
    gate: Gate | None
    classify: Classify | None
    is_permitted_once: bool  # not for each attempt
    reported: set[tuple[str, int]]


class Way(Generic[R]):
    """How a function is called, and how its call waits: by blocking its thread."""

    def __init__(self, function: Callable[[str], Any]) -> None:
        self._function = function

    async def call(self, provider: str) -> R:
        return cast(R, self._function(provider))

    async def sleep(self, delay: float) -> None:
        time.sleep(delay)

    async def found(self, dedup: Dedup, key: Name) -> Found:
        return dedup.wait(key)


class AsyncWay(Way[R]):
    """The same on asyncio, where it suspends its task."""

    async def call(self, provider: str) -> R:
        return cast(R, await self._function(provider))

    async def sleep(self, delay: float) -> None:
        from asyncio import sleep  # which takes long to import, and is there when somebody awaits

        await sleep(delay)

    async def found(self, dedup: Dedup, key: Name) -> Found:
        return await dedup.wait_async(key)


def in_turn(call: Coroutine[Any, Any, R]) -> R:
    """The result of a call that never suspends."""
    try:
        call.send(None)
    except StopIteration as end:
        return cast(R, end.value)
    raise AssertionError("a call that blocks its thread has suspended")


class Calling(Generic[R]):
    """One call of a function, for one thread or task."""

    def __init__(self, parts: Parts, way: Way[R], provider: str = "", session: Name = "") -> None:
        self._parts = parts
        self._way = way
        self._session = session
        self._provider = provider  # that is called, or was last
        self._index: int | None = None  # of it on the route
        self._avoid: set[int] = set()  # those that have failed
        self._attempts: Attempts | None = None  # once there is one, and a rule for others
        self._failed: Exception | None = None  # what the attempt before this has raised
        self._outcome: Outcome | None = None  # what that tells of its provider; None: that it has failed

    async def run(self, key: Name | None, encode: Callable[[R], bytes], decode: Callable[[bytes], R]) -> R:
        """Whether this very call is made by somebody else comes first: who waits for that holds nothing."""
        found = await self._found(key)
        if found is None:
            return await self._gated()
        if isinstance(found, Cached):
            return decode(found.value)
        with found as ticket:
            result = await self._gated()
            report(ticket._complete(encode(result)))
        return result

    async def _gated(self) -> R:
        """The place is held over all attempts and the time between them, so that retries add nothing to the calls."""
        with self._place():
            return await (self.permitted_once() if self._parts.is_permitted_once else self._permitted_each_time())

    async def permitted_once(self) -> R:
        """All attempts are one call to the circuit, which learns of the last one."""
        with self._permit():
            while True:
                try:
                    return await self._attempt()
                except Exception as error:
                    delay = self._delay_after(error)
                    if delay is None:
                        raise
                await self._way.sleep(delay)

    async def _permitted_each_time(self) -> R:
        """Each attempt is a call to a circuit, and may go to another provider."""
        while True:
            permit = self._permit()
            try:
                with permit:
                    return await self._attempt()
            except Exception as error:
                delay = self._delay_after(error)
                if delay is None:
                    raise
            await self._way.sleep(delay)

    async def _attempt(self) -> R:
        retry = self._parts.retry
        if self._attempts is None and retry is not None:
            self._attempts = retry.begin(self._provider)
        self._failed = None
        try:
            return await self._way.call(self._provider)
        except Exception as error:
            self._outcome = None if says_nothing(type(error)) else judged(error, self._parts.classify)
            raise

    def _delay_after(self, error: Exception) -> float | None:
        """Seconds to wait for the next attempt; None: there is none."""
        if self._attempts is None or says_nothing(type(error)):
            return None
        try:
            delay = self._attempts.next(self._outcome or StatusClass.SERVER_ERROR, self._provider)
        except Error as trouble:
            self._report("retry", trouble)
            return None
        if delay is not None:
            self._failed = error
            if self._index is not None:
                self._avoid.add(self._index)
        return delay

    async def _found(self, key: Name | None) -> Found | None:
        dedup = self._parts.dedup
        if dedup is None or key is None:
            return None
        try:
            return await self._way.found(dedup, key)
        except Error as error:
            self._do_without("dedup", error)
            return None

    def _place(self) -> AbstractContextManager[object]:
        if self._parts.gate is None:
            return nullcontext()
        try:
            return self._parts.gate.acquire().classified_by(self._told)
        except Error as error:
            self._do_without("gate", error)
            return nullcontext()

    def _permit(self) -> AbstractContextManager[object]:
        """Raises CircuitOpen; after an attempt, which has reached its provider, what that has raised."""
        try:
            return self._admitted()
        except CircuitOpen:
            if self._failed is None:
                raise
        except Error as error:
            return self._unasked(error)
        assert self._failed is not None
        try:
            raise self._failed  # where no exception is handled: as it was
        finally:
            self._failed = None

    def _admitted(self) -> AbstractContextManager[object]:
        to = self._parts.to
        if isinstance(to, Route):
            chosen = to.permit(self._session, self._avoid)
            self._provider, self._index = chosen.provider, chosen.index
            return chosen.classified_by(self._told)
        if isinstance(to, Circuit):
            self._provider = to.provider
            return to.permit().classified_by(self._told)
        return nullcontext()

    def _unasked(self, error: Error) -> AbstractContextManager[object]:
        """No permit was to be had: a circuit lets the call through whatever the error is, as Circuit.guard does."""
        to = self._parts.to
        if not isinstance(to, Route):
            self._report("permit", error)
            return nullcontext()
        self._do_without("permit", error)
        self._index = min(set(range(len(to.providers))) - self._avoid, default=0)
        self._provider = to.providers[self._index]
        return nullcontext()

    def _told(self, error: Exception) -> Outcome | None:
        """What a permit and a place are told of the attempt that came last, which has been judged already."""
        return self._outcome

    def _do_without(self, part: str, error: Error) -> None:
        if error.status in _MISUSE:
            raise error
        self._report(part, error)

    def _report(self, part: str, error: Error) -> None:
        if (part, error.status) not in self._parts.reported:
            self._parts.reported.add((part, error.status))
            _log.warning("calls are made without their %s: %s", part, error)
