"""The runner itself: a vector that the library does not keep, or that its format does not know, fails."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from answers import Mismatch
from replay import replay
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


MADE: list[dict[str, Any]] = [
    {"do": "retry", "config": {"jitter": "TRIP_JITTER_NONE", "max_attempts": 2}, "as": "r", "expect": OK},
    {"do": "dedup", "config": {}, "as": "d", "expect": OK},
    {"do": "check", "dedup": "d", "key": "kept", "as": "t", "expect": OK},
    {"do": "complete", "ticket": "t", "value": "value", "expect": OK},
    {"do": "check", "dedup": "d", "key": "asked", "as": "t", "expect": OK},
    {"do": "gate", "config": {"capacity": 1}, "as": "g", "expect": OK},
    {"do": "acquire", "gate": "g", "as": "k", "expect": OK},
    {
        "do": "route",
        "tenant": "acme",
        "config": {},
        "providers": [{"provider": "a"}, {"provider": "b", "weight": 2}],
        "as": "w",
        "expect": OK,
    },
    {
        "do": "pipeline",
        "stages": [{"name": "upper", "does": "upper"}, {"name": "fails", "does": {"fail": 7}}],
        "as": "l",
        "expect": OK,
    },
    {"do": "pipeline", "stages": [{"name": "a", "does": {"append": "!"}}], "as": "l2", "expect": OK},
    {"do": "circuit", "tenant": "acme", "provider": "libc", "as": "c2", "expect": OK},
    {"do": "guard", "circuit": "c2", "function": "abs", "signature": "int32 (int32)", "as": "f", "expect": OK},
]
BEGUN: dict[str, Any] = {"retry": "r", "provider": "p", "attempt": 1, "began_ns": 0}
NO_RETRY: dict[str, Any] = {"do": "retry_next", **BEGUN, "class": "TRIP_CLASS_AUTH"}


def test_what_goes_around_a_permit_is_kept() -> None:
    kept: list[dict[str, Any]] = [
        {"do": "retry_next", **BEGUN, "class": "TRIP_CLASS_TIMEOUT", "expect": {**OK, "delay_ns": 500_000_000}},
        {**NO_RETRY, "expect": {"status": "TRIP_NO_RETRY_CLASS"}},
        {"do": "check", "dedup": "d", "key": "kept", "expect": {"status": "TRIP_CACHED", "value": "value"}},
        {"do": "wait", "dedup": "d", "key": "asked", "timeout_ns": 0, "expect": {"status": "TRIP_IN_PROGRESS"}},
        {"do": "acquire", "gate": "g", "expect": {"status": "TRIP_SHED", "depth": 1, "limit": 1, "capacity": 1}},
        {"do": "route_permit", "route": "w", "avoid": 1, "as": "q", "expect": {**OK, "index": 1}},
        {"do": "run", "pipeline": "l", "input": "x", "expect": {"status": "TRIP_STAGE_FAILED", "code": 7}},
        {"do": "run", "pipeline": "l2", "input": "x", "expect": {**OK, "output": "x!"}},
        {"do": "guard_call", "guard": "f", "arguments": [-3], "expect": {**OK, "result": "3"}},
        {"do": "end", "object": "f", "expect": OK},
        {"do": "end", "object": "f", "expect": {"status": "TRIP_E_HANDLE"}},
    ]
    vector = {**KEPT, "steps": [*KEPT["steps"], *MADE, *kept]}
    check(vector)
    replay(vector)


WRONG: list[dict[str, Any]] = [
    {"do": "retry", "config": {"max_attempts": 0}, "as": "x"},
    {
        "do": "retry",
        "config": {"max_attempts": 0},
        "as": "x",
        "expect": {"status": "TRIP_E_CONFIG", "field": "seed"},
    },
    {"do": "delay_for", "retry": "r", "attempt": 1, "expect": {**OK, "delay_ns": 1}},
    {"do": "retry_begin", "retry": "r", "provider": "p", "expect": {**OK, "began_ns": 1}},
    NO_RETRY,
    {**NO_RETRY, "expect": {"status": "TRIP_NO_RETRY_BUDGET"}},
    {"do": "inspect_retry", "retry": "r", "provider": "p", "expect": {**OK, "budget": 9}},
    {"do": "check", "dedup": "d", "key": "new"},
    {"do": "check", "dedup": "d", "key": "asked", "as": "t"},
    {"do": "check", "dedup": "d", "key": "kept", "expect": {"status": "TRIP_CACHED", "value": "other"}},
    {"do": "wait", "dedup": "d", "key": "kept", "timeout_ns": 0, "expect": {"status": "TRIP_IN_PROGRESS"}},
    {"do": "complete", "ticket": "t", "value": "x", "expect": {"status": "TRIP_STALE"}},
    {"do": "fail", "ticket": "t", "expect": {"status": "TRIP_STALE"}},
    {"do": "drop_ticket", "ticket": "t", "expect": {"status": "TRIP_STALE"}},
    {"do": "renew_ticket", "ticket": "t", "expect": {"status": "TRIP_STALE"}},
    {"do": "forget", "dedup": "d", "key": "kept", "expect": {"status": "TRIP_CACHED"}},
    {"do": "inspect_dedup", "dedup": "d", "expect": {**OK, "cached": 2}},
    {"do": "acquire", "gate": "g", "as": "k2"},
    {"do": "acquire", "gate": "g", "expect": {"status": "TRIP_SHED", "depth": 2}},
    {"do": "release", "token": "k", "expect": {"status": "TRIP_STALE"}},
    {"do": "inspect_gate", "gate": "g", "expect": {**OK, "soft_depth_percent": 1}},
    {"do": "route_add", "route": "w", "provider": "a", "weight": 1},
    {"do": "route_permit", "route": "w"},
    {"do": "route_permit", "route": "w", "as": "q", "expect": {**OK, "index": 1}},
    {"do": "route_circuit", "route": "w", "index": 0, "as": "c3", "expect": {**OK, "same_as": "c"}},
    {"do": "run", "pipeline": "l", "input": "x", "expect": OK},
    {"do": "run", "pipeline": "l", "input": "x", "expect": {"status": "TRIP_STAGE_FAILED", "stage_name": "upper"}},
    {"do": "run", "pipeline": "l2", "input": "x", "expect": {**OK, "output": "X!"}},
    {"do": "stage_count", "pipeline": "l", "expect": {**OK, "stages": 1}},
    {"do": "guard", "circuit": "c2", "function": "abs", "signature": "int", "as": "f2"},
    {"do": "guard_call", "guard": "f", "arguments": [-3], "expect": {**OK, "result": "-3"}},
    {"do": "end", "object": "f", "expect": {"status": "TRIP_E_HANDLE"}},
]


@pytest.mark.parametrize("step", WRONG)
def test_another_answer_of_what_goes_around_a_permit_fails(step: dict[str, Any]) -> None:
    vector = {**KEPT, "steps": [*KEPT["steps"], *MADE, {"expect": OK, **step}]}
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
        said("retry", config={}, expect=OK),
        said("retry_next", retry="r", provider="p", attempt=1, began_ns=0, expect=OK),
        said("check", dedup="d", key="k", timeout_ns=1, expect=OK),
        said("check", dedup="d", key="k", expect={**OK, "index": 0}),
        said("wait", dedup="d", key="k", expect=OK),
        said("complete", ticket="t", expect=OK),
        said("acquire", token="t", expect=OK),
        said("release", token="t", effects=1, expect=OK),
        said("route", tenant="t", config={}, providers=[], expect=OK),
        said("route", tenant="t", config={}, providers=[{"provider": "a", "weigh": 1}], **{"as": "w"}, expect=OK),
        said("route", tenant="t", config={}, providers=[{"weight": 1}], **{"as": "w"}, expect=OK),
        said("pipeline", stages=[{"name": "a"}], **{"as": "l"}, expect=OK),
        said("route_add", route="w", provider="a", expect=OK),
        said("run", pipeline="l", expect=OK),
        said("guard_call", guard="f", expect=OK),
        said("end", expect=OK),
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
