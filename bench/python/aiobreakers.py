"""aiobreaker: pybreaker's design for asyncio, without its lock."""

from __future__ import annotations

from datetime import timedelta
from importlib.metadata import version

import aiobreaker
from peer import DAY, NEVER, Down, Peer, Run, answer, answer_later, awaits, be_down, calls, one, raises, two


def breaker(fail_max: int = 5, seconds: float = 30) -> aiobreaker.CircuitBreaker:
    return aiobreaker.CircuitBreaker(fail_max=fail_max, timeout_duration=timedelta(seconds=seconds))


def refusals() -> Run:
    on = breaker(seconds=DAY)
    on.open()
    return raises(on(answer), aiobreaker.CircuitBreakerError)


def peers() -> list[Peer]:
    shared = breaker()
    return [
        Peer(
            "aiobreaker",
            version("aiobreaker"),
            "BSD-3-Clause",
            "fail_max 5, timeout_duration 30 s, in memory. call, async: the decorator, and every column. failure: "
            "fail_max 2147483647. refusal: open for a day. It has no look-up by name",
            {
                "call": one(lambda: calls(breaker()(answer))),
                "async": one(lambda: awaits(breaker()(answer_later))),
                "failure": one(lambda: raises(breaker(NEVER)(be_down), Down)),
                "refusal": one(refusals),
                "pair_2t_one": two(lambda _: calls(shared(answer))),
                "pair_2t_many": two(lambda _: calls(breaker()(answer))),
            },
        )
    ]
