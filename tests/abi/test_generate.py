"""The generator refuses a header that breaks a rule or a promise, with the line and what is missing, and what it writes
for a good one is what is committed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from generate import header, layout, python, reference, released, rust, signatures, tables
from generate.model import Refused

REPOSITORY = Path(__file__).resolve().parents[2]
HEADER = (REPOSITORY / "include/trip.h").read_text()
GENERATED = {
    signatures.PATH,
    layout.JSON_PATH,
    layout.C_PATH,
    layout.GO_PATH,
    python.PATH,
    rust.PATH,
    reference.PATH,
    tables.PATH,
}


def complaints(text: str, folder: Path) -> list[str]:
    """What the generator has against a header, as it prints it."""
    path = folder / "trip.h"
    path.write_text(text)
    try:
        contract = header.read(path, "trip.h")
        released.check(contract, REPOSITORY / released.FOLDER, "trip.h")
    except Refused as refused:
        return str(refused).split("\n")
    return []


def line_of(text: str, anchor: str) -> int:
    assert text.count(anchor) == 1, f"{text.count(anchor)} times: {anchor}"
    return text[: text.index(anchor)].count("\n") + 1


def replaced(old: str, new: str) -> str:
    assert HEADER.count(old) == 1, f"{HEADER.count(old)} times: {old}"
    return HEADER.replace(old, new)


def test_header_is_accepted(tmp_path: Path) -> None:
    assert complaints(HEADER, tmp_path) == []


# ---- Rules


@dataclass
class Broken:
    """A header with one thing wrong: its text, words of the line that is at fault, and what is said about that line."""

    text: str
    at: str
    said: str


def instead(old: str, new: str, said: str, at: str | None = None) -> Broken:
    return Broken(replaced(old, new), at or new, said)


def function(declared: str, comment: str = "", said: str = "") -> Broken:
    """A header with one more function, well described but for what `comment` replaces in its description."""
    text = f"""
/**
 * Rest.
 *
 * @param tracker [handle] the tracker
{comment} * @return TRIP_OK; TRIP_E_INVALID: no; TRIP_E_HANDLE: no such tracker
 * [since 1.1] [thread-safe] [fork-safe]
 */
{declared}
"""
    return Broken(before_the_end(text), declared, said)


def member(declared: str, said: str, unit: str = "count") -> Broken:
    text = f"""
/** One more struct. */
typedef struct trip_more {{
    uint32_t struct_size; /**< [bytes] sizeof(trip_more) */
    {declared} /**< [{unit}] more */
}} trip_more;
"""
    return Broken(before_the_end(text), declared, said)


def callback(declared: str, said: str) -> Broken:
    declared = f"typedef {declared};"
    return Broken(before_the_end(f"/** Called. */\n{declared}"), declared, said)


def before_the_end(text: str) -> str:
    end = "#ifdef __cplusplus\n}\n#endif"
    return replaced(end, f"{text}\n{end}")


ADVANCE = "trip_status trip_tracker_advance(trip_tracker tracker, uint64_t ns);"
ADVANCE_RETURNS = "@return TRIP_OK; TRIP_E_HANDLE: no such tracker; TRIP_E_UNSUPPORTED: its clock is not manual"
ADVANCE_TAGS = f"{ADVANCE_RETURNS}\n * [since 1.0] [thread-safe] [fork-safe] [non-blocking]"
FEATURE = "uint32_t trip_has_feature(uint32_t feature);"
MORE = "TRIP_API trip_status trip_tracker_rest(trip_tracker tracker"

BROKEN = {
    # Comments
    "function without comment": Broken(
        before_the_end("TRIP_API uint32_t trip_more(void); /* [since 1.1] [thread-safe] @return [flag] 1 */"),
        "trip_more(void)",
        "trip_more: has no comment",
    ),
    "constant without comment": instead(
        "/**< Trackers, circuits and permits: always there. */",
        "",
        "TRIP_FEATURE_CIRCUITS: has no comment",
        at="TRIP_FEATURE_CIRCUITS = 1",
    ),
    "member without comment": instead(
        "uint32_t is_probe;      /**< [flag] 1: this call decides whether the circuit closes; 0: it is one of many */",
        "uint32_t is_probe;",
        "trip_permit_info.is_probe: has no comment",
    ),
    "struct without comment": instead(
        "/** A permit seen from outside. */\ntypedef struct trip_permit_info {",
        "typedef struct trip_permit_info {",
        "trip_permit_info: has no comment",
    ),
    "handle without comment": instead(
        "/** The circuit of one (tenant, provider). It belongs to its tracker: nobody frees it. */\n",
        "",
        "trip_circuit: has no comment",
        at="typedef uint64_t trip_circuit;",
    ),
    "parameter that nobody describes": instead(
        " * @param ns [ns] how far\n", "", "trip_tracker_advance: has no @param ns", at=ADVANCE
    ),
    "parameter without unit": instead(
        "@param ns [ns] how far", "@param ns how far", "trip_tracker_advance(ns): has no unit in brackets"
    ),
    "parameter without text": instead(
        "@param ns [ns] how far", "@param ns [ns]", "trip_tracker_advance(ns): has a unit and no text"
    ),
    "parameter with an unknown unit": instead(
        "@param ns [ns] how far", "@param ns [s] how far", "trip_tracker_advance(ns): has [s], which is no unit"
    ),
    "parameter with a unit of another type": instead(
        "@param ns [ns] how far", "@param ns [flag] how far", "trip_tracker_advance(ns): is a uint64_t and has [flag]"
    ),
    "time that is not named so": Broken(
        replaced("@param ns [ns] how far", "@param far [ns] how far").replace(ADVANCE, ADVANCE.replace("ns)", "far)")),
        "@param far",
        "trip_tracker_advance(far): is [ns] and is not named _ns, or the other way round",
    ),
    "name of a time that is none": instead(
        "/**< [ns] the cap on every open period",
        "/**< [count] the cap on every open period",
        "trip_config.max_open_ns: is [ns] and is not named _ns, or the other way round",
    ),
    "member without unit": instead(
        "/**< [flag] 1: this call", "/**< 1: this call", "trip_permit_info.is_probe: has no unit in brackets"
    ),
    "member with an unknown unit": instead(
        "/**< [flag] 1: this call",
        "/**< [TRIP_PROBE_*] 1: this call",
        "trip_permit_info.is_probe: has [TRIP_PROBE_*], which is no unit",
    ),
    "parameter described twice": instead(
        " * @param ns [ns] how far\n",
        " * @param ns [ns] how far\n * @param ns [ns] how far again\n",
        "trip_tracker_advance: @param ns is there twice",
        at="how far again",
    ),
    "parameter that is not there": instead(
        " * @param ns [ns] how far\n",
        " * @param ns [ns] how far\n * @param way [ns] which way\n",
        "trip_tracker_advance: @param way is no parameter",
        at="which way",
    ),
    "parameters in another order": instead(
        " * @param tracker [handle] a tracker with TRIP_CLOCK_MANUAL\n * @param ns [ns] how far\n",
        " * @param ns [ns] how far\n * @param tracker [handle] a tracker with TRIP_CLOCK_MANUAL\n",
        "trip_tracker_advance: has its @param in another order than its parameters",
        at=ADVANCE,
    ),
    "name of nothing": instead(
        "What trip_circuit_permit would answer now.",
        "What trip_circuit_admit would answer now.",
        "trip_circuit_admit: is named here and does not exist",
    ),
    # Tags and statuses
    "no since": instead(
        ADVANCE_TAGS,
        f"{ADVANCE_RETURNS}\n * [thread-safe] [fork-safe] [non-blocking]",
        "trip_tracker_advance: has no [since X.Y]",
        at=ADVANCE,
    ),
    "two since": instead(
        ADVANCE_TAGS,
        f"{ADVANCE_RETURNS}\n * [since 1.0] [since 1.1] [thread-safe] [fork-safe] [non-blocking]",
        "trip_tracker_advance: has several [since X.Y]",
        at=ADVANCE,
    ),
    "unknown tag": instead(
        ADVANCE_TAGS,
        f"{ADVANCE_TAGS} [pure]",
        "trip_tracker_advance: has [pure], which is no tag",
        at=ADVANCE,
    ),
    "not thread-safe": instead(
        ADVANCE_TAGS,
        f"{ADVANCE_RETURNS}\n * [since 1.0] [fork-safe] [non-blocking]",
        "trip_tracker_advance: has no [thread-safe]; every function is",
        at=ADVANCE,
    ),
    "signal-safe and blocking": instead(
        ADVANCE_TAGS,
        f"{ADVANCE_RETURNS}\n * [since 1.0] [thread-safe] [fork-safe] [signal-safe]",
        "trip_tracker_advance: is [signal-safe] and not [non-blocking]",
        at=ADVANCE,
    ),
    "tags in another order": instead(
        ADVANCE_TAGS,
        f"{ADVANCE_RETURNS}\n * [since 1.0] [fork-safe] [thread-safe] [non-blocking]",
        "trip_tracker_advance: has its tags twice or in another order than the others",
        at=ADVANCE,
    ),
    "no statuses": instead(
        f" * {ADVANCE_RETURNS}\n",
        "",
        "trip_tracker_advance: has no @return with the statuses it can return",
        at=ADVANCE,
    ),
    "unknown status": instead(
        ADVANCE_RETURNS,
        "@return TRIP_OK; TRIP_E_HANDLE: no such tracker; TRIP_E_FROZEN: its clock is not manual",
        "trip_tracker_advance: @return has TRIP_E_FROZEN, which is no status",
        at="TRIP_E_FROZEN",
    ),
    "constant that is no status": instead(
        ADVANCE_RETURNS,
        "@return TRIP_OK; TRIP_E_HANDLE: no such tracker; TRIP_CLOCK_MANUAL: its clock is not manual",
        "trip_tracker_advance: @return has TRIP_CLOCK_MANUAL, which is no status",
        at="TRIP_CLOCK_MANUAL: its",
    ),
    "list that is none": instead(
        ADVANCE_RETURNS,
        "@return TRIP_OK; TRIP_E_HANDLE: no such tracker; UNSUPPORTED: its clock is not manual",
        "trip_tracker_advance: @return has 'UNSUPPORTED: its clock is not manual', which is no status",
    ),
    "no success": instead(
        ADVANCE_RETURNS,
        "@return TRIP_E_HANDLE: no such tracker; TRIP_E_UNSUPPORTED: its clock is not manual",
        "trip_tracker_advance: @return lacks TRIP_OK",
    ),
    "handle and no way to refuse it": instead(
        ADVANCE_RETURNS,
        "@return TRIP_OK; TRIP_E_UNSUPPORTED: its clock is not manual",
        "trip_tracker_advance: @return lacks TRIP_E_HANDLE",
    ),
    "pointer and no way to refuse it": instead(
        "@return TRIP_OK; TRIP_E_INVALID: out_outcome is NULL or its struct_size out of range\n",
        "@return TRIP_OK\n",
        "trip_classify_errno: @return lacks TRIP_E_INVALID",
    ),
    "constant that nobody describes": instead(
        " * @return [flag] 1 present, 0 not\n", "", "trip_has_feature: has no @return", at=FEATURE
    ),
    "constant without unit": instead(
        "@return [flag] 1 present, 0 not",
        "@return 1 present, 0 not",
        "trip_has_feature(): has no unit in brackets",
    ),
    # Functions
    "bool": function(
        f"{MORE}, _Bool deep);", " * @param deep [flag] how\n", "trip_tracker_rest(deep): is a bool; use uint32_t"
    ),
    "enum type as parameter": Broken(
        function(f"{MORE}, enum trip_depth deep);", " * @param deep [flag] how\n").text.replace(
            "#endif\n\n#ifdef __cplusplus\nextern", "#endif\nenum trip_depth;\n#ifdef __cplusplus\nextern"
        ),
        f"{MORE}, enum trip_depth deep);",
        "trip_tracker_rest(deep): is of an enum type; use uint32_t",
    ),
    "struct by value": function(
        f"{MORE}, trip_config config);",
        " * @param config [trip_config] how\n",
        "trip_tracker_rest(config): is a struct or union by value; use a pointer to a struct",
    ),
    "double as parameter": function(
        f"{MORE}, double share);",
        " * @param share [ratio] how\n",
        "trip_tracker_rest(share): is a double, which is outside the vocabulary",
    ),
    "int": function(
        f"{MORE}, int depth);",
        " * @param depth [count] how\n",
        "trip_tracker_rest(depth): is a int, which is outside the vocabulary",
    ),
    "callback": function(
        f"{MORE}, void (*call)(void));",
        " * @param call [none] what\n",
        "trip_tracker_rest(call): is a void (*)(void); a callback has a type with a name",
    ),
    "callback of another unit": Broken(
        function(f"{MORE}, trip_function call);", " * @param call [pointer] what\n").text,
        "@param call",
        "trip_tracker_rest(call): is a trip_function and has [pointer]",
    ),
    "output that is called": function(
        f"{MORE}, trip_function *call);",
        " * @param call [callback] what\n",
        "trip_tracker_rest(call): is an output and is not named out_",
    ),
    "callback and no way to refuse it": Broken(
        function(f"{MORE}, trip_function call);", " * @param call [callback] what\n").text.replace(
            "TRIP_E_INVALID: no; TRIP_E_HANDLE: no such tracker\n",
            "TRIP_E_HANDLE: no such tracker; TRIP_E_NOMEM: here\n",
        ),
        "TRIP_E_NOMEM: here",
        "trip_tracker_rest: @return lacks TRIP_E_INVALID",
    ),
    "user data that nobody gets": function(
        f"{MORE}, void *user_data);",
        " * @param user_data [pointer] what\n",
        "trip_tracker_rest(user_data): is a void * that no callback before it gets",
    ),
    "user data before its callback": function(
        f"{MORE}, void *user_data, trip_finalizer finalizer);",
        " * @param user_data [pointer] what\n * @param finalizer [callback] who\n",
        "trip_tracker_rest(user_data): is a void * that no callback before it gets",
    ),
    "arguments without their number": function(
        f"{MORE}, const void *const *arguments, uint32_t argument_count);",
        " * @param arguments [pointer] what\n * @param argument_count [count] how many\n",
        "trip_tracker_rest(arguments): has no size_t argument_count [count] after it",
    ),
    "pointer to pointers": function(
        f"{MORE}, const char *const *texts);",
        " * @param texts [text] what\n",
        "trip_tracker_rest(texts): is a const char *const *, which is outside the vocabulary",
    ),
    "pointer to a pointer to a callback": function(
        f"{MORE}, trip_function **out_call);",
        " * @param out_call [callback] what\n",
        "trip_tracker_rest(out_call): is a trip_function **, which is outside the vocabulary",
    ),
    "void pointer": function(
        f"{MORE}, const void *what);",
        " * @param what [none] what\n",
        "trip_tracker_rest(what): is a const void *, which is outside the vocabulary",
    ),
    "variable arguments": function(
        f"{MORE}, ...);", said="trip_tracker_rest: has variable arguments; only C can call it"
    ),
    "no parameter list": Broken(
        replaced("uint32_t trip_abi_version(void);", "uint32_t trip_abi_version();"),
        "trip_abi_version();",
        "trip_abi_version: has no parameter list; write (void)",
    ),
    "inline function": function(
        f"static inline {MORE}) {{ return (trip_status)tracker; }}",
        said="trip_tracker_rest: has a body; inline functions are in no library",
    ),
    "not exported": instead(
        f"TRIP_API {ADVANCE}", f"extern {ADVANCE}", "trip_tracker_advance: is not TRIP_API; nobody can link to it"
    ),
    "struct returned": Broken(
        function("TRIP_API trip_config trip_tracker_rest(trip_tracker tracker);").text,
        "TRIP_API trip_config trip_tracker_rest",
        "trip_tracker_rest: returns trip_config; functions return a trip_status, the few with a constant that",
    ),
    "output that is not named so": Broken(
        replaced(
            "trip_circuit_inspect(trip_circuit circuit, trip_circuit_info *out_info);",
            "trip_circuit_inspect(trip_circuit circuit, trip_circuit_info *info);",
        ).replace("@param out_info [trip_circuit_info]", "@param info [trip_circuit_info]"),
        "trip_circuit_info *info);",
        "trip_circuit_inspect(info): is an output and is not named out_",
    ),
    "input that is named so": Broken(
        HEADER.replace("@param config [trip_config]", "@param out_config [trip_config]", 1).replace(
            "const trip_config *config,", "const trip_config *out_config,", 1
        ),
        "const trip_config *out_config,",
        "trip_tracker_create(out_config): is named out_ and is no output",
    ),
    "output before an input": function(
        f"{MORE}, trip_error *out_error, uint32_t depth);",
        " * @param out_error [trip_error] why\n * @param depth [count] how\n",
        "trip_tracker_rest(depth): is an input after an output; outputs come last",
    ),
    "text without length": function(
        f"{MORE}, const char *tenant);",
        " * @param tenant [text] whose\n",
        "trip_tracker_rest(tenant): has no size_t tenant_len [bytes] after it",
    ),
    "buffer without room": function(
        f"{MORE}, char *out_text);",
        " * @param out_text [text] what\n",
        "trip_tracker_rest(out_text): has no size_t capacity [bytes] after it",
    ),
    "name of another library": Broken(
        HEADER.replace("trip_has_feature", "has_feature"), "has_feature(", "has_feature: does not begin with trip_"
    ),
    # Callbacks
    "callback without comment": Broken(
        before_the_end("typedef void (*trip_call)(void);"), "(*trip_call)", "trip_call: has no comment"
    ),
    "callback of another library": callback("void (*call)(void)", "call: does not begin with trip_"),
    "callback that returns a pointer": callback(
        "const char *(*trip_call)(void)",
        "trip_call: returns const char *; a callback returns int32_t, uint32_t or nothing",
    ),
    "callback without parameter list": callback(
        "void (*trip_call)()", "trip_call: has no parameter list; write (void)"
    ),
    "callback with variable arguments": callback(
        "void (*trip_call)(uint32_t count, ...)", "trip_call: has variable arguments; only C can call it"
    ),
    "callback that gets a struct": callback(
        "void (*trip_call)(trip_config config)",
        "trip_call(config): is a struct or union by value; use a pointer to a struct",
    ),
    "callback that gets a bool": callback("void (*trip_call)(_Bool deep)", "trip_call(deep): is a bool; use uint32_t"),
    "callback that gets an int": callback(
        "void (*trip_call)(int depth)", "trip_call(depth): is a int, which is outside the vocabulary"
    ),
    "callback that gets an output": callback(
        "void (*trip_call)(uint32_t *depth)", "trip_call(depth): is a uint32_t *, which is outside the vocabulary"
    ),
    "callback that gets a callback": callback(
        "void (*trip_call)(trip_function next)",
        "trip_call(next): is a trip_function, which is outside the vocabulary",
    ),
    "callback that gets something without a name": callback("void (*trip_call)(uint32_t)", "trip_call(?): has no name"),
    "callback that gets a text without length": callback(
        "void (*trip_call)(const char *text, uint32_t text_len)",
        "trip_call(text): has no size_t text_len after it",
    ),
    "another name for a callback": callback(
        "trip_function trip_call",
        "trip_call: is a name for trip_function; only integers of fixed size and callbacks have names",
    ),
    "name for a function": callback(
        "void trip_call(void)",
        "trip_call: is a name for void (void); only integers of fixed size and callbacks have names",
    ),
    "callback member": member(
        "uint32_t count; trip_function call;",
        "trip_more.call: is a trip_function, whose size is not the same everywhere; members have one layout",
        "callback",
    ),
    # Structs
    "bit-field": member("uint32_t deep : 32;", "trip_more.deep: is a bit-field; use a whole uint32_t"),
    "bool member": member("_Bool deep[4];", "trip_more.deep: is a _Bool[4], which is outside the vocabulary"),
    "float": member("float share;", "trip_more.share: is a float, which is outside the vocabulary", "ratio"),
    "struct in a struct": member(
        "trip_permit_info info;", "trip_more.info: is a struct or union by value; use a pointer to a struct"
    ),
    "pointer member": member(
        "uint32_t count; const char *text;",
        "trip_more.text: is a const char *, whose size is not the same everywhere; members have one layout",
    ),
    "size_t member": member(
        "uint32_t count; size_t room;",
        "trip_more.room: is a size_t, whose size is not the same everywhere; members have one layout",
    ),
    "flexible array": member("char text[];", "trip_more.text: is a flexible array; use a fixed one", "text"),
    "union without a name": member("union { uint32_t a; int32_t b; };", "trip_more: is no plain member"),
    "padding inside": member("uint64_t count;", "trip_more: has 4 bytes of padding before it"),
    "padding at the end": Broken(
        member("uint32_t a; /**< [count] a */\n    uint64_t b; /**< [count] b */\n    uint32_t c;", "").text,
        "typedef struct trip_more {",
        "trip_more: has 4 bytes of padding at its end",
    ),
    "struct that does not tell its size": instead(
        "uint32_t struct_size;   /**< [bytes] sizeof(trip_permit_info) */",
        "uint32_t struct_bytes;  /**< [bytes] sizeof(trip_permit_info) */",
        "trip_permit_info: does not begin with uint32_t struct_size [bytes]",
        at="typedef struct trip_permit_info {",
    ),
    "struct of two names": Broken(
        member("uint32_t count;", "").text.replace("} trip_more;", "} trip_other;"),
        "} trip_other;",
        "trip_other: names a struct differently from its tag",
    ),
    # What is left
    "union": Broken(
        before_the_end("/** Either. */\nunion trip_either { uint32_t a; int32_t b; };"),
        "union trip_either",
        "trip_either: is a union; use a struct for each case",
    ),
    "enum type": instead(
        "enum {\n    TRIP_CLOCK_MONOTONIC = 0,",
        "enum trip_clock {\n    TRIP_CLOCK_MONOTONIC = 0,",
        "trip_clock: is an enum type; constants belong in an enum without a name",
        at="enum trip_clock {",
    ),
    "enum of several groups": instead(
        "TRIP_DROP_CANCEL = 1   /**<",
        "TRIP_DROP_CANCEL = 1,  /**< Nothing. */\n    TRIP_LOSS_COUNTED = 2   /**<",
        "enum: has constants of several groups: TRIP_DROP_*, TRIP_LOSS_*",
        at="enum {\n    TRIP_DROP_FAILURE",
    ),
    "constant without a number": instead(
        "TRIP_CLOCK_MANUAL = 1 ",
        "TRIP_CLOCK_MANUAL     ",
        "TRIP_CLOCK_MANUAL: has no number; numbers are promises and are written out",
    ),
    "macro": instead(
        '#ifdef __cplusplus\nextern "C" {',
        '#define TRIP_MAX_TEXT 255\n#ifdef __cplusplus\nextern "C" {',
        "TRIP_MAX_TEXT: is a macro, which no other language sees; use an enumerator",
        at="#define TRIP_MAX_TEXT",
    ),
    "variable": Broken(
        before_the_end("/** How many. */\nextern uint32_t trip_count;"),
        "extern uint32_t trip_count;",
        "trip_count: is neither function, struct, constant nor handle",
    ),
    "name for a pointer": Broken(
        before_the_end("/** Text. */\ntypedef const char *trip_text;"),
        "trip_text;",
        "trip_text: is a name for const char *; only integers of fixed size and callbacks have names",
    ),
    "no C": instead(
        f"TRIP_API {FEATURE}",
        f"TRIP_API {FEATURE.replace('uint32_t trip', 'uint32 trip')}",
        "C: unknown type name 'uint32'",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_rule_is_enforced(what: str, tmp_path: Path) -> None:
    broken = BROKEN[what]
    line = line_of(broken.text, broken.at)
    said = complaints(broken.text, tmp_path)
    assert f"trip.h:{line}: error: {broken.said}" in said, "\n".join(["it said:", *said])


def functions_of_the_header() -> dict[str, tuple[int, int]]:
    """Each function and where its comment begins and its declaration ends."""
    found = {}
    for declared in re.finditer(r"^TRIP_API [^;(]*?(\w+)\([^;]*;", HEADER, re.MULTILINE):
        found[declared[1]] = (HEADER.rindex("/**", 0, declared.start()), declared.end())
    return found


def declared_at(name: str, text: str) -> int:
    """The line that declares a function."""
    declared = re.search(rf"^TRIP_API .*\b{name}\(", text, re.MULTILINE)
    assert declared is not None
    return text[: declared.start()].count("\n") + 1


FUNCTIONS = functions_of_the_header()
EACH_TAG = [
    (name, tag)
    for name, (start, end) in FUNCTIONS.items()
    for tag in re.findall(r"\[(?:since [\d.]+|[a-z]+-[a-z]+)\]", HEADER[start:end])
]
EACH_STATUS = [
    (name, status)
    for name, (start, end) in FUNCTIONS.items()
    for status in re.findall(r"(?:@return |; |\*         )(TRIP_\w+)", HEADER[start:end])
]


def edited(name: str, old: str, new: str) -> str:
    """The header with the first `old` in the comment of a function replaced."""
    start, end = FUNCTIONS[name]
    assert old in HEADER[start:end]
    return HEADER[:start] + HEADER[start:end].replace(old, new, 1) + HEADER[end:]


RELEASED = json.loads((REPOSITORY / "tests/abi/released-1.0.json").read_text())["functions"]


def test_every_function_tag_and_status_is_tried(signatures: dict[str, Any]) -> None:
    described = signatures["functions"]
    assert set(FUNCTIONS) == set(described)
    assert len(EACH_TAG) == sum(1 + len(function["tags"]) for function in described.values())
    assert len(EACH_STATUS) == sum(len(function["statuses"]) for function in described.values())


@pytest.mark.parametrize(("name", "tag"), EACH_TAG)
def test_no_tag_can_be_lost(name: str, tag: str, tmp_path: Path) -> None:
    text = edited(name, tag, "")
    if tag.startswith("[since"):
        missed = "has no [since X.Y]"
    elif tag == "[thread-safe]":
        missed = "has no [thread-safe]; every function is"
    elif tag == "[non-blocking]" and (name, "[signal-safe]") in EACH_TAG:
        missed = "is [signal-safe] and not [non-blocking]"
    elif name not in RELEASED:  # nothing is promised yet
        return
    else:
        missed = f"has lost {tag}, against released-1.0"
    assert complaints(text, tmp_path) == [f"trip.h:{declared_at(name, text)}: error: {name}: {missed}"]


@pytest.mark.parametrize("name", dict.fromkeys(name for name, _ in EACH_STATUS))
def test_no_list_of_statuses_can_be_lost(name: str, tmp_path: Path) -> None:
    start, _ = FUNCTIONS[name]
    listed = HEADER[HEADER.index("@return", start) : HEADER.index(" * [since", start)]
    text = edited(name, listed, "\n")
    missed = "has no @return with the statuses it can return"
    assert complaints(text, tmp_path) == [f"trip.h:{declared_at(name, text)}: error: {name}: {missed}"]


@pytest.mark.parametrize(("name", "status"), EACH_STATUS)
def test_no_status_can_be_misspelt(name: str, status: str, tmp_path: Path) -> None:
    start, _ = FUNCTIONS[name]
    returned = HEADER.index("@return", start)
    at = HEADER.index(status, returned)
    text = f"{HEADER[:at]}TRIP_X_{HEADER[at + len('TRIP_') :]}"
    said = complaints(text, tmp_path)
    wrong = f"{name}: @return has {status.replace('TRIP_', 'TRIP_X_', 1)}, which is no status"
    assert any(complaint.endswith(wrong) for complaint in said), said


# ---- Promises


@dataclass
class Promise:
    """A value that a released version had, where the header has another; the line and what is said."""

    path: tuple[str | int, ...]
    value: Any
    at: str
    said: str


CONFIG = "typedef struct trip_config {"
PROMISES = {
    "member moved": Promise(
        ("structs", "trip_config", "members", "backoff", "offset"),
        36,
        CONFIG,
        "trip_config.backoff: has changed its offset from 36 to 32",
    ),
    "member resized": Promise(
        ("structs", "trip_config", "members", "backoff", "size"),
        8,
        CONFIG,
        "trip_config.backoff: has changed its size from 8 to 4",
    ),
    "member of another type": Promise(
        ("structs", "trip_config", "members", "backoff", "type"),
        "int32_t",
        CONFIG,
        "trip_config.backoff: has changed its type from int32_t to uint32_t",
    ),
    "member gone": Promise(
        ("structs", "trip_config", "members", "window"),
        {"offset": 80, "size": 4, "type": "uint32_t"},
        CONFIG,
        "trip_config.window: is gone",
    ),
    "struct smaller": Promise(
        ("structs", "trip_config", "size"), 256, CONFIG, "trip_config: has shrunk from 256 to 248 bytes"
    ),
    "struct gone": Promise(("structs", "trip_window"), {}, "/*\n * libtrip", "trip_window: is gone"),
    "number changed": Promise(
        ("constants", "TRIP_E_SYSTEM", "value"),
        -10,
        "TRIP_E_SYSTEM = -9",
        "TRIP_E_SYSTEM: has changed its value from -10 to -9",
    ),
    "constant gone": Promise(("constants", "TRIP_E_LOST"), {}, "/*\n * libtrip", "TRIP_E_LOST: is gone"),
    "handle of another type": Promise(
        ("types", "trip_permit", "type"),
        "uint32_t",
        "/*\n * libtrip",
        "trip_permit: has changed its type from uint32_t to uint64_t",
    ),
    "callback of another type": Promise(
        ("types", "trip_finalizer"),
        {"type": "void (*)(void *, int32_t)"},
        "typedef void (*trip_finalizer)(void *user_data);",
        "trip_finalizer: has changed its type from void (*)(void *, int32_t) to void (*)(void *)",
    ),
    "function gone": Promise(("functions", "trip_lost"), {}, "/*\n * libtrip", "trip_lost: is gone"),
    "parameter of another type": Promise(
        ("functions", "trip_tracker_advance", "parameters", 1, "type"),
        "uint32_t",
        ADVANCE,
        "trip_tracker_advance: has changed from trip_status (trip_tracker, uint32_t) "
        "to trip_status (trip_tracker, uint64_t)",
    ),
    "result of another type": Promise(
        ("functions", "trip_has_feature", "returns", "type"),
        "int32_t",
        FEATURE,
        "trip_has_feature: has changed from int32_t (uint32_t) to uint32_t (uint32_t)",
    ),
    "tag gone": Promise(
        ("functions", "trip_tracker_destroy", "tags"),
        ["thread-safe", "fork-safe", "non-blocking"],
        "trip_tracker_destroy(trip_tracker tracker);",
        "trip_tracker_destroy: has lost [non-blocking]",
    ),
    "other first version": Promise(
        ("functions", "trip_tracker_advance", "since"),
        "0.9",
        ADVANCE,
        "trip_tracker_advance: has changed its since from 0.9 to 1.0",
    ),
}


@pytest.mark.parametrize("what", PROMISES)
def test_promise_is_kept(what: str, tmp_path: Path) -> None:
    promise = PROMISES[what]
    promised = json.loads((REPOSITORY / "tests/abi/released-1.0.json").read_text())
    *where, last = promise.path
    holder = promised
    for key in where:
        holder = holder[key]
    holder[last] = promise.value
    (tmp_path / "released-0.9.json").write_text(json.dumps(promised))
    contract = header.read(REPOSITORY / "include/trip.h", "trip.h")
    with pytest.raises(Refused) as refused:
        released.check(contract, tmp_path, "trip.h")
    line = line_of(HEADER, promise.at)
    assert str(refused.value) == f"trip.h:{line}: error: {promise.said}, against released-0.9"


def test_promises_are_looked_for(tmp_path: Path) -> None:
    contract = header.read(REPOSITORY / "include/trip.h", "trip.h")
    with pytest.raises(Refused, match="is not there: nothing is promised"):
        released.check(contract, tmp_path, "trip.h")


def test_renumbered_header_is_refused(tmp_path: Path) -> None:
    said = complaints(replaced("TRIP_E_SYSTEM = -9", "TRIP_E_SYSTEM = -10"), tmp_path)
    (complaint,) = said
    assert complaint.endswith("TRIP_E_SYSTEM: has changed its value from -9 to -10, against released-1.0")


def test_a_struct_may_grow(tmp_path: Path) -> None:
    more = "    uint64_t since_ns; /**< [ns] when it was granted */\n} trip_permit_info;"
    assert complaints(replaced("} trip_permit_info;", more), tmp_path) == []


# ---- What is written


def generate(*options: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "generate", *map(str, options)]
    return subprocess.run(command, cwd=REPOSITORY / "bindings", capture_output=True, text=True)


def written(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_committed_files_are_current(tmp_path: Path) -> None:
    done = generate("--into", tmp_path)
    assert done.returncode == 0, done.stderr
    fresh = written(tmp_path)
    assert fresh.keys() == GENERATED
    for path, text in fresh.items():
        assert (REPOSITORY / path).read_text() == text, f"{path} is not what ./x gen writes"


def test_refusal_is_a_failure_that_writes_nothing(tmp_path: Path) -> None:
    bad, into = tmp_path / "trip.h", tmp_path / "into"
    bad.write_text(replaced("[flag] 1: this call", "1: this call"))
    done = generate("--header", bad, "--into", into)
    line = line_of(HEADER, "1: this call")
    complaint = f"{bad}:{line}: error: trip_permit_info.is_probe: has no unit in brackets\n"
    assert (done.returncode, done.stderr, into.exists()) == (1, complaint, False)


def test_new_function_reaches_every_language(tmp_path: Path) -> None:
    more, into = tmp_path / "trip.h", tmp_path / "into"
    more.write_text(function(f"{MORE});").text)
    done = generate("--header", more, "--into", into)
    assert done.returncode == 0, done.stderr
    for path in GENERATED - {layout.JSON_PATH, layout.C_PATH, layout.GO_PATH}:
        assert "trip_tracker_rest" in (into / path).read_text(), path


def test_new_member_reaches_every_language(tmp_path: Path) -> None:
    more, into = tmp_path / "trip.h", tmp_path / "into"
    more.write_text(replaced("} trip_permit_info;", "    uint64_t since_ns; /**< [ns] when */\n} trip_permit_info;"))
    done = generate("--header", more, "--into", into)
    assert done.returncode == 0, done.stderr
    for path in GENERATED:
        assert "since_ns" in (into / path).read_text(), path


def test_rust_has_the_same_layout(layout: dict[str, Any]) -> None:
    """bindgen reads the header by itself; what it asserts is compared with what the others assert."""
    text = (REPOSITORY / rust.PATH).read_text()
    sizes = {name: int(size) for name, size in re.findall(r"size_of::<(\w+)>\(\) - (\d+)usize", text)}
    assert sizes == {name: struct["size"] for name, struct in layout["structs"].items()}
    offsets = re.findall(r"offset_of!\((\w+), (\w+)\) - (\d+)usize", text)
    assert {(struct, member, int(offset)) for struct, member, offset in offsets} == {
        (name, member, place["offset"])
        for name, struct in layout["structs"].items()
        for member, place in struct["members"].items()
    }
    numbers = re.findall(r"pub const (\w+): (\w+) = (-?\d+);", text)
    assert {name: int(number) for name, _, number in numbers} == layout["constants"]


def test_only_what_never_waits_keeps_the_gil(signatures: dict[str, Any]) -> None:
    text = (REPOSITORY / python.PATH).read_text()
    keeping = set(re.findall(r"\bkeeping_gil\.(trip_\w+)", text))
    releasing = set(re.findall(r"\breleasing_gil\.(trip_\w+)", text))
    never_waits = {name for name, described in signatures["functions"].items() if "non-blocking" in described["tags"]}
    assert keeping == never_waits
    assert releasing == set(signatures["functions"]) - never_waits


# ---- The tables of ABI.md

SECTIONS = "".join(
    f"<!-- generated: {name} -->\nold\n<!-- end generated -->\nprose of {name}\n"
    for name in ("types", "statuses", "functions", "structs", "constants")
)


def test_prose_around_the_tables_stays() -> None:
    contract = header.read(REPOSITORY / "include/trip.h", "trip.h")
    page = tables.write(contract, f"# Title\n{SECTIONS}The end.\n")
    assert re.findall(r"^(?:# Title|prose of \w+|The end\.)$", page, re.MULTILINE) == [
        "# Title",
        *(f"prose of {name}" for name in ("types", "statuses", "functions", "structs", "constants")),
        "The end.",
    ]
    assert "old" not in page.split("\n")
    assert tables.write(contract, page) == page


@pytest.mark.parametrize(
    "page", [SECTIONS.replace("generated: types", "generated: typos"), SECTIONS[1:], SECTIONS + SECTIONS]
)
def test_page_without_its_tables_is_refused(page: str) -> None:
    contract = header.read(REPOSITORY / "include/trip.h", "trip.h")
    with pytest.raises(tables.NoSuchTable, match=r"ABI\.md: has the tables"):
        tables.write(contract, page)


# ---- The page of reference


def test_reference_says_of_each_function_what_its_comment_says() -> None:
    contract = header.read(REPOSITORY / "include/trip.h", "trip.h")
    page = reference.write(contract)
    for function in contract.functions:
        section = page.split(f"\n### {function.name}\n")[1].split("\n### ")[0]
        assert " ".join(reference.signature(function).split()).replace("( ", "(") == function.signature
        assert f"since {function.since}" in section
        assert [p.name for p in function.parameters if f"| `{p.name}` |" not in section] == []
        assert [name for name in function.returns.statuses if f"| `{name}` |" not in section] == []


def test_reference_links_only_to_its_own_headings() -> None:
    page = reference.write(header.read(REPOSITORY / "include/trip.h", "trip.h"))
    headings = set(re.findall(r"(?m)^### (\w+)$", page))
    linked = set(re.findall(r"\]\(#(\w+)\)", page))
    assert len(linked) > 30
    assert linked <= headings
