"""Reads include/trip.h through libclang into a Contract, and refuses every declaration that breaks the rules of the
house: the vocabulary of types, outputs last, and a comment that says everything. It writes nothing.

A complaint names the line and what is missing, as a compiler would; all of them are collected before any is shown."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from clang.cindex import (  # type: ignore[import-untyped]
    Cursor,
    CursorKind,
    Diagnostic,
    Index,
    TranslationUnit,
    Type,
    TypeKind,
)

from . import comment
from .model import (
    ARGUMENTS,
    STATUS_GROUP,
    USER_DATA,
    WORD_POINTER,
    Alias,
    Argument,
    Callback,
    Complaint,
    Constant,
    Contract,
    Function,
    Member,
    Parameter,
    Place,
    Refused,
    Return,
    Struct,
    base_of,
)

INTEGERS = {"int32_t", "uint32_t", "int64_t", "uint64_t"}
MACROS = {"TRIP_H", "TRIP_API"}
TAGS = ("thread-safe", "fork-safe", "non-blocking", "signal-safe")
SINCE = re.compile(r"since (\d+\.\d+)")

# What may carry a unit. A struct's name is the unit of a pointer to it; "TRIP_STATE_*" that of a selector.
UNITS = {
    "ns": {"uint64_t"},
    "bytes": {"size_t", "uint32_t"},
    "count": {"uint32_t", "uint64_t", "size_t"},
    "ratio": {"double"},
    "flag": {"uint32_t"},
    "epoch": {"uint64_t"},
    "version": {"uint32_t"},
    "text": {"char"},
    "none": {"uint32_t", "uint64_t"},
    "bits": {"uint64_t"},
    "http": {"uint32_t"},
    "errno": {"int32_t"},
    "fd": {"int32_t"},
    "code": {"int32_t", "int64_t"},
    "pointer": {"void"},
}

# What a callback may return and get, beside handles. Only there is a text whose type the caller alone knows.
CALLBACK_RESULTS = {"void", "int32_t", "uint32_t"}
CALLBACK_POINTERS = {USER_DATA, "const void *", "const char *"}

FUNCTIONS = (TypeKind.FUNCTIONPROTO, TypeKind.FUNCTIONNOPROTO)
OUTSIDE = {
    TypeKind.BOOL: "is a bool; use uint32_t",
    TypeKind.ENUM: "is of an enum type; use uint32_t",
    TypeKind.RECORD: "is a struct or union by value; use a pointer to a struct",
    TypeKind.INCOMPLETEARRAY: "is a flexible array; use a fixed one",
}


def compiler_arguments() -> list[str]:
    """libclang's package comes without the headers of a compiler; the one that builds the library has them."""
    asked = ["cc", "-print-file-name=include"]
    include = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    return ["-xc", "-std=c11", "-isystem", include]


def read(path: Path, shown: str) -> Contract:
    """The contract in the header at path, which complaints call `shown`."""
    options = TranslationUnit.PARSE_DETAILED_PROCESSING_RECORD
    unit = Index.create().parse(str(path), args=compiler_arguments(), options=options)
    reader = Reader(path, shown)
    broken = [d for d in unit.diagnostics if d.severity >= Diagnostic.Error]
    if broken:
        raise Refused([Complaint(Place(shown, d.location.line), "C", d.spelling) for d in broken])
    contract = reader.contract(unit)
    if reader.complaints:
        raise Refused(sorted(reader.complaints, key=lambda complaint: complaint.place.line))
    return contract


class Reader:
    def __init__(self, path: Path, shown: str) -> None:
        self.path = str(path)
        self.shown = shown
        self.source = path.read_bytes()
        self.complaints: list[Complaint] = []
        self.aliases: dict[str, Alias] = {}
        self.callbacks: dict[str, Callback] = {}
        self.constants: list[Constant] = []
        self.structs: dict[str, Struct] = {}
        self.functions: list[Function] = []

    def contract(self, unit: TranslationUnit) -> Contract:
        for cursor in unit.cursor.get_children():
            if cursor.location.file is not None and cursor.location.file.name == self.path:
                self.declaration(cursor)
        self.check_words(unit)
        return Contract(
            tuple(self.aliases.values()),
            tuple(self.callbacks.values()),
            tuple(self.constants),
            tuple(self.structs.values()),
            tuple(self.functions),
        )

    def declaration(self, cursor: Cursor) -> None:
        readers = {
            CursorKind.TYPEDEF_DECL: self.typedef,
            CursorKind.ENUM_DECL: self.enum,
            CursorKind.STRUCT_DECL: self.struct,
            CursorKind.FUNCTION_DECL: self.function,
            CursorKind.MACRO_DEFINITION: self.macro,
        }
        if cursor.kind in readers:
            readers[cursor.kind](cursor)
        elif cursor.kind == CursorKind.UNION_DECL:
            self.complain(cursor, "is a union; use a struct for each case")
        elif cursor.kind not in (CursorKind.MACRO_INSTANTIATION, CursorKind.INCLUSION_DIRECTIVE):
            self.complain(cursor, "is neither function, struct, constant nor handle")

    def complain(self, at: Cursor | int, text: str, name: str | None = None) -> None:
        line = at if isinstance(at, int) else at.location.line
        shown = name or (at.spelling if isinstance(at, Cursor) else "") or "declaration"
        self.complaints.append(Complaint(Place(self.shown, line), shown, text))

    def raw_comment(self, cursor: Cursor, name: str | None = None) -> tuple[str, int]:
        """A declaration's comment and the line on which it begins."""
        raw = cursor.raw_comment
        if raw is None:
            self.complain(cursor, "has no comment", name)
            return "", cursor.location.line
        text = raw.encode()
        before = self.source.rfind(text, 0, cursor.extent.start.offset)
        start = self.source.find(text, cursor.extent.start.offset) if raw.startswith("/**<") else before
        return raw, self.source.count(b"\n", 0, start) + 1

    # ---- What is not a function

    def macro(self, cursor: Cursor) -> None:
        if cursor.spelling not in MACROS:
            self.complain(cursor, "is a macro, which no other language sees; use an enumerator")

    def typedef(self, cursor: Cursor) -> None:
        target = cursor.underlying_typedef_type
        if target.get_canonical().kind == TypeKind.RECORD:
            if target.get_declaration().spelling != cursor.spelling:
                self.complain(cursor, "names a struct differently from its tag")
            return
        raw, _ = self.raw_comment(cursor)
        self.check_prefix(cursor, "trip_")
        if target.kind == TypeKind.POINTER and target.get_pointee().get_canonical().kind in FUNCTIONS:
            self.callback(cursor, target.get_pointee(), comment.prose(raw))
            return
        if target.spelling not in INTEGERS:
            self.complain(
                cursor, f"is a name for {target.spelling}; only integers of fixed size and callbacks have names"
            )
        self.aliases[cursor.spelling] = Alias(cursor.spelling, target.spelling, comment.prose(raw))

    def callback(self, cursor: Cursor, function: Type, doc: str) -> None:
        name = cursor.spelling
        self.check_prototype(cursor, function)
        result = function.get_result().spelling
        if result not in CALLBACK_RESULTS:
            self.complain(cursor, f"returns {result}; a callback returns int32_t, uint32_t or nothing")
        declared = [child for child in cursor.get_children() if child.kind == CursorKind.PARM_DECL]
        arguments = tuple(Argument(child.spelling, child.type.spelling) for child in declared)
        for child, argument, following in zip(declared, arguments, (*arguments[1:], None)):
            shown = f"{name}({argument.name or '?'})"
            fault = self.outside_callback(child.type)
            if fault:
                self.complain(child, fault, shown)
            elif not argument.name:
                self.complain(child, "has no name", shown)
            elif argument.type == "const char *" and following != Argument(f"{argument.name}_len", "size_t"):
                self.complain(child, f"has no size_t {argument.name}_len after it", shown)
        place = Place(self.shown, cursor.location.line)
        self.callbacks[name] = Callback(name, result, arguments, doc, place)

    def enum(self, cursor: Cursor) -> None:
        if not cursor.is_anonymous():
            self.complain(cursor, "is an enum type; constants belong in an enum without a name")
        found = list(cursor.get_children())
        groups = {group_of(enumerator.spelling) for enumerator in found}
        if "TRIP_OK" in (enumerator.spelling for enumerator in found):
            groups = {STATUS_GROUP}
        if len(groups) != 1:
            self.complain(cursor, "has constants of several groups: " + ", ".join(sorted(groups)), name="enum")
        for enumerator in found:
            self.constant(enumerator, min(groups))

    def constant(self, cursor: Cursor, group: str) -> None:
        self.check_prefix(cursor, "TRIP_")
        if "=" not in [token.spelling for token in cursor.get_tokens()]:
            self.complain(cursor, "has no number; numbers are promises and are written out")
        raw, _ = self.raw_comment(cursor)
        place = Place(self.shown, cursor.location.line)
        self.constants.append(Constant(cursor.spelling, cursor.enum_value, group, comment.prose(raw), place))

    def struct(self, cursor: Cursor) -> None:
        self.check_prefix(cursor, "trip_")
        raw, _ = self.raw_comment(cursor)
        members: list[Member] = []
        end = 0
        for child in cursor.get_children():
            if child.kind != CursorKind.FIELD_DECL:
                self.complain(child, "is no plain member", name=cursor.spelling)
                continue
            member = self.member(cursor, child)
            if member.offset != end:
                self.complain(child, f"has {member.offset - end} bytes of padding before it", f"{cursor.spelling}")
            end = member.offset + member.size
            members.append(member)
        size = cursor.type.get_size()
        if size != end:
            self.complain(cursor, f"has {size - end} bytes of padding at its end")
        if not members or (members[0].name, members[0].type, members[0].unit) != ("struct_size", "uint32_t", "bytes"):
            self.complain(cursor, "does not begin with uint32_t struct_size [bytes]")
        place = Place(self.shown, cursor.location.line)
        self.structs[cursor.spelling] = Struct(cursor.spelling, size, tuple(members), comment.prose(raw), place)

    def member(self, struct: Cursor, cursor: Cursor) -> Member:
        name = f"{struct.spelling}.{cursor.spelling}"
        raw, line = self.raw_comment(cursor, name)
        said = comment.member(raw, line)
        fault = "is a bit-field; use a whole uint32_t" if cursor.is_bitfield() else self.outside(cursor.type, True)
        if fault:
            self.complain(cursor, fault, name)
        elif raw:
            self.check_unit(cursor.location.line, name, cursor.spelling, cursor.type.spelling, said)
        offset = cursor.get_field_offsetof() // 8
        place = Place(self.shown, cursor.location.line)
        kind, size = cursor.type.spelling, cursor.type.get_size()
        return Member(cursor.spelling, kind, offset, size, said.unit or "", said.text, place)

    # ---- Functions

    def function(self, cursor: Cursor) -> None:
        self.check_prefix(cursor, "trip_")
        self.check_form(cursor)
        raw, line = self.raw_comment(cursor)
        said = comment.function(raw, line)
        self.check_parameter_names(cursor, said)
        parameters = tuple(self.parameters(cursor, said))
        self.check_order(cursor, parameters)
        self.check_companions(cursor, parameters)
        tags, since = self.tags(cursor, said.tags)
        returns = self.returns(cursor, said, parameters)
        place = Place(self.shown, cursor.location.line)
        self.functions.append(Function(cursor.spelling, parameters, returns, tags, since, said.prose, place))

    def check_form(self, cursor: Cursor) -> None:
        if cursor.is_definition():
            self.complain(cursor, "has a body; inline functions are in no library")
        self.check_prototype(cursor, cursor.type)
        if all(child.kind != CursorKind.VISIBILITY_ATTR for child in cursor.get_children()):
            self.complain(cursor, "is not TRIP_API; nobody can link to it")

    def check_prototype(self, cursor: Cursor, function: Type) -> None:
        if function.get_canonical().kind == TypeKind.FUNCTIONNOPROTO:
            self.complain(cursor, "has no parameter list; write (void)")
        elif function.is_function_variadic():
            self.complain(cursor, "has variable arguments; only C can call it")

    def check_parameter_names(self, cursor: Cursor, said: comment.Comment) -> None:
        declared = [argument.spelling for argument in cursor.get_arguments()]
        described = list(said.parameters)
        for name in said.repeated:
            self.complain(said.parameters[name].line, f"@param {name} is there twice", cursor.spelling)
        for name in described:
            if name not in declared:
                self.complain(said.parameters[name].line, f"@param {name} is no parameter", cursor.spelling)
        if set(declared) == set(described) and declared != described:
            self.complain(cursor, "has its @param in another order than its parameters")

    def parameters(self, cursor: Cursor, said: comment.Comment) -> Iterator[Parameter]:
        for argument in cursor.get_arguments():
            name = f"{cursor.spelling}({argument.spelling or '?'})"
            kind = argument.type.spelling
            described = said.parameters.get(argument.spelling)
            fault = self.outside(argument.type, False)
            if fault:
                self.complain(argument, fault, name)
            elif described is None:
                self.complain(cursor, f"has no @param {argument.spelling or 'and no name for a parameter'}")
            else:
                self.check_unit(described.line, name, argument.spelling, kind, described)
                yield Parameter(argument.spelling, kind, described.unit or "", described.text)

    def check_order(self, cursor: Cursor, parameters: tuple[Parameter, ...]) -> None:
        """Outputs are named out_, are pointers to what may be written, and come last; the room of one may follow it."""
        previous: Parameter | None = None
        for parameter in parameters:
            name = f"{cursor.spelling}({parameter.name})"
            writable = parameter.type.endswith("*") and not parameter.type.startswith("const ")
            opaque = parameter.type == USER_DATA  # to be written or handed on: only its name tells
            room = parameter.type == "size_t" and previous is not None and previous.is_output
            if writable and not parameter.is_output and not opaque:
                self.complain(cursor, "is an output and is not named out_", name)
            elif parameter.is_output and not writable:
                self.complain(cursor, "is named out_ and is no output", name)
            elif previous is not None and previous.is_output and not parameter.is_output and not room:
                self.complain(cursor, "is an input after an output; outputs come last", name)
            if not room:
                previous = parameter

    def check_companions(self, cursor: Cursor, parameters: tuple[Parameter, ...]) -> None:
        """A text has its length behind it, arguments their number; what is handed to a callback has that before it."""
        for before, parameter, behind in zip((None, *parameters), parameters, (*parameters[1:], None)):
            name = f"{cursor.spelling}({parameter.name})"
            expected = companions(parameter)
            if expected and (behind is None or (behind.type, behind.unit, behind.name) not in expected):
                kind, unit, companion = expected[0]
                self.complain(cursor, f"has no {kind} {companion} [{unit}] after it", name)
            handed_on = parameter.type == USER_DATA and not parameter.is_output
            if handed_on and (before is None or before.unit != "callback"):
                self.complain(cursor, "is a void * that no callback before it gets", name)

    def returns(self, cursor: Cursor, said: comment.Comment, parameters: tuple[Parameter, ...]) -> Return:
        kind = cursor.result_type.spelling
        described = said.returns or comment.Described(cursor.location.line, None, "")
        if kind == "trip_status":
            return Return(kind, None, "", self.statuses(cursor, said, parameters))
        if kind not in ("uint32_t", "const char *"):
            self.complain(cursor, f"returns {kind}; functions return a trip_status, the few with a constant that")
        elif said.returns is None:
            self.complain(cursor, "has no @return")
        else:
            self.check_unit(described.line, f"{cursor.spelling}()", "", kind, described)
        return Return(kind, described.unit, described.text, {})

    def statuses(self, cursor: Cursor, said: comment.Comment, parameters: tuple[Parameter, ...]) -> dict[str, str]:
        if said.returns is None or not said.returns.text:
            self.complain(cursor, "has no @return with the statuses it can return")
            return {}
        listed, strange = comment.statuses(said.returns.text)
        known = {constant.name for constant in self.constants if constant.group == STATUS_GROUP}
        for entry in strange:
            self.complain(said.returns.line, f"@return has {entry!r}, which is no status", cursor.spelling)
        for name in listed:
            if name not in known:
                self.complain(said.returns.line, f"@return has {name}, which is no status", cursor.spelling)
        required = {"TRIP_OK"}
        if any(parameter.unit == "handle" and not parameter.is_output for parameter in parameters):
            required.add("TRIP_E_HANDLE")
        if any(parameter.is_pointer for parameter in parameters):
            required.add("TRIP_E_INVALID")
        for name in sorted(required - listed.keys()):
            self.complain(said.returns.line, f"@return lacks {name}", cursor.spelling)
        return listed

    def tags(self, cursor: Cursor, said: list[str]) -> tuple[tuple[str, ...], str]:
        since = [match.group(1) for match in map(SINCE.fullmatch, said) if match]
        tags = [tag for tag in said if not SINCE.fullmatch(tag)]
        if len(since) != 1:
            self.complain(cursor, "has no [since X.Y]" if not since else "has several [since X.Y]")
        for tag in tags:
            if tag not in TAGS:
                self.complain(cursor, f"has [{tag}], which is no tag")
        if "thread-safe" not in tags:
            self.complain(cursor, "has no [thread-safe]; every function is")
        if "signal-safe" in tags and "non-blocking" not in tags:
            self.complain(cursor, "is [signal-safe] and not [non-blocking]")
        if tags != sorted(set(tags), key=lambda tag: TAGS.index(tag) if tag in TAGS else len(TAGS)):
            self.complain(cursor, "has its tags twice or in another order than the others")
        return tuple(tags), since[0] if since else ""

    # ---- Rules for all of them

    def check_prefix(self, cursor: Cursor, prefix: str) -> None:
        if not cursor.spelling.startswith(prefix):
            self.complain(cursor, f"does not begin with {prefix}")

    def outside(self, kind: Type, member: bool) -> str | None:
        """Why a type is outside the vocabulary."""
        canonical = kind.get_canonical()
        if canonical.kind in OUTSIDE:
            return OUTSIDE[canonical.kind]
        if member:
            allowed = INTEGERS | self.aliases.keys() | {"double"}
            if kind.spelling in allowed or re.fullmatch(r"char\[\d+\]", kind.spelling):
                return None
            if kind.spelling == WORD_POINTER:
                return None
            if canonical.kind == TypeKind.POINTER or kind.spelling == "size_t":
                return f"is a {kind.spelling}, whose size is not the same everywhere; members have one layout"
        elif canonical.kind == TypeKind.POINTER:
            if kind.spelling in {USER_DATA, ARGUMENTS} | self.callbacks.keys():
                return None
            if base_of(kind.spelling) in self.callbacks and kind.get_pointee().spelling in self.callbacks:
                return None
            if canonical.get_pointee().kind in FUNCTIONS:
                return f"is a {kind.spelling}; a callback has a type with a name"
            allowed = INTEGERS | self.aliases.keys() | self.structs.keys() | {"char", "size_t"}
            if canonical.get_pointee().kind != TypeKind.POINTER and base_of(kind.spelling) in allowed:
                return None
        elif kind.spelling in INTEGERS | self.aliases.keys() | {"size_t"}:
            return None
        return f"is a {kind.spelling}, which is outside the vocabulary"

    def outside_callback(self, kind: Type) -> str | None:
        """Why a type is outside the vocabulary of what callbacks get."""
        canonical = kind.get_canonical().kind
        if canonical in OUTSIDE:
            return OUTSIDE[canonical]
        if kind.spelling in INTEGERS | self.aliases.keys() | CALLBACK_POINTERS | {"size_t"}:
            return None
        return f"is a {kind.spelling}, which is outside the vocabulary"

    def check_unit(self, line: int, name: str, bare: str, kind: str, said: comment.Described) -> None:
        if not said.unit:
            self.complain(line, "has no unit in brackets", name)
            return
        if not said.text:
            self.complain(line, "has a unit and no text", name)
        allowed = self.types_of(said.unit)
        if allowed is None:
            self.complain(line, f"has [{said.unit}], which is no unit", name)
        elif base_of(kind) not in allowed:
            self.complain(line, f"is a {kind} and has [{said.unit}]", name)
        if (said.unit == "ns") != (bare == "ns" or bare.endswith("_ns")):
            self.complain(line, "is [ns] and is not named _ns, or the other way round", name)

    def types_of(self, unit: str) -> set[str] | None:
        if unit == "handle":
            return {alias.name for alias in self.aliases.values() if alias.type == "uint64_t"}
        if unit == "callback":
            return set(self.callbacks)
        if unit in self.structs:
            return {unit}
        if unit == STATUS_GROUP:
            return {"trip_status"}
        if any(constant.group == unit for constant in self.constants):
            return {"uint32_t"}
        return UNITS.get(unit)

    def check_words(self, unit: TranslationUnit) -> None:
        """A comment that names something names something that exists; a quoted name may be any text."""
        known = {constant.name for constant in self.constants} | {c.group for c in self.constants} | MACROS
        known |= self.aliases.keys() | self.callbacks.keys() | self.structs.keys()
        known |= {function.name for function in self.functions}
        for token in unit.get_tokens(extent=unit.cursor.extent):
            if token.kind.name != "COMMENT":
                continue
            for number, line in enumerate(token.spelling.split("\n"), token.location.line):
                for word in re.findall(r"(?<![\"\w])(?:trip|TRIP)_\w*\*?", line):
                    if word not in known:
                        self.complain(number, "is named here and does not exist", name=word)


def companions(parameter: Parameter) -> list[tuple[str, str, str]]:
    """Types, units and names of what may stand behind a parameter, where something must."""
    if parameter.type == ARGUMENTS:
        return [("size_t", "count", f"{parameter.name.removesuffix('s')}_count")]
    if parameter.unit != "text":
        return []
    names = ("capacity", "text_capacity") if parameter.is_output else (f"{parameter.name}_len",)
    return [("size_t", "bytes", name) for name in names]


def group_of(name: str) -> str:
    """TRIP_STATE_* of TRIP_STATE_HALF_OPEN."""
    return "_".join(name.split("_")[:2]) + "_*"
