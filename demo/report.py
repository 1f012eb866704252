"""The demo's figures as text and as a page: a line a second, the sentence, the table, the price, one HTML file.

    python report.py FOLDER

tells a replay again from the calls.jsonl and scenario.json that it left in FOLDER. Nothing is counted here: figures.py
does that.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape
from pathlib import Path
from textwrap import fill
from typing import Any

from figures import BIN_US, Call, Figures, Scenario, figures, read_calls, states

Operator = dict[str, Any]
PAGE = Path(__file__).with_name("page.html")
OUTCOMES = ("answered", "failed", "timeout", "unreachable", "broken", "mistaken", "refused")


def clock(scenario: Scenario, at_us: float) -> str:
    """The real time, UTC, that an instant of the replay stands for."""
    start = datetime.fromisoformat(scenario["from"].replace("Z", "+00:00"))
    # Rounded, because instants of the replay are: 13:54 must not become 13:53:59.999.
    return (start + timedelta(seconds=round(at_us * scenario["speed"] / 1e6))).strftime("%H:%M")


def second_line(scenario: Scenario, row: Figures) -> str:
    since, until = row["second"] * 1_000_000, (row["second"] + 1) * 1_000_000
    truth = _truth(scenario, "openai", since, until)
    sides = " | ".join(f"{side}: {_side(row[side]):<30}" for side in scenario["sides"]).rstrip()
    return f"{clock(scenario, since)} openai {truth:<33} | {sides}"


def _truth(scenario: Scenario, provider: str, since: int, until: int) -> str:
    spells = [
        spell
        for spell in scenario["spells"]
        if spell["provider"] == provider and spell["from_us"] < until and spell["until_us"] > since
    ]
    down = [spell for spell in spells if spell["tenant"] is None]
    if down:
        first, last = down[0]["from_us"], down[-1]["until_us"]
        bounds = f" from {clock(scenario, first)}" if first > since else ""
        bounds += f" to {clock(scenario, last)}" if last < until else ""
        return f"DOWN{bounds} ({', '.join(spell['says'] for spell in down)})"
    limited = [f"{spell['tenant']} limited ({spell['says']})" for spell in spells]
    return ", ".join(["up", *limited])


def _side(row: Figures) -> str:
    parts = [f"{row['sent']:2} sent"]
    if row["lost"]:
        parts.append(f"{row['lost']:2} lost, {duration(row['lost_wait_us'])} each")
    if row["refused"]:
        parts.append(f"{row['refused']:2} refused in {duration(row['refused_wait_us'])}")
    if row["answered"] and not row["lost"]:
        parts.append(f"{row['answered']:2} answered in {duration(row['answered_wait_us'])}")
    return ", ".join(parts)


def duration(us: float | None) -> str:
    if us is None:
        return "-"
    if us >= 60e6:
        return f"{int(us // 60e6)} min {us % 60e6 / 1e6:.0f} s"
    if us >= 10e6:
        return f"{us / 1e6:.0f} s"
    if us >= 0.95e6:
        return f"{us / 1e6:.1f} s"
    return f"{us / 1e3:.0f} ms" if us >= 9.5e3 else f"{us / 1e3:.1f} ms"


def provider_time(scenario: Scenario, us: float) -> str:
    minutes = us * scenario["speed"] / 60e6
    return f"{minutes:.1f} min" if minutes < 10 else f"{minutes:.0f} min"


def introduction(scenario: Scenario) -> list[str]:
    incident = scenario["incident"]
    policy = scenario["circuit"]
    first, longest = policy["initial_open_us"], policy["max_open_us"]
    return [
        f"8 November 2023, {clock(scenario, 0)} to {clock(scenario, scenario['seconds'] * 1e6)} UTC, in "
        f"{scenario['seconds']:g} s: a second is {scenario['speed'] / 60:g} minutes.",
        f"{incident['whose']} was down from {incident['from'][11:16]} to {incident['until'][11:16]}, says "
        f"{incident['attribution']}.",
        incident["ours"],
        f"Both tenants call both providers from all three languages, each {scenario['calls_a_second']} times a second, "
        f"with and without libtrip at the same time. A call gives up after {duration(scenario['timeout_us'])}.",
        f"A circuit opens after {policy['failure_threshold']} failures in a row. Open periods in this replay: "
        f"{duration(first)}, times {policy['backoff_multiplier']:g} with each failed probe, up to {duration(longest)}: "
        f"that is {provider_time(scenario, first)} to {provider_time(scenario, longest)} of provider time. "
        f"{_asks(scenario)}",
        f"{'; '.join(_mistake(scenario, mistake) for mistake in scenario['mistakes'])}: the callers' own mistakes.",
    ]


def _asks(scenario: Scenario) -> str:
    asked_us = max(spell["asks_wait_ms"] for spell in scenario["spells"]) * 1e3
    return (
        "The wait that a 429 asks for is scaled with them, so that clients take it at its word: "
        f"{duration(asked_us)} in retry-after-ms and in the body are {provider_time(scenario, asked_us)}."
    )


def _mistake(scenario: Scenario, mistake: dict[str, Any]) -> str:
    since, until = clock(scenario, mistake["from_us"]), clock(scenario, mistake["until_us"])
    return f"{mistake['tenant']}'s calls to {mistake['provider']} {mistake['says']} from {since} to {until}"


def opening(scenario: Scenario) -> list[str]:
    return [*(fill(paragraph, 118) for paragraph in introduction(scenario)), ""]


def sentence(told: Figures) -> str:
    without, with_ = (told["sides"][side]["waited_for_nothing_us"] for side in ("without", "with"))
    return f"Callers waited {duration(without)} for nothing without libtrip, and {duration(with_)} with it."


def table(told: Figures) -> list[tuple[str, str, str]]:
    """What it came to: a row's name, without, with."""
    rows = [
        ("calls planned", "planned"),
        ("calls sent", "sent"),
        ("… into the dead provider", "sent_to_dead"),
        ("answered", "answered"),
        ("caller's own mistake (400, 401)", "mistaken"),
        ("lost", "lost"),
        ("refused by the circuit", "refused"),
    ]
    sides = told["sides"]["without"], told["sides"]["with"]
    counted = [(name, *(f"{side[key]:,}" for side in sides)) for name, key in rows]
    reasons = {
        "429": "… rate limited (429)",
        "5xx": "… 500 and 529",
        "timeout": "… timed out",
        "unreachable": "… connection refused",
        "broken": "… connection broken",
    }
    lost_by = [(name, *(f"{side['lost_by'][key]:,}" for side in sides)) for key, name in reasons.items()]
    waits = [
        ("waited for nothing, in all", "waited_for_nothing_us"),
        ("mean wait of a lost call", "lost_wait_us"),
        ("median wait of a refused call", "refused_wait_us"),
        ("median wait of an answered call", "answered_wait_us"),
    ]
    waited = [(name, *(duration(side[key]) for side in sides)) for name, key in waits]
    return [(name, without, with_) for name, without, with_ in counted[:6] + lost_by + counted[6:] + waited]


def learned(told: Figures) -> list[list[str]]:
    """What the circuits were told: a class, what it counts as, and its calls to each provider."""
    return [
        [_words(row["class"]), row["counts_as"], *(f"{count:,}" for count in row["calls"].values())]
        for row in told["learned"]["classes"]
    ]


def lessons(scenario: Scenario, told: Figures) -> list[str]:
    mistakes, waits = told["learned"]["mistakes"], told["learned"]["waits"]
    statuses = ", ".join(map(str, mistakes["statuses"]))
    left = f"{mistakes['opened']:,} of them left a circuit that was not closed" if mistakes["opened"] else ""
    asked_us = waits["longest_us"]
    sent = f"{waits['sent_within']:,} calls" if waits["sent_within"] else "no call"
    return [
        f"{mistakes['calls']:,} calls were the callers' own mistakes ({statuses}), and {left or 'opened no circuit'}.",
        f"{waits['asked']:,} answers asked to wait, {duration(asked_us)} ({provider_time(scenario, asked_us or 0)} of "
        f"provider time): open circuits sent {sent} before that was over.",
    ]


def _words(name: str) -> str:
    return name.replace("-", " ")


def price(scenario: Scenario, told: Figures) -> list[tuple[str, str]]:
    paid = told["price"]
    late = paid["recovery_us"]
    return [
        (
            "calls refused while the provider was healthy",
            f"{paid['refused_while_healthy']:,} of {paid['planned_while_healthy']:,}",
        ),
        (
            "longest delay after recovery, until a call was answered",
            f"{duration(late['with'])} ({provider_time(scenario, late['with'])} of provider time); "
            f"without libtrip {duration(late['without'])}",
        ),
        ("added median time of a healthy call", _added(paid["added"])),
    ] + [(f"… in {language}", _added_briefly(added)) for language, added in paid["added_by_language"].items()]


def _added(added: Figures | None) -> str:
    if added is None:
        return "too few pairs of calls to tell"
    low, high = map(_milliseconds, added["quartiles_us"])
    return f"{_added_briefly(added)}; half of {added['pairs']:,} pairs of the same call differ by {low} to {high}"


def _added_briefly(added: Figures | None) -> str:
    if added is None:
        return "too few pairs"
    low, high = map(_milliseconds, added["interval_us"])
    verdict = "below noise: " if added["below_noise"] else ""
    return f"{verdict}{_milliseconds(added['median_us'])} ms (95 % interval {low} to {high})"


def _milliseconds(us: float) -> str:
    return f"{round(us / 1e3, 2) + 0.0:+.2f}"  # the sum turns -0.0 into 0.0


def orders(operator: Operator) -> list[str]:
    """What an operator did when the calls were over, and what libtrip said of the circuit."""
    whose = f"{operator['tenant']}'s circuit to {operator['provider']}"
    answer = f"refused ({operator['refused']}), {duration(operator['retry_after_us'])} to go"
    return [
        f"An operator then forces {whose} open: {operator['reason']}. The next call: "
        f"{answer if operator['refused'] else 'granted'}; sent: {operator['sent']}. libtrip explains it:",
        operator["explained"],
    ]


def ending(scenario: Scenario, told: Figures, operator: Operator) -> list[str]:
    lines = ["", sentence(told), "", f"{'':36}{'without':>14}{'with':>14}"]
    lines += [f"{name:<36}{without:>14}{with_:>14}" for name, without, with_ in table(told)]
    heads = "".join(f"{head:>14}" for head in ("counts as", *scenario["providers"]))
    lines += ["", f"{'What the circuits learned':<36}{heads}"]
    lines += [f"{name:<36}" + "".join(f"{cell:>14}" for cell in cells) for name, *cells in learned(told)]
    lines += [fill(lesson, 118) for lesson in lessons(scenario, told)]
    lines += ["", "The price"]
    lines += [f"  {name}: {paid}" for name, paid in price(scenario, told)]
    lines += ["", *(fill(paragraph, 118) for paragraph in orders(operator))]
    return lines


def page(scenario: Scenario, calls: Sequence[Call], told: Figures) -> str:
    """The page with everything it shows inside it. What can be read is text in it; the script draws the figure."""
    taken = ("from", "until", "seconds", "speed", "providers", "spells", "mistakes")
    classes = list(scenario["circuit"]["counts_as"])
    replay = {key: scenario[key] for key in taken} | {
        "bin_us": BIN_US,
        "outcomes": OUTCOMES,
        "classes": [_words(name) for name in classes],
        "lanes": [_lane(lane, calls, classes) for lane in scenario["lanes"]],
        "figures": told,
    }
    what, incident, *notes = introduction(scenario)
    parts = {
        "sentence": escape(sentence(told)),
        "incident": escape(incident),
        "tiles": "".join(_tile(*tile) for tile in _tiles(told)),
        "table": "".join(_row(*row) for row in table(told)),
        "providers": "".join(f"<th>{escape(provider)}</th>" for provider in scenario["providers"]),
        "learned": "".join(_row(*row) for row in learned(told)),
        "lessons": "".join(f"<p>{escape(lesson)}</p>" for lesson in lessons(scenario, told)),
        "price": "".join(_row(*row) for row in price(scenario, told)),
        "notes": "".join(f"<p>{escape(note)}</p>" for note in (what, *notes)),
        # Inside a script element only "</" could end it.
        "replay": json.dumps(replay, separators=(",", ":"), ensure_ascii=False).replace("</", "<\\/"),
    }
    text = PAGE.read_text(encoding="utf-8")
    for name, part in parts.items():
        text = text.replace("{{" + name + "}}", part)
    return text


def _tiles(told: Figures) -> list[tuple[str, str, str, str]]:
    """What matters most: its name, without, with, and a remark."""
    without, with_ = told["sides"]["without"], told["sides"]["with"]
    paid = told["price"]
    added = paid["added"]
    return [
        ("calls into the dead provider", f"{without['sent_to_dead']:,}", f"{with_['sent_to_dead']:,}", ""),
        (
            "callers waited for nothing",
            duration(without["waited_for_nothing_us"]),
            duration(with_["waited_for_nothing_us"]),
            "",
        ),
        (
            "refused though the provider was up",
            "",
            f"{paid['refused_while_healthy']:,}",
            f"of {paid['planned_while_healthy']:,} calls meant for it then",
        ),
        (
            "added to a healthy call",
            "",
            "below noise" if not added or added["below_noise"] else f"{_milliseconds(added['median_us'])} ms",
            f"median of {added['pairs']:,} pairs of the same call" if added else "too few pairs to tell",
        ),
    ]


def _tile(name: str, without: str, with_: str, remark: str) -> str:
    before = f'<span class="without">{escape(without)}</span> → ' if without else ""
    after = f"<small>{escape(remark)}</small>" if remark else "<small>without → with libtrip</small>"
    return f'<div><dt>{escape(name)}</dt><dd>{before}<span class="with">{escape(with_)}</span>{after}</dd></div>'


def _row(name: str, *cells: str) -> str:
    kind = ' class="part"' if name.startswith("…") else ""
    values = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f"<tr><td{kind}>{escape(name.removeprefix('… '))}</td>{values}</tr>"


def _lane(lane: dict[str, Any], calls: Sequence[Call], classes: Sequence[str]) -> dict[str, Any]:
    key = (lane["language"], lane["tenant"], lane["provider"])
    own = [call for call in calls if call.lane == key]
    sides = {side: [call for call in own if call.side == side] for side in ("without", "with")}
    return {
        "language": key[0],
        "tenant": key[1],
        "provider": key[2],
        "states": states(sides["with"]),
        "calls": {side: [_mark(call, classes) for call in sides[side]] for side in sides},
    }


def _mark(call: Call, classes: Sequence[str]) -> list[Any]:
    """A call in as few bytes as the page needs: start, wait, outcome, status, probe; and, with a permit or in place of
    one, when to come back, as the circuit or the provider says, and the class."""
    mark = [call.intended_us, call.waited_us, OUTCOMES.index(call.outcome), call.status or 0, int(call.probe)]
    if call.status_class is None:
        return mark if call.retry_after_us is None else [*mark, call.retry_after_us]
    return [*mark, call.asked_wait_us or 0, classes.index(call.status_class)]


def write(folder: Path, scenario: Scenario, calls: Sequence[Call]) -> Figures:
    told = figures(scenario, calls)
    (folder / "figures.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    (folder / "demo.html").write_text(page(scenario, calls, told), encoding="utf-8")
    return told


def main(folder: Path) -> None:
    scenario = json.loads((folder / "scenario.json").read_text(encoding="utf-8"))
    told = write(folder, scenario, read_calls(folder / "calls.jsonl"))
    operator = json.loads((folder / "operator.json").read_text(encoding="utf-8"))
    lines = [second_line(scenario, row) for row in told["seconds"]]
    print("\n".join(opening(scenario) + lines + ending(scenario, told, operator)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
