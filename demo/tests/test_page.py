"""The page is one file that needs nothing else, in light and dark."""

from __future__ import annotations

import re

from replayed import Replay


def test_the_page_refers_to_nothing_outside_itself(replay: Replay) -> None:
    assert "://" not in replay.page
    assert not re.search(r"\b(src|href|srcset|action|poster)\s*=", replay.page)
    assert not re.search(r"@import|\bfetch\(|XMLHttpRequest|\bimport\s*\(|\bWebSocket\b", replay.page)
    assert set(re.findall(r"url\(([^)]*)\)", replay.page)) == {"#hatch"}


def test_the_page_has_two_themes(replay: Replay) -> None:
    assert "color-scheme: light dark" in replay.page
    colours = re.findall(r"--[\w-]+: (.*?);\n", replay.page)
    assert len(colours) > 8
    assert all(re.fullmatch(r"light-dark\(#\w{6}, #\w{6}\)", colour) for colour in colours)


def test_the_page_has_no_place_left_to_fill(replay: Replay) -> None:
    assert "{{" not in replay.page


def test_a_lane_for_each_language_tenant_and_provider(replay: Replay) -> None:
    scenario, lanes = replay.scenario, replay.embedded["lanes"]
    assert sorted((lane["language"], lane["tenant"], lane["provider"]) for lane in lanes) == sorted(
        (language, tenant, provider)
        for language in scenario["languages"]
        for tenant in scenario["tenants"]
        for provider in scenario["providers"]
    )
    shown = {state for lane in lanes for _, state in lane["states"]}
    assert shown == {"closed", "open", "half-open"}
    for lane in lanes:
        instants = [at_us for at_us, _ in lane["states"]]
        assert instants[0] == 0
        assert instants == sorted(instants)


def test_attribution_and_what_is_ours_are_said(replay: Replay) -> None:
    for text in (replay.page, " ".join(replay.printed.split())):
        for said in ("00fpy0yxrx1q", "13:54", "15:46", "Zenodo record 14018219", "status page", "are ours"):
            assert said in text
