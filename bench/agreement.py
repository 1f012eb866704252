"""Whether several runs of the bench agree: `./x bench --agree FILE FILE ...`. Reads results, measures nothing.

Two runs agree on a figure when the ranges meet within which nine of ten of its rounds lie in each; more than two, when
all of them have a point in common. What is compared are ratios: nanoseconds say how busy the machine was. Where a
language has no binding of libtrip's, there is nothing but nanoseconds.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from figures import Spread

UNBOUND = {"java", "node"}


class Figure(NamedTuple):
    language: str
    peer: str
    column: str
    what: str


@dataclass(frozen=True)
class Comparison:
    """Of figures that all runs have, each with the spread that it had in each of them."""

    agreeing: dict[Figure, list[Spread]]
    differing: dict[Figure, list[Spread]]
    lacking: list[Figure]

    def __str__(self) -> str:
        both = len(self.agreeing) + len(self.differing)
        lines = [
            f"{len(self.agreeing)} of {both} figures agree: nine of ten rounds of each run enclose a common point."
        ]
        if self.differing:
            lines += ["", "These do not; each run's median, and where nine of ten of its rounds lie"]
        for figure, spreads in self.differing.items():
            told = "   ".join(f"{one.median:.3g} ({one.p05:.3g} to {one.p95:.3g})" for one in spreads)
            lines.append(f"  {_named(figure):<64} {told}")
        if self.lacking:
            lines += ["", "These are not in all runs", *(f"  {_named(figure)}" for figure in self.lacking)]
        return "\n".join(lines)


def _named(figure: Figure) -> str:
    return f"{figure.language} {figure.peer} {figure.column} {figure.what}"


def load(paths: Sequence[Path]) -> list[dict[Figure, Spread]]:
    return [figures(json.loads(path.read_text(encoding="utf-8"))) for path in paths]


def figures(results: dict[str, Any]) -> dict[Figure, Spread]:
    told = {}
    for peer in results["peers"]:
        for column, measured in peer["columns"].items():
            for what in _compared(peer["language"], peer["name"]):
                if what in measured:
                    spread = Spread(**{field.name: measured[what][field.name] for field in fields(Spread)})
                    told[Figure(peer["language"], peer["name"], column, what)] = spread
    return told


def _compared(language: str, peer: str) -> tuple[str, ...]:
    if language in UNBOUND:
        return ("ns",)
    return ("of_two_empty_calls" if peer == "libtrip" else "of_libtrip", "scaling")


def compare(runs: Sequence[dict[Figure, Spread]]) -> Comparison:
    everywhere = {figure: [run[figure] for run in runs] for figure in runs[0] if all(figure in run for run in runs)}
    agreeing = {figure: spreads for figure, spreads in everywhere.items() if agree(spreads)}
    return Comparison(
        agreeing,
        {figure: spreads for figure, spreads in everywhere.items() if figure not in agreeing},
        sorted({figure for run in runs for figure in run} - everywhere.keys()),
    )


def agree(spreads: Sequence[Spread]) -> bool:
    return max(spread.p05 for spread in spreads) <= min(spread.p95 for spread in spreads)
