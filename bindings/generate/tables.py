"""Writes the tables of ABI.md between its markers and leaves all else as it is: the prose around them is somebody's."""

from __future__ import annotations

import re

from . import NOTICE
from .model import STATUS_GROUP, Constant, Contract, Function, Struct

PATH = "ABI.md"
END = "<!-- end generated -->"
SECTION = re.compile(r"(<!-- generated: (\w+) -->\n).*?(" + re.escape(END) + ")", re.DOTALL)


class NoSuchTable(Exception):
    """ABI.md asks for a table that nobody makes, or lacks one that it must have."""


def write(contract: Contract, page: str) -> str:
    tables = {
        "functions": functions(contract.functions),
        "structs": "\n".join(map(structure, contract.structs)),
        "statuses": constants(contract.statuses),
        "constants": "\n".join(groups(contract)),
        "types": types(contract),
    }
    asked = [name for _, name, _ in SECTION.findall(page)]
    if sorted(asked) != sorted(tables):
        raise NoSuchTable(f"{PATH}: has the tables {sorted(asked)}; they must be {sorted(tables)}, once each")
    return SECTION.sub(lambda m: f"{m[1]}<!-- {NOTICE} -->\n\n{tables[m[2]]}\n{m[3]}", page)


def types(contract: Contract) -> str:
    named = [(a.name, a.type, a.doc) for a in contract.aliases]
    named += [(c.name, c.signature, c.doc) for c in contract.callbacks]
    return table(["type", "is", "meaning"], [[code(name), code(kind), doc] for name, kind, doc in named])


def functions(listed: tuple[Function, ...]) -> str:
    rows = [
        [code(f.signature), f.summary, " ".join(map(code, f.returns.statuses)) or f.returns.doc, tags(f)]
        for f in listed
    ]
    return table(["function", "does", "returns", "tags"], rows)


def tags(function: Function) -> str:
    return " ".join(f"[{tag}]" for tag in (f"since {function.since}", *function.tags))


def structure(struct: Struct) -> str:
    rows = [[code(m.name), code(m.type), str(m.offset), str(m.size), m.unit, m.doc] for m in struct.members]
    headings = ["member", "type", "offset", "size", "unit", "meaning"]
    return f"{code(struct.name)}: {struct.size} bytes. {struct.doc}\n\n{table(headings, rows)}"


def groups(contract: Contract) -> list[str]:
    return [constants(found) for group, found in contract.groups.items() if group != STATUS_GROUP]


def constants(found: list[Constant]) -> str:
    return table(["name", "number", "meaning"], [[code(c.name), str(c.value), c.doc] for c in found])


def code(text: str) -> str:
    return f"`{text}`"


def table(headings: list[str], rows: list[list[str]]) -> str:
    return laid_out(headings, [[escaped(cell) for cell in row] for row in rows])


def laid_out(headings: list[str], rows: list[list[str]]) -> str:
    """A table whose cells are Markdown already."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def escaped(cell: str) -> str:
    """A cell as Markdown shows it: a bar ends a cell even in code, and a star outside of code begins emphasis."""
    cell = cell.replace("|", "\\|")
    return cell if cell.startswith("`") else cell.replace("*", "\\*")
