"""What was measured, as JSON and as a table for the terminal."""

from __future__ import annotations

import json
import textwrap
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from figures import Key, Spread, against_empty_calls, against_libtrip, scaling
from measured import Measured
from targets import judge

# The order of the table: what a caller meets most comes first. Each block is one table per language.
BLOCKS = (
    (
        ("pair", "permit+success"),
        ("express", "express lane"),
        ("call", "wrapped call"),
        ("failure", "failure"),
        ("refusal", "refusal"),
    ),
    (
        ("with", "with block"),
        ("async", "async call"),
        ("pair_2t_one", "2 on one"),
        ("pair_2t_many", "2 on one each"),
        ("express_2t_one", "2 express on one"),
    ),
    (
        ("lookup_8", "look-up of 8"),
        ("lookup_1k", "of 1k"),
        ("lookup_100k", "of 100k"),
        ("lookup_1M", "of 1M"),
    ),
    (
        ("lookup_1k_2t", "2 look up 1k"),
        ("create_evict", "create+evict"),
        ("pair_busy", "permit, busy"),
        ("call_busy", "wrapped, busy"),
    ),
    (
        ("time_window", "10 s window"),
        ("time_window_2t", "2 in 10 s window"),
        ("count_window", "last 100 calls"),
        ("count_window_2t", "2 in last 100"),
        ("count_mixed", "last 100, failures"),
        ("count_mixed_2t", "2 in last 100, f."),
    ),
    (
        ("cycle", "open and close"),
        ("cycle_full", "with a full ring"),
        ("pair_full", "p.+s., full ring"),
    ),
    (
        ("gate", "gate"),
        ("gate_2t", "2 at one gate"),
        ("gate_full", "shed"),
        ("gate_gradient", "gradient gate"),
        ("dedup_new", "new key"),
        ("dedup_hit", "cached"),
        ("route", "route"),
        ("route_session", "route, session"),
        ("retry", "one retry"),
    ),
    (
        ("swap", "compare-and-swap"),
        ("coarse_clock", "coarse clock"),
        ("precise_clock", "precise clock"),
        ("loop", "loop"),
        ("loop_2t", "2 loops"),
    ),
)
LANGUAGES = {"c": "C", "rust": "Rust", "go": "Go", "python": "Python", "java": "Java", "node": "Node"}
BUSY = 0.05  # runs that waited longer than this share of their time were not alone on the machine


def library(load: Spread, size: dict[str, int]) -> dict[str, Any]:
    return {"load_ns": load.told(), **size}


def results(
    measured: Measured, run: dict[str, Any], machine: dict[str, Any], library: dict[str, Any]
) -> dict[str, Any]:
    return {
        "format": 1,
        "run": {**run, "waited_share": _mean(measured.waited_shares)},
        "machine": machine,
        "library": library,
        "peers": [_peer(measured, language, name) for language, name in measured.peers],
        "missing": [missing._asdict() for missing in measured.missing],
        "failed": [{**key._asdict(), "reason": reason} for key, reason in measured.failed.items()],
        "left_out": _left_out(measured),
        "targets": judge(measured, run["seconds"] if run["plan"]["is_quick"] else None),
    }


def _left_out(measured: Measured) -> list[dict[str, Any]]:
    """Columns, and whether only the peers go without them."""
    return [
        {"language": language, "column": column, "ours_too": Key(language, "libtrip", column) not in measured.samples}
        for language, column in sorted({(key.language, key.column) for key in measured.left_out})
    ]


def _peer(measured: Measured, language: str, name: str) -> dict[str, Any]:
    peer = measured.peers[language, name]
    told: dict[str, Any] = {
        "language": language,
        "name": name,
        "version": peer.version,
        "licence": peer.licence,
        "configuration": peer.configuration,
        "harness": peer.harness,
        "columns": {key.column: _column(measured, key) for key in measured.samples if key[:2] == (language, name)},
    }
    if (language, name) in measured.memory:
        told |= measured.memory[language, name]._asdict()
    return told


def _column(measured: Measured, key: Key) -> dict[str, Any]:
    """`scaling` is there for two threads only, and no ratio where there is nothing to compare with."""
    samples = measured.samples
    told: dict[str, Any] = {
        "ns": Spread.of(samples[key]).told(),
        "calls_per_run": measured.calls[key],
        "rounds": len(samples[key]),
        "samples_ns": list(samples[key]),
    }
    ratios = {
        "of_libtrip": against_libtrip(samples, key),
        "of_two_empty_calls": against_empty_calls(samples, key),
        "scaling": scaling(samples, key),
    }
    return told | {name: ratio.told() for name, ratio in ratios.items() if ratio}


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def write(results: dict[str, Any], path: Path) -> None:
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def table(results: dict[str, Any]) -> str:
    return "\n".join(
        [
            *_heading(results),
            *(line for language in LANGUAGES for line in _language(results["peers"], language)),
            *_memory(results),
            *_scaling(results["peers"]),
            *_targets(results["targets"]),
            *_absent(results),
            *_configurations(results["peers"]),
        ]
    )


def _heading(results: dict[str, Any]) -> list[str]:
    run, machine = results["run"], results["machine"]
    lines = [
        f"libtrip bench: {run['rounds']} rounds in {run['seconds']:.0f} s on {machine['cores']} cores, "
        f"{machine['cpu']}, Linux {machine['kernel']}",
        "Each cell: nanoseconds per call, median ± half the distance between the quartiles; then how many times (×)",
        "libtrip's in the same language and column, and for libtrip itself how many times two empty calls (∅).",
    ]
    if run["rounds"] < run["plan"]["rounds"]:
        lines.append(f"Of {run['plan']['rounds']} rounds {run['rounds']} were made: then the time was up.")
    if run["waited_share"] > BUSY:
        lines.append(
            f"The machine was busy: runs on one thread waited {run['waited_share']:.0%} of their time for a processor. "
            "Ratios hold better than nanoseconds."
        )
    for harness in sorted({peer["harness"] for peer in results["peers"] if peer["harness"]}):
        timed = ", ".join(peer["name"] for peer in results["peers"] if peer["harness"] == harness)
        lines.append(f"{timed}: timed by {harness}, in each sitting one round after another while all others wait.")
    return lines + textwrap.wrap(_left_out_line(results["left_out"]), 118)


def _left_out_line(left_out: Iterable[dict[str, Any]]) -> str:
    languages = defaultdict(list)
    for gone in left_out:
        but = "" if gone["ours_too"] else " but for libtrip's"
        languages[gone["column"]].append(LANGUAGES[gone["language"]] + but)
    told = "; ".join(f"{column} in {', '.join(names)}" for column, names in languages.items())
    return f"Left out to be quick: {told}." if told else ""


def _language(peers: Iterable[dict[str, Any]], language: str) -> list[str]:
    own = [peer for peer in peers if peer["language"] == language]
    lines = []
    for block in BLOCKS:
        columns = [(column, title) for column, title in block if any(column in peer["columns"] for peer in own)]
        rows = [peer for peer in own if any(column in peer["columns"] for column, _ in columns)]
        if rows:
            lines += ["", f"{LANGUAGES[language]:<34}" + "".join(f"{title:>20}" for _, title in columns)]
            lines += [_row(peer, [column for column, _ in columns]) for peer in rows]
    return lines


def _row(peer: dict[str, Any], columns: list[str]) -> str:
    base = ("∅", "of_two_empty_calls") if peer["name"] == "libtrip" else ("×", "of_libtrip")
    return f"  {peer['name']:<32}" + "".join(f"{_cell(peer['columns'].get(column), *base):>20}" for column in columns)


def _cell(column: dict[str, Any] | None, sign: str, base: str) -> str:
    if column is None:
        return "·"
    ratio = f" {sign}{number(column[base]['median'])}" if base in column else ""
    return f"{number(column['ns']['median'])} ±{column['ns']['spread']:.0%}{ratio}"


def number(value: float) -> str:
    """Three digits that count."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _memory(results: dict[str, Any]) -> list[str]:
    lines = ["", "Resident bytes of a circuit, with its name, among so many"]
    lines += [
        f"  {LANGUAGES[peer['language']]:<8}{peer['name']:<24}{peer['bytes_per_circuit']:>8.0f}{peer['circuits']:>12}"
        for peer in results["peers"]
        if "bytes_per_circuit" in peer
    ]
    library = results["library"]
    return [
        *lines,
        "",
        f"libtrip.so: {library['load_ns']['median'] / 1000:.0f} µs ±{library['load_ns']['spread']:.0%} to load, "
        f"{library['loaded_bytes'] / 1024:.0f} KiB mapped, {library['file_bytes'] / 1024:.0f} KiB on disk",
    ]


def _scaling(peers: Iterable[dict[str, Any]]) -> list[str]:
    """Two threads against one; the table shows what each of the two threads takes."""
    lines = [
        "",
        "Two threads to one: a call's time on two by its time on one, by the same of two loops that share nothing.",
        "At 1 the second thread adds all that the machine has; above 2 one thread alone would have done more.",
    ]
    for peer in peers:
        told = [
            f"{column} {number(figures['scaling']['median'])} ±{figures['scaling']['spread']:.0%}"
            for column, figures in peer["columns"].items()
            if "scaling" in figures
        ]
        if told:
            name = f"  {LANGUAGES[peer['language']]:<8}{peer['name']:<32}"
            lines += [f"{name if not i else '':<42}{'   '.join(told[i : i + 2])}" for i in range(0, len(told), 2)]
    return lines


def _targets(targets: Iterable[dict[str, Any]]) -> list[str]:
    lines = ["", f"{'Targets; one that is missed fails nothing':<58}{'wanted':>14}{'measured':>18}"]
    unmeasured = []
    for target in targets:
        if target["verdict"] == "not measured":
            unmeasured.append(target["target"])
            continue
        sign, unit = ("≤" if target["wanted"] == "at most" else "≥"), _unit(target["unit"])
        wanted, measured = f"{sign} {target['limit']:g}{unit}", _measured(target["measured"], unit)
        lines.append(f"  {target['target']:<56}{wanted:>14}{measured:>18}   {target['verdict']}")
        if target["behind"]:
            lines += _wrapped("behind " + ", ".join(target["behind"]), " " * 10)
    return lines + (_wrapped("Not measured: " + "; ".join(unmeasured), "  ") if unmeasured else [])


def _measured(spread: dict[str, float], unit: str) -> str:
    told = f"{number(spread['median'])}{unit}"
    return f"{told} ±{spread['spread']:.0%}" if spread["lower"] < spread["upper"] else told


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, 118, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _unit(unit: str) -> str:
    return "" if unit == "times" else f" {unit}"


def _absent(results: dict[str, Any]) -> list[str]:
    lines = [f"  {LANGUAGES[gone['language']]:<8}{gone['name']}: {gone['reason']}" for gone in results["missing"]]
    lines += [
        f"  {LANGUAGES[gone['language']]:<8}{gone['peer']} {gone['column']}: {gone['reason']}"
        for gone in results["failed"]
    ]
    wrapped = [part for line in lines for part in textwrap.wrap(line, 118, subsequent_indent=" " * 10)]
    return ["", "Not measured", *wrapped] if lines else []


def _configurations(peers: Iterable[dict[str, Any]]) -> list[str]:
    lines = ["", "Versions, licences and configurations"]
    for peer in peers:
        lines.append(f"  {LANGUAGES[peer['language']]:<8}{peer['name']} {peer['version']} ({peer['licence']})")
        lines += _wrapped(peer["configuration"], " " * 10)
    return lines
