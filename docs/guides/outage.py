"""Plays an outage to one circuit, on the manual clock, and tells what each choice of policy comes to.

    python docs/guides/outage.py [TABLE...]

The figures of thresholds.md: an outage of a real incident's length, calls at a steady rate, and nothing drawn at random
but where a table says so. Takes as long as the arithmetic does; no time passes.
"""

from __future__ import annotations

import heapq
import math
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import trip

RATE = 10  # calls a second
HEALTHY = 2.0  # seconds that an answer takes
TIMEOUT = 30.0  # seconds after which a caller gives up on a provider that hangs
BEFORE = 60.0  # seconds of health before the outage

# Lengths in seconds, as the provider's status page told them: beginning and end, to the minute.
INCIDENTS = {"10 min": 10 * 60.0, "112 min": 112 * 60.0, "803 min": 803 * 60.0}


@dataclass
class Played:
    """What became of the calls while the provider was down, and when it was noticed to be back."""

    made: int = 0
    probes: int = 0  # among those
    waited: float = 0.0  # seconds, by those whose calls were made and failed
    in_progress: int = 0
    most: int = 0  # in progress at once
    late: float = 0.0  # seconds from the end of the outage to the first call that succeeded


def play(length: float, takes: float, **policy: float) -> Played:
    """An outage in which each call fails after `takes` seconds, with a policy of trip.Tracker's options."""
    tracker = trip.Tracker(clock=trip.Clock.MANUAL, **policy)  # type: ignore[arg-type]
    circuit = tracker.circuit("acme", "openai")
    played = Played()
    ends: list[tuple[float, int, trip.Permit, bool]] = []
    now, back = 0.0, BEFORE + length

    def go_to(instant: float) -> None:
        nonlocal now
        tracker.advance(instant - now)
        now = instant

    def end_calls(until: float) -> None:
        while ends and ends[0][0] <= until:
            at, _, permit, failed = heapq.heappop(ends)
            go_to(at)
            if failed:
                permit.record(trip.StatusClass.TIMEOUT if takes >= TIMEOUT else trip.StatusClass.OVERLOADED)
                played.in_progress -= 1
            else:
                permit.record_success()
                if at > back and not played.late:
                    played.late = at - back

    number = 0
    while not played.late:
        begins = number / RATE
        number += 1
        end_calls(begins)
        go_to(begins)
        down = BEFORE <= begins < back
        try:
            permit = circuit.permit()
        except trip.CircuitOpen as refused:
            if refused.reason is trip.Reason.OPEN:  # and so are all until its time is over
                number = max(number, math.ceil((now + refused.retry_after) * RATE - 1e-6))
            continue
        if down:
            played.made += 1
            seen = permit.inspect()
            played.probes += seen is not None and seen.is_probe
            played.waited += takes
            played.in_progress += 1
            played.most = max(played.most, played.in_progress)
        heapq.heappush(ends, (begins + (takes if down else HEALTHY), number, permit, down))
    return played


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    columns = list(zip(*([headings, *rows])))
    widths = [max(len(str(cell)) for cell in column) for column in columns]
    for row in (headings, *rows):
        first, *others = (str(cell) for cell in row)
        print("  ".join([first.ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(others, widths[1:]))]).rstrip())


def thresholds() -> None:
    """How many failures in a row: the outage of 112 minutes, by how long a call takes to fail."""
    rows = []
    for threshold in (3, 5, 20, 10**6):
        row: list[object] = [threshold if threshold < 10**6 else "never"]
        for takes in (0.05, TIMEOUT):
            played = play(INCIDENTS["112 min"], takes, failure_threshold=threshold)
            row += [played.made, f"{played.waited / 3600:.1f}"]
        rows.append(row)
    table(("opens after", "at once: calls", "hours waited", "after 30 s: calls", "hours waited"), rows)


def hangs() -> None:
    """Calls that hang for their whole timeout: what is in progress before the first has failed."""
    policies: dict[str, dict[str, float]] = {
        "5 failures": {},
        "5 failures, timeouts of 10 s": {},
        "20 calls hang for 10 s": {"hang": 10.0, "hang_calls": 20},
        "20 calls hang for 5 s": {"hang": 5.0, "hang_calls": 20},
    }
    rows = []
    for name, policy in policies.items():
        played = play(INCIDENTS["112 min"], 10.0 if "timeouts" in name else TIMEOUT, **policy)
        rows.append((name, played.made, played.most, f"{played.waited / 3600:.1f}"))
    table(("opens after", "calls made", "at once", "hours waited"), rows)


def open_times() -> None:
    """How long to stay open: what is asked of a provider that is down, and how late it is noticed to be back."""
    compound = trip.Backoff.COMPOUND
    policies: dict[str, dict[str, float]] = {
        "5 s, then 10 s": {"initial_open": 5},
        "30 s, then 60 s": {},
        "5 s, doubled up to 60 s": {"initial_open": 5, "max_open": 60, "backoff": compound},
        "30 s, doubled up to 300 s": {"max_open": 300, "backoff": compound},
        "60 s, doubled up to 1800 s": {"initial_open": 60, "max_open": 1800, "backoff": compound},
    }
    rows = []
    for name, policy in policies.items():
        row: list[object] = [name]
        for length in INCIDENTS.values():
            played = play(length, 0.05, **policy)
            row += [played.probes, f"{played.late:.0f} s"]
        rows.append(row)
    table(("open for", *(heading for name in INCIDENTS for heading in (f"{name}: probes", "late"))), rows)


def shares() -> None:
    """How many calls it takes to open when a share of them fails, each by itself: the mean of 100 circuits, drawn at
    random from a seed. A run of n failures takes (1 - p**n) / ((1 - p) * p**n) calls on average (Feller, An
    Introduction to Probability Theory and Its Applications, volume 1, XIII.7)."""
    policies: dict[str, dict[str, float]] = {
        "5 in a row": {},
        "half of the last 20": {"count_window": 20, "count_failure_ratio": 0.5, "failure_threshold": 10**6},
        "a fifth of the last 100": {
            "count_window": 100,
            "count_minimum": 50,
            "count_failure_ratio": 0.2,
            "failure_threshold": 10**6,
        },
    }
    rows = []
    for share in (0.1, 0.3, 0.5, 0.7):
        formula = (1 - share**5) / ((1 - share) * share**5)
        rows.append((f"{share:.0%}", f"{formula:,.0f}", *(opened(share, policy) for policy in policies.values())))
    table(("fail", "5 in a row, computed", *policies), rows)


def opened(share: float, policy: dict[str, float], circuits: int = 100, patience: int = 500) -> str:
    drawn = random.Random(1)
    tracker = trip.Tracker(clock=trip.Clock.MANUAL, **policy)  # type: ignore[arg-type]
    calls = [calls_until_open(tracker.circuit("acme", str(n)), share, drawn, patience) for n in range(circuits)]
    opens = [made for made in calls if made is not None]
    if len(opens) == circuits:
        return f"{sum(opens) / circuits:.0f}"
    return f"{len(opens)} of {circuits} in {patience}"


def calls_until_open(circuit: trip.Circuit, share: float, drawn: random.Random, patience: int) -> int | None:
    for made in range(patience):
        try:
            permit = circuit.permit()
        except trip.CircuitOpen:
            return made
        permit.record(trip.StatusClass.OVERLOADED if drawn.random() < share else trip.StatusClass.SUCCESS)
    return None


TABLES: dict[str, Callable[[], None]] = {
    "thresholds": thresholds,
    "hangs": hangs,
    "open-times": open_times,
    "shares": shares,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or TABLES:
        TABLES[name]()
