"""Every figure that is printed or shown follows from calls.jsonl: counted here once more, and differently."""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from statistics import median
from typing import Any

import pytest
import trip
from replayed import Record, Replay

LOST = {"failed", "timeout", "unreachable", "broken"}
SIDES = ("without", "with")
LANE = ("language", "tenant", "provider")


def dead(replay: Replay, call: Record) -> bool:
    since, until = replay.outage()
    return call["provider"] == "openai" and call.get("sent_us", -1) in range(since, until)


def healthy(replay: Replay, call: Record) -> bool:
    spells = replay.spells(call["provider"], call["tenant"])
    return all(call["intended_us"] < spell["from_us"] or call["intended_us"] >= spell["until_us"] for spell in spells)


def wait(call: Record) -> int:
    return int(call["end_us"]) - int(call["intended_us"])


def microseconds(text: str) -> float:
    """What a printed duration says."""
    units = {"min": 60e6, "s": 1e6, "ms": 1e3}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+) (min|ms|s)\b", text))


def printed_row(replay: Replay, name: str) -> list[str]:
    """The two cells of a row of the printed table."""
    found = re.search(rf"^{re.escape(name)}  +(\S.*?)  +(\S.*)$", replay.printed, re.MULTILINE)
    assert found, name
    return [found[1], found[2]]


def statuses_of(calls: list[Record]) -> Counter[int]:
    return Counter(call.get("status", 0) for call in calls)


def expected_counts(replay: Replay, side: str) -> dict[str, int]:
    calls = replay.side(side)
    outcomes = Counter(call["outcome"] for call in calls)
    statuses = statuses_of(calls)
    return {
        "calls planned": sum(len(lane["at_us"]) for lane in replay.scenario["lanes"]),
        "calls sent": sum("sent_us" in call for call in calls),
        "… into the dead provider": sum(dead(replay, call) for call in calls),
        "answered": outcomes["answered"],
        "caller's own mistake (400, 401)": sum(statuses_of(calls)[status] for status in (400, 401)),
        "lost": sum(outcomes[outcome] for outcome in LOST),
        "… rate limited (429)": statuses[429],
        "… 500 and 529": statuses[500] + statuses[529],
        "… timed out": outcomes["timeout"],
        "… connection refused": outcomes["unreachable"],
        "… connection broken": outcomes["broken"],
        "refused by the circuit": outcomes["refused"],
    }


def test_the_printed_table_counts_the_calls(replay: Replay) -> None:
    expected = [expected_counts(replay, side) for side in SIDES]
    for name in expected[0]:
        cells = printed_row(replay, name)
        assert cells == [f"{counts[name]:,}" for counts in expected], name


def test_the_sentence_and_the_table_tell_the_time_waited_for_nothing(replay: Replay) -> None:
    sentence = re.search(r"Callers waited (.*?) for nothing without libtrip, and (.*?) with it\.", replay.printed)
    assert sentence
    in_all = printed_row(replay, "waited for nothing, in all")
    for place, side in enumerate(SIDES):
        waited = sum(wait(call) for call in replay.side(side) if call["outcome"] in LOST | {"refused"})
        assert replay.embedded["figures"]["sides"][side]["waited_for_nothing_us"] == waited
        assert in_all[place] == sentence[place + 1]
        assert microseconds(in_all[place]) == pytest.approx(waited, abs=0.51e6)


@pytest.mark.parametrize("place", [0, 1])
def test_the_table_tells_the_typical_waits(replay: Replay, place: int) -> None:
    calls = replay.side(SIDES[place])
    lost = [wait(call) for call in calls if call["outcome"] in LOST]
    waits = {
        "mean wait of a lost call": sum(lost) / len(lost),
        "median wait of an answered call": median(wait(call) for call in calls if call["outcome"] == "answered"),
    }
    if place:
        waits["median wait of a refused call"] = median(wait(call) for call in calls if call["outcome"] == "refused")
    for name, expected in waits.items():
        assert microseconds(printed_row(replay, name)[place]) == pytest.approx(expected, rel=0.06, abs=51), name


def test_each_second_is_told_as_it_was(replay: Replay) -> None:
    lines = re.findall(r"^\d\d:\d\d openai .*$", replay.printed, re.MULTILINE)
    assert len(lines) == replay.scenario["seconds"]
    for second, line in enumerate(lines):
        minute = 12 * 60 + 50 + second * replay.scenario["speed"] // 60
        assert line.startswith(f"{minute // 60:02.0f}:{minute % 60:02.0f} ")
        for side, said in zip(SIDES, re.findall(r"\| (?:without|with): ([^|]*)", line), strict=True):
            calls = [c for c in replay.side(side) if c["provider"] == "openai" and c["intended_us"] // 10**6 == second]
            outcomes = Counter(call["outcome"] for call in calls)
            lost = sum(outcomes[outcome] for outcome in LOST)
            numbers = {word: int(number) for number, word in re.findall(r"(\d+) (sent|lost|refused|answered)", said)}
            expected = {"sent": sum("sent_us" in call for call in calls), "lost": lost, "refused": outcomes["refused"]}
            if not lost:
                expected["answered"] = outcomes["answered"]
            assert numbers == {word: count for word, count in expected.items() if count or word == "sent"}, line


def test_what_the_circuits_learned_is_told_class_by_class(replay: Replay) -> None:
    told = Counter((call["class"], call["provider"]) for call in replay.side("with") if call["outcome"] != "refused")
    providers = replay.scenario["providers"]
    heads = "What the circuits learned +counts as +" + " +".join(providers)
    found = re.search(rf"^{heads}\n((?:\w.*  .*\n)+)", replay.printed, re.MULTILINE)
    assert found
    rows = [re.split(r" {2,}", line) for line in found[1].splitlines()]
    assert {name.replace(" ", "-") for name, *_ in rows} == {kind for kind, _ in told}
    for name, effect, *counts in rows:
        assert counts == [f"{told[name.replace(' ', '-'), provider]:,}" for provider in providers]
        assert effect == counts_as(name)
        assert f"<td>{name}</td><td>{effect}</td>" + "".join(f"<td>{count}</td>" for count in counts) in replay.page


def counts_as(name: str) -> str:
    """What a tracker that was told nothing makes of a class: a circuit that opens with the first failure is asked."""
    tracker = trip.Tracker(failure_threshold=1)
    circuit = tracker.circuit("acme", "openai")
    circuit.permit().record(trip.StatusClass[name.replace(" ", "_").upper()])
    return {trip.State.OPEN: "failure", trip.State.CLOSED: "success"}[circuit.inspect().state]


def test_the_callers_mistakes_are_told(replay: Replay) -> None:
    mistaken = [call for call in replay.side("with") if 400 <= call.get("status", 0) < 500 and call["status"] != 429]
    assert all(call["state"] == "closed" for call in mistaken)
    told = f"{len(mistaken):,} calls were the callers' own mistakes (400, 401), and opened no circuit."
    assert told in replay.printed
    assert html.escape(told) in replay.page


def test_the_waits_that_were_asked_for_are_told(replay: Replay) -> None:
    limited = sum(call.get("status") == 429 for call in replay.side("with"))
    longest = max(spell["asks_wait_ms"] for spell in replay.scenario["spells"])
    told = f"{limited:,} answers asked to wait, {longest} ms ("
    assert told in replay.printed
    assert told in replay.page


def test_the_price_is_told(replay: Replay) -> None:
    calls = [call for call in replay.side("with") if healthy(replay, call)]
    refused = sum(call["outcome"] == "refused" for call in calls)
    assert f"calls refused while the provider was healthy: {refused:,} of {len(calls):,}\n" in replay.printed
    late = re.search(r"until a call was answered: (.*?) \((.*?) min of.*without libtrip (.*)", replay.printed)
    assert late
    assert microseconds(late[1]) == pytest.approx(longest_delay(replay, "with"), rel=0.06)
    assert microseconds(late[3]) == pytest.approx(longest_delay(replay, "without"), rel=0.06)
    assert float(late[2]) == pytest.approx(longest_delay(replay, "with") * replay.scenario["speed"] / 60e6, abs=0.51)


def longest_delay(replay: Replay, side: str) -> int:
    longest = 0
    for lane in replay.scenario["lanes"]:
        key = [lane[name] for name in LANE]
        spells = replay.spells(lane["provider"], lane["tenant"])
        for back in {spell["until_us"] for spell in spells} - {spell["from_us"] for spell in spells}:
            later = [spell["from_us"] for spell in spells if spell["from_us"] > back]
            until = min(later, default=round(replay.scenario["seconds"] * 1e6))
            for call in sorted(replay.side(side), key=lambda call: int(call["end_us"])):
                same = [call[name] for name in LANE] == key
                if same and call["outcome"] == "answered" and call["sent_us"] >= back:
                    until = min(until, call["end_us"])
                    break
            longest = max(longest, until - back)
    return longest


@pytest.mark.parametrize("language", [None, "python", "rust", "go"])
def test_the_added_time_of_a_healthy_call_is_told_with_its_spread(replay: Replay, language: str | None) -> None:
    usable = {
        side: {
            call["call"]: wait(call)
            for call in replay.side(side)
            if call["outcome"] == "answered"
            and not call["probe"]
            and healthy(replay, call)
            and language in (None, call["language"])
        }
        for side in SIDES
    }
    both = usable["with"].keys() & usable["without"].keys()
    added = sorted(usable["with"][call] - usable["without"][call] for call in both)
    price = replay.embedded["figures"]["price"]
    told: dict[str, Any] = price["added_by_language"][language] if language else price["added"]
    assert told["pairs"] == len(added) > 100
    assert told["median_us"] == median(added)
    low, high = told["interval_us"]
    assert sum(difference < low for difference in added) < len(added) / 2
    assert sum(difference > high for difference in added) < len(added) / 2
    quarter, three_quarters = told["quartiles_us"]
    within = sum(quarter <= difference <= three_quarters for difference in added)
    assert within == pytest.approx(len(added) / 2, abs=len(added) * 0.05)
    assert told["below_noise"] == (low <= 0)
    name = f"… in {language}" if language else "added median time of a healthy call"
    verdict = "below noise: " if told["below_noise"] else ""
    assert f"  {name}: {verdict}{round(median(added) / 1e3, 2) + 0.0:+.2f} ms" in replay.printed


def test_the_page_shows_the_printed_figures(replay: Replay) -> None:
    figures = json.loads((replay.folder / "figures.json").read_text(encoding="utf-8"))
    assert replay.embedded["figures"] == figures
    for side in SIDES:
        for name, count in expected_counts(replay, side).items():
            assert f">{html.escape(name.removeprefix('… '))}</td>" in replay.page
            assert f"<td>{count:,}</td>" in replay.page
    for line in re.findall(r"^  (.*?): (.*)$", replay.printed, re.MULTILINE):
        assert f">{line[0].removeprefix('… ')}</td><td>{line[1]}</td>" in replay.page


def test_the_page_counts_the_calls_into_the_dead_provider(replay: Replay) -> None:
    width = replay.embedded["bin_us"]
    for side in SIDES:
        sent = Counter(call["sent_us"] // width for call in replay.side(side) if dead(replay, call))
        shown = replay.embedded["figures"]["dead_calls"][side]
        assert shown == [sent[place] for place in range(len(shown))]
        assert sum(sent.values()) > 0


def test_the_page_holds_every_call(replay: Replay) -> None:
    outcomes = replay.embedded["outcomes"]
    shown = [
        (side, *(lane[name] for name in LANE), intended_us, waited_us, outcomes[outcome], status, probe)
        for lane in replay.embedded["lanes"]
        for side in SIDES
        for intended_us, waited_us, outcome, status, probe, *_ in lane["calls"][side]
    ]
    written = [
        (
            *(call[name] for name in ("side", *LANE, "intended_us")),
            *(wait(call), call["outcome"], call.get("status", 0), int(call["probe"])),
        )
        for call in replay.calls
    ]
    assert sorted(shown) == sorted(written)


def test_the_page_holds_what_each_circuit_was_told(replay: Replay) -> None:
    classes = replay.embedded["classes"]
    shown = [
        (*(lane[name] for name in LANE), mark[0], mark[5], classes[mark[6]] if len(mark) > 6 else None)
        for lane in replay.embedded["lanes"]
        for mark in lane["calls"]["with"]
    ]
    written = [
        (
            *(call[name] for name in (*LANE, "intended_us")),
            call.get("retry_after_us", call.get("asked_wait_us", 0)),
            call["class"].replace("-", " ") if "class" in call else None,
        )
        for call in replay.side("with")
    ]
    assert sorted(shown, key=str) == sorted(written, key=str)
    assert all(len(mark) == 5 for lane in replay.embedded["lanes"] for mark in lane["calls"]["without"])
