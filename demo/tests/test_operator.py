"""What an operator does at the end of the replay works, and is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from replayed import Replay


@pytest.fixture(scope="session")
def operator(replay: Replay) -> dict[str, Any]:
    return dict(json.loads((replay.folder / "operator.json").read_text(encoding="utf-8")))


def test_a_circuit_that_is_forced_open_refuses_and_nothing_is_sent(operator: dict[str, Any]) -> None:
    assert operator["refused"] == "forced"
    assert 0 < operator["retry_after_us"] <= operator["ttl_us"] + 10_000  # a kernel tick
    assert operator["sent"] == 0


def test_the_stand_in_has_no_call_of_the_operators(replay: Replay) -> None:
    assert all(call["call"] is not None for call in replay.log("with", "openai"))


def test_the_explanation_has_the_reason_and_the_outage(replay: Replay, operator: dict[str, Any]) -> None:
    explained = operator["explained"]
    for part in (
        operator["reason"],
        operator["tenant"],
        operator["provider"],
        "forced open",
        "It opened",
        "It has opened",
    ):
        assert part in explained
    assert " ".join(explained.split()) in " ".join(replay.printed.split())
