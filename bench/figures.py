"""The arithmetic of the bench: medians, quartiles and ratios of what was measured. Starts nothing, prints nothing.

A ratio is taken within each round, between two figures measured seconds apart, and only then the median over the
rounds: what slows the whole machine down for a while cancels out.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

# Two threads in the column on the left are compared with one in the first column on the right that the peer has.
ONE_THREAD = {
    "pair_2t_one": ("pair", "call"),
    "pair_2t_many": ("pair", "call"),
    "express_2t_one": ("express",),
    "lookup_1k_2t": ("lookup_1k",),
    "time_window_2t": ("time_window",),
    "count_window_2t": ("count_window",),
    "count_mixed_2t": ("count_mixed",),
    "gate_2t": ("gate",),
}


class Key(NamedTuple):
    """What is measured: a column of a peer, in a language."""

    language: str
    peer: str
    column: str


# The empty calls are each language's own; the loops are the machine's.
CONTROL_ONE, CONTROL_TWO = Key("c", "independent_loops", "loop"), Key("c", "independent_loops", "loop_2t")
TWO_THREADS = {*ONE_THREAD, CONTROL_TWO.column}


@dataclass(frozen=True)
class Spread:
    """A median with its quartiles, and where nine of ten rounds lie: between `p05` and `p95`. A rank between two
    rounds is interpolated; the least round has rank 0, the greatest 1."""

    median: float
    lower: float
    upper: float
    p05: float
    p95: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        if not values:
            raise ValueError("nothing was measured")
        if len(values) == 1:
            return cls(*[values[0]] * 5)
        twentieths = statistics.quantiles(values, n=20, method="inclusive")
        return cls(*(twentieths[at - 1] for at in (10, 5, 15, 1, 19)))

    @property
    def share(self) -> float:
        """Half the distance between the quartiles, as a share of the median."""
        return (self.upper - self.lower) / 2 / self.median

    def told(self) -> dict[str, float]:
        """As the results have it."""
        return {**asdict(self), "spread": self.share}


Samples = Mapping[Key, Sequence[float]]  # ns per call, one of each round


def ratio(samples: Samples, key: Key, base: Key) -> Spread | None:
    """How many times `base` a column takes; None where one of the two was not measured."""
    if key not in samples or base not in samples:
        return None
    return Spread.of([one / other for one, other in zip(samples[key], samples[base], strict=True)])


def against_libtrip(samples: Samples, key: Key) -> Spread | None:
    return ratio(samples, key, Key(key.language, "libtrip", key.column))


def against_empty_calls(samples: Samples, key: Key) -> Spread | None:
    return ratio(samples, key, Key(key.language, "two_empty_calls", "pair"))


def scaling(samples: Samples, key: Key) -> Spread | None:
    """What a call takes on two threads by what it takes on one, divided by the same of two loops that share nothing: at
    1 the second thread adds all that the machine has, at 2 it adds nothing."""
    candidates = [Key(key.language, key.peer, column) for column in ONE_THREAD.get(key.column, ())]
    alone = next((candidate for candidate in candidates if candidate in samples), None)
    if alone is None or CONTROL_ONE not in samples or CONTROL_TWO not in samples:
        return None
    rounds = zip(samples[key], samples[alone], samples[CONTROL_TWO], samples[CONTROL_ONE], strict=True)
    return Spread.of([(two / one) / (control_two / control_one) for two, one, control_two, control_one in rounds])


def waited_share(before: Mapping[str, tuple[int, int]], after: Mapping[str, tuple[int, int]]) -> float:
    """How much of the time for which threads wanted to run they waited for a processor, between two looks at how long
    each had run and waited."""
    ran = sum(after[thread][0] - before[thread][0] for thread in before if thread in after)
    waited = sum(after[thread][1] - before[thread][1] for thread in before if thread in after)
    return waited / (ran + waited) if ran + waited else 0.0
