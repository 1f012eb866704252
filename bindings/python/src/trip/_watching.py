"""Owns sleeping on asyncio until a descriptor is readable. Reads none, and leaves none open."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    import asyncio

    from ._tracker import Tracker

    Waiting = asyncio.Future[None]


async def until_readable(give: Callable[[], int], tracker: Tracker | None, timeout: float | None = None) -> None:
    """Sleep until the descriptor that `give` gives is readable, the tracker is closed, or the time is over, in seconds.

    The descriptor must be one's own, for a loop has one watcher of each number, and is closed at the end.
    """
    from asyncio import get_running_loop  # which takes long to import, and is there when somebody waits

    loop = get_running_loop()
    ready: Waiting = loop.create_future()
    with ExitStack() as undo:
        if tracker is not None:
            # First: whoever closes it from here on wakes this up, and before that there is no descriptor to be had.
            tracker._waiting.add(ready)
            undo.callback(tracker._waiting.discard, ready)
        descriptor = give()
        undo.callback(os.close, descriptor)
        loop.add_reader(descriptor, _wake, ready)
        undo.callback(loop.remove_reader, descriptor)
        if timeout is not None:
            undo.callback(loop.call_later(timeout, _wake, ready).cancel)
        await ready


def wake_all(waiting: Iterable[Waiting]) -> None:
    """Wake up whoever waits, on whatever loop: the tracker is closed."""
    for ready in list(waiting):
        with suppress(RuntimeError):  # its loop is closed: nobody waits there
            ready.get_loop().call_soon_threadsafe(_wake, ready)


def _wake(ready: Waiting) -> None:
    if not ready.done():
        ready.set_result(None)
