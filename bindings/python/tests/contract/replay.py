"""Owns running one contract vector through the public API of trip, and comparing all that it expects."""

from __future__ import annotations

from typing import Any

import trip
from vectors import Step, Vector

SELECTORS = {
    "TRIP_BACKOFF_": trip.Backoff,
    "TRIP_DROP_": trip.OnDrop,
    "TRIP_CLOCK_": trip.Clock,
    "TRIP_EFFECT_": trip.Effect,
}
DOUBLES = ("NaN", "Infinity", "-Infinity")


class Mismatch(AssertionError):
    """The library answered something else than the vector expects."""


def replay(vector: Vector) -> None:
    expected = vector.get("create", {"status": "TRIP_OK"})
    try:
        tracker = trip.Tracker.from_config(config_of(vector["config"]))
    except trip.ConfigError as error:
        compare("create", {"status": error.name, "field": error.field}, expected)
        return
    with tracker:
        compare("create", {"status": "TRIP_OK"}, expected)
        Replay(tracker).run(vector["steps"], "steps")


def config_of(fields: dict[str, Any]) -> trip.Config:
    return trip.Config(**{"clock": trip.Clock.MANUAL, **{name: _value(value) for name, value in fields.items()}})


def _value(written: Any) -> Any:
    if not isinstance(written, str):
        return written
    if written in DOUBLES:
        return float(written)
    prefix = next(prefix for prefix in SELECTORS if written.startswith(prefix))
    return SELECTORS[prefix][written[len(prefix) :]]


def compare(where: str, shown: dict[str, Any], expected: dict[str, Any]) -> None:
    for key, value in expected.items():
        if key not in shown:
            raise Mismatch(f"{where}: expects {key} {value!r}, but the answer was {shown}")
        if not _equal(shown[key], value):
            raise Mismatch(f"{where}: {key} is {shown[key]!r}, not {value!r}; all of the answer: {shown}")


def _equal(shown: Any, expected: Any) -> bool:
    if isinstance(expected, dict):
        least, most = (expected[end] for end in ("min", "max"))
        return len(expected) == 2 and least <= most and bool(least <= shown <= most)
    return type(shown) is type(expected) and bool(shown == expected)


class Replay:
    """The circuits and permits that a vector has named. A permit whose name is given anew is kept: no drop."""

    def __init__(self, tracker: trip.Tracker) -> None:
        self.tracker = tracker
        self.circuits: dict[str, trip.Circuit] = {}
        self.permits: dict[str, trip.Permit] = {}
        self.replaced: list[trip.Permit] = []
        self.epochs: dict[trip.Circuit, int] = {}

    def run(self, steps: list[Step], where: str) -> None:
        for index, step in enumerate(steps):
            here = f"{where}[{index}] {step['do']}"
            if step["do"] == "repeat":
                for turn in range(step["times"]):
                    self.run(step["steps"], f"{here} {turn}")
            else:
                compare(here, self.answer(step), step["expect"])

    def answer(self, step: Step) -> dict[str, Any]:
        try:
            return {"status": "TRIP_OK", **getattr(self, step["do"])(step)}
        except trip.CircuitOpen as refusal:
            return _rejection(refusal.rejection)
        except trip.Error as error:
            return {"status": error.name}

    def circuit(self, step: Step) -> dict[str, Any]:
        circuit = self.tracker.circuit(_text(step["tenant"]), _text(step["provider"]))
        others = {key: step["expect"][key] for key in ("same_as", "not_same_as") if key in step["expect"]}
        same = {key: circuit.handle == self.circuits[name].handle for key, name in others.items()}
        if "as" in step:
            self.circuits[step["as"]] = circuit
        return {key: others[key] if same[key] == (key == "same_as") else f"not so: {others[key]}" for key in others}

    def permit(self, step: Step) -> dict[str, Any]:
        permit = self.circuits[step["circuit"]].permit()
        if "as" not in step:
            raise Mismatch("a permit was granted where the vector has no name for one")
        if step["as"] in self.permits:
            self.replaced.append(self.permits[step["as"]])
        self.permits[step["as"]] = permit
        return {}

    def ask(self, step: Step) -> dict[str, Any]:
        granted, answers = 0, [{"status": "TRIP_OK"}]
        for _ in range(step["times"]):
            try:
                granted += self.circuits[step["circuit"]].permit().record_success()
            except trip.CircuitOpen as refusal:
                answers.append(_rejection(refusal.rejection))
        if len({answer["status"] for answer in answers}) > 2:
            raise Mismatch(f"refused for several reasons: {answers}")
        return {**answers[-1], "granted": granted}

    def peek(self, step: Step) -> dict[str, Any]:
        refused = self.circuits[step["circuit"]].peek()
        return _rejection(refused) if refused else {}

    def inspect(self, step: Step) -> dict[str, Any]:
        circuit = self.circuits[step["circuit"]]
        info = circuit.inspect()
        shown = {**vars(info), "state": f"TRIP_STATE_{info.state.name}", "mode": f"TRIP_MODE_{info.mode.name}"}
        del shown["epoch"]
        if circuit in self.epochs:
            shown["epoch"] = "same" if self.epochs[circuit] == info.epoch else "new"
        self.epochs[circuit] = info.epoch
        return shown

    def key(self, step: Step) -> dict[str, Any]:
        tenant, provider = self.circuits[step["circuit"]].key()
        return {"tenant": tenant.decode(), "provider": provider.decode()}

    def success(self, step: Step) -> dict[str, Any]:
        return _counted(self.permits[step["permit"]].record_success())

    def failure(self, step: Step) -> dict[str, Any]:
        return _counted(self.permits[step["permit"]].record_failure())

    def drop(self, step: Step) -> dict[str, Any]:
        return _counted(self.permits[step["permit"]].drop())

    def cancel(self, step: Step) -> dict[str, Any]:
        return _counted(self.permits[step["permit"]].cancel())

    def renew(self, step: Step) -> dict[str, Any]:
        return _counted(self.permits[step["permit"]].renew())

    def progress(self, step: Step) -> dict[str, Any]:
        return _counted(self.permits[step["permit"]].progress())

    def record(self, step: Step) -> dict[str, Any]:
        said = {key: step[key] for key in ("http_status", "retry_after_ns", "duration_ns") if key in step}
        status_class = trip.StatusClass[step["class"].removeprefix("TRIP_CLASS_")]
        return _counted(self.permits[step["permit"]].record(trip.Outcome(status_class, **said)))

    def inspect_permit(self, step: Step) -> dict[str, Any]:
        info = self.permits[step["permit"]].inspect()
        if info is None:
            return _counted(False)
        return {"is_probe": int(info.is_probe), "lease_left_ns": info.lease_left_ns}

    def advance(self, step: Step) -> dict[str, Any]:
        self.tracker.advance_ns(step["ns"])
        return {}

    def destroy(self, step: Step) -> dict[str, Any]:
        return {} if self.tracker.close() else {"status": "TRIP_E_HANDLE"}

    def classify_http(self, step: Step) -> dict[str, Any]:
        return _outcome(trip.classify_http(step["http_status"], _text(step["body"])))

    def classify_text(self, step: Step) -> dict[str, Any]:
        return _outcome(trip.classify_text(_text(step["text"])))

    def classify_errno(self, step: Step) -> dict[str, Any]:
        outcome = trip.classify_errno(step["errno"])
        if outcome.sys_errno != step["errno"]:
            raise Mismatch(f"the outcome's errno is {outcome.sys_errno}")
        return _outcome(outcome)

    def retry_hint(self, step: Step) -> dict[str, Any]:
        wait_ns = trip.parse_retry_hint_ns(step["name"], _text(step["value"]), step["now_unix_ns"])
        return {"status": "TRIP_NO_HINT"} if wait_ns is None else {"retry_after_ns": wait_ns}


def _outcome(outcome: trip.Outcome) -> dict[str, Any]:
    return {
        "class": f"TRIP_CLASS_{outcome.status_class.name}",
        "http_status": outcome.http_status,
        "retry_after_ns": outcome.retry_after_ns,
    }


def _counted(counted: bool) -> dict[str, Any]:
    return {"status": "TRIP_OK" if counted else "TRIP_STALE"}


def _rejection(refused: trip.Rejection) -> dict[str, Any]:
    return {
        "status": f"TRIP_REJECTED_{refused.reason.name}",
        "state": f"TRIP_STATE_{refused.state.name}",
        "failures": refused.failures,
        "retry_after_ns": refused.retry_after_ns,
        "open_duration_ns": refused.open_duration_ns,
    }


def _text(written: Any) -> str:
    if isinstance(written, dict):
        repeated, times = (written[key] for key in ("repeat", "times"))
        return str(repeated) * int(times)
    return str(written)
