"""Owns waiting until a circuit admits a call: it is asked when it has said to come back, and when it has been steered
in Python. Whoever waits holds nothing, and decides nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine, Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Callable
from weakref import WeakValueDictionary

from ._duration import NS_MAX, Duration, end_of, left_until, seconds
from ._rejection import CircuitOpen
from ._watching import asleep, ended, thread_asleep, wake

if TYPE_CHECKING:
    import asyncio
    from types import TracebackType

    from typing_extensions import TypeVar

    from ._circuit import Circuit
    from ._permit import Permit
    from ._watching import Sleep

    R = TypeVar("R")

# Seconds after which a circuit is asked again, whatever it has said: who steers it, or moves a manual clock, in another
# language wakes nobody here, for of events each has one taker. And the least: a manual clock may stand just before.
LOOK = 1.0
_LEAST = 0.001


def admitted(circuit: Circuit, ask: Callable[[], R], timeout: Duration | None) -> R:
    """What `ask` gives once it does not raise CircuitOpen; that, when the time is over. Blocks the thread."""
    end = end_of(timeout)
    while True:
        with thread_asleep(circuit._tracker) as woken:  # before it asks: nothing happens unheard in between
            try:
                return ask()
            except CircuitOpen as refused:
                left = left_until(end)
                if not left:
                    raise
                pause = _pause(refused)
            woken.wait(_earlier(pause, left))


async def admitted_async(circuit: Circuit, ask: Callable[[], R], timeout: Duration | None) -> R:
    """The same on asyncio. Of all who wait on a loop only the first in line asks: the others cost nothing."""
    end = end_of(timeout)
    with _in_line(circuit) as turn:
        while True:
            is_first = turn.is_first()
            with asleep(circuit._tracker if is_first else None) as turn.sleep:
                left = left_until(end)
                pause = None
                if is_first or not left:
                    try:
                        return ask()
                    except CircuitOpen as refused:
                        if not left:
                            raise
                        pause = _pause(refused)
                await ended(turn.sleep, _earlier(pause, left))


class PermitWhenReady(Coroutine[Any, Any, "Permit"]):
    """A permit that is waited for: await it, or hold it in `async with`, as a task or in one."""

    __slots__ = ("_permit", "_waiting")

    _permit: Permit  # while a block holds it

    def __init__(self, waiting: Coroutine[Any, Any, Permit]) -> None:
        self._waiting = waiting

    def send(self, value: Any) -> Any:
        return self._waiting.send(value)

    def throw(self, *error: Any) -> Any:
        return self._waiting.throw(*error)

    def close(self) -> None:
        self._waiting.close()

    def __await__(self) -> Generator[Any, Any, Permit]:
        return self._waiting.__await__()

    async def __aenter__(self) -> Permit:
        self._permit = await self._waiting
        return self._permit

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._permit.__aexit__(kind, error, traceback)

    def __repr__(self) -> str:
        return "<a trip.Permit that is waited for>"


def _pause(refused: CircuitOpen) -> float:
    return min(max(refused.retry_after, _LEAST), LOOK)


def _earlier(pause: float | None, left: int) -> float | None:
    """Seconds until the earlier of a pause and of the end that is so many nanoseconds away; None: neither comes."""
    if left == NS_MAX:
        return pause
    return seconds(left) if pause is None else min(pause, seconds(left))


class _Line:
    """Those who wait for a circuit on a loop, in the order in which they came."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop  # kept, so that its number is no other loop's
        self.turns: deque[_Turn] = deque()


class _Turn:
    """A place in a line."""

    sleep: Sleep

    def __init__(self, line: _Line) -> None:
        self._line = line

    def is_first(self) -> bool:
        return self._line.turns[0] is self

    def call(self) -> None:
        """It has come to the front."""
        with suppress(RuntimeError):  # its loop is closed: nobody waits there
            self._line.loop.call_soon_threadsafe(lambda: wake(self.sleep))


_lines: WeakValueDictionary[tuple[int, int], _Line] = WeakValueDictionary()  # by loop and circuit


@contextmanager
def _in_line(circuit: Circuit) -> Generator[_Turn]:
    from asyncio import get_running_loop  # which takes long to import, and is there when somebody waits

    loop = get_running_loop()
    line = _lines.setdefault((id(loop), circuit.handle), _Line(loop))
    turn = _Turn(line)
    line.turns.append(turn)
    try:
        yield turn
    finally:
        line.turns.remove(turn)
        if line.turns:
            line.turns[0].call()
