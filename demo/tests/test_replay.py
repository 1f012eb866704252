"""What the replay shows: the sides differ in libtrip alone, tenants are apart, and the stand-ins saw what is told."""

from __future__ import annotations

import pytest
import trip
from replayed import Record, Replay

SIDES = ("without", "with")
CLASSES = {
    200: "success",
    400: "invalid-request",
    401: "auth",
    429: "rate-limited",
    500: "server-error",
    529: "overloaded",
}
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
        assert {call["status"] for call in calls if call["outcome"] == "failed"} == {429, 500, 529}
        assert {call["status"] for call in calls if call["outcome"] == "mistaken"} == {400, 401}
        outcomes = {"answered", "failed", "timeout", "unreachable", "broken", "mistaken"}
        assert {call["outcome"] for call in calls} == outcomes


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
        assert entry["tenant"] == (None if entry["status"] == 401 else calls[name]["tenant"])
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


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_the_class_is_what_the_library_says_of_what_the_standin_sent(replay: Replay, provider: str) -> None:
    """Three languages and one library: each client's class is that of the status and the body in the stand-in's log."""
    sent = {entry["call"]: entry for entry in replay.log("with", provider)}
    for call in replay.side("with"):
        if call["provider"] != provider or call["outcome"] == "refused":
            continue
        if "status" not in call:
            assert call["class"] == ("timeout" if call["outcome"] == "timeout" else "network")
            assert "asked_wait_us" not in call
            continue
        entry = sent[call["call"]]
        said = trip.classify_http(entry["status"], entry["body"])
        assert call["class"] == said.status_class.name.lower().replace("_", "-")
        assert call["class"] == CLASSES[call["status"]]
        assert call.get("asked_wait_us") == (entry["asks_wait_ms"] * 1000 if "asks_wait_ms" in entry else None)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_class_of_the_replay_is_told_in_every_language(replay: Replay, language: str) -> None:
    told = {call["class"] for call in replay.side("with") if call["language"] == language and "class" in call}
    assert told >= {"success", "rate-limited", "overloaded", "invalid-request", "auth"}
    assert told & {"network", "timeout"}
    assert all("class" in call for call in replay.side("with") if call["outcome"] != "refused")
    assert not any("class" in call or "asked_wait_us" in call for call in replay.side("without"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_callers_mistakes_open_no_circuit(replay: Replay, language: str) -> None:
    for mistake in replay.scenario["mistakes"]:
        name = f"{language}/{mistake['tenant']}/{mistake['provider']}/"
        lane = [call for call in replay.side("with") if call["call"].startswith(name)]
        since, until = mistake["from_us"], mistake["until_us"]
        turned_down = [call for call in lane if since <= call["intended_us"] < until]
        assert len(turned_down) > replay.scenario["circuit"]["failure_threshold"]
        assert {call["status"] for call in turned_down if "status" in call} == {mistake["status"]}
        assert {call["state"] for call in lane} == {"closed"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_circuit_stays_open_for_as_long_as_the_provider_asks(replay: Replay, language: str) -> None:
    lane = [call for call in replay.side("with") if call["call"].startswith(f"{language}/globex/openai/")]
    asking = [call for call in lane if "asked_wait_us" in call and call["state"] == "open"]
    assert asking
    for asked in asking:
        assert asked["asked_wait_us"] > replay.scenario["circuit"]["initial_open_us"]
        # The wait begins when the answer is told, which is later than the call was sent.
        over_us = asked["sent_us"] + asked["asked_wait_us"]
        within = [call for call in lane if asked["end_us"] < call["asked_us"] < over_us]
        assert {call["outcome"] for call in within} <= {"refused"}
        assert all(call["end_us"] + call["retry_after_us"] + 1 >= over_us for call in within)


def test_the_standins_fail_when_the_scenario_says_so(replay: Replay) -> None:
    for side in SIDES:
        assert {entry["mode"] for entry in replay.log(side, "anthropic")} == {"healthy"}
        for entry in replay.log(side, "openai"):
            spells = replay.spells("openai", entry["tenant"])
            modes = [spell["mode"] for spell in spells if spell["from_us"] <= entry["at_us"] < spell["until_us"]]
            assert entry["mode"] == (modes or ["healthy"])[0]
