"""circuitbreaker: a decorator whose state is plain attributes, without a lock."""

from __future__ import annotations

from importlib.metadata import version

from circuitbreaker import CircuitBreaker, CircuitBreakerError
from peer import DAY, NEVER, Down, Peer, Run, answer, answer_later, awaits, be_down, beside, calls, one, raises, two


def breaker(failure_threshold: int = 5, recovery_timeout: float = 30) -> CircuitBreaker:
    return CircuitBreaker(failure_threshold=failure_threshold, recovery_timeout=recovery_timeout)


def blocks() -> Run:
    on = breaker()

    def run(calls: int) -> int:
        for _ in range(calls):
            with on:
                pass
        return int(on.failure_count)

    return run


def refusals() -> Run:
    on = breaker(recovery_timeout=DAY)
    raises(on(be_down), Down)(5)
    return raises(on(answer), CircuitBreakerError)


def peers() -> list[Peer]:
    shared = breaker()
    return [
        Peer(
            "circuitbreaker",
            version("circuitbreaker"),
            "BSD-3-Clause",
            "failure_threshold 5, recovery_timeout 30 s. call, async: the decorator, and every column but with, which "
            "records and does not ask. failure: threshold 2147483647. refusal: open for a day. No look-up by name "
            "that makes a breaker",
            {
                "call": one(lambda: calls(breaker()(answer))),
                "with": one(blocks),
                "async": one(lambda: awaits(breaker()(answer_later))),
                "failure": one(lambda: raises(breaker(NEVER)(be_down), Down)),
                "refusal": one(refusals),
                "call_busy": beside(lambda: calls(breaker()(answer))),
                "pair_2t_one": two(lambda _: calls(shared(answer))),
                "pair_2t_many": two(lambda _: calls(breaker()(answer))),
            },
        )
    ]
