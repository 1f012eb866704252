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
EVENT |= {"tenant", "provider", "reason", "depth", "limit"}
RETRY = {"budget", "calls", "retries", "refused"}
DEDUP = {"in_progress", "cached", "bytes", "started", "hits", "joined", "completed", "failed", "expired", "evicted"}
SHED = {"depth", "limit", "capacity"}
GATE = SHED | {"soft_limit", "soft_depth_percent", "acquired", "released", "shed", "latency_ns"}
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
    "event": (set(), set(), EVENT),
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
    "inspect_retry": ({"retry", "provider"}, set(), RETRY),
    "dedup": ({"config", "as"}, set(), {"field"}),
    "check": ({"dedup", "key"}, {"as"}, {"value"}),
    "wait": ({"dedup", "key", "timeout_ns"}, {"as"}, {"value"}),
    "complete": ({"ticket", "value"}, set(), set()),
    "fail": ({"ticket"}, set(), set()),
    "drop_ticket": ({"ticket"}, set(), set()),
    "renew_ticket": ({"ticket"}, set(), set()),
    "forget": ({"dedup", "key"}, set(), set()),
    "inspect_dedup": ({"dedup"}, set(), DEDUP),
    "gate": ({"config", "as"}, {"name"}, {"field"}),
    "acquire": ({"gate"}, {"as"}, SHED),
    "release": ({"token"}, {"effect"}, set()),
    "inspect_gate": ({"gate"}, set(), GATE),
    "route": ({"tenant", "config", "providers", "as"}, set(), {"field"}),
    "route_add": ({"route", "provider", "weight"}, set(), set()),
    "route_permit": ({"route"}, {"session", "avoid", "as"}, REJECTION | {"index"}),
    "route_circuit": ({"route", "index", "as"}, set(), {"same_as", "not_same_as"}),
    "pipeline": ({"stages", "as"}, set(), set()),
    "run": ({"pipeline", "input"}, set(), {"output", "stage", "stage_name", "code"}),
    "stage_count": ({"pipeline"}, set(), {"stages"}),
    "guard": ({"circuit", "function", "signature", "as"}, {"config"}, {"field"}),
    "guard_call": ({"guard", "arguments"}, set(), REJECTION | {"result"}),
    "end": ({"object"}, set(), set()),
}
# Steps that make an object, by its name of a kind; where an argument has that key it names one.
OBJECTS = ("retry", "dedup", "gate", "route", "pipeline", "guard")
# What a step can show beside its status, where that depends on the status and is not just what TRIP_OK shows.
SHOWN = {
    **{step: {"TRIP_E_CONFIG": {"field"}} for step in ("configure", *OBJECTS)},
    **{step: {"TRIP_REJECTED": REJECTION} for step in ("permit", "peek")},
    "ask": {"TRIP_REJECTED": REJECTION | {"granted"}, "TRIP_OK": {"granted"}},
    "route_permit": {"TRIP_REJECTED": REJECTION, "TRIP_OK": {"index"}},
    "guard_call": {"TRIP_REJECTED": REJECTION, "TRIP_OK": {"result"}},
    **{step: {"TRIP_CACHED": {"value"}} for step in ("check", "wait")},
    "acquire": {"TRIP_SHED": SHED},
    "run": {"TRIP_OK": {"output"}, "TRIP_STAGE_FAILED": {"stage", "stage_name", "code"}},
}
# Steps that give a name when they answer TRIP_OK, and only then; and what bears it.
GRANTS = {"permit": "permit", "route_permit": "permit", "check": "ticket", "wait": "ticket", "acquire": "token"}
FUNCTIONS = {"abs", "atoi", "strlen"}
# What the names of selectors begin with, where it is not their key.
PREFIXES = {"kind": "TRIP_EVENT_"}
SELECTED = ("state", "mode", "class", "scope", "cause", "labels", "kind", "effect")
NUMBERS = {"http_status", "now_unix_ns", "retry_after_ns", "duration_ns", "ttl_ns", "page", "max_series", "flip"}
NUMBERS |= {"attempt", "began_ns", "last_delay_ns", "timeout_ns", "avoid", "index", "weight"}
TEXTS = {"tenant", "provider", "body", "text", "value", "reason", "key", "session", "input", "signature", "name"}
NAMES = {"same_as", "not_same_as"}
EXPECTED_TEXTS = {"tenant", "provider", "reason", "says", "value", "output", "stage_name"} | NAMES
DOUBLE_NAMES = {"NaN", "Infinity", "-Infinity"}

_header = HEADER.read_text(encoding="utf-8")
CONSTANTS = set(re.findall(r"^ +(TRIP_\w+) =\s+-?\d+", _header, re.MULTILINE))
STATUSES = {
    name
    for name in CONSTANTS
    if re.match(r"TRIP_(OK|REJECTED_\w+|STALE|NO_\w+|IN_PROGRESS|CACHED|SHED|STAGE_FAILED|E_\w+)$", name)
}


class Config:
    """The fields of a struct of configs, as the header has them."""

    def __init__(self, body):
        fields = re.findall(r"^ +(\w+)\s+(\w+);\s+/\*\*< \[(?:(TRIP_\w+_)\*|\w+)\]", body, re.MULTILINE)
        self.types = {name: kind for kind, name, _ in fields if name not in ("struct_size", "reserved")}
        # What the names of the values begin with, of those fields whose comment says so.
        self.selectors = {name: prefix for _, name, prefix in fields if prefix}

    def accepts(self, field, value):
        if self.types[field] == "double":
            return type(value) in (int, float) or value in DOUBLE_NAMES
        if is_text(value):
            return value in CONSTANTS and value.startswith(self.selectors.get(field, "no selector"))
        may_be_negative = self.types[field].startswith("int") and type(value) is int
        return is_number(value) or (may_be_negative and is_number(~value))


# By the step that takes one; that of the tracker is the vector's own, and that of "configure".
CONFIGS = {
    kind or "configure": Config(body)
    for kind, body in re.findall(r"typedef struct trip_(?:(\w+)_)?config \{(.*?)\} trip_\w*config;", _header, re.DOTALL)
}


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


def is_signed(value):
    return type(value) is int and abs(value) <= 2**31


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
    elif key == "epoch":
        require(value in ("same", "new"), f"{value!r} is no epoch")
    elif key == "code":
        require(is_signed(value) and value != 0, f"{value!r} is no code of a failure")
    elif key == "result":
        require(is_text(value) and re.fullmatch(r"0|-?[1-9]\d*", value), f"{value!r} is no number as a text")
    elif key in EXPECTED_TEXTS:
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
        self.inspected = set()
        self.given = {kind: set() for kind in ("circuit", "permit", "snapshot", "ticket", "token", *OBJECTS)}

    def require(self, kind, name):
        require(name in self.given[kind], f"no {kind} is named {name!r}")

    def give(self, kind, name):
        for other in OBJECTS if kind in OBJECTS else ():
            self.given[other].discard(name)
        self.given[kind].add(name)

    def forget(self):
        snapshots = self.given["snapshot"]
        self.__init__()
        self.given["snapshot"] = snapshots


def can_show(do, status):
    """What a step can show beside its status, when that is `status`."""
    if do in SHOWN:
        return SHOWN[do].get("TRIP_REJECTED" if status.startswith("TRIP_REJECTED_") else status, set())
    return STEPS[do][2] if status == "TRIP_OK" else set()


def check_expect(step, names):
    expect = step.get("expect", {})
    status = expect.get("status")
    require(status in STATUSES, f"{step['do']} expects the status {status!r}")
    extra = set(expect) - {"status"} - can_show(step["do"], status)
    require(not extra, f"{step['do']} that answers {status} cannot show {sorted(extra)}")
    for key in set(expect) - {"status", "field"}:
        if (step["do"], key) == ("metric", "value"):
            check_number_or_range(key, expect[key])
        else:
            check_expected(key, expect[key])
    if "field" in expect:
        require(expect["field"] in CONFIGS[step["do"]].types, f"{expect['field']!r} is no field")
    for key in NAMES & set(expect):
        names.require("circuit", expect[key])
    if "epoch" in expect:
        require(step["circuit"] in names.inspected, "an epoch without one to compare it with")


def check_providers(providers):
    require(isinstance(providers, list), "providers: no list")
    for provider in providers:
        require({"provider"} <= set(provider) <= {"provider", "weight"}, f"provider: {provider}")
        check_long_text("provider", provider["provider"])
        require(is_number(provider.get("weight", 1)), f"provider: {provider}")


def check_stages(stages):
    require(isinstance(stages, list), "stages: no list")
    for stage in stages:
        require(set(stage) == {"name", "does"}, f"stage: {stage}")
        check_long_text("name", stage["name"])
        does = stage["does"]
        if isinstance(does, dict):
            require(len(does) == 1, f"does: {does}")
            is_known = is_text(does.get("append")) or (is_signed(does.get("fail")) and does["fail"] != 0)
        else:
            is_known = does in ("upper", "reverse")
        require(is_known, f"does: {does!r}")


def check_arguments_of_guard(step):
    require(step.get("function", "abs") in FUNCTIONS, f"function: {step.get('function')!r} is none of them")
    for argument in step.get("arguments", []):
        require(is_text(argument) or is_signed(argument), f"arguments: {argument!r} is no text and no number")


def check_named(step, names):
    """What the arguments name, some step has given that name."""
    for kind in set(names.given) & set(step):
        names.require(kind, step[kind])
    if "object" in step:
        require(any(step["object"] in names.given[kind] for kind in OBJECTS), f"no object is named {step['object']!r}")


def check_arguments(step, names):
    must, may, _ = STEPS[step["do"]]
    arguments = set(step) - {"do", "expect"}
    require(must <= arguments <= must | may, f"{step['do']} with {sorted(arguments)}")
    for key in arguments & TEXTS:
        check_long_text(key, step[key])
    require(is_text(step.get("as", "")) and is_text(step.get("series", "")), "a name that is no text")
    for key in arguments & set(SELECTED):
        check_expected(key, step[key])
    for key in arguments & NUMBERS:
        require(is_number(step[key]), f"{key}: {step[key]!r} is no number")
    if "errno" in step:
        require(is_signed(step["errno"]), f"errno: {step['errno']!r} is no errno")
    if "config" in step and (step["do"], step["config"]) != ("configure", None):
        check_config(step["config"], CONFIGS[step["do"]])
    check_providers(step.get("providers", []))
    check_stages(step.get("stages", []))
    check_arguments_of_guard(step)
    check_named(step, names)
    require(step.get("page") != 0, "pages of nothing")
    if "times" in step:
        require(is_number(step["times"]) and step["times"] > 0, "ask for nothing")
    if "ns" in step:
        require(is_number(step["ns"]), f"ns: {step['ns']!r} is no number")


def give_name(step, names):
    do, granted = step["do"], step["expect"]["status"] == "TRIP_OK"
    if do in GRANTS:
        require(granted == ("as" in step), f"a {GRANTS[do]} has a name when it is given, and only then")
    if not granted:
        return
    if do in ("circuit", "route_circuit"):
        names.give("circuit", step["as"])
        names.inspected.discard(step["as"])
    elif do in GRANTS or do == "snapshot" or do in OBJECTS:
        names.give(GRANTS.get(do, do), step["as"])
    elif do == "inspect":
        names.inspected.add(step["circuit"])
    elif do == "restart":
        names.forget()


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


def check_config(config, fields):
    for field, value in config.items():
        require(field in fields.types, f"config: no field {field!r}")
        require(fields.accepts(field, value), f"config: {field} is {value!r}")


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
    check_config(vector["config"], CONFIGS["configure"])
    create = vector.get("create", {"status": "TRIP_OK"})
    refused = create.get("status") != "TRIP_OK"
    require(create.get("status") in STATUSES, f"create {create}")
    require(set(create) == ({"status", "field"} if refused else {"status"}), f"create {create}")
    fields = CONFIGS["configure"].types
    require(create.get("field", "failure_threshold") in fields, f"create: no field {create.get('field')!r}")
    require(refused != bool(vector.get("steps")), "steps belong to a vector whose tracker is made, and to every such")
    names = Names()
    for index, step in enumerate(vector.get("steps", [])):
        try:
            check_step(step, names)
        except Fault as fault:
            raise Fault(f"step {index + 1}: {fault}") from None
