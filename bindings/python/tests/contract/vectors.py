"""Owns reading the contract vectors, and refusing what their format (tests/contract/README.md) does not know."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

Vector = dict[str, Any]
Step = dict[str, Any]

REPOSITORY = Path(__file__).resolve().parents[4]

VECTOR_KEYS = {"name", "source", "differs", "why", "config", "create", "steps"}
# What each step must have, what it may have, and what its `expect` may name beside the status.
_REJECTION = {"state", "failures", "retry_after_ns", "open_duration_ns"}
_PLACE = {"mode", "mode_left_ns", "level", "probes_out", "epoch"}
_COUNTERS = {"permits", "successes", "failures_total", "drops", "cancels", "rejections", "stale", "opens"}
_EVENT = {"kind", "number", "at_ns", "state", "mode", "cause", "scope", "failures", "duration_ns", "depth", "limit"}
_RETRY = {"budget", "calls", "retries", "refused"}
_DEDUP = {"in_progress", "cached", "bytes", "started", "hits", "joined", "completed", "failed", "expired", "evicted"}
_SHED = {"depth", "limit", "capacity"}
_GATE = {"soft_limit", "soft_depth_percent", "acquired", "released", "shed", "latency_ns"}
_OUTCOME = {"class", "http_status", "retry_after_ns"}
STEPS: dict[str, tuple[set[str], set[str], set[str]]] = {
    "circuit": ({"tenant", "provider"}, {"as"}, {"same_as", "not_same_as"}),
    "permit": ({"circuit"}, {"as"}, _REJECTION),
    "ask": ({"circuit", "times"}, set(), _REJECTION | {"granted"}),
    "peek": ({"circuit"}, set(), _REJECTION),
    "inspect": ({"circuit"}, set(), _REJECTION | _COUNTERS | _PLACE),
    "key": ({"circuit"}, set(), {"tenant", "provider"}),
    **{do: ({"permit"}, set(), set()) for do in ("success", "failure", "drop", "cancel", "renew", "progress")},
    "record": ({"permit", "class"}, {"http_status", "retry_after_ns", "duration_ns"}, set()),
    "inspect_permit": ({"permit"}, set(), {"is_probe", "lease_left_ns"}),
    "advance": ({"ns"}, set(), set()),
    "destroy": (set(), set(), set()),
    "classify_http": ({"http_status", "body"}, set(), _OUTCOME),
    "classify_text": ({"text"}, set(), _OUTCOME),
    "classify_errno": ({"errno"}, set(), _OUTCOME),
    "retry_hint": ({"name", "value", "now_unix_ns"}, set(), {"retry_after_ns"}),
    "set_mode": ({"circuit", "mode"}, {"ttl_ns", "reason"}, set()),
    **{do: ({"circuit"}, set(), set()) for do in ("trip", "reset", "remove")},
    "configure": ({"scope", "config"}, {"tenant", "provider"}, {"field"}),
    "circuits": ({"page"}, set(), {"count", "open"}),
    "explain": ({"circuit"}, set(), {"says"}),
    "event": (set(), set(), _EVENT | {"tenant", "provider", "reason", "lost"}),
    "metric": ({"labels", "series"}, {"max_series"}, {"value"}),
    "snapshot": ({"now_unix_ns", "as"}, set(), set()),
    "restore": ({"snapshot", "now_unix_ns"}, {"flip"}, set()),
    "restart": (set(), set(), set()),
    "retry": ({"config", "as"}, set(), {"field"}),
    "delay_for": ({"retry", "attempt"}, set(), {"delay_ns"}),
    "retry_begin": ({"retry", "provider"}, set(), {"began_ns"}),
    "retry_next": (
        {"retry", "provider", "attempt", "began_ns", "class"},
        {"last_delay_ns", "retry_after_ns"},
        {"delay_ns"},
    ),
    "inspect_retry": ({"retry", "provider"}, set(), _RETRY),
    "dedup": ({"config", "as"}, set(), {"field"}),
    "check": ({"dedup", "key"}, {"as"}, {"value"}),
    "wait": ({"dedup", "key", "timeout_ns"}, {"as"}, {"value"}),
    "complete": ({"ticket", "value"}, set(), set()),
    **{do: ({"ticket"}, set(), set()) for do in ("fail", "drop_ticket", "renew_ticket")},
    "forget": ({"dedup", "key"}, set(), set()),
    "inspect_dedup": ({"dedup"}, set(), _DEDUP),
    "gate": ({"config", "as"}, {"name"}, {"field"}),
    "acquire": ({"gate"}, {"as"}, _SHED),
    "release": ({"token"}, {"effect"}, set()),
    "inspect_gate": ({"gate"}, set(), _SHED | _GATE),
    "route": ({"tenant", "config", "providers", "as"}, set(), {"field"}),
    "route_add": ({"route", "provider", "weight"}, set(), set()),
    "route_permit": ({"route"}, {"session", "avoid", "as"}, _REJECTION | {"index"}),
    "route_circuit": ({"route", "index", "as"}, set(), {"same_as", "not_same_as"}),
    "pipeline": ({"stages", "as"}, set(), set()),
    "run": ({"pipeline", "input"}, set(), {"output", "stage", "stage_name", "code"}),
    "stage_count": ({"pipeline"}, set(), {"stages"}),
    "guard": ({"circuit", "function", "signature", "as"}, {"config"}, {"field"}),
    "guard_call": ({"guard", "arguments"}, set(), _REJECTION | {"result"}),
    "end": ({"object"}, set(), set()),
}
# What each of a list may have that is an argument.
LISTED = {"providers": ({"provider"}, {"weight"}), "stages": ({"name", "does"}, set[str]())}


class BadVector(AssertionError):
    """A vector says something that its format does not know."""


def folder() -> Path:
    return Path(os.environ.get("TRIP_CONTRACT") or REPOSITORY / "tests" / "contract")


def load() -> list[Vector]:
    """Every vector of every file. None at all is an error: a runner that ran nothing has shown nothing."""
    files = sorted(folder().glob("*.json"))
    found = [vector for file in files for vector in _read(file)]
    names = [vector["name"] for vector in found]
    _require(bool(found), f"no vectors in {folder()}")
    _require(len(names) == len(set(names)), f"names used twice: {sorted({n for n in names if names.count(n) > 1})}")
    return found


def _read(file: Path) -> list[Vector]:
    content = json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=_object)
    _require(content.keys() == {"format", "about", "vectors"}, f"{file.name}: keys {sorted(content)}")
    _require(content["format"] == 1, f"{file.name}: format {content['format']}")
    for vector in content["vectors"]:
        check(vector)
    return list(content["vectors"])


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    _require(len(read) == len(pairs), f"a key stands twice in {[key for key, _ in pairs]}")
    return read


def check(vector: Vector) -> None:
    name = vector.get("name", "a vector without a name")
    _require(not vector.keys() - VECTOR_KEYS, f"{name}: unknown keys {vector.keys() - VECTOR_KEYS}")
    _require({"name", "source", "config"} <= vector.keys(), f"{name}: has only {sorted(vector)}")
    create = vector.get("create", {"status": "TRIP_OK"})
    _require("status" in create and not create.keys() - {"status", "field"}, f"{name}: create {create}")
    refused = create["status"] != "TRIP_OK"
    _require(refused != bool(vector.get("steps")), f"{name}: steps are missing, or follow a tracker that is not made")
    _require(refused or "field" not in create, f"{name}: a field at fault, and no fault")
    for step in vector.get("steps", []):
        check_step(name, step)


def check_step(name: str, step: Step) -> None:
    if step.get("do") == "repeat":
        _require(step.keys() == {"do", "times", "steps"} and step["steps"], f"{name}: repeat {sorted(step)}")
        for inner in step["steps"]:
            check_step(name, inner)
        return
    _require(step.get("do") in STEPS, f"{name}: unknown step {step.get('do')!r}")
    must, may, observable = STEPS[step["do"]]
    arguments = step.keys() - {"do", "expect"}
    _require(must <= arguments <= must | may, f"{name}: {step['do']} with {sorted(arguments)}")
    for argument in step.keys() & LISTED.keys():
        must, may = LISTED[argument]
        for each in step[argument]:
            _require(must <= each.keys() <= must | may, f"{name}: one of the {argument} with {sorted(each)}")
    _require(step.get("times", 1) > 0, f"{name}: {step['do']} no times")
    expected = step.get("expect", {}).keys()
    _require("status" in expected, f"{name}: {step['do']} expects no status")
    _require(expected <= observable | {"status"}, f"{name}: {step['do']} cannot show {expected - observable}")
    _require(step["expect"].get("says") != "", f"{name}: to say nothing shows nothing")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise BadVector(otherwise)
