#!/usr/bin/env python3
"""Shows that the contract vectors bite: spoils one expectation at a time and requires that the runner given fails.

    bite.py [--sample N] [--seed N] [--all] [--timeout SECONDS] -- COMMAND...

COMMAND is a language's runner. It finds the spoiled vector, alone in its folder, through TRIP_CONTRACT. Before that it
must pass all vectors as they are, and an unspoiled one alone: else its failures would show nothing.
"""

import argparse
import copy
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

FOLDER = pathlib.Path(__file__).parent
STATES = ["TRIP_STATE_CLOSED", "TRIP_STATE_OPEN", "TRIP_STATE_HALF_OPEN"]


# ---- One expected value: the ways to spoil it ----


def spoiled_values(key, value):
    """(what is done, the value instead) for each way."""
    if isinstance(value, dict):
        yield "empty from below", {"min": value["max"] + 1, "max": value["max"]}
        if value["min"] > 0:
            yield "empty from above", {"min": value["min"], "max": value["min"] - 1}
        yield "passed by", {"min": value["max"] + 1, "max": value["max"] + 2}
    elif isinstance(value, int):
        yield "plus one", value + 1
        yield "as a text", str(value)
    elif key == "status":
        yield "another", "TRIP_STALE" if value == "TRIP_OK" else "TRIP_OK"
    elif key == "state":
        yield "another", STATES[(STATES.index(value) + 1) % len(STATES)]
    elif key == "epoch":
        yield "another", "new" if value == "same" else "same"
    elif key == "field":
        yield "another", "jitter" if value != "jitter" else "clock"
    elif key in ("same_as", "not_same_as"):
        yield "nobody", "a name that no step gave"
    else:
        yield "longer", value + "!"


def spoil_value(holder, key):
    for what, instead in spoiled_values(key, holder[key]):
        yield f"{key} {what}", lambda instead=instead: holder.update({key: instead})
    if key in ("same_as", "not_same_as"):
        opposite = "not_same_as" if key == "same_as" else "same_as"
        yield f"{key} turned round", lambda: holder.update({opposite: holder.pop(key)})


def all_steps(steps):
    for step in steps:
        yield step
        yield from all_steps(step.get("steps", []))


def value_spoilers(vector):
    """(what is done, a function that does it to `vector`) for every expected value."""
    holders = [step["expect"] for step in all_steps(vector.get("steps", [])) if "expect" in step]
    holders += [vector["create"]] if "create" in vector else []
    for holder in holders:
        for key in holder:
            yield from spoil_value(holder, key)


# ---- The shape of a vector: what the format does not allow ----


def shape_spoilers(vector):
    steps = [step for step in all_steps(vector.get("steps", [])) if "expect" in step]
    yield "unknown key in the vector", lambda: vector.update(note="")
    yield "unknown key in the config", lambda: vector["config"].update(threshold=5)
    yield "wrong type in the config", lambda: vector["config"].update(failure_threshold="5")
    if not steps:
        step = {"do": "destroy", "expect": {"status": "TRIP_OK"}}
        yield "steps without a tracker", lambda: vector.update(steps=[step])
        return
    first, last = steps[0], steps[-1]
    for step in steps:
        yield from shape_spoilers_of_object(step)
    yield "unknown step", lambda: first.update(do="rewind")
    yield "unknown key in a step", lambda: first.update(note="")
    yield "unknown key in an expect", lambda: first["expect"].update(note=0)
    yield "an expect of what the step cannot show", lambda: first["expect"].update(lease_left_ns=0)
    yield "no expect", lambda: last.pop("expect")
    yield "no status", lambda: last["expect"].pop("status")
    yield "unknown status", lambda: last["expect"].update(status="TRIP_MAYBE")
    yield "no steps", lambda: vector.pop("steps")
    yield "empty steps", lambda: vector.update(steps=[])
    yield "repeat of nothing", lambda: vector["steps"].append({"do": "repeat", "times": 2, "steps": []})


def shape_spoilers_of_object(step):
    """Of a step that makes an object."""
    if step["do"] != "configure" and "config" in step:
        yield "unknown key in a step's config", lambda: step["config"].update(threshold=5)
        yield "wrong type in a step's config", lambda: step["config"].update(struct_size="5")
    for key in ("providers", "stages"):
        for item in step.get(key, [])[:1]:
            yield f"unknown key in {key}", lambda item=item: item.update(note="")
    for stage in step.get("stages", [])[:1]:
        yield "unknown stage", lambda stage=stage: stage.update(does="lower")
        yield "a stage that fails with nothing", lambda stage=stage: stage.update(does={"fail": 0})
    if "function" in step:
        yield "unknown function", lambda: step.update(function="labs")


def spoiled(vector, spoilers, index):
    """A copy of `vector` with the spoiler of that index applied, and what that one does."""
    vector = copy.deepcopy(vector)
    what, spoil = list(spoilers(vector))[index]
    spoil()
    return what, vector


# ---- Running ----


def read_vectors():
    for path in sorted(FOLDER.glob("*.json")):
        yield from json.loads(path.read_text(encoding="utf-8"))["vectors"]


class Runner:
    def __init__(self, command, timeout):
        self.command, self.timeout = command, timeout

    def passes(self, folder):
        variables = {**os.environ, "TRIP_CONTRACT": str(folder)}
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.run(self.command, env=variables, timeout=self.timeout, check=False, **streams).returncode == 0

    def passes_alone(self, vector):
        with tempfile.TemporaryDirectory(prefix="trip-bite-") as folder:
            content = {"format": 1, "about": "one vector", "vectors": [vector]}
            (pathlib.Path(folder) / "spoiled.json").write_text(json.dumps(content), encoding="utf-8")
            return self.passes(folder)


def sites(vectors, options):
    """(vector, kind of spoilers, index) for every way to spoil that is to be tried."""
    every, shapes = (
        [(vector, spoilers, index) for vector in vectors for index, _ in enumerate(spoilers(vector))]
        for spoilers in (value_spoilers, shape_spoilers)
    )
    if options.all:
        return every + shapes
    chance = random.Random(options.seed)
    by_vector = {}
    for site in every:
        by_vector.setdefault(site[0]["name"], []).append(site)
    names = chance.sample(sorted(by_vector), min(options.sample, len(by_vector)))
    one_of_each_shape = {}
    for site in chance.sample(shapes, len(shapes)):
        one_of_each_shape.setdefault(spoiled(*site)[0], site)
    return [chance.choice(by_vector[name]) for name in names] + list(one_of_each_shape.values())


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=25, help="expected values to spoil, each in another vector")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--all", action="store_true", help="every expected value, and every shape of every vector")
    parser.add_argument("--timeout", type=float, default=120, help="seconds for one run")
    parser.add_argument("command", nargs="+")
    return parser.parse_args()


def main():
    options = parse_options()
    runner, vectors = Runner(options.command, options.timeout), list(read_vectors())
    if not runner.passes(FOLDER) or not runner.passes_alone(vectors[0]):
        print("the runner fails on the vectors as they are: nothing can be shown with it")
        print("0 passed, 1 failed")
        return 1
    counts = {True: 0, False: 0}
    for site in sites(vectors, options):
        what, vector = spoiled(*site)
        noticed = not runner.passes_alone(vector)
        counts[noticed] += 1
        if not noticed:
            print(f"not noticed: {vector.get('name')}: {what}")
    print(f"{counts[True]} passed, {counts[False]} failed")
    return 1 if counts[False] else 0


if __name__ == "__main__":
    sys.exit(main())
