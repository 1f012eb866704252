"""Owns the steps of a contract vector that are about what goes around a permit, through the public API of trip."""

from __future__ import annotations

import ctypes
from typing import Any, Union

import trip
from answers import Mismatch, counted, fields_of, rejection, text
from vectors import Step

Object = Union[trip.Retry, trip.Dedup, trip.Gate, trip.Route, trip.Pipeline, trip.FunctionGuard]

LIBC = ctypes.CDLL(None)


class Failing(Exception):
    """What a stage raises that fails with a code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Policies:
    """What a vector has named. A ticket or token whose name is given anew is kept: it does not settle itself."""

    tracker: trip.Tracker
    circuits: dict[str, trip.Circuit]
    permits: dict[str, trip.Permit]

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        self.tickets: dict[str, trip.Ticket] = {}
        self.tokens: dict[str, trip.Token] = {}
        self.replaced: list[object] = []

    def end_all(self) -> None:
        for each in self.objects.values():
            each.close()
        self.objects, self.tickets, self.tokens = {}, {}, {}

    def grant(self, step: Step, kind: str, granted: Any) -> None:
        """Name what was granted, or say that the vector did not expect it."""
        if "as" not in step:
            raise Mismatch(f"a {kind} was granted where the vector has no name for one")
        named: dict[str, Any] = getattr(self, f"{kind}s")
        self.replaced.append(named.get(step["as"]))
        named[step["as"]] = granted

    def do_end(self, step: Step) -> dict[str, Any]:
        return {} if self.objects[step["object"]].close() else {"status": "TRIP_E_HANDLE"}

    # ---- Retry

    def do_retry(self, step: Step) -> dict[str, Any]:
        config = trip.RetryConfig(**fields_of(step["config"]))
        self.objects[step["as"]] = trip.Retry.from_config(config, self.tracker)
        return {}

    def do_delay_for(self, step: Step) -> dict[str, Any]:
        return {"delay_ns": self.objects[step["retry"]].delay_for_ns(step["attempt"])}

    def do_retry_begin(self, step: Step) -> dict[str, Any]:
        return {"began_ns": self.objects[step["retry"]].begin(text(step["provider"])).began_ns}

    def do_retry_next(self, step: Step) -> dict[str, Any]:
        began = step["began_ns"], step["attempt"], step.get("last_delay_ns", 0)
        attempts = trip.Attempts(self.objects[step["retry"]], text(step["provider"]), *began)
        status_class = trip.StatusClass[step["class"].removeprefix("TRIP_CLASS_")]
        delay_ns = attempts.next_ns(trip.Outcome(status_class, retry_after_ns=step.get("retry_after_ns", 0)))
        if delay_ns is None:
            assert attempts.refusal is not None
            return {"status": f"TRIP_NO_RETRY_{attempts.refusal.name}"}
        return {"delay_ns": delay_ns}

    def do_inspect_retry(self, step: Step) -> dict[str, Any]:
        return {**vars(self.objects[step["retry"]].inspect(text(step["provider"])))}

    # ---- Deduplication

    def do_dedup(self, step: Step) -> dict[str, Any]:
        config = trip.DedupConfig(**fields_of(step["config"]))
        self.objects[step["as"]] = trip.Dedup.from_config(config, self.tracker)
        return {}

    def do_check(self, step: Step) -> dict[str, Any]:
        return self._found(step, self.objects[step["dedup"]].check(text(step["key"])))

    def do_wait(self, step: Step) -> dict[str, Any]:
        timeout = None if step["timeout_ns"] == 2**64 - 1 else step["timeout_ns"] / 10**9
        return self._found(step, self.objects[step["dedup"]].wait(text(step["key"]), timeout))

    def _found(self, step: Step, found: trip.Ticket | trip.Cached | None) -> dict[str, Any]:
        if isinstance(found, trip.Ticket):
            self.grant(step, "ticket", found)
            return {}
        if found is None:
            return {"status": "TRIP_IN_PROGRESS"}
        return {"status": "TRIP_CACHED", "value": found.value.decode()}

    def do_complete(self, step: Step) -> dict[str, Any]:
        return counted(self.tickets[step["ticket"]].complete(text(step["value"]).encode()))

    def do_fail(self, step: Step) -> dict[str, Any]:
        return counted(self.tickets[step["ticket"]].fail())

    def do_drop_ticket(self, step: Step) -> dict[str, Any]:
        return counted(self.tickets[step["ticket"]].drop())

    def do_renew_ticket(self, step: Step) -> dict[str, Any]:
        return counted(self.tickets[step["ticket"]].renew())

    def do_forget(self, step: Step) -> dict[str, Any]:
        self.objects[step["dedup"]].forget(text(step["key"]))
        return {}

    def do_inspect_dedup(self, step: Step) -> dict[str, Any]:
        return {**vars(self.objects[step["dedup"]].inspect())}

    # ---- Backpressure

    def do_gate(self, step: Step) -> dict[str, Any]:
        config, name = trip.GateConfig(**fields_of(step["config"])), text(step.get("name", ""))
        self.objects[step["as"]] = trip.Gate.from_config(config, self.tracker, name)
        return {}

    def do_acquire(self, step: Step) -> dict[str, Any]:
        try:
            self.grant(step, "token", self.objects[step["gate"]].acquire())
        except trip.Shed as shed:
            return {"status": "TRIP_SHED", "depth": shed.depth, "limit": shed.limit, "capacity": shed.capacity}
        return {}

    def do_release(self, step: Step) -> dict[str, Any]:
        effect = trip.Effect[step.get("effect", "TRIP_EFFECT_SUCCESS").removeprefix("TRIP_EFFECT_")]
        return counted(self.tokens[step["token"]].release(effect))

    def do_inspect_gate(self, step: Step) -> dict[str, Any]:
        info = self.objects[step["gate"]].inspect()
        return {**vars(info), "soft_depth_percent": round(info.soft_depth_ratio * 100)}

    # ---- Routes

    def do_route(self, step: Step) -> dict[str, Any]:
        config = trip.RouteConfig(**fields_of(step["config"]))
        route = self.objects[step["as"]] = trip.Route.from_config(config, self.tracker, text(step["tenant"]))
        for each in step["providers"]:
            route.add(text(each["provider"]), each.get("weight", 1))
        return {}

    def do_route_add(self, step: Step) -> dict[str, Any]:
        self.objects[step["route"]].add(text(step["provider"]), step["weight"])
        return {}

    def do_route_permit(self, step: Step) -> dict[str, Any]:
        avoid = [index for index in range(64) if step.get("avoid", 0) >> index & 1]
        permit = self.objects[step["route"]].permit(text(step.get("session", "")), avoid)
        self.grant(step, "permit", permit)
        return {"index": permit.index}

    def do_route_circuit(self, step: Step) -> dict[str, Any]:
        return self.found_circuit(step, self.objects[step["route"]].circuit(step["index"]))

    def found_circuit(self, step: Step, circuit: trip.Circuit) -> dict[str, Any]:
        others = {key: step["expect"][key] for key in ("same_as", "not_same_as") if key in step["expect"]}
        same = {key: circuit.handle == self.circuits[name].handle for key, name in others.items()}
        if "as" in step:
            self.circuits[step["as"]] = circuit
        return {key: others[key] if same[key] == (key == "same_as") else f"not so: {others[key]}" for key in others}

    # ---- Pipelines

    def do_pipeline(self, step: Step) -> dict[str, Any]:
        pipeline = self.objects[step["as"]] = trip.Pipeline()
        for each in step["stages"]:
            pipeline.add(text(each["name"]), _stage(each["does"]))
        return {}

    def do_run(self, step: Step) -> dict[str, Any]:
        try:
            return {"output": self.objects[step["pipeline"]].run(text(step["input"]).encode()).decode()}
        except trip.StageFailed as failed:
            return {
                "status": "TRIP_STAGE_FAILED",
                "stage": failed.stage,
                "stage_name": failed.name,
                "code": failed.code,
            }

    def do_stage_count(self, step: Step) -> dict[str, Any]:
        return {"stages": self.objects[step["pipeline"]].stages}

    # ---- Guards

    def do_guard(self, step: Step) -> dict[str, Any]:
        config = trip.GuardConfig(**fields_of(step.get("config", {})))
        function = {"abs": LIBC.abs, "atoi": LIBC.atoi, "strlen": LIBC.strlen}[step["function"]]
        circuit = self.circuits[step["circuit"]]
        guard = trip.FunctionGuard.from_config(config, circuit, function, text(step["signature"]))
        self.objects[step["as"]] = guard
        return {}

    def do_guard_call(self, step: Step) -> dict[str, Any]:
        arguments = [each.encode() if isinstance(each, str) else each for each in step["arguments"]]
        try:
            result = self.objects[step["guard"]].call(*arguments)
        except trip.CircuitOpen as refusal:
            return rejection(refusal.rejection)
        except TypeError:  # what the library would say, is said before it is asked
            return {"status": "TRIP_E_INVALID"}
        return {"result": str(ctypes.c_int64(result).value)}


def _stage(does: Any) -> Any:
    """A function that does what a vector says; its end is that of the bytes, not of the text."""
    if does == "upper":
        return bytes.upper
    if does == "reverse":
        return lambda given: given[::-1]
    ((action, argument),) = does.items()
    if action == "append":
        return lambda given: given + argument.encode()
    if action != "fail":
        raise Mismatch(f"no stage does {does!r}")

    def fail(given: bytes) -> bytes:
        raise Failing(argument)

    return fail
