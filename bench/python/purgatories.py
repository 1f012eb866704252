"""purgatory: breakers by name in a unit of work, driven by messages."""

from __future__ import annotations

import itertools
from importlib.metadata import version

from names import FIRST_REQUESTS, drawn, name
from peer import NEVER, Down, Peer, Run, answer, answer_later, awaits, be_down, calls, one, raises, two
from purgatory import AsyncCircuitBreakerFactory, SyncCircuitBreakerFactory


def factory(threshold: int = 5, ttl: float = 30) -> SyncCircuitBreakerFactory:
    return SyncCircuitBreakerFactory(default_threshold=threshold, default_ttl=ttl)


def blocks() -> Run:
    on = factory().get_breaker("openai")

    def run(calls: int) -> int:
        for _ in range(calls):
            with on:
                pass
        return on.context.failure_count or 0

    return run


def filled(circuits: int) -> SyncCircuitBreakerFactory:
    made = factory()
    for i in range(circuits):
        made.get_breaker("/".join(name(i)))
    return made


def lookups(keys: int) -> Run:
    on = filled(keys)
    requests = drawn(keys, 0)

    def run(calls: int) -> int:
        for tenant, provider in itertools.islice(requests, calls):
            with on.get_breaker(f"{tenant}/{provider}"):
                pass
        return 0

    run(FIRST_REQUESTS)
    return run


def peers() -> list[Peer]:
    shared = factory()
    return [
        Peer(
            "purgatory",
            version("purgatory"),
            "MIT",
            "threshold 5, ttl 30 s, in memory. call, async: the decorator, which looks the name up, and every column "
            "but with: a breaker that was got before; look-ups join tenant and provider. failure: threshold "
            "2147483647. refusal: left out, it raises one exception object again and again, whose traceback grows with "
            "each call, so that no time is that of a call. It evicts nothing",
            {
                "call": one(lambda: calls(factory()("openai")(answer))),
                "with": one(blocks),
                "async": one(lambda: awaits(AsyncCircuitBreakerFactory(5, 30)("openai")(answer_later))),
                "failure": one(lambda: raises(factory(NEVER)("openai")(be_down), Down)),
                "lookup_8": one(lambda: lookups(8)),
                "lookup_1k": one(lambda: lookups(1000)),
                "lookup_100k": one(lambda: lookups(100_000)),
                "lookup_1M": one(lambda: lookups(1_000_000)),
                "pair_2t_one": two(lambda _: calls(shared("openai")(answer))),
                "pair_2t_many": two(lambda _: calls(factory()("openai")(answer))),
            },
            filled,
        )
    ]
