"""Owns running one contract vector through the public API of trip, and comparing all that it expects."""

from __future__ import annotations

from typing import Any

import trip
from answers import Mismatch, counted, fields_of, rejection, text
from policies import Policies
from vectors import Step, Vector


def replay(vector: Vector) -> None:
    expected = vector.get("create", {"status": "TRIP_OK"})
    try:
        tracker = trip.Tracker.from_config(config_of(vector["config"]))
    except trip.ConfigError as error:
        compare("create", {"status": error.name, "field": error.field}, expected)
        return
    compare("create", {"status": "TRIP_OK"}, expected)
    playing = Replay(tracker, config_of(vector["config"]))
    try:
        playing.run(vector["steps"], "steps")
    finally:
        playing.end_all()
        playing.tracker.close()


def config_of(fields: dict[str, Any]) -> trip.Config:
    return trip.Config(**{"clock": trip.Clock.MANUAL, **fields_of(fields)})


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


class Replay(Policies):
    """What a vector has named. A permit whose name is given anew is kept: no drop."""

    def __init__(self, tracker: trip.Tracker, config: trip.Config) -> None:
        super().__init__()
        self.tracker = tracker
        self.config = config
        self.snapshots: dict[str, bytes] = {}
        self.removed: set[int] = set()
        self.circuits: dict[str, trip.Circuit] = {}
        self.permits: dict[str, trip.Permit] = {}
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
            return {"status": "TRIP_OK", **getattr(self, f"do_{step['do']}")(step)}
        except trip.CircuitOpen as refusal:
            return rejection(refusal.rejection)
        except trip.ConfigError as error:
            return {"status": error.name, "field": error.field}
        except trip.Error as error:
            return {"status": error.name}

    def do_circuit(self, step: Step) -> dict[str, Any]:
        circuit = self.tracker.circuit(text(step["tenant"]), text(step["provider"]))
        return self.found_circuit(step, circuit)

    def do_permit(self, step: Step) -> dict[str, Any]:
        self.grant(step, "permit", self.circuits[step["circuit"]].permit())
        return {}

    def do_ask(self, step: Step) -> dict[str, Any]:
        granted, answers = 0, [{"status": "TRIP_OK"}]
        for _ in range(step["times"]):
            try:
                granted += self.circuits[step["circuit"]].permit().record_success()
            except trip.CircuitOpen as refusal:
                answers.append(rejection(refusal.rejection))
        if len({answer["status"] for answer in answers}) > 2:
            raise Mismatch(f"refused for several reasons: {answers}")
        return {**answers[-1], "granted": granted}

    def do_peek(self, step: Step) -> dict[str, Any]:
        refused = self.circuits[step["circuit"]].peek()
        return rejection(refused) if refused else {}

    def do_inspect(self, step: Step) -> dict[str, Any]:
        circuit = self.circuits[step["circuit"]]
        info = circuit.inspect()
        shown = {**vars(info), "state": f"TRIP_STATE_{info.state.name}", "mode": f"TRIP_MODE_{info.mode.name}"}
        del shown["epoch"]
        if circuit in self.epochs:
            shown["epoch"] = "same" if self.epochs[circuit] == info.epoch else "new"
        self.epochs[circuit] = info.epoch
        return shown

    def do_key(self, step: Step) -> dict[str, Any]:
        tenant, provider = self.circuits[step["circuit"]].key()
        return {"tenant": tenant.decode(), "provider": provider.decode()}

    def do_success(self, step: Step) -> dict[str, Any]:
        return counted(self.permits[step["permit"]].record_success())

    def do_failure(self, step: Step) -> dict[str, Any]:
        return counted(self.permits[step["permit"]].record_failure())

    def do_drop(self, step: Step) -> dict[str, Any]:
        return counted(self.permits[step["permit"]].drop())

    def do_cancel(self, step: Step) -> dict[str, Any]:
        return counted(self.permits[step["permit"]].cancel())

    def do_renew(self, step: Step) -> dict[str, Any]:
        return counted(self.permits[step["permit"]].renew())

    def do_progress(self, step: Step) -> dict[str, Any]:
        return counted(self.permits[step["permit"]].progress())

    def do_record(self, step: Step) -> dict[str, Any]:
        said = {key: step[key] for key in ("http_status", "retry_after_ns", "duration_ns") if key in step}
        status_class = trip.StatusClass[step["class"].removeprefix("TRIP_CLASS_")]
        return counted(self.permits[step["permit"]].record(trip.Outcome(status_class, **said)))

    def do_inspect_permit(self, step: Step) -> dict[str, Any]:
        info = self.permits[step["permit"]].inspect()
        if info is None:
            return counted(False)
        return {"is_probe": int(info.is_probe), "lease_left_ns": info.lease_left_ns}

    def do_advance(self, step: Step) -> dict[str, Any]:
        self.tracker.advance_ns(step["ns"])
        return {}

    def do_destroy(self, step: Step) -> dict[str, Any]:
        return {} if self.tracker.close() else {"status": "TRIP_E_HANDLE"}

    def do_classify_http(self, step: Step) -> dict[str, Any]:
        return _outcome(trip.classify_http(step["http_status"], text(step["body"])))

    def do_classify_text(self, step: Step) -> dict[str, Any]:
        return _outcome(trip.classify_text(text(step["text"])))

    def do_classify_errno(self, step: Step) -> dict[str, Any]:
        outcome = trip.classify_errno(step["errno"])
        if outcome.sys_errno != step["errno"]:
            raise Mismatch(f"the outcome's errno is {outcome.sys_errno}")
        return _outcome(outcome)

    def do_retry_hint(self, step: Step) -> dict[str, Any]:
        wait_ns = trip.parse_retry_hint_ns(step["name"], text(step["value"]), step["now_unix_ns"])
        return {"status": "TRIP_NO_HINT"} if wait_ns is None else {"retry_after_ns": wait_ns}

    def do_set_mode(self, step: Step) -> dict[str, Any]:
        mode = trip.Mode[step["mode"].removeprefix("TRIP_MODE_")]
        circuit = self.circuits[step["circuit"]]
        circuit.set_mode_ns(mode, step.get("ttl_ns", 0) or None, reason=text(step.get("reason", "")))
        return {}

    def do_trip(self, step: Step) -> dict[str, Any]:
        self.circuits[step["circuit"]].trip()
        return {}

    def do_reset(self, step: Step) -> dict[str, Any]:
        self.circuits[step["circuit"]].reset()
        return {}

    def do_remove(self, step: Step) -> dict[str, Any]:
        """A vector's names are names of handles: nothing is asked for again by tenant and provider once it is gone."""
        handle = self.circuits[step["circuit"]].handle
        if handle not in self.removed:
            self.removed.add(handle)
            named = [name for name, circuit in self.circuits.items() if circuit.handle == handle]
            self.circuits.update(dict.fromkeys(named, trip.Circuit.from_handle(handle)))
        self.circuits[step["circuit"]].remove()
        return {}

    def do_configure(self, step: Step) -> dict[str, Any]:
        scope = trip.Scope[step["scope"].removeprefix("TRIP_SCOPE_")]
        config = None if step["config"] is None else config_of(step["config"])
        self.tracker.configure_from(config, scope, *(text(step.get(name, "")) for name in ("tenant", "provider")))
        return {}

    def do_circuits(self, step: Step) -> dict[str, Any]:
        states = [info.state for _, info in self.tracker.circuits(step["page"])]
        return {"count": len(states), "open": states.count(trip.State.OPEN)}

    def do_explain(self, step: Step) -> dict[str, Any]:
        told, expected = self.circuits[step["circuit"]].explain(), step["expect"].get("says")
        return {"says": expected if expected is not None and expected in told else told}

    def do_event(self, step: Step) -> dict[str, Any]:
        events, lost = self.tracker.take_events(1)
        if not events:
            return {"kind": "none", "lost": lost}
        shown = {**vars(events[0]), "lost": lost, "kind": f"TRIP_EVENT_{events[0].kind.name}"}
        for selector in "state", "mode", "cause", "scope":
            shown[selector] = f"TRIP_{selector.upper()}_{shown[selector].name}"
        return shown

    def do_metric(self, step: Step) -> dict[str, Any]:
        labels = trip.Labels[step["labels"].removeprefix("TRIP_LABELS_")]
        told = self.tracker.metrics(labels, step.get("max_series", 0) or None)
        values = dict(line.rpartition(" ")[::2] for line in told.splitlines())
        return {"value": int(values[step["series"]])} if step["series"] in values else {}

    def do_snapshot(self, step: Step) -> dict[str, Any]:
        self.snapshots[step["as"]] = self.tracker.snapshot(now_unix_ns=step["now_unix_ns"])
        return {}

    def do_restore(self, step: Step) -> dict[str, Any]:
        snapshot = bytearray(self.snapshots[step["snapshot"]])
        if "flip" in step:
            snapshot[step["flip"]] ^= 1
        self.tracker.restore(snapshot, now_unix_ns=step["now_unix_ns"])
        return {}

    def do_restart(self, step: Step) -> dict[str, Any]:
        self.end_all()
        self.tracker.close()
        self.tracker = trip.Tracker.from_config(self.config)
        self.circuits, self.permits, self.epochs = {}, {}, {}
        return {}


def _outcome(outcome: trip.Outcome) -> dict[str, Any]:
    return {
        "class": f"TRIP_CLASS_{outcome.status_class.name}",
        "http_status": outcome.http_status,
        "retry_after_ns": outcome.retry_after_ns,
    }
