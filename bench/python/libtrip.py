"""libtrip through its binding, as any Python program uses it."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import trip
from names import FIRST_REQUESTS, drawn, in_turn, name
from peer import DAY, Down, Peer, Run, answer, answer_later, awaits, be_down, beside, calls, one, raises, two
from trip._library import library

KEPT = 1024
CREATED = 16 * KEPT  # so many names come round that each is long evicted when it does
HIGHEST_THRESHOLD = 8388607


def circuit(failure_threshold: int = 5, initial_open: float = 30.0) -> trip.Circuit:
    tracker = trip.Tracker(
        failure_threshold=failure_threshold, initial_open=initial_open, max_open=max(initial_open, 300.0)
    )
    return tracker.circuit("tenant-0000000", "openai")


def filled(circuits: int) -> trip.Tracker:
    tracker = trip.Tracker(failure_threshold=5, initial_open=30.0, max_circuits=circuits)
    for i in range(circuits):
        tracker.circuit(*name(i))
    return tracker


def pairs(circuit: trip.Circuit) -> Run:
    def run(calls: int) -> int:
        wrong = 0
        for _ in range(calls):
            if not circuit.permit().record_success():
                wrong += 1
        return wrong

    return run


def blocks(circuit: trip.Circuit) -> Run:
    def run(calls: int) -> int:
        for _ in range(calls):
            with circuit.permit():
                pass
        return circuit.inspect().failures

    return run


def failures() -> Run:
    on = circuit(HIGHEST_THRESHOLD)
    fails = raises(on.guard(be_down), Down)

    def run(calls: int) -> int:
        on.permit().record_success()  # the failures in a row begin at 0: no run reaches the threshold
        return fails(calls)

    return run


def refusals() -> Run:
    on = circuit(initial_open=DAY)
    for _ in range(5):
        on.permit().record_failure()
    return raises(on.guard(answer), trip.CircuitOpen)


def lookups(tracker: trip.Tracker, keys: int, seed: int) -> Run:
    requests = drawn(keys, seed)

    def run(calls: int) -> int:
        wrong = 0
        for tenant, provider in itertools.islice(requests, calls):
            if not tracker.circuit(tenant, provider).permit().record_success():
                wrong += 1
        return wrong

    run(FIRST_REQUESTS)
    return run


def creations() -> Run:
    tracker, requests = filled(KEPT), in_turn(CREATED)

    def run(calls: int) -> int:
        for tenant, provider in itertools.islice(requests, calls):
            tracker.circuit(tenant, provider)
        return 0

    return run


def empty_calls() -> Run:
    version: Callable[[], int] = library.trip_abi_version
    expected = version()

    def run(calls: int) -> int:
        wrong = 0
        for _ in range(calls):
            if version() != expected or version() != expected:
                wrong += 1
        return wrong

    return run


def peers() -> list[Peer]:
    shared, shared_tracker = circuit(), filled(1000)
    own = Peer(
        "libtrip",
        trip.library_version(),
        "MIT",
        "5 failures in a row, 30 s; through the binding. pair: permit, record_success. call and async: @circuit.guard. "
        "with: an empty block. failure, refusal: @circuit.guard around a function that raises, or is not called; "
        "threshold 8388607, open for a day. create_evict: a tracker of 1024, full",
        {
            "pair": one(lambda: pairs(circuit())),
            "call": one(lambda: calls(circuit().guard(answer))),
            "with": one(lambda: blocks(circuit())),
            "async": one(lambda: awaits(circuit().guard(answer_later))),
            "failure": one(failures),
            "refusal": one(refusals),
            "lookup_8": one(lambda: lookups(filled(8), 8, 0)),
            "lookup_1k": one(lambda: lookups(filled(1000), 1000, 0)),
            "lookup_100k": one(lambda: lookups(filled(100_000), 100_000, 0)),
            "lookup_1M": one(lambda: lookups(filled(1_000_000), 1_000_000, 0)),
            "lookup_1k_2t": two(lambda thread: lookups(shared_tracker, 1000, thread)),
            "create_evict": one(creations),
            "pair_busy": beside(lambda: pairs(circuit())),
            "call_busy": beside(lambda: calls(circuit().guard(answer))),
            "pair_2t_one": two(lambda _: pairs(shared)),
            "pair_2t_many": two(lambda _: pairs(circuit())),
        },
        filled,
    )
    empty = Peer(
        "two_empty_calls",
        trip.library_version(),
        "MIT",
        "trip_abi_version twice, through ctypes: what two calls into C cost that do nothing",
        {"pair": one(empty_calls)},
    )
    return [own, empty]
