#!/usr/bin/env python3
"""Writes limits.json: how the limit of a gate follows the calls, by a model of the formulas.

The formulas are those of Netflix's concurrency-limits (AIMDLimit, Gradient2Limit) as lib/limit.h tells them, with
Python's numbers. The model keeps limits and averages as they are, where the library packs each into a word; no
step may depend on that. `--check` compares instead of writing.
"""

import math
import pathlib
import sys

from generate_properties import OK, file_text, write_or_check

FILE = pathlib.Path(__file__).with_name("limits.json")
MS = 10**6
SOURCE = "include/trip.h, TRIP_ADAPT_GRADIENT"
SUCCESS, FAILURE, NOTHING = (f"TRIP_EFFECT_{name}" for name in ("SUCCESS", "FAILURE", "NOTHING"))
DEFAULTS = {"capacity": 100, "min_limit": 1, "tolerance": 1.5, "smoothing": 0.2, "decrease": 0.9, "latency_ns": 0}


class Average:
    """The mean of the first ten, then one that speaks of the last six hundred."""

    def __init__(self):
        self.value, self.count = 0.0, 0

    def add(self, took):
        weight = 1 / (self.count + 1) if self.count < 10 else 2 / 601
        self.count += 1
        self.value += (took - self.value) * weight
        if self.value > 2 * took:
            self.value *= 0.9


class Gate:
    def __init__(self, config):
        self.config = {**DEFAULTS, **config}
        self.limit, self.average = float(config["initial_limit"]), Average()
        self.depth = self.acquired = 0

    def whole(self):
        """Where the library rounds in between it may come to a little less, which must not show."""
        is_exact = self.config["adapt"] == "TRIP_ADAPT_AIMD" or self.config["smoothing"] == 1
        at_end = self.limit in (self.config["initial_limit"], self.config["min_limit"], self.config["capacity"])
        assert is_exact or at_end or abs(self.limit - round(self.limit)) > 1e-6, "too close to tell"
        return int(self.limit)

    def release(self, effect, took):
        if effect != NOTHING:
            adapted = self.aimd if self.config["adapt"] == "TRIP_ADAPT_AIMD" else self.gradient
            wanted = adapted(effect == FAILURE, took)
            self.limit = float(min(max(wanted, self.config["min_limit"]), self.config["capacity"]))
        self.depth -= 1

    def aimd(self, failed, took):
        late = self.config["latency_ns"] and took > self.config["latency_ns"]
        if failed or late:
            return math.floor(self.limit * self.config["decrease"])
        return self.limit + (self.depth >= self.limit / 2)

    def gradient(self, failed, took):
        self.average.add(took)
        if not failed and self.depth < self.limit / 2:
            return self.limit
        slope = min(max(self.config["tolerance"] * self.average.value / max(took, 1), 0.5), 1)
        wanted = self.limit * (0.5 if failed else slope) + math.isqrt(int(self.limit))
        return self.limit + (wanted - self.limit) * self.config["smoothing"]


# ---- Steps ----


def seen(gate):
    latency = int(gate.average.value)
    around = {"min": max(latency - 1, 0), "max": latency + 1}
    shown = {"depth": gate.depth, "limit": gate.whole(), "latency_ns": around if latency else 0}
    return {"do": "inspect_gate", "gate": "g", "expect": {**OK, **shown}}


def round_of_calls(gate, calls, took, effect=SUCCESS):
    """So many calls at once, which all end after `took`; who is one too many is turned away."""
    steps = []
    for call in range(calls):
        if gate.depth < gate.whole():
            gate.depth += 1
            steps.append({"do": "acquire", "gate": "g", "as": f"t{call}", "expect": OK})
        else:
            full = {"depth": gate.depth, "limit": gate.whole(), "capacity": gate.config["capacity"]}
            steps.append({"do": "acquire", "gate": "g", "expect": {"status": "TRIP_SHED", **full}})
    if took:
        steps.append({"do": "advance", "ns": took, "expect": OK})
    for call in range(gate.depth):
        gate.release(effect, took)
        steps.append({"do": "release", "token": f"t{call}", "effect": effect, "expect": OK})
    return [*steps, seen(gate)]


# ---- Vectors ----

# What the name begins with adapts; then a why, the config, and rounds of calls.
CASES = [
    ("aimd-grows-by-one", "For each call in time.", {"initial_limit": 2}, [(4, 0)] * 4),
    ("aimd-grows-only-when-it-is-needed", "By five calls of ten.", {"initial_limit": 10}, [(4, 0), (5, 0), (6, 0)]),
    ("aimd-falls-by-a-share", "Down to one.", {"initial_limit": 20}, [(1, 0, FAILURE)] * 15),
    (
        "aimd-falls-by-half",
        "Down to the least.",
        {"initial_limit": 20, "decrease": 0.5, "min_limit": 3},
        [(1, 0, FAILURE)] * 4,
    ),
    (
        "aimd-between-its-ends",
        "And no farther.",
        {"initial_limit": 5, "capacity": 8, "min_limit": 4},
        [(9, 0), (9, 0), (9, 0, FAILURE), (9, 0, FAILURE), (9, 0)],
    ),
    (
        "aimd-what-takes-too-long-has-failed",
        "To the nanosecond.",
        {"initial_limit": 5, "latency_ns": 1000},
        [(3, 1000), (3, 1001), (3, 999)],
    ),
    (
        "aimd-of-nothing-learns-nothing",
        "However long it took.",
        {"initial_limit": 5, "latency_ns": 1},
        [(5, 9 * MS, NOTHING), (5, 0)],
    ),
    (
        "gradient-grows-while-calls-take-as-long",
        "By a share of its root.",
        {"initial_limit": 18},
        [(25, 10 * MS)] * 4,
    ),
    (
        "gradient-falls-as-calls-take-longer",
        "And is back when they do not.",
        {"initial_limit": 15},
        [*[(12, 10 * MS)] * 2, *[(20, 40 * MS)] * 3, *[(20, 10 * MS)] * 3],
    ),
    (
        "gradient-a-failure-halves",
        "As far as the smoothing lets it.",
        {"initial_limit": 50},
        [(2, 10 * MS, FAILURE)] * 5,
    ),
    (
        "gradient-needs-half-of-its-limit",
        "Fewer calls tell how long they take, and no more.",
        {"initial_limit": 16},
        [(7, 10 * MS), (7, 90 * MS), (8, 90 * MS)],
    ),
    (
        "gradient-between-its-ends",
        "And no farther.",
        {"initial_limit": 6, "capacity": 8, "min_limit": 5},
        [*[(9, 10 * MS)] * 4, *[(9, 10 * MS, FAILURE)] * 3],
    ),
    (
        "gradient-without-smoothing-or-tolerance",
        "The newest limit is all there is.",
        {"initial_limit": 9, "smoothing": 1.0, "tolerance": 1.0},
        [(9, 10 * MS), (9, 20 * MS), (9, 90 * MS)],
    ),
    (
        "gradient-forgets-an-outage",
        "An average of more than double falls faster.",
        {"initial_limit": 12},
        [(10, 500 * MS), *[(10, 10 * MS)] * 3],
    ),
    (
        "gradient-of-nothing-learns-nothing",
        "Nor of how long it took.",
        {"initial_limit": 5},
        [(5, 9 * MS, NOTHING), (5, 7 * MS)],
    ),
    ("gradient-of-calls-that-take-no-time", "Nothing is divided by it.", {"initial_limit": 4}, [(4, 0), (4, 0)]),
]


def vector(name, why, config, rounds):
    config = {"adapt": f"TRIP_ADAPT_{name.partition('-')[0].upper()}", **config}
    gate = Gate(config)
    steps = [{"do": "gate", "config": config, "as": "g", "expect": OK}]
    for calls in rounds:
        steps += round_of_calls(gate, *calls)
    return {"name": f"limit-{name}", "source": {"design": SOURCE}, "why": why, "config": {}, "steps": steps}


def limits():
    about = "Generated by generate_limits.py: how the limits of gates follow the calls. Do not edit."
    return file_text(about, [vector(*case) for case in CASES])


if __name__ == "__main__":
    sys.exit(write_or_check(__doc__, FILE, limits()))
