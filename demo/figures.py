"""Every figure the demo tells, computed from its calls and its scenario alone.

Pure functions: no clock, no sockets, no text. Instants are microseconds of the replay; a call belongs to the second and
to the provider's state at which it was meant to start, because that is when its caller began to wait.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import ceil, sqrt
from pathlib import Path
from statistics import fmean, median, quantiles
from typing import Any

Scenario = dict[str, Any]
Figures = dict[str, Any]

BIN_US = 500_000  # how finely the page counts calls into the dead provider


@dataclass(frozen=True)
class Call:
    """A line of calls.jsonl. `sent_us` is None for a call that its circuit refused; `state` is the circuit's then.

    Outcomes: answered; failed (429 or 5xx), timeout, unreachable (nobody listened), broken (the connection ended too
    soon): lost; mistaken (any other 4xx: the caller's own mistake); refused (by the circuit). The class is the
    library's, which has no part in the outcome: `class` in the file, and None for a call that no permit was asked for.
    """

    side: str
    language: str
    tenant: str
    provider: str
    call: str
    intended_us: int
    asked_us: int
    end_us: int
    outcome: str
    sent_us: int | None = None
    status: int | None = None
    probe: bool = False
    state: str | None = None
    retry_after_us: int | None = None
    status_class: str | None = None
    asked_wait_us: int | None = None  # by the provider

    @classmethod
    def read(cls, line: str | bytes) -> Call:
        told = json.loads(line)
        return cls(status_class=told.pop("class", None), **told)

    @property
    def waited_us(self) -> int:
        return self.end_us - self.intended_us

    @property
    def lost(self) -> bool:
        return self.outcome not in ("answered", "mistaken", "refused")

    @property
    def lane(self) -> tuple[str, str, str]:
        return self.language, self.tenant, self.provider

    def line(self) -> str:
        told = asdict(self)
        told["class"] = told.pop("status_class")
        return json.dumps({name: value for name, value in told.items() if value is not None})


def read_calls(path: Path) -> list[Call]:
    with path.open(encoding="utf-8") as lines:
        return [Call.read(line) for line in lines]


@dataclass(frozen=True)
class Truth:
    """What the scenario knows and no caller does: when a provider was failing, and whom."""

    scenario: Scenario

    def spells(self, provider: str, tenant: str | None) -> list[dict[str, Any]]:
        """The spells that a tenant meets; with None, those that everybody meets."""
        return [
            spell
            for spell in self.scenario["spells"]
            if spell["provider"] == provider and spell["tenant"] in (None, tenant)
        ]

    def dead(self, provider: str, at_us: int) -> bool:
        return any(spell["from_us"] <= at_us < spell["until_us"] for spell in self.spells(provider, None))

    def healthy(self, call: Call) -> bool:
        spells = self.spells(call.provider, call.tenant)
        return not any(spell["from_us"] <= call.intended_us < spell["until_us"] for spell in spells)

    def recoveries(self, provider: str, tenant: str) -> list[tuple[int, int]]:
        """When the provider came back for the tenant, and until when it stayed."""
        spells = sorted(self.spells(provider, tenant), key=lambda spell: int(spell["from_us"]))
        starts = [spell["from_us"] for spell in spells] + [round(self.scenario["seconds"] * 1e6)]
        ends = [spell["until_us"] for spell in spells]
        return [(until, following) for until, following in zip(ends, starts[1:], strict=True) if until < following]


def figures(scenario: Scenario, calls: Sequence[Call]) -> Figures:
    truth = Truth(scenario)
    return {
        "sides": {side: _totals(truth, [call for call in calls if call.side == side]) for side in scenario["sides"]},
        "learned": _learned(scenario, [call for call in calls if call.side == "with"]),
        "price": _price(truth, calls),
        "seconds": seconds(scenario, calls, "openai"),
        "dead_calls": _dead_calls(truth, calls),
    }


def _totals(truth: Truth, calls: Sequence[Call]) -> Figures:
    sent = [call for call in calls if call.sent_us is not None]
    lost = [call for call in calls if call.lost]
    refused = [call for call in calls if call.outcome == "refused"]
    answered = [call for call in calls if call.outcome == "answered"]
    return {
        "planned": len(calls),
        "sent": len(sent),
        "answered": len(answered),
        "mistaken": _count(calls, "mistaken"),
        "lost": len(lost),
        "lost_by": {
            "429": sum(call.status == 429 for call in lost),
            "5xx": sum(call.outcome == "failed" and call.status != 429 for call in lost),
            **{outcome: _count(lost, outcome) for outcome in ("timeout", "unreachable", "broken")},
        },
        "refused": len(refused),
        "sent_to_dead": sum(truth.dead(call.provider, call.sent_us) for call in sent if call.sent_us is not None),
        "waited_for_nothing_us": sum(call.waited_us for call in lost + refused),
        "lost_wait_us": _mean(call.waited_us for call in lost),
        "refused_wait_us": _median(call.waited_us for call in refused),
        "answered_wait_us": _median(call.waited_us for call in answered),
    }


def _learned(scenario: Scenario, calls: Sequence[Call]) -> Figures:
    """What circuits were told, class by class; what became of the callers' mistakes, and of the waits asked for."""
    told = Counter((call.status_class, call.provider) for call in calls)
    mistaken = [call for call in calls if call.outcome == "mistaken"]
    asked = [call for call in calls if call.asked_wait_us is not None]
    return {
        "classes": [
            {
                "class": name,
                "counts_as": effect,
                "calls": {provider: told[name, provider] for provider in scenario["providers"]},
            }
            for name, effect in scenario["circuit"]["counts_as"].items()
            if any(told[name, provider] for provider in scenario["providers"])
        ],
        "mistakes": {
            "calls": len(mistaken),
            "statuses": sorted({call.status for call in mistaken if call.status is not None}),
            "opened": sum(call.state != "closed" for call in mistaken),
        },
        "waits": {
            "asked": len(asked),
            "longest_us": max((call.asked_wait_us or 0 for call in asked), default=None),
            "sent_within": sum(_sent_within_wait(call, calls) for call in asked),
        },
    }


def _sent_within_wait(asking: Call, calls: Iterable[Call]) -> int:
    """How many calls a lane sent after its circuit was open, and before the wait was over that the provider had asked
    for. Counted from when the asking call was sent, which is sooner than the circuit could know of it."""
    if asking.state != "open" or asking.sent_us is None or asking.asked_wait_us is None:
        return 0
    over_us = asking.sent_us + asking.asked_wait_us
    return sum(
        call.lane == asking.lane and call.sent_us is not None and asking.end_us < call.sent_us < over_us
        for call in calls
    )


def seconds(scenario: Scenario, calls: Iterable[Call], provider: str) -> list[Figures]:
    """One row a second of the replay, over all languages and tenants."""
    rows: list[dict[str, list[Call]]] = [
        {side: [] for side in scenario["sides"]} for _ in range(ceil(scenario["seconds"]))
    ]
    for call in calls:
        if call.provider == provider:
            rows[call.intended_us // 1_000_000][call.side].append(call)
    return [{"second": second, **{side: _second(row[side]) for side in row}} for second, row in enumerate(rows)]


def _second(calls: Sequence[Call]) -> Figures:
    lost = [call for call in calls if call.lost]
    return {
        "sent": sum(call.sent_us is not None for call in calls),
        "lost": len(lost),
        "lost_wait_us": _mean(call.waited_us for call in lost),
        "refused": _count(calls, "refused"),
        "refused_wait_us": _median(call.waited_us for call in calls if call.outcome == "refused"),
        "answered": _count(calls, "answered"),
        "answered_wait_us": _median(call.waited_us for call in calls if call.outcome == "answered"),
    }


def _dead_calls(truth: Truth, calls: Iterable[Call]) -> dict[str, list[int]]:
    """Calls sent to a provider that was dead when they were sent, in bins of BIN_US."""
    scenario = truth.scenario
    bins = {side: [0] * ceil(scenario["seconds"] * 1e6 / BIN_US) for side in scenario["sides"]}
    for call in calls:
        if call.sent_us is not None and truth.dead(call.provider, call.sent_us):
            bins[call.side][call.sent_us // BIN_US] += 1
    return bins


def _price(truth: Truth, calls: Sequence[Call]) -> Figures:
    refused = [call for call in calls if call.outcome == "refused"]
    delays = {side: _delays(truth, [call for call in calls if call.side == side]) for side in truth.scenario["sides"]}
    return {
        "refused_while_healthy": sum(truth.healthy(call) for call in refused),
        "planned_while_healthy": sum(truth.healthy(call) for call in calls if call.side == "with"),
        "recovery_us": {side: max(delays[side], default=None) for side in delays},
        "added": _added(truth, calls),
        "added_by_language": {
            language: _added(truth, [call for call in calls if call.language == language])
            for language in truth.scenario["languages"]
        },
    }


def _delays(truth: Truth, calls: Sequence[Call]) -> list[int]:
    """For every lane and recovery: from the provider's return to the first call that was sent after it and answered,
    at most until the provider fails again."""
    delays = []
    for lane in truth.scenario["lanes"]:
        language, tenant, provider = lane["language"], lane["tenant"], lane["provider"]
        for back_us, until_us in truth.recoveries(provider, tenant):
            answers = [
                call.end_us
                for call in calls
                if call.lane == (language, tenant, provider)
                and call.outcome == "answered"
                and call.sent_us is not None
                and call.sent_us >= back_us
            ]
            delays.append(min([*answers, until_us]) - back_us)
    return delays


def _added(truth: Truth, calls: Iterable[Call]) -> Figures | None:
    """How much longer the same healthy call took with libtrip than without: the median over all pairs, the quartiles of
    the pairs as its spread, and the interval that holds the true median with 95 % (by ranks: no shape is assumed)."""
    waits: dict[str, dict[str, int]] = {}
    for call in calls:
        if call.outcome == "answered" and not call.probe and truth.healthy(call):
            waits.setdefault(call.call, {})[call.side] = call.waited_us
    added = sorted(pair["with"] - pair["without"] for pair in waits.values() if len(pair) == 2)
    if len(added) < 8:
        return None
    quarter, middle, three_quarters = quantiles(added, n=4)
    reach = 1.96 * sqrt(len(added)) / 2
    low = added[max(0, int(len(added) / 2 - reach))]
    high = added[min(len(added) - 1, ceil(len(added) / 2 + reach))]
    return {
        "pairs": len(added),
        "median_us": middle,
        "quartiles_us": [quarter, three_quarters],
        "interval_us": [low, high],
        "below_noise": low <= 0,
    }


def states(calls: Iterable[Call]) -> list[tuple[int, str]]:
    """When a lane's circuit went into which state, as far as its calls saw it."""
    seen: list[tuple[int, str]] = []
    for call in calls:
        if call.probe and call.sent_us is not None:
            seen.append((call.sent_us, "half-open"))
        if call.state is not None:
            seen.append((call.end_us, call.state))
    changes = [(0, "closed")]
    for at_us, state in sorted(seen):
        if state != changes[-1][1]:
            changes.append((at_us, state))
    return changes


def _count(calls: Iterable[Call], outcome: str) -> int:
    return sum(call.outcome == outcome for call in calls)


def _median(waits: Iterable[int]) -> float | None:
    numbers = list(waits)
    return median(numbers) if numbers else None


def _mean(waits: Iterable[int]) -> float | None:
    numbers = list(waits)
    return fmean(numbers) if numbers else None
