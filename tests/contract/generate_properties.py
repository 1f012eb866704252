#!/usr/bin/env python3
"""Writes properties.json: awaken-runtime's three property tests as plain vectors, over their full ranges.

Owns nothing but that file and the layout of vector files. `--check` compares instead of writing.
"""

import argparse
import json
import pathlib
import sys

FILE = pathlib.Path(__file__).with_name("properties.json")
COLUMNS = 120
OPEN_NS = 60_000_000_000
OK = {"status": "TRIP_OK"}
REFUSED = {"status": "TRIP_REJECTED_OPEN"}


# ---- Layout: a line for a step, so that a diff of a vector file reads like the change it is ----


def wrapped(head, members, tail, indent):
    """`head`, `members` separated by commas and `tail`, with line breaks only where the line would be too long."""
    lines, line = [], head
    for position, member in enumerate(members):
        piece = member + (tail if position == len(members) - 1 else ",")
        joint = "" if position == 0 else " "
        if len(line) + len(joint) + len(piece) + 1 > COLUMNS:
            lines.append(line)
            line, joint = indent + "  ", ""
        line += joint + piece
    return "\n".join([*lines, line if members else line + tail])


def member_text(key, value):
    return f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}"


def object_text(head, value, tail, indent):
    return wrapped(head + "{", [member_text(*member) for member in value.items()], "}" + tail, indent)


def pieces_of(value):
    """The JSON of a value, cut where a line may end: behind the commas of objects and lists."""
    if not isinstance(value, dict | list) or not value:
        return [json.dumps(value, ensure_ascii=False)]
    is_object = isinstance(value, dict)
    pieces = []
    for key, member in value.items() if is_object else enumerate(value):
        first, *others = pieces_of(member)
        pieces += [f"{json.dumps(key)}: {first}" if is_object else first, *others]
        pieces[-1] += ","
    pieces[0] = "{["[not is_object] + pieces[0]
    pieces[-1] = pieces[-1][:-1] + "}]"[not is_object]
    return pieces


def step_text(step, indent):
    if "steps" in step:
        head = json.dumps({key: value for key, value in step.items() if key != "steps"})[:-1]
        return f'{indent}{head}, "steps": [\n{steps_text(step["steps"], indent + "  ")}\n{indent}]}}'
    pieces = [piece.removesuffix(",") for piece in pieces_of(step)]
    return wrapped(indent, pieces, "", indent)


def steps_text(steps, indent):
    return ",\n".join(step_text(step, indent) for step in steps)


def vector_text(vector):
    indent, members = " " * 6, []
    for key, value in vector.items():
        if key == "steps":
            members.append(f'{indent}"steps": [\n{steps_text(value, indent + "  ")}\n{indent}]')
        elif isinstance(value, dict):
            members.append(object_text(f"{indent}{json.dumps(key)}: ", value, "", indent))
        else:
            members.append(indent + member_text(key, value))
    return "    {\n" + ",\n".join(members) + "\n    }"


def file_text(about, vectors):
    body = ",\n".join(vector_text(vector) for vector in vectors)
    return f'{{\n  "format": 1,\n  "about": {json.dumps(about)},\n  "vectors": [\n{body}\n  ]\n}}\n'


# ---- Steps ----


def circuit(name):
    return {"do": "circuit", "tenant": "", "provider": name, "as": name, "expect": OK}


def granted(name):
    return {"do": "permit", "circuit": name, "as": "p", "expect": OK}


def refused(name, threshold):
    answer = {**REFUSED, "failures": threshold, "retry_after_ns": OPEN_NS}
    return {"do": "permit", "circuit": name, "expect": answer}


def settled(how):
    return {"do": how, "permit": "p", "expect": OK}


def times(count, *steps):
    return [{"do": "repeat", "times": count, "steps": list(steps)}] if count else []


def failures(name, count, threshold):
    """`count` failing callers: those who come after the circuit has opened are refused."""
    calls = times(min(count, threshold), granted(name), settled("failure"))
    return calls + times(max(count - threshold, 0), refused(name, threshold))


def seen(name, count, threshold):
    """What an inspection and a peek must say after `count` failing callers."""
    is_open = count >= threshold
    state = "TRIP_STATE_OPEN" if is_open else "TRIP_STATE_CLOSED"
    info = {
        **OK,
        "state": state,
        "failures": min(count, threshold),
        "failures_total": min(count, threshold),
        "rejections": max(count - threshold, 0),
        "opens": int(is_open),
        "retry_after_ns": OPEN_NS if is_open else 0,
    }
    answer = {**REFUSED, "state": state, "failures": threshold, "retry_after_ns": OPEN_NS} if is_open else OK
    return [
        {"do": "inspect", "circuit": name, "expect": info},
        {"do": "peek", "circuit": name, "expect": answer},
    ]


# ---- The properties ----


def config(threshold):
    return {"failure_threshold": threshold, "initial_open_ns": OPEN_NS, "max_open_ns": OPEN_NS}


def vector(name, test, why, threshold, steps):
    source = {"library": "awaken-runtime", "test": test}
    return {"name": name, "source": source, "why": why, "config": config(threshold), "steps": steps}


def opens_exactly_at_threshold(threshold):
    steps = [circuit("model"), *seen("model", 0, threshold)]
    for count in range(1, 30):
        call = [granted("model"), settled("failure")] if count <= threshold else [refused("model", threshold)]
        steps += [*call, *seen("model", count, threshold)]
    return vector(
        f"property-opens-exactly-at-threshold-{threshold}",
        "opens_exactly_at_threshold",
        f"A threshold of {threshold} and 29 failing callers, looked at after each.",
        threshold,
        steps,
    )


def success_always_resets_to_closed(before):
    threshold = 20
    steps = [circuit("model"), *failures("model", before, threshold), *seen("model", before, threshold)]
    steps += [granted("model"), settled("success")]
    steps.append({"do": "inspect", "circuit": "model", "expect": {**OK, "failures": 0, "failures_total": before}})
    steps += failures("model", 1, threshold)
    steps.append({"do": "inspect", "circuit": "model", "expect": {**OK, "state": "TRIP_STATE_CLOSED", "failures": 1}})
    steps += failures("model", threshold - 2, threshold)
    steps.append({"do": "inspect", "circuit": "model", "expect": {**OK, "state": "TRIP_STATE_CLOSED", "failures": 19}})
    steps += [granted("model"), settled("failure"), refused("model", threshold)]
    return vector(
        f"property-success-resets-after-{before}",
        "success_always_resets_to_closed",
        "After a success the whole threshold is needed again, not what was left of it.",
        threshold,
        steps,
    )


def independent_models_do_not_interfere(failures_a):
    threshold = 5
    steps = []
    for failures_b in range(10):
        a, b = f"a-{failures_b}", f"b-{failures_b}"
        steps += [circuit(a), circuit(b)]
        steps += failures(a, failures_a, threshold) + failures(b, failures_b, threshold)
        steps += seen(a, failures_a, threshold) + seen(b, failures_b, threshold)
    return vector(
        f"property-independent-models-{failures_a}",
        "independent_models_do_not_interfere",
        f"{failures_a} failing callers of one model, 0 to 9 of another.",
        threshold,
        steps,
    )


def properties():
    vectors = [opens_exactly_at_threshold(threshold) for threshold in range(1, 20)]
    vectors += [success_always_resets_to_closed(before) for before in range(10)]
    vectors += [independent_models_do_not_interfere(failures_a) for failures_a in range(10)]
    return file_text("Generated by generate_properties.py: awaken-runtime's property tests. Do not edit.", vectors)


# ---- The file ----


def write_or_check(description, file, text):
    """Write what was generated, or say whether it is what was committed."""
    arguments = argparse.ArgumentParser(description=description)
    arguments.add_argument("--check", action="store_true", help="fail when the committed file is not current")
    if not arguments.parse_args().check:
        file.write_text(text, encoding="utf-8")
        return 0
    current = file.is_file() and file.read_text(encoding="utf-8") == text
    if not current:
        print(f"{file.name} is not what is generated: write it again", file=sys.stderr)
    print("1 passed, 0 failed" if current else "0 passed, 1 failed")
    return 0 if current else 1


if __name__ == "__main__":
    sys.exit(write_or_check(__doc__, FILE, properties()))
