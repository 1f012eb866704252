#!/usr/bin/env python3
"""Writes walks.json: random steps of circuits with random configs, and what a model of them expects of each.

The model is as simple as can be: it keeps every call in a list and counts anew each time. It knows nothing of how the
library does it. It has no jitter, no ramp, no stream and no lease that ends; the other files show those. Times are
whole milliseconds, as those of the library's stamps. `--check` compares instead of writing.
"""

import pathlib
import random
import sys

from generate_properties import OK, circuit, file_text, write_or_check

FILE = pathlib.Path(__file__).with_name("walks.json")
WALKS, STEPS, SEED = 30, 60, 4
MS, S = 10**6, 10**9
PROBE_RETRY_NS = 50 * MS
FAILURE, SUCCESS, NOTHING = EFFECTS = ("FAILURE", "SUCCESS", "NOTHING")
CLASSES = {
    **dict.fromkeys(("SERVER_ERROR", "RATE_LIMITED", "OVERLOADED", "NETWORK", "TIMEOUT", "QUOTA"), FAILURE),
    **dict.fromkeys(("AUTH", "INVALID_REQUEST", "CONTEXT_OVERFLOW", "NOT_FOUND", "CONTENT_FILTERED"), SUCCESS),
    **dict.fromkeys(("CANCELLED", "UNKNOWN"), NOTHING),
    "SUCCESS": SUCCESS,
}


class Window:
    """The calls that a rule looks at, each as (when, failed, slow)."""

    def __init__(self, config, name):
        self.minimum = config[f"{name}_minimum"]
        self.ratios = config[f"{name}_failure_ratio"], config[f"{name}_slow_ratio"]
        self.calls = []

    def is_over(self, calls):
        shares = [sum(call[kind] for call in calls) / len(calls) for kind in (1, 2)]
        return len(calls) >= self.minimum and any(
            0 < ratio <= share for ratio, share in zip(self.ratios, shares, strict=True)
        )


class Model:
    """A circuit that remembers everything."""

    def __init__(self, config):
        self.config = config
        self.now = self.epoch = self.failures = self.level = self.until = self.not_before = 0
        self.state = "CLOSED"
        self.out = self.won = self.lost = 0
        self.windows = {name: Window(config, name) for name in ("count", "time")}
        self.counts = dict.fromkeys(
            ("permits", "successes", "failures_total", "drops", "cancels", "rejections", "stale", "opens"), 0
        )

    # ---- Transitions ----

    def go(self, state):
        self.state, self.epoch = state, self.epoch + 1
        self.out = self.won = self.lost = self.failures = 0

    def open(self, level):
        self.go("OPEN")
        self.level = level
        self.counts["opens"] += 1
        self.until = max(self.now + self.period(), self.not_before)

    def close(self):
        self.go("CLOSED")
        self.level = 0
        for window in self.windows.values():
            window.calls.clear()

    def period(self):
        grows = self.level if self.config["backoff"] == "TRIP_BACKOFF_COMPOUND" else min(self.level, 1)
        return min(self.config["initial_open_ns"] * 2**grows, self.config["max_open_ns"])

    # ---- Permits ----

    def refusal(self):
        """Why a permit would be refused now, or None."""
        if self.state == "OPEN" and self.now < self.until:
            return "OPEN"
        if self.state != "HALF_OPEN":
            return None
        granted = self.out + self.won + self.lost
        may_lose = self.probes() > self.config["half_open_successes"]
        all_out = self.out >= self.config["half_open_max_probes"] or (may_lose and granted >= self.probes())
        return "PROBING" if all_out else None

    def probes(self):
        return max(self.config["half_open_probes"], self.config["half_open_successes"])

    def permit(self):
        """The epoch and the time of a permit; None: refused."""
        if self.refusal():
            self.counts["rejections"] += 1
            return None
        if self.state == "OPEN":
            self.go("HALF_OPEN")
        self.out += self.state == "HALF_OPEN"
        self.counts["permits"] += 1
        return self.epoch, self.now

    def settle(self, permit, effect, counter, wait=0, duration=None):
        epoch, granted_at = permit
        self.counts[counter] += 1
        if wait:
            self.not_before = max(self.not_before, self.now + wait)
        if epoch != self.epoch:
            self.counts["stale"] += 1
            if wait and self.state == "OPEN":
                self.until = max(self.until, self.not_before) if self.not_before > self.now else self.until
            return "TRIP_STALE"
        if self.state == "HALF_OPEN":
            self.settle_probe(effect)
        else:
            self.settle_call(effect, self.now - granted_at if duration is None else duration)
        return "TRIP_OK"

    def settle_probe(self, effect):
        self.out -= 1
        self.won += effect == SUCCESS
        self.lost += effect == FAILURE
        if self.won >= self.config["half_open_successes"]:
            self.close()
        elif self.lost + self.config["half_open_successes"] > self.probes():
            self.open(self.level + 1)

    def settle_call(self, effect, duration):
        if effect == NOTHING:
            return
        self.failures = self.failures + 1 if effect == FAILURE else 0
        if self.failures >= self.config["failure_threshold"] or self.windows_open(effect == FAILURE, duration):
            self.open(0)

    def windows_open(self, has_failed, duration):
        is_slow = 0 < self.config["slow_call_ns"] < duration
        size, length, steps = (self.config[name] for name in ("count_window", "time_window_ns", "time_buckets"))
        step = self.now // (length // steps) if length else 0
        seen = {"count": self.windows["count"].calls, "time": self.windows["time"].calls}
        for calls in seen.values():
            calls.append((step, has_failed, is_slow))
        lately = [call for call in seen["time"] if step - call[0] < steps]
        return bool(size and self.windows["count"].is_over(seen["count"][-size:])) or bool(
            length and self.windows["time"].is_over(lately)
        )

    # ---- What is seen ----

    def wait_asked(self, status_class, retry_after):
        wait = min(retry_after, self.config["max_retry_after_ns"])
        return self.config["quota_open_ns"] if wait == 0 and status_class == "QUOTA" else wait

    def retry_after(self):
        return {"OPEN": max(self.until - self.now, 0), "PROBING": PROBE_RETRY_NS, None: 0}[self.refusal()]

    def seen(self):
        is_closed = self.state == "CLOSED"
        return {
            "state": f"TRIP_STATE_{self.state}",
            "failures": self.failures if is_closed else self.config["failure_threshold"] + self.level,
            "retry_after_ns": self.retry_after(),
            "open_duration_ns": 0 if is_closed else self.period(),
        }


# ---- Walks ----


def random_config(draw):
    successes = draw.randint(1, 3)
    count_window = draw.choice((0, 0, 3, 5, 8))
    steps = draw.choice((1, 2, 5))
    config = {
        "failure_threshold": draw.choice((2, 3, 5, 1000)),
        "initial_open_ns": S,
        "max_open_ns": draw.choice((S, 3 * S, 100 * S)),
        "backoff": draw.choice(("TRIP_BACKOFF_FIRST", "TRIP_BACKOFF_COMPOUND")),
        "half_open_max_probes": draw.randint(1, 3),
        "half_open_successes": successes,
        "half_open_probes": draw.choice((0, successes, successes + 1, successes + 3)),
        "on_drop": draw.choice(("TRIP_DROP_FAILURE", "TRIP_DROP_CANCEL")),
        "quota_open_ns": draw.choice((2 * S, 30 * S)),
        "max_retry_after_ns": draw.choice((0, 5 * S, 3600 * S)),
        "slow_call_ns": draw.choice((0, 400 * MS)),
        "count_window": count_window,
        "count_minimum": draw.randint(1, count_window or 5),
        "time_window_ns": draw.choice((0, 2 * S, 5 * S)),
        "time_buckets": steps,
        "time_minimum": draw.randint(1, 5),
    }
    for name in ("count", "time"):
        config[f"{name}_failure_ratio"] = draw.choice((0, 0.25, 0.5, 0.75, 1))
        config[f"{name}_slow_ratio"] = draw.choice((0, 0.5, 1)) if config["slow_call_ns"] else 0
    changed = draw.sample(sorted(set(CLASSES) - {"SUCCESS"}), 3)
    return config | {f"on_{name.lower()}": f"TRIP_EFFECT_{draw.choice(EFFECTS)}" for name in changed}


def ending(draw, model):
    """A way to settle: its step without the permit, and what the model is told."""
    on_drop = FAILURE if model.config["on_drop"] == "TRIP_DROP_FAILURE" else NOTHING
    simple = {
        "success": (SUCCESS, "successes"),
        "failure": (FAILURE, "failures_total"),
        "drop": (on_drop, "drops"),
        "cancel": (NOTHING, "cancels"),
    }
    how = draw.choice(("success", "success", "failure", "failure", "drop", "cancel", *["record"] * 6))
    if how != "record":
        return {"do": how}, simple[how]
    name = draw.choice(sorted(CLASSES))
    step = {"do": "record", "class": f"TRIP_CLASS_{name}"}
    if draw.random() < 0.3:
        step["retry_after_ns"] = draw.choice((1, 700, 3000, 60_000)) * MS
    if draw.random() < 0.3:
        step["duration_ns"] = draw.choice((1, 400 * MS, 400 * MS + 1, 9 * S))
    configured = model.config.get(f"on_{name.lower()}", f"TRIP_EFFECT_{CLASSES[name]}")
    effect = configured.removeprefix("TRIP_EFFECT_")
    counter = {FAILURE: "failures_total", SUCCESS: "successes", NOTHING: "cancels"}[effect]
    wait = model.wait_asked(name, step.get("retry_after_ns", 0)) if effect == FAILURE else 0
    return step, (effect, counter, wait, step.get("duration_ns"))


def look(model, counts):
    seen = {**model.seen(), "level": model.level, "probes_out": model.out, **counts}
    return {"do": "inspect", "circuit": "c", "expect": {**OK, **seen}}


def walk(number):
    draw = random.Random(SEED * 1000 + number)
    model = Model(random_config(draw))
    steps, out = [circuit("c")], {}
    for turn in range(STEPS):
        kind = draw.choice(("permit", "permit", "settle", "settle", "advance"))
        if kind != "advance" and not 0 < len(out) < 6:
            kind = "settle" if out else "permit"
        if kind == "permit":
            why = model.refusal()
            answer = {"status": f"TRIP_REJECTED_{why}", **model.seen()} if why else OK
            permit = model.permit()
            name = {"as": f"p{turn}"} if permit else {}
            out |= {f"p{turn}": permit} if permit else {}
            steps.append({"do": "permit", "circuit": "c", **name, "expect": answer})
        elif kind == "settle":
            name = draw.choice(sorted(out))
            step, told = ending(draw, model)
            step |= {"permit": name, "expect": {"status": model.settle(out.pop(name), *told)}}
            steps += [step, look(model, {"opens": model.counts["opens"]})]
        else:
            ns = draw.choice((1, 100, 400, 500, 1000, 2000)) * MS
            model.now += ns
            steps.append({"do": "advance", "ns": ns, "expect": OK})
    steps.append(look(model, model.counts))
    why = "What a model says that keeps every call in a list."
    source = {"design": "docs/outcomes.md, When to open"}
    return {"name": f"walk-{number}", "source": source, "why": why, "config": model.config, "steps": steps}


def walks():
    about = "Generated by generate_walks.py: random steps, and what a model expects of each. Do not edit."
    return file_text(about, [walk(number) for number in range(1, WALKS + 1)])


if __name__ == "__main__":
    sys.exit(write_or_check(__doc__, FILE, walks()))
