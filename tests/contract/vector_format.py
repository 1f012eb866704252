"""What a vector file may say: README.md of this folder as code. Reads files and finds their faults; runs nothing."""

import json
import pathlib
import re

FOLDER = pathlib.Path(__file__).parent
HEADER = FOLDER.parents[1] / "include" / "trip.h"
NUMBER_MAX = 2**63 - 1

REJECTION = {"state", "failures", "retry_after_ns", "open_duration_ns"}
COUNTERS = {"permits", "successes", "failures_total", "drops", "cancels", "rejections", "stale", "opens"}
CIRCUIT = REJECTION | COUNTERS | {"mode", "mode_left_ns", "level", "probes_out", "epoch"}
EVENT = {"kind", "number", "at_ns", "state", "mode", "cause", "scope", "failures", "duration_ns", "lost"}
OUTCOME = {"class", "http_status", "retry_after_ns"}
SETTLE = ({"permit"}, set(), set())
# Each step's arguments that it must have, those that it may have, and what it can show beside its status.
STEPS = {
    "circuit": ({"tenant", "provider", "as"}, set(), {"same_as", "not_same_as"}),
    "permit": ({"circuit"}, {"as"}, REJECTION),
    "ask": ({"circuit", "times"}, set(), REJECTION | {"granted"}),
    "peek": ({"circuit"}, set(), REJECTION),
    "inspect": ({"circuit"}, set(), CIRCUIT),
    "key": ({"circuit"}, set(), {"tenant", "provider"}),
    "success": SETTLE,
    "failure": SETTLE,
    "drop": SETTLE,
    "cancel": SETTLE,
    "renew": SETTLE,
    "progress": SETTLE,
    "record": ({"permit", "class"}, {"http_status", "retry_after_ns", "duration_ns"}, set()),
    "inspect_permit": ({"permit"}, set(), {"is_probe", "lease_left_ns"}),
    "advance": ({"ns"}, set(), set()),
    "destroy": (set(), set(), set()),
    "classify_http": ({"http_status", "body"}, set(), OUTCOME),
    "classify_text": ({"text"}, set(), OUTCOME),
    "classify_errno": ({"errno"}, set(), OUTCOME),
    "retry_hint": ({"name", "value", "now_unix_ns"}, set(), {"retry_after_ns"}),
    "set_mode": ({"circuit", "mode"}, {"ttl_ns", "reason"}, set()),
    "trip": ({"circuit"}, set(), set()),
    "reset": ({"circuit"}, set(), set()),
    "remove": ({"circuit"}, set(), set()),
    "configure": ({"scope", "config"}, {"tenant", "provider"}, {"field"}),
    "circuits": ({"page"}, set(), {"count", "open"}),
    "explain": ({"circuit"}, set(), {"says"}),
    "event": (set(), set(), EVENT | {"tenant", "provider", "reason"}),
    "metric": ({"labels", "series"}, {"max_series"}, {"value"}),
    "snapshot": ({"now_unix_ns", "as"}, set(), set()),
    "restore": ({"snapshot", "now_unix_ns"}, {"flip"}, set()),
    "restart": (set(), set(), set()),
}
# What the names of selectors begin with, where it is not their key.
PREFIXES = {"kind": "TRIP_EVENT_"}
SELECTED = ("state", "mode", "class", "scope", "cause", "labels", "kind")
NUMBERS = {"http_status", "now_unix_ns", "retry_after_ns", "duration_ns", "ttl_ns", "page", "max_series", "flip"}
DOUBLE_NAMES = {"NaN", "Infinity", "-Infinity"}

_header = HEADER.read_text(encoding="utf-8")
_config = re.search(r"typedef struct trip_config \{(.*?)\} trip_config;", _header, re.DOTALL)[1]
CONSTANTS = set(re.findall(r"^ +(TRIP_\w+) = -?\d+", _header, re.MULTILINE))
STATUSES = {name for name in CONSTANTS if re.match(r"TRIP_(OK|REJECTED_\w+|STALE|NO_HINT|E_\w+)$", name)}
_TYPES = {name: kind for kind, name in re.findall(r"^ +(\w+) (\w+);", _config, re.MULTILINE)}
FIELDS = set(_TYPES) - {"struct_size"}
DOUBLES = {name for name, kind in _TYPES.items() if kind == "double"}
# What the names of the values begin with, of those fields whose comment says so.
SELECTORS = dict(re.findall(r"(\w+);\s+/\*\*< \[(TRIP_\w+_)\*\]", _config))


class Fault(Exception):
    """A vector says what its format does not know, or says nothing."""


def require(holds, fault):
    if not holds:
        raise Fault(fault)


def without_duplicates(pairs):
    read = dict(pairs)
    require(len(read) == len(pairs), f"a key stands twice in {[key for key, _ in pairs]}")
    return read


def read_file(path):
    """The vectors of a file, whose own members are checked."""
    content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=without_duplicates)
    require(list(content) == ["format", "about", "vectors"], f"holds {sorted(content)}")
    require(content["format"] == 1 and content["about"] and content["vectors"], "not a file of vectors in format 1")
    return content["vectors"]


def files():
    return sorted(FOLDER.glob("*.json"))


# ---- Values ----


def is_number(value):
    return type(value) is int and 0 <= value <= NUMBER_MAX


def is_text(value):
    return isinstance(value, str)


def check_number_or_range(key, value):
    if isinstance(value, dict):
        require(set(value) == {"min", "max"} and all(map(is_number, value.values())), f"{key}: not a range")
        require(value["min"] < value["max"], f"{key}: a range of one number or none")
    else:
        require(is_number(value), f"{key}: {value!r} is no number")


def check_expected(key, value):
    if (key, value) == ("kind", "none"):
        return
    if key in SELECTED:
        prefix = PREFIXES.get(key, f"TRIP_{key.upper()}_")
        require(value in CONSTANTS and value.startswith(prefix), f"{value!r} is no {key}")
    elif key == "field":
        require(value in FIELDS, f"{value!r} is no field")
    elif key == "epoch":
        require(value in ("same", "new"), f"{value!r} is no epoch")
    elif key in ("tenant", "provider", "reason", "says", "same_as", "not_same_as"):
        require(is_text(value), f"{key}: {value!r} is no text")
    else:
        check_number_or_range(key, value)


def check_long_text(name, value):
    if isinstance(value, dict):
        require(set(value) == {"repeat", "times"} and is_number(value["times"]), f"{name}: not a repeated text")
        value = value["repeat"]
    require(is_text(value), f"{name}: {value!r} is no text")


# ---- Vectors ----


class Names:
    """The names that the steps so far have given."""

    def __init__(self):
        self.circuits, self.permits, self.inspected, self.snapshots = set(), set(), set(), set()

    def require_circuit(self, name):
        require(name in self.circuits, f"no circuit is named {name!r}")


def can_show(do, status):
    """What a step can show beside its status, when that is `status`."""
    shown = STEPS[do][2]
    if do == "ask":
        return shown if status.startswith("TRIP_REJECTED_") else {"granted"}
    if do == "configure":
        return shown if status == "TRIP_E_CONFIG" else set()
    if do in ("permit", "peek"):
        return shown if status.startswith("TRIP_REJECTED_") else set()
    return shown if status == "TRIP_OK" else set()


def check_expect(step, names):
    expect = step.get("expect", {})
    status = expect.get("status")
    require(status in STATUSES, f"{step['do']} expects the status {status!r}")
    extra = set(expect) - {"status"} - can_show(step["do"], status)
    require(not extra, f"{step['do']} that answers {status} cannot show {sorted(extra)}")
    for key in set(expect) - {"status"}:
        check_expected(key, expect[key])
    for key in ("same_as", "not_same_as"):
        if key in expect:
            names.require_circuit(expect[key])
    if "epoch" in expect:
        require(step["circuit"] in names.inspected, "an epoch without one to compare it with")


def check_arguments(step, names):
    must, may, _ = STEPS[step["do"]]
    arguments = set(step) - {"do", "expect"}
    require(must <= arguments <= must | may, f"{step['do']} with {sorted(arguments)}")
    for key in arguments & {"tenant", "provider", "body", "text", "value", "reason"}:
        check_long_text(key, step[key])
    require(is_text(step.get("name", "")), f"name: {step.get('name')!r} is no text")
    for key in arguments & set(SELECTED):
        check_expected(key, step[key])
    for key in arguments & NUMBERS:
        require(is_number(step[key]), f"{key}: {step[key]!r} is no number")
    if "errno" in step:
        require(type(step["errno"]) is int and abs(step["errno"]) <= 2**31, f"errno: {step['errno']!r} is no errno")
    if "config" in step and step["config"] is not None:
        check_config(step["config"])
    if "snapshot" in step:
        require(step["snapshot"] in names.snapshots, f"no snapshot is named {step['snapshot']!r}")
    require(is_text(step.get("series", "")), f"series: {step.get('series')!r} is no text")
    require(step.get("page") != 0, "pages of nothing")
    if "circuit" in step:
        names.require_circuit(step["circuit"])
    if "permit" in step:
        require(step["permit"] in names.permits, f"no permit is named {step['permit']!r}")
    if "times" in step:
        require(is_number(step["times"]) and step["times"] > 0, "ask for nothing")
    if "ns" in step:
        require(is_number(step["ns"]), f"ns: {step['ns']!r} is no number")


def give_name(step, names):
    granted = step["expect"]["status"] == "TRIP_OK"
    if step["do"] == "circuit" and granted:
        names.circuits.add(step["as"])
        names.inspected.discard(step["as"])
    elif step["do"] == "permit":
        require(granted == ("as" in step), "a permit has a name when it is granted, and only then")
        names.permits |= {step["as"]} if granted else set()
    elif step["do"] == "inspect" and granted:
        names.inspected.add(step["circuit"])
    elif step["do"] == "snapshot" and granted:
        names.snapshots.add(step["as"])
    elif step["do"] == "restart":
        names.circuits, names.permits, names.inspected = set(), set(), set()


def check_step(step, names):
    if step.get("do") == "repeat":
        require(set(step) == {"do", "times", "steps"} and step["steps"], f"repeat with {sorted(step)}")
        require(is_number(step["times"]) and step["times"] > 0, "repeat of nothing")
        for inner in step["steps"]:
            check_step(inner, names)
        return
    require(step.get("do") in STEPS, f"unknown step {step.get('do')!r}")
    check_arguments(step, names)
    check_expect(step, names)
    give_name(step, names)


def check_config(config):
    for field, value in config.items():
        require(field in FIELDS, f"config: no field {field!r}")
        if field in DOUBLES:
            known = type(value) in (int, float) or value in DOUBLE_NAMES
        elif is_text(value):
            known = value in CONSTANTS and value.startswith(SELECTORS.get(field, "no selector"))
        else:
            known = is_number(value)
        require(known, f"config: {field} is {value!r}")


def check_source(source):
    require(set(source) in ({"design"}, {"library", "test"}), f"source {source}")
    require(all(value and is_text(value) for value in source.values()), f"source {source}")


def check_vector(vector):
    """Raise Fault when `vector` is not as README.md says."""
    must, may = {"name", "source", "config"}, {"differs", "why", "create", "steps"}
    require(must <= set(vector) <= must | may, f"holds {sorted(vector)}")
    require(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", vector["name"]), "not a name: lower case, digits and -")
    check_source(vector["source"])
    for remark in ("differs", "why"):
        require(is_text(vector.get(remark, "")), f"{remark} is no text")
    check_config(vector["config"])
    create = vector.get("create", {"status": "TRIP_OK"})
    refused = create.get("status") != "TRIP_OK"
    require(create.get("status") in STATUSES, f"create {create}")
    require(set(create) == ({"status", "field"} if refused else {"status"}), f"create {create}")
    require(create.get("field", "failure_threshold") in FIELDS, f"create: no field {create.get('field')!r}")
    require(refused != bool(vector.get("steps")), "steps belong to a vector whose tracker is made, and to every such")
    names = Names()
    for index, step in enumerate(vector.get("steps", [])):
        try:
            check_step(step, names)
        except Fault as fault:
            raise Fault(f"step {index + 1}: {fault}") from None
