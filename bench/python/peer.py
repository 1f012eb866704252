"""What a peer gives to the stand, and the loops that several of them are timed in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

# Makes so many calls, and returns how many were not answered as they should be.
Run = Callable[[int], int]

NEVER = 2**31 - 1  # failures in a row that no run reaches
DAY = 24 * 3600.0  # seconds
ANSWER = 7


class Column(NamedTuple):
    threads: int
    prepare: Callable[[int], Run]  # the run of each thread
    is_beside_busy: bool = False  # while one more thread runs Python and never rests


@dataclass(frozen=True)
class Peer:
    name: str
    version: str
    licence: str
    configuration: str
    columns: dict[str, Column]
    fill: Callable[[int], object] | None = None  # makes so many circuits


def one(prepare: Callable[[], Run]) -> Column:
    return Column(1, lambda _: prepare())


def beside(prepare: Callable[[], Run]) -> Column:
    return Column(1, lambda _: prepare(), is_beside_busy=True)


def two(prepare: Callable[[int], Run]) -> Column:
    return Column(2, prepare)


class Down(Exception):
    """The provider's failure."""


def answer() -> int:
    return ANSWER


async def answer_later() -> int:
    return ANSWER


def be_down() -> int:
    raise Down


def calls(function: Callable[[], int]) -> Run:
    """A function that answers."""

    def run(calls: int) -> int:
        wrong = 0
        for _ in range(calls):
            if function() != ANSWER:
                wrong += 1
        return wrong

    return run


def raises(function: Callable[[], object], error: type[Exception]) -> Run:
    """A function that always raises `error`."""

    def run(calls: int) -> int:
        wrong = 0
        for _ in range(calls):
            try:
                function()
            except error:
                continue
            wrong += 1
        return wrong

    return run


def awaits(function: Callable[[], Awaitable[int]]) -> Run:
    """A coroutine function that answers, in an event loop that is there already."""
    loop = asyncio.new_event_loop()

    async def run_in_loop(calls: int) -> int:
        wrong = 0
        for _ in range(calls):
            if await function() != ANSWER:
                wrong += 1
        return wrong

    return lambda calls: loop.run_until_complete(run_in_loop(calls))
