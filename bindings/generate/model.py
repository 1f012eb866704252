"""What the header says, once it is read: the words that all writers of files share. No rules and no formats here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A line of the header, as a compiler would name it."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True)
class Complaint:
    place: Place
    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: error: {self.name}: {self.text}"


class Refused(Exception):
    """The header breaks a rule or a promise; nothing has been written."""

    def __init__(self, complaints: list[Complaint]) -> None:
        super().__init__("\n".join(map(str, complaints)))
        self.complaints = complaints


@dataclass(frozen=True)
class Alias:
    """A handle, or trip_status: a name of its own for an integer."""

    name: str
    type: str
    doc: str


@dataclass(frozen=True)
class Argument:
    """What a callback gets."""

    name: str
    type: str


@dataclass(frozen=True)
class Callback:
    """A function of the caller's: a name of its own for a pointer to one."""

    name: str
    result: str  # "void" where it returns nothing
    arguments: tuple[Argument, ...]
    doc: str
    place: Place

    @property
    def type(self) -> str:
        """Without the names of its arguments, which may change."""
        return self.pointer(argument.type for argument in self.arguments)

    @property
    def signature(self) -> str:
        return self.pointer(declaration(argument.type, argument.name) for argument in self.arguments)

    def pointer(self, arguments: Iterable[str]) -> str:
        return f"{self.result} (*)({', '.join(arguments) or 'void'})"


@dataclass(frozen=True)
class Constant:
    name: str
    value: int
    group: str  # "TRIP_STATE_*"; "TRIP_*" for statuses
    doc: str
    place: Place


@dataclass(frozen=True)
class Member:
    name: str
    type: str  # "uint32_t", "char[240]"
    offset: int
    size: int
    unit: str
    doc: str
    place: Place


@dataclass(frozen=True)
class Struct:
    name: str
    size: int
    members: tuple[Member, ...]
    doc: str
    place: Place


@dataclass(frozen=True)
class Parameter:
    name: str
    type: str  # "trip_tracker", "const char *"
    unit: str
    doc: str

    @property
    def base(self) -> str:
        """The type without const and pointer."""
        return base_of(self.type)

    @property
    def is_output(self) -> bool:
        return self.name.startswith("out_")

    @property
    def is_pointer(self) -> bool:
        return self.type.endswith("*") or self.unit == "callback"

    @property
    def may_be_null(self) -> bool:
        return self.is_pointer and "NULL" in self.doc


@dataclass(frozen=True)
class Return:
    type: str
    unit: str | None  # None: a trip_status
    doc: str
    statuses: dict[str, str]  # name: when; empty unless a trip_status


@dataclass(frozen=True)
class Function:
    name: str
    parameters: tuple[Parameter, ...]
    returns: Return
    tags: tuple[str, ...]
    since: str
    doc: str
    place: Place

    @property
    def summary(self) -> str:
        """The first sentence of the comment."""
        return self.doc.partition(". ")[0].rstrip(".") + "."

    @property
    def signature(self) -> str:
        declared = ", ".join(declaration(p.type, p.name) for p in self.parameters)
        return declaration(self.returns.type, f"{self.name}({declared or 'void'})")


@dataclass(frozen=True)
class Contract:
    aliases: tuple[Alias, ...]
    callbacks: tuple[Callback, ...]
    constants: tuple[Constant, ...]
    structs: tuple[Struct, ...]
    functions: tuple[Function, ...]

    @property
    def groups(self) -> dict[str, list[Constant]]:
        found: dict[str, list[Constant]] = {}
        for constant in self.constants:
            found.setdefault(constant.group, []).append(constant)
        return found

    @property
    def places(self) -> dict[str, Place]:
        named: tuple[Callback | Constant | Struct | Function, ...] = (
            *self.callbacks,
            *self.constants,
            *self.structs,
            *self.functions,
        )
        return {one.name: one.place for one in named}

    @property
    def statuses(self) -> list[Constant]:
        return self.groups[STATUS_GROUP]


STATUS_GROUP = "TRIP_*"
WORD_POINTER = "const uint64_t *"  # the one pointer that a member may be: to a word of the library
USER_DATA = "void *"  # handed to a callback as it is; as an output, room for what only the caller knows the type of
ARGUMENTS = "const void *const *"  # the one pointer to pointers: to arguments that only the caller knows the types of


def base_of(type_name: str) -> str:
    return type_name.replace("const ", "").partition("[")[0].rstrip(" *")


def declaration(type_name: str, name: str) -> str:
    """The C declaration of a name: the star of a pointer goes with the name, the length of an array behind it."""
    element, bracket, length = type_name.partition("[")
    return f"{element}{'' if element.endswith('*') else ' '}{name}{bracket}{length}"
