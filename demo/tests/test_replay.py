"""What the replay shows: the sides differ in libtrip alone, tenants are apart, and the stand-ins saw what is told."""

from __future__ import annotations

import pytest
from replayed import Record, Replay

SIDES = ("without", "with")
LANGUAGES = ("python", "rust", "go")
# A call that is under way at the very moment the stand-in stops listening can be lost before anybody reads it.
CLOSING_US = 100_000


def test_both_sides_make_the_same_calls_at_the_same_times(replay: Replay) -> None:
    planned = {
        (f"{lane['language']}/{lane['tenant']}/{lane['provider']}/{place}", at_us)
        for lane in replay.scenario["lanes"]
        for place, at_us in enumerate(lane["at_us"])
    }
    for side in SIDES:
        assert {(call["call"], call["intended_us"]) for call in replay.side(side)} == planned
        assert len(replay.side(side)) == len(planned)


def test_without_libtrip_every_call_is_sent(replay: Replay) -> None:
    assert all("sent_us" in call and call.get("state") is None and not call["probe"] for call in replay.side("without"))


def test_every_way_to_fail_occurs(replay: Replay) -> None:
    for language in LANGUAGES:
        calls = [call for call in replay.side("without") if call["language"] == language]
        assert {call["status"] for call in calls if call["outcome"] == "failed"} == {429, 503, 529}
        assert {call["outcome"] for call in calls} == {"answered", "failed", "timeout", "unreachable", "broken"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_libtrip_spares_the_dead_provider(replay: Replay, language: str) -> None:
    since, until = replay.outage()
    into = {
        side: sum(
            since <= call.get("sent_us", -1) < until
            for call in replay.side(side)
            if call["language"] == language and call["provider"] == "openai"
        )
        for side in SIDES
    }
    assert 0 < into["with"] < into["without"] / 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_tenants_rate_limit_opens_its_own_circuit_alone(replay: Replay, language: str) -> None:
    since, _ = replay.outage()
    states: dict[tuple[str, str], set[str]] = {}
    for call in replay.side("with"):
        if call["language"] == language and call["end_us"] < since:
            states.setdefault((call["tenant"], call["provider"]), set()).add(call["state"])
    assert "open" in states.pop(("globex", "openai"))
    assert list(states.values()) == [{"closed"}] * 3


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_outage_opens_both_tenants_circuits_and_they_close_again(replay: Replay, language: str) -> None:
    since, until = replay.outage()
    for tenant in replay.scenario["tenants"]:
        lane = [call for call in replay.side("with") if call["call"].startswith(f"{language}/{tenant}/openai/")]
        assert any(call["state"] == "open" for call in lane if since <= call["end_us"] < until)
        assert any(call["probe"] and call["outcome"] != "answered" for call in lane)
        last = max(lane, key=lambda call: int(call["end_us"]))
        assert (last["state"], last["outcome"]) == ("closed", "answered")


def test_a_refusal_says_when_to_come_back(replay: Replay) -> None:
    refused = [call for call in replay.side("with") if call["outcome"] == "refused"]
    assert refused
    assert all(0 <= call["retry_after_us"] <= replay.scenario["circuit"]["max_open_us"] + 10_000 for call in refused)
    assert all("sent_us" not in call and call["state"] in ("open", "half-open") for call in refused)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_the_standins_logs_agree_with_the_calls(replay: Replay, side: str, provider: str) -> None:
    logged = {entry["call"]: entry for entry in replay.log(side, provider)}
    assert len(logged) == len(replay.log(side, provider))
    calls = {call["call"]: call for call in replay.side(side) if call["provider"] == provider}
    arrived = {name for name, call in calls.items() if call["outcome"] not in ("refused", "unreachable")}
    assert logged.keys() <= arrived
    assert all(at_the_closing(replay, calls[name]) for name in arrived - logged.keys())
    for name, entry in logged.items():
        assert entry["tenant"] == calls[name]["tenant"]
        assert plausible(calls[name], entry), (calls[name], entry)


def at_the_closing(replay: Replay, call: Record) -> bool:
    closings = [spell["from_us"] for spell in replay.scenario["spells"] if spell["mode"] == "refuses"]
    return call["outcome"] == "broken" and any(abs(call["end_us"] - closing) < CLOSING_US for closing in closings)


def plausible(call: Record, entry: Record) -> bool:
    """Whether the client's story fits the stand-in's. On a slow machine a client may give up on anything."""
    if call["outcome"] == "timeout":
        return True
    if call["outcome"] == "broken":
        return str(entry["mode"]) in ("cuts", "refuses")
    return bool(call["status"] == entry["status"]) and str(entry["mode"]) not in ("hangs", "refuses", "cuts")


def test_the_standins_fail_when_the_scenario_says_so(replay: Replay) -> None:
    for side in SIDES:
        assert {entry["mode"] for entry in replay.log(side, "anthropic")} == {"healthy"}
        for entry in replay.log(side, "openai"):
            spells = replay.spells("openai", entry["tenant"])
            modes = [spell["mode"] for spell in spells if spell["from_us"] <= entry["at_us"] < spell["until_us"]]
            assert entry["mode"] == (modes or ["healthy"])[0]
