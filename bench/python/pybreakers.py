"""pybreaker: a state object and a lock that is held while the call runs."""

from __future__ import annotations

from importlib.metadata import version

import pybreaker
from peer import DAY, NEVER, Down, Peer, Run, answer, be_down, beside, calls, one, raises, two


def breaker(fail_max: int = 5, reset_timeout: float = 30) -> pybreaker.CircuitBreaker:
    return pybreaker.CircuitBreaker(fail_max=fail_max, reset_timeout=reset_timeout)


def blocks() -> Run:
    on = breaker()

    def run(calls: int) -> int:
        for _ in range(calls):
            with on.calling():
                pass
        return int(on.fail_counter)

    return run


def refusals() -> Run:
    on = breaker(reset_timeout=DAY)
    on.open()
    return raises(on(answer), pybreaker.CircuitBreakerError)


def peers() -> list[Peer]:
    shared = breaker()
    return [
        Peer(
            "pybreaker",
            version("pybreaker"),
            "BSD-3-Clause",
            "fail_max 5, reset_timeout 30 s, in memory. call: the decorator, and every column but with: calling(). "
            "failure: fail_max 2147483647. refusal: open for a day. It has no look-up by name",
            {
                "call": one(lambda: calls(breaker()(answer))),
                "with": one(blocks),
                "failure": one(lambda: raises(breaker(NEVER)(be_down), Down)),
                "refusal": one(refusals),
                "call_busy": beside(lambda: calls(breaker()(answer))),
                "pair_2t_one": two(lambda _: calls(shared(answer))),
                "pair_2t_many": two(lambda _: calls(breaker()(answer))),
            },
        )
    ]
