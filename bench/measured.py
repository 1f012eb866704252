"""What a run of the bench has measured, and what it could not measure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from figures import Key
from protocol import Missing, Peer, StandError


class Weight(NamedTuple):
    """Resident memory."""

    bytes_per_circuit: float
    circuits: int


@dataclass
class Measured:
    """All that came of a run."""

    rounds: int = 0
    harness_s: float = 0.0  # that stands with a harness took in this sitting
    peers: dict[tuple[str, str], Peer] = field(default_factory=dict)  # by language and name
    samples: dict[Key, list[float]] = field(default_factory=dict)
    calls: dict[Key, int] = field(default_factory=dict)
    memory: dict[tuple[str, str], Weight] = field(default_factory=dict)
    missing: list[Missing] = field(default_factory=list)
    failed: dict[Key, str] = field(default_factory=dict)
    left_out: set[Key] = field(default_factory=set)
    waited_shares: list[float] = field(default_factory=list)  # of each run on one thread, for a processor

    def miss(self, peers: Iterable[Missing]) -> None:
        """Whoever is missing again is missing once."""
        self.missing += [peer for peer in peers if peer not in self.missing]

    def fail(self, key: Key, error: StandError) -> None:
        """A column that failed once has no figure, whatever its other rounds said."""
        self.failed[key] = str(error)
        self.samples.pop(key, None)
