"""The comments of the header, taken apart: prose, parameters, returned statuses, tags. Text in, words out: nothing here
knows C or decides what a declaration must have."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

TAG_LINE = re.compile(r"(\[[^\]]*\]\s*)+")
BRACKETED = re.compile(r"\[([^\]]*)\]\s*")
PARAMETER = re.compile(r"@param\s+(\w+)\s*(.*)")
STATUS = re.compile(r"(TRIP_\w+)(?::\s+(.+))?")


@dataclass
class Described:
    """Something with a unit in brackets before its text, and the line it begins on."""

    line: int
    unit: str | None
    text: str


@dataclass
class Comment:
    line: int
    prose: str = ""
    parameters: dict[str, Described] = field(default_factory=dict)
    returns: Described | None = None
    tags: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)  # parameters described twice


def bare_lines(raw: str) -> list[str]:
    """The lines of a comment without what makes them one."""
    inner = re.sub(r"^/\*\*<?|\*/$", "", raw.strip())
    return [re.sub(r"^\s*\*(\s|$)", "", line).strip() for line in inner.split("\n")]


def described(line: int, text: str) -> Described:
    bracketed = BRACKETED.match(text)
    if bracketed is None:
        return Described(line, None, text)
    return Described(line, bracketed.group(1), text[bracketed.end() :])


def member(raw: str, line: int) -> Described:
    """The comment of a struct's member: [unit] and text."""
    return described(line, " ".join(filter(None, bare_lines(raw))))


def prose(raw: str) -> str:
    """A comment without any parts."""
    return " ".join(filter(None, bare_lines(raw)))


def function(raw: str, line: int) -> Comment:
    """The comment of a function: prose, then @param and @return, then tags on the last lines."""
    lines = bare_lines(raw)
    while lines and not lines[-1]:
        lines.pop()
    comment = Comment(line)
    while lines and TAG_LINE.fullmatch(lines[-1]):
        comment.tags[:0] = BRACKETED.findall(lines.pop())
    for start, text in paragraphs(lines, line):
        add(comment, start, text)
    return comment


def paragraphs(lines: list[str], first: int) -> list[tuple[int, str]]:
    """Lines joined into the pieces that begin with @; the prose before them is the first piece."""
    pieces: list[tuple[int, str]] = []
    for number, line in enumerate(lines, first):
        if line.startswith("@") or not pieces:
            pieces.append((number, line))
        else:
            start, text = pieces[-1]
            pieces[-1] = (start, f"{text} {line}".strip())
    return pieces


def add(comment: Comment, line: int, text: str) -> None:
    parameter = PARAMETER.fullmatch(text)
    if parameter is not None:
        name = parameter.group(1)
        if name in comment.parameters:
            comment.repeated.append(name)
        comment.parameters[name] = described(line, parameter.group(2))
    elif text.startswith("@return"):
        comment.returns = described(line, text.removeprefix("@return").strip())
    else:
        comment.prose = f"{comment.prose} {text}".strip()


def statuses(text: str) -> tuple[dict[str, str], list[str]]:
    """A list of statuses, `TRIP_OK; TRIP_E_HANDLE: no such circuit`, and whatever in it is neither.

    The text of a status may contain a semicolon: only what follows one in capitals begins another entry."""
    found: dict[str, str] = {}
    strange: list[str] = []
    for entry in re.split(r";\s+(?=[A-Z]{2,})", text.strip().removesuffix(";")):
        match = STATUS.fullmatch(entry)
        if match is None or match.group(1) in found:
            strange.append(entry)
        else:
            found[match.group(1)] = match.group(2) or ""
    return found, strange
