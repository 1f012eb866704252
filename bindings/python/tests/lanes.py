"""Owns how tests get a circuit onto its lane, and find out whether anybody uses it who must not."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Callable

import trip


def answer() -> int:
    return 7


def admits(circuit: trip.Circuit) -> bool:
    lane = circuit._entry.lane
    return lane.value <= lane.word[0] <= lane.last


def on_lane(tracker: trip.Tracker) -> trip.Circuit:
    circuit = tracker.circuit("acme", "openai")
    assert circuit._entry.fetch_lane()
    return circuit


def begun_late(circuit: trip.Circuit, refuse: Callable[[], None]) -> int:
    """Of two threads that make calls until they are refused: those begun after `refuse` has returned."""
    late: list[bool] = []
    is_refused, is_over, all_call = threading.Event(), threading.Event(), threading.Barrier(3)

    def call() -> None:
        was_refused = is_refused.is_set()
        circuit.guard(lambda: late.append(was_refused))()

    def call_until_refused() -> None:
        call()
        all_call.wait()
        with suppress(trip.CircuitOpen):
            while not is_over.is_set():
                call()
        are_refused.append(not is_over.is_set())

    are_refused: list[bool] = []
    threads = [threading.Thread(target=call_until_refused) for _ in range(2)]
    for thread in threads:
        thread.start()
    all_call.wait()
    refuse()
    is_refused.set()
    for thread in threads:
        thread.join(60)
    is_over.set()
    assert are_refused == [True, True]
    return sum(late)
