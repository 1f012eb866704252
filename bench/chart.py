"""The chart of the README: what a healthy call costs, in each language, as one SVG that needs nothing from outside."""

from __future__ import annotations

from html import escape
from typing import Any

from report import LANGUAGES, number

WIDTH, NAMES, VALUES, EDGE = 860, 250, 150, 28
ROW, BAR, LANGUAGE, FORM, GAP = 26, 14, 26, 24, 16
FORMS = {"pair": "ask for a permit, record success", "call": "a function wrapped by the breaker"}
YARDSTICK = "two_empty_calls"

STYLE = """
svg { font: 13px ui-sans-serif, system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
.card { fill: #ffffff; stroke: #d8dee6; } text { fill: #1f2933; } .quiet { fill: #66727f; }
.title { font-size: 17px; font-weight: 600; } .language { font-weight: 600; }
.own { fill: #0f7b6c; } .peer { fill: #b8c2cc; } .yardstick { fill: none; stroke: #b8c2cc; stroke-dasharray: 3 2; }
.spread { stroke: #1f2933; stroke-opacity: .55; stroke-width: 1.2; } .own-name { font-weight: 600; }
@media (prefers-color-scheme: dark) {
  .card { fill: #12181f; stroke: #2a3440; } text { fill: #e3e8ee; } .quiet { fill: #93a1af; }
  .own { fill: #2fb5a0; } .peer { fill: #4a5764; } .yardstick { stroke: #5d6b79; }
  .spread { stroke: #e3e8ee; stroke-opacity: .6; }
}
"""


def draw(results: dict[str, Any]) -> str:
    parts, y = [], 78.0
    for language, title in LANGUAGES.items():
        own = [peer for peer in results["peers"] if peer["language"] == language]
        panel, below = _panel(title, own, y)
        if panel:
            parts += panel
            y = below + GAP
    run, machine = results["run"], results["machine"]
    foot = f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}. ./x bench, {run['rounds']} rounds."
    height = round(y + 30)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
            'role="img" aria-labelledby="title about">',
            f"<style>{STYLE}</style>",
            f'<rect class="card" x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1}" rx="10"/>',
            f'<text id="title" class="title" x="{EDGE}" y="38">What a healthy call costs</text>',
            f'<text id="about" class="quiet" x="{EDGE}" y="59">Nanoseconds of a call that goes well and does nothing '
            "itself; less is better. Bars: medians, lines: quartiles, ×: of libtrip.</text>",
            *parts,
            f'<text class="quiet" x="{EDGE}" y="{height - 20}">{escape(foot)}</text>',
            "</svg>\n",
        ]
    )


def _panel(title: str, peers: list[dict[str, Any]], y: float) -> tuple[list[str], float]:
    """A language, form by form, and where it ends. Its bars share a scale, which begins at 0; languages do not."""
    forms = {form: _ranked(peers, form) for form in FORMS}
    shown = [peer["columns"][form]["ns"]["upper"] for form, ranked in forms.items() for peer in ranked]
    if not shown:
        return [], y
    scale = (WIDTH - NAMES - VALUES - 2 * EDGE) / max(shown)
    parts = [f'<text class="language" x="{EDGE}" y="{y + 16}">{title}</text>']
    y += LANGUAGE
    for form, ranked in forms.items():
        if ranked:
            parts.append(f'<text class="quiet" x="{EDGE}" y="{y + 16}">{FORMS[form]}</text>')
            y += FORM
            for peer in ranked:
                parts += _bar(peer, peer["columns"][form], y, scale)
                y += ROW
    return parts, y


def _ranked(peers: list[dict[str, Any]], form: str) -> list[dict[str, Any]]:
    """The yardstick, libtrip, then the others from the fastest to the slowest."""
    first = {YARDSTICK: 0, "libtrip": 1}
    own = [peer for peer in peers if form in peer["columns"]]
    return sorted(own, key=lambda peer: (first.get(peer["name"], 2), peer["columns"][form]["ns"]["median"]))


def _bar(peer: dict[str, Any], column: dict[str, Any], y: float, scale: float) -> list[str]:
    name, ns = peer["name"], column["ns"]
    kind = "yardstick" if name == YARDSTICK else "own" if name == "libtrip" else "peer"
    x, middle = EDGE + NAMES, y + BAR / 2
    at = {key: x + ns[key] * scale for key in ("median", "lower", "upper")}
    label = escape(name.replace("_", " "))
    times = f" ×{number(column['of_libtrip']['median'])}" if "of_libtrip" in column and kind == "peer" else ""
    return [
        f"<g><title>{escape(name)} {escape(peer['version'])}: {escape(peer['configuration'])}</title>",
        f'<text class="{kind}-name" x="{x - 10}" y="{y + 12}" text-anchor="end">{label}</text>',
        f'<rect class="{kind}" x="{x}" y="{y}" width="{at["median"] - x:.1f}" height="{BAR}" rx="2"/>',
        f'<line class="spread" x1="{at["lower"]:.1f}" y1="{middle}" x2="{at["upper"]:.1f}" y2="{middle}"/>',
        f'<text x="{max(at["median"], at["upper"]) + 8:.1f}" y="{y + 12}">{number(ns["median"])} ns'
        f'<tspan class="quiet">{times}</tspan></text></g>',
    ]
