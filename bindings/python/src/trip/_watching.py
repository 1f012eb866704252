"""Owns sleeping until something wakes one up: a descriptor, a time, or that a tracker is closed, steered or advanced.
Reads no descriptor, and leaves none open.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    import asyncio

    from ._tracker import Tracker

    Sleep = asyncio.Future[None]

Wake = Callable[[], object]  # from any thread


async def until_readable(give: Callable[[], int], tracker: Tracker | None, timeout: float | None = None) -> None:
    """Sleep until the descriptor that `give` gives is readable, the tracker is closed, or the time is over, in seconds.
    Or earlier, if the tracker is steered.

    The descriptor must be one's own, for a loop has one watcher of each number, and is closed at the end.
    """
    with ExitStack() as undo:
        # First: whoever closes it from here on wakes this up, and before that there is no descriptor to be had.
        sleep = undo.enter_context(asleep(tracker))
        loop = sleep.get_loop()
        descriptor = give()
        undo.callback(os.close, descriptor)
        loop.add_reader(descriptor, wake, sleep)
        undo.callback(loop.remove_reader, descriptor)
        await ended(sleep, timeout)


@contextmanager
def asleep(tracker: Tracker | None) -> Generator[Sleep]:
    """What ends when the tracker is closed, steered or advanced, and when somebody wakes it up on its loop."""
    from asyncio import get_running_loop  # which takes long to import, and is there when somebody waits

    loop = get_running_loop()
    sleep: Sleep = loop.create_future()
    with woken_by(tracker, lambda: loop.call_soon_threadsafe(wake, sleep)):
        yield sleep


async def ended(sleep: Sleep, timeout: float | None) -> None:
    """When a sleep has ended, or the time is over, in seconds."""
    timer = None if timeout is None else sleep.get_loop().call_later(timeout, wake, sleep)
    try:
        await sleep
    finally:
        if timer is not None:
            timer.cancel()


def wake(sleep: Sleep) -> None:
    """End a sleep, on its loop."""
    if not sleep.done():
        sleep.set_result(None)


@contextmanager
def thread_asleep(tracker: Tracker | None) -> Generator[threading.Event]:
    """The same for a thread, which waits for the event."""
    event = threading.Event()
    with woken_by(tracker, event.set):
        yield event


@contextmanager
def woken_by(tracker: Tracker | None, waking: Wake) -> Generator[None]:
    """While it lasts, this is called when the tracker is closed, steered or advanced."""
    if tracker is None:
        yield
        return
    tracker._waiting.add(waking)
    try:
        yield
    finally:
        tracker._waiting.discard(waking)


def wake_all(waiting: Iterable[Wake]) -> None:
    """Wake up whoever waits, on whatever loop or thread."""
    for waking in list(waiting):
        with suppress(RuntimeError):  # its loop is closed: nobody waits there
            waking()
