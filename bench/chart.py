"""The chart of the README: what a healthy call costs, in each language, as one SVG that needs nothing from outside.

All languages share one logarithmic axis: from a lane that is two loads to a framework's guard it is four decades.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

from report import LANGUAGES, number

WIDTH, EDGE, NAMES = 900, 28, 222
LEFT, RIGHT = EDGE + NAMES + 14, 640
VALUES = {"pair": 716, "call": 794, "pair_2t_one": 872}
TOP, LANGUAGE, ROW, GAP = 132, 30, 23, 8
YARDSTICK = "two_empty_calls"
WRAPPED = ("call", "async")  # where there is nothing but coroutines, one of them

STYLE = """
svg { font: 13px ui-sans-serif, system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
.card { fill: #ffffff; stroke: #d8dee6; } text { fill: #1f2933; } .quiet { fill: #5b6773; } .small { font-size: 12px; }
.title { font-size: 18px; font-weight: 600; } .language { font-weight: 600; } .value { text-anchor: end; }
.grid { stroke: #e4e9ee; } .rule { stroke: #d8dee6; }
.own { --mark: #0f7b6c; font-weight: 600; } .peer { --mark: #6b7986; } .yardstick { --mark: #b0bac4; }
.dot { fill: var(--mark); stroke: var(--mark); } .ring { fill: #ffffff; stroke: var(--mark); stroke-width: 2; }
.spread { stroke: var(--mark); stroke-width: 2; stroke-opacity: .45; }
.between { stroke: var(--mark); stroke-opacity: .35; }
.shade { fill: #0f7b6c; fill-opacity: .07; }
@media (prefers-color-scheme: dark) {
  .card { fill: #12181f; stroke: #2a3440; } text { fill: #e3e8ee; } .quiet { fill: #9aa8b6; }
  .grid { stroke: #222c37; } .rule { stroke: #2f3a46; }
  .own { --mark: #35c2ac; } .peer { --mark: #8b99a8; } .yardstick { --mark: #566371; }
  .ring { fill: #12181f; } .shade { fill: #35c2ac; fill-opacity: .09; }
}
"""


@dataclass(frozen=True)
class Row:
    """A peer's line in the chart."""

    name: str
    kind: str
    about: str
    figures: dict[str, dict[str, float]]  # by form: those of VALUES

    @property
    def first(self) -> float:
        return next(iter(self.figures.values()))["median"]


@dataclass(frozen=True)
class Axis:
    """Nanoseconds, on a logarithmic scale."""

    least: float
    most: float

    @classmethod
    def around(cls, values: list[float]) -> Axis:
        return cls(min(values) / 1.3, max(values) * 1.3)

    def x(self, ns: float) -> float:
        share = math.log(ns / self.least) / math.log(self.most / self.least)
        return LEFT + share * (RIGHT - LEFT)

    def decades(self) -> Iterator[float]:
        for power in range(math.ceil(math.log10(self.least)), math.floor(math.log10(self.most)) + 1):
            yield 10.0**power


def draw(results: dict[str, Any]) -> str:
    panels = [(title, rows) for language, title in LANGUAGES.items() if (rows := _rows(results["peers"], language))]
    drawn = [
        figure for _, rows in panels for row in rows for form, figure in row.figures.items() if form != "pair_2t_one"
    ]
    axis = Axis.around([figure[end] for figure in drawn for end in ("lower", "upper")])
    parts, y = [], TOP
    for title, rows in panels:
        parts.append(f'<line class="rule" x1="{EDGE}" y1="{y}" x2="{WIDTH - EDGE}" y2="{y}"/>')
        parts.append(f'<text class="language" x="{EDGE}" y="{y + 20}">{title}</text>')
        y += LANGUAGE
        for row in rows:
            parts += _row(row, axis, y)
            y += ROW
        y += GAP
    height = y + 58
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
            'role="img" aria-labelledby="title about">',
            f"<style>{STYLE}</style>",
            f'<rect class="card" x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1}" rx="10"/>',
            *_heading(),
            *_grid(axis, y),
            *parts,
            *_foot(results, y),
            "</svg>\n",
        ]
    )


# ---- Who is shown ------------------------------------------------------------------------------------------------


def _rows(peers: list[dict[str, Any]], language: str) -> list[Row]:
    """The yardstick, libtrip, then the others from the fastest to the slowest."""
    first = {"yardstick": 0, "own": 1, "peer": 2}
    rows = [row for peer in peers if peer["language"] == language for row in _rows_of(peer)]
    return sorted(rows, key=lambda row: (first[row.kind], row.first))


def _rows_of(peer: dict[str, Any]) -> Iterator[Row]:
    """In C the express lane is a way of its own; each binding takes it by itself."""
    columns = {name: column["ns"] for name, column in peer["columns"].items()}
    wrapped = next((columns[form] for form in WRAPPED if form in columns), None)
    forms = {"pair": columns.get("pair"), "call": wrapped, "pair_2t_one": columns.get("pair_2t_one")}
    lane = {"pair": columns.get("express"), "pair_2t_one": columns.get("express_2t_one")}
    name, about = peer["name"].replace("_", " "), f"{peer['name']} {peer['version']}: {peer['configuration']}"
    kind = "yardstick" if peer["name"] == YARDSTICK else "own" if peer["name"] == "libtrip" else "peer"
    for suffix, figures in (("", forms), (", express lane", lane)):
        told = {form: figure for form, figure in figures.items() if figure is not None}
        if "pair" in told or "call" in told:
            yield Row(name + suffix, kind, about, told)


# ---- How it looks ------------------------------------------------------------------------------------------------


def _row(row: Row, axis: Axis, y: int) -> list[str]:
    middle, base = y + ROW / 2, y + ROW / 2 + 4.5
    marks = {form: row.figures[form] for form in ("pair", "call") if form in row.figures}
    ends = [axis.x(figure["median"]) for figure in marks.values()]
    parts = [f'<g class="{row.kind}"><title>{escape(row.about)}</title>']
    if row.kind == "own":
        parts.append(
            f'<rect class="shade" x="{EDGE - 8}" y="{y}" width="{WIDTH - 2 * EDGE + 16}" height="{ROW}" rx="4"/>'
        )
    parts.append(f'<text x="{LEFT - 14}" y="{base}" text-anchor="end">{escape(row.name)}</text>')
    parts.append(_line("between", min(ends), max(ends), middle))
    for form, figure in marks.items():
        parts.append(_line("spread", axis.x(figure["lower"]), axis.x(figure["upper"]), middle))
        mark, radius = ("dot", 5) if form == "pair" else ("ring", 4)
        parts.append(f'<circle class="{mark}" cx="{axis.x(figure["median"]):.1f}" cy="{middle}" r="{radius}"/>')
    values = {x: row.figures[form]["median"] for form, x in VALUES.items() if form in row.figures}
    parts += [f'<text class="value" x="{x}" y="{base}">{number(ns)}</text>' for x, ns in values.items()]
    return [*parts, "</g>"]


def _line(kind: str, start: float, end: float, y: float) -> str:
    return f'<line class="{kind}" x1="{start:.1f}" y1="{y}" x2="{end:.1f}" y2="{y}"/>'


def _heading() -> list[str]:
    return [
        f'<text id="title" class="title" x="{EDGE}" y="38">What a healthy call costs</text>',
        f'<text id="about" class="quiet" x="{EDGE}" y="60">Nanoseconds of a call that goes well and does nothing '
        "itself: further left is better.</text>",
        f'<g class="peer"><circle class="dot" cx="{EDGE + 6}" cy="84" r="5"/>'
        f'<circle class="ring" cx="{EDGE + 246}" cy="84" r="4"/></g>',
        f'<text x="{EDGE + 18}" y="88.5">ask for a permit, record success</text>',
        f'<text x="{EDGE + 258}" y="88.5">a function wrapped by the breaker</text>',
        *(
            f'<text class="quiet small value" x="{x}" y="{TOP - 12}">{title}</text>'
            for x, title in zip(VALUES.values(), ("permit", "wrapped", "2 threads"), strict=True)
        ),
    ]


def _grid(axis: Axis, bottom: int) -> list[str]:
    parts = []
    for ns in axis.decades():
        x, label = axis.x(ns), f"{ns:g} ns" if ns < 1000 else f"{ns / 1000:g} µs"
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP - 6}" x2="{x:.1f}" y2="{bottom}"/>')
        parts.append(f'<text class="quiet small" x="{x:.1f}" y="{TOP - 12}" text-anchor="middle">{label}</text>')
    return parts


def _foot(results: dict[str, Any], y: int) -> list[str]:
    run, machine = results["run"], results["machine"]
    harnesses = sorted({peer["harness"] for peer in results["peers"] if peer["harness"]})
    lines = [
        "Dots: medians, their lines: from quartile to quartile. 2 threads: a permit, or what there is for one, on one "
        "circuit.",
        f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}. "
        f"{run['command']}, {run['rounds']} rounds." + "".join(f" Java: {harness}." for harness in harnesses),
    ]
    return [
        f'<line class="rule" x1="{EDGE}" y1="{y}" x2="{WIDTH - EDGE}" y2="{y}"/>',
        *(
            f'<text class="quiet small" x="{EDGE}" y="{y + 22 + 18 * i}">{escape(line)}</text>'
            for i, line in enumerate(lines)
        ),
    ]
