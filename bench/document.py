"""Puts results into docs/performance.md, between the marks there: the figures of a run, whose chart goes beside the
page, or what a profile found."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chart
import profiling
from report import BLOCKS, LANGUAGES, number

DOCS = Path(__file__).resolve().parent.parent / "docs"
END = "<!-- end generated -->"
LEFT_TO_THE_TABLE = {"loop", "loop_2t"}


def begin(what: str) -> str:
    return f"<!-- generated: {what} -->"


def write(results_path: Path, docs: Path = DOCS) -> list[Path]:
    """The files that were written."""
    results = json.loads(results_path.read_text(encoding="utf-8"))
    page, drawing = docs / "performance.md", docs / "chart.svg"
    if "profiles" in results:
        fill(page, "profile", f"```text\n{profiling.table(results)}\n```")
        return [page]
    fill(page, "figures", figures(results))
    drawing.write_text(chart.draw(results), encoding="utf-8")
    return [page, drawing]


def fill(page: Path, what: str, content: str) -> None:
    marked = re.compile(rf"(?s){re.escape(begin(what))}.*?{re.escape(END)}")
    text = page.read_text(encoding="utf-8")
    if len(marked.findall(text)) != 1:
        raise SystemExit(f"{page}: no one place between {begin(what)} and {END}")
    page.write_text(marked.sub(lambda _: f"{begin(what)}\n{content}\n{END}", text), encoding="utf-8")


def figures(results: dict[str, Any]) -> str:
    return "\n".join([*_run(results), "", *_targets(results["targets"]), *_languages(results["peers"])])


def _run(results: dict[str, Any]) -> Iterator[str]:
    run, machine, library = results["run"], results["machine"], results["library"]
    yield (
        f"`{run['command']}`, {run['rounds']} rounds on a virtual machine with {machine['cores']} cores "
        f"({machine['cpu']}, {machine['architecture']}, Linux {machine['kernel']}); one run, all peers side by side."
    )
    yield (
        "Nanoseconds of a call, medians, and in brackets how many times libtrip's in the same language; how each peer "
        "is configured stands in the output of the command."
    )
    yield f"Loading the library takes {library['load_ns']['median'] / 1000:.0f} µs."


def _targets(targets: list[dict[str, Any]]) -> Iterator[str]:
    yield "| target | wanted | measured | |"
    yield "| --- | --- | --- | --- |"
    for told in targets:
        unit = "" if told["unit"] == "times" else f" {told['unit']}"
        measured = f"{number(told['measured']['median'])}{unit}" if "measured" in told else ""
        behind = "; behind " + ", ".join(told["behind"]) if told.get("behind") else ""
        yield f"| {told['target']} | {told['wanted']} {told['limit']}{unit} | {measured} | {told['verdict']}{behind} |"


def _languages(peers: list[dict[str, Any]]) -> Iterator[str]:
    titles = {column: title for block in BLOCKS for column, title in block if column not in LEFT_TO_THE_TABLE}
    for language, name in LANGUAGES.items():
        own = [peer for peer in peers if peer["language"] == language and titles.keys() & peer["columns"].keys()]
        columns = [column for column in titles if any(column in peer["columns"] for peer in own)]
        if not own:
            continue
        yield from ("", f"| {name} | " + " | ".join(titles[column] for column in columns) + " | bytes of a circuit |")
        yield "| --- |" + " ---: |" * (len(columns) + 1)
        for peer in own:
            cells = [_cell(peer["name"], peer["columns"].get(column)) for column in columns]
            weight = f"{peer['bytes_per_circuit']:.0f}" if "bytes_per_circuit" in peer else ""
            yield f"| {peer['name']} {peer['version']} | " + " | ".join([*cells, weight]) + " |"


def _cell(peer: str, column: dict[str, Any] | None) -> str:
    if column is None:
        return ""
    ratio = f" ({number(column['of_libtrip']['median'])})" if "of_libtrip" in column and peer != "libtrip" else ""
    return number(column["ns"]["median"]) + ratio
