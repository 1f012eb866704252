"""The runner itself: a vector that the library does not keep, or that its format does not know, fails."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from replay import Mismatch, replay
from vectors import BadVector, Vector, check, load

OK = {"status": "TRIP_OK"}
KEPT: Vector = {
    "name": "kept",
    "source": {"design": "section 4"},
    "config": {"failure_threshold": 1},
    "steps": [
        {"do": "circuit", "tenant": "acme", "provider": "openai", "as": "c", "expect": OK},
        {"do": "permit", "circuit": "c", "as": "p", "expect": OK},
        {"do": "failure", "permit": "p", "expect": OK},
        {"do": "peek", "circuit": "c", "expect": {"status": "TRIP_REJECTED_OPEN", "failures": {"min": 1, "max": 1}}},
    ],
}


def changed(step: int, **members: Any) -> Vector:
    vector = copy.deepcopy(KEPT)
    vector["steps"][step].update(members)
    return vector


def said(do: str, **members: Any) -> Vector:
    return {**KEPT, "steps": [{"do": do, **members}]}


def test_a_vector_that_is_kept_passes() -> None:
    check(KEPT)
    replay(KEPT)


@pytest.mark.parametrize(
    "vector",
    [
        changed(1, expect={"status": "TRIP_REJECTED_OPEN"}),
        changed(1, expect={"status": "TRIP_OK", "failures": 0}),  # nothing is told of a permit that is granted
        changed(2, expect={"status": "TRIP_STALE"}),
        changed(2, do="record", **{"class": "TRIP_CLASS_AUTH"}),  # a success, after which nothing is open
        changed(2, do="record", **{"class": "TRIP_CLASS_TIMEOUT"}, expect={"status": "TRIP_STALE"}),
        changed(2, do="progress", expect={"status": "TRIP_STALE"}),
        changed(3, do="ask", times=3, expect={"status": "TRIP_OK", "granted": 3}),
        changed(3, do="ask", times=3, expect={"status": "TRIP_REJECTED_OPEN", "granted": 1}),
        changed(3, expect={"status": "TRIP_OK"}),
        changed(3, expect={"status": "TRIP_REJECTED_OPEN", "failures": 2}),
        changed(3, expect={"status": "TRIP_REJECTED_OPEN", "failures": {"min": 2, "max": 3}}),
        changed(3, expect={"status": "TRIP_REJECTED_OPEN", "state": "TRIP_STATE_HALF_OPEN"}),
        changed(3, do="inspect", expect={"status": "TRIP_OK", "epoch": "same"}),  # never inspected before
        changed(3, do="key", expect={"status": "TRIP_OK", "tenant": "globex"}),
        changed(0, expect={"status": "TRIP_E_INVALID"}),
        said("classify_http", http_status=504, body="", expect={**OK, "class": "TRIP_CLASS_SUCCESS"}),
        said("classify_text", text="busy", expect={**OK, "http_status": 503}),
        said("classify_errno", errno=110, expect={**OK, "retry_after_ns": 1}),
        said("retry_hint", name="Retry-After", value="20", now_unix_ns=0, expect={**OK, "retry_after_ns": 20}),
        said("retry_hint", name="Retry-After", value="-1", now_unix_ns=0, expect={"status": "TRIP_NO_HINT"}),
        {**KEPT, "create": {"status": "TRIP_E_CONFIG"}},
        {**KEPT, "config": {"failure_threshold": 0}, "create": {"status": "TRIP_E_CONFIG", "field": "jitter"}},
    ],
)
def test_another_answer_fails(vector: Vector) -> None:
    with pytest.raises(Mismatch):
        replay(vector)


STEERED: list[dict[str, Any]] = [
    {"do": "set_mode", "circuit": "c", "mode": "TRIP_MODE_OBSERVE", "reason": "trial", "expect": OK},
    {"do": "snapshot", "now_unix_ns": 10**18, "as": "s", "expect": OK},
]


@pytest.mark.parametrize(
    "step",
    [
        {"do": "set_mode", "circuit": "c", "mode": "TRIP_MODE_AUTO", "expect": {"status": "TRIP_E_INVALID"}},
        {"do": "set_mode", "circuit": "c", "mode": "TRIP_MODE_AUTO", "reason": {"repeat": "x", "times": 256}},
        {"do": "inspect", "circuit": "c", "expect": {**OK, "mode": "TRIP_MODE_AUTO"}},
        {"do": "inspect", "circuit": "c", "expect": {**OK, "mode_left_ns": 1}},
        {"do": "trip", "circuit": "c", "expect": {"status": "TRIP_STALE"}},
        {"do": "reset", "circuit": "c", "expect": {"status": "TRIP_STALE"}},
        {"do": "remove", "circuit": "c", "expect": {"status": "TRIP_E_HANDLE"}},
        {"do": "configure", "scope": "TRIP_SCOPE_TRACKER", "config": {"jitter": 2}},
        {"do": "configure", "scope": "TRIP_SCOPE_TRACKER", "config": {}, "expect": {"status": "TRIP_E_CONFIG"}},
        {
            "do": "configure",
            "scope": "TRIP_SCOPE_TRACKER",
            "config": {"jitter": 2},
            "expect": {"status": "TRIP_E_CONFIG", "field": "clock"},
        },
        {"do": "circuits", "page": 1, "expect": {**OK, "count": 2}},
        {"do": "circuits", "page": 1, "expect": {**OK, "open": 0}},
        {"do": "explain", "circuit": "c", "expect": {**OK, "says": "globex"}},
        {"do": "event", "expect": {**OK, "kind": "none"}},
        {"do": "event", "expect": {**OK, "cause": "TRIP_CAUSE_PROBE"}},
        {"do": "event", "expect": {**OK, "tenant": "globex"}},
        {"do": "event", "expect": {**OK, "lost": 1}},
        {"do": "metric", "labels": "TRIP_LABELS_PROVIDER", "series": "trip_max_circuits", "expect": {**OK, "value": 1}},
        {"do": "metric", "labels": "TRIP_LABELS_PROVIDER", "series": "trip_max", "expect": {**OK, "value": 65536}},
        {"do": "snapshot", "now_unix_ns": 1, "as": "s", "expect": {"status": "TRIP_E_HANDLE"}},
        {"do": "restore", "snapshot": "s", "now_unix_ns": 1, "flip": 9},
        {"do": "restore", "snapshot": "s", "now_unix_ns": 1, "expect": {"status": "TRIP_E_INVALID"}},
    ],
)
def test_another_answer_to_an_operator_fails(step: dict[str, Any]) -> None:
    vector = {**KEPT, "steps": [*KEPT["steps"], *STEERED, {"expect": OK, **step}]}
    check(vector)
    with pytest.raises(Mismatch):
        replay(vector)


def test_after_a_restart_nothing_has_a_name_but_snapshots() -> None:
    restart, again = {"do": "restart", "expect": OK}, {"do": "restore", "snapshot": "s", "now_unix_ns": 1, "expect": OK}
    replay({**KEPT, "steps": [*KEPT["steps"], *STEERED, restart, again]})
    for lost in KEPT["steps"][2:]:
        with pytest.raises(KeyError):
            replay({**KEPT, "steps": [*KEPT["steps"], *STEERED, restart, lost]})


def test_another_handle_fails() -> None:
    again = {"do": "circuit", "tenant": "acme", "provider": "openai", "as": "d"}
    for wrong in {"not_same_as": "c"}, {"same_as": "c", "not_same_as": "c"}:
        with pytest.raises(Mismatch):
            replay({**KEPT, "steps": [KEPT["steps"][0], {**again, "expect": {**OK, **wrong}}]})
    replay({**KEPT, "steps": [KEPT["steps"][0], {**again, "expect": {**OK, "same_as": "c"}}]})


def test_a_permit_nobody_named_fails() -> None:
    vector = copy.deepcopy(KEPT)
    del vector["steps"][1]["as"]
    with pytest.raises(Mismatch, match="no name"):
        replay(vector)


@pytest.mark.parametrize(
    "vector",
    [
        {**KEPT, "note": "unknown key"},
        {key: value for key, value in KEPT.items() if key != "source"},
        {**KEPT, "steps": []},
        {**KEPT, "create": {"status": "TRIP_E_CONFIG"}},
        {**KEPT, "create": {"status": "TRIP_OK", "field": "jitter"}},
        changed(1, do="unknown"),
        changed(1, unknown="argument"),
        changed(2, do="record"),
        changed(2, do="record", **{"class": "TRIP_CLASS_AUTH", "errno": 5}),
        changed(2, do="progress", **{"class": "TRIP_CLASS_AUTH"}),
        changed(3, do="ask"),
        changed(3, do="ask", times=0, expect={"status": "TRIP_OK", "granted": 0}),
        changed(1, expect={}),
        changed(2, expect={"status": "TRIP_OK", "state": "TRIP_STATE_OPEN"}),
        changed(3, do="repeat", times=2, steps=[]),
        *(changed(3, do=do, expect={**OK, "state": "TRIP_STATE_OPEN"}) for do in ("trip", "reset", "remove")),
        changed(3, do="set_mode"),
        changed(3, do="set_mode", mode="TRIP_MODE_AUTO", ttl=1),
        changed(3, do="explain", expect={**OK, "says": ""}),
        said("configure", scope="TRIP_SCOPE_TRACKER", expect=OK),
        said("circuits", expect=OK),
        said("event", circuit="c", expect=OK),
        said("metric", series="trip_max_circuits", expect=OK),
        said("snapshot", now_unix_ns=1, expect=OK),
        said("restore", snapshot="s", expect=OK),
        said("restart", config={}, expect=OK),
        {**KEPT, "steps": [{"do": "repeat", "times": 2, "steps": [{"do": "unknown"}]}]},
        {**KEPT, "steps": [{"do": "repeat", "times": 2, "steps": KEPT["steps"], "expect": OK}]},
    ],
)
def test_what_the_format_does_not_know_fails(vector: Vector) -> None:
    with pytest.raises(BadVector):
        check(vector)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"format": 2, "about": "", "vectors": [KEPT]}),
        json.dumps({"format": 1, "about": "", "vectors": [KEPT], "more": 1}),
        json.dumps({"format": 1, "about": "", "vectors": [KEPT, KEPT]}),
        json.dumps({"format": 1, "about": "", "vectors": []}),
        '{"format": 1, "format": 1, "about": "", "vectors": []}',
    ],
)
def test_a_file_that_the_format_does_not_know_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("TRIP_CONTRACT", str(tmp_path))
    (tmp_path / "vectors.json").write_text(text)
    with pytest.raises(BadVector):
        load()
