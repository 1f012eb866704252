"""What libtrip set out to reach, as ratios within a run wherever that can be, and whether the run reached it.

A missed target is reported and fails nothing: what a machine gives today is no promise of the code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from figures import Key, Spread, against_libtrip, ratio, scaling
from measured import Measured

BINDINGS = {"rust": "Rust", "go": "Go", "python": "Python"}
NO_PEERS = {"libtrip", "two_empty_calls"}


@dataclass(frozen=True)
class Finding:
    spread: Spread
    behind: tuple[str, ...] = ()  # where somebody else is faster


Measure = Callable[[Measured], Finding | None]


@dataclass(frozen=True)
class Target:
    what: str
    limit: float
    is_most: bool
    measure: Measure
    unit: str = "times"


def judge(measured: Measured, seconds_of_quick: float | None = None) -> list[dict[str, Any]]:
    """Each target with what was measured of it; a run that is not quick has no time to keep."""
    told = [_judge(target, measured) for target in TARGETS]
    if seconds_of_quick is not None:
        whole = Target("--quick, once built", 60, True, lambda _: Finding(Spread.of([seconds_of_quick])), "s")
        told.append(_judge(whole, measured))
    return told


def _judge(target: Target, measured: Measured) -> dict[str, Any]:
    finding = target.measure(measured)
    told: dict[str, Any] = {
        "target": target.what,
        "wanted": "at most" if target.is_most else "at least",
        "limit": target.limit,
        "unit": target.unit,
    }
    if finding is None:
        return told | {"verdict": "not measured"}
    median = finding.spread.median
    is_met = median <= target.limit if target.is_most else median >= target.limit
    return told | {
        "measured": finding.spread.told(),
        "verdict": "met" if is_met else "missed",
        "behind": list(finding.behind),
    }


# ---- What can be measured ----------------------------------------------------------------------------------------


def _found(spread: Spread | None) -> Finding | None:
    return None if spread is None else Finding(spread)


def _times(key: Key, base: Key) -> Measure:
    """How many times `base` the column takes."""
    return lambda measured: _found(ratio(measured.samples, key, base))


def _scaling(key: Key) -> Measure:
    return lambda measured: _found(scaling(measured.samples, key))


def _ns(key: Key) -> Measure:
    return lambda measured: Finding(Spread.of(measured.samples[key])) if key in measured.samples else None


def _bytes(language: str, peer: str) -> Measure:
    def measure(measured: Measured) -> Finding | None:
        weight = measured.memory.get((language, peer))
        return None if weight is None else Finding(Spread.of([weight.bytes_per_circuit]))

    return measure


def _lead(language: str) -> Measure:
    """Over the next peer, in the time column where it is shortest."""

    def measure(measured: Measured) -> Finding | None:
        leads = {
            key: spread
            for key in measured.samples
            if key.language == language and key.peer not in NO_PEERS
            if (spread := against_libtrip(measured.samples, key)) is not None
        }
        if not leads:
            return None
        ranked = sorted(leads.items(), key=lambda lead: lead[1].median)
        behind = tuple(f"{key.column} of {key.peer} {spread.median:.2f}" for key, spread in ranked if spread.median < 1)
        return Finding(ranked[0][1], behind)

    return measure


# ---- The targets -------------------------------------------------------------------------------------------------


def _own(language: str, column: str) -> Key:
    return Key(language, "libtrip", column)


EMPTY = Key("c", "two_empty_calls", "pair")
BASELINE, HEARTBIT, GOBREAKER = ("c", "uthash_rwlock"), ("rust", "heartbit-core"), ("go", "sony/gobreaker/v2")
PYBREAKER, CIRCUITBREAKER = ("python", "pybreaker"), ("python", "circuitbreaker")

TARGETS = (
    Target("C, permit + success: to two empty calls", 6, True, _times(_own("c", "pair"), EMPTY)),
    Target("C, refusal: to two empty calls", 5, True, _times(_own("c", "refusal"), EMPTY)),
    Target("C, failure: to two empty calls", 8, True, _times(_own("c", "failure"), EMPTY)),
    Target("C, two threads on one circuit: to one thread", 1.25, True, _scaling(_own("c", "pair_2t_one"))),
    Target("heartbit-core: to C, permit + success", 2.5, False, _times(Key(*HEARTBIT, "pair"), _own("c", "pair"))),
    Target(
        "heartbit-core: to C, two threads on one circuit",
        10,
        False,
        _times(Key(*HEARTBIT, "pair_2t_one"), _own("c", "pair_2t_one")),
    ),
    *(
        Target(f"{title}, every time column: the next peer to libtrip", 1, False, _lead(language))
        for language, title in BINDINGS.items()
    ),
    Target(
        "C, look-up of 1k + pair: to uthash under a rwlock",
        1,
        True,
        _times(_own("c", "lookup_1k"), Key(*BASELINE, "lookup_1k")),
    ),
    Target(
        "C, look-up of 1M + pair: to uthash under a rwlock",
        0.7,
        True,
        _times(_own("c", "lookup_1M"), Key(*BASELINE, "lookup_1M")),
    ),
    Target("C, two threads look up 1k: to one thread", 1.25, True, _scaling(_own("c", "lookup_1k_2t"))),
    Target("C, a pair in a time window: to a plain one", 2, True, _times(_own("c", "time_window"), _own("c", "pair"))),
    Target("C, two threads in a time window: to one thread", 1.25, True, _scaling(_own("c", "time_window_2t"))),
    Target("C, two threads in the last 100 calls: to one thread", 3, True, _scaling(_own("c", "count_window_2t"))),
    Target("C, the same with failures among them", 3, True, _scaling(_own("c", "count_mixed_2t"))),
    Target(
        "C, opening and closing, ring of events full: to emptied",
        1,
        True,
        _times(_own("c", "cycle_full"), _own("c", "cycle")),
    ),
    Target(
        "C, a pair, ring of events full: to a plain one", 1.1, True, _times(_own("c", "pair_full"), _own("c", "pair"))
    ),
    Target("C, memory of a circuit with its name", 256, True, _bytes("c", "libtrip"), "bytes"),
    Target("C, express lane", 1, True, _ns(_own("c", "express")), "ns"),
    Target("Rust, a permit by the express lane", 1, True, _ns(_own("rust", "pair")), "ns"),
    Target("Go, gobreaker's Execute: to Execute", 30, False, _times(Key(*GOBREAKER, "call"), _own("go", "call"))),
    Target("Go, gobreaker's two steps: to a permit", 3, False, _times(Key(*GOBREAKER, "pair"), _own("go", "pair"))),
    Target(
        "Python, pybreaker's decorator: to @guard", 8, False, _times(Key(*PYBREAKER, "call"), _own("python", "call"))
    ),
    Target(
        "Python, circuitbreaker's decorator: to @guard",
        3,
        False,
        _times(Key(*CIRCUITBREAKER, "call"), _own("python", "call")),
    ),
    Target(
        "Python, pybreaker's decorator: to a permit", 3, False, _times(Key(*PYBREAKER, "call"), _own("python", "pair"))
    ),
    Target(
        "Python, a permit beside a busy thread: to itself alone",
        2,
        True,
        _times(_own("python", "pair_busy"), _own("python", "pair")),
    ),
    Target(
        "Python, @guard beside a busy thread: to itself alone",
        2,
        True,
        _times(_own("python", "call_busy"), _own("python", "call")),
    ),
)
