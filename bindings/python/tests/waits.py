"""Owns what tests of waiting ask: what a process and a loop have open, and that something comes true before long."""

from __future__ import annotations

import asyncio
import os
import selectors
import time
from typing import Callable


def descriptors() -> int:
    """How many this process has open."""
    return len(os.listdir("/proc/self/fd"))


def watched(loop: asyncio.AbstractEventLoop) -> int:
    """How many descriptors a loop watches."""
    selector: selectors.BaseSelector = loop._selector  # type: ignore[attr-defined]
    return len(selector.get_map())


async def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0)
