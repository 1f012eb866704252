"""Writes docs/reference.md: every declaration of the header with all that its comment says, as a page to look things up
on. Prose is the header's, word for word; here it only gets its links."""

from __future__ import annotations

import re
from collections.abc import Callable

from . import NOTICE
from .model import Constant, Contract, Function, Parameter, Struct, declaration
from .tables import code, laid_out

PATH = "docs/reference.md"
NAME = re.compile(r"(?<![\w`])(trip_[a-z]\w*|TRIP_\w+\*?|out_[a-z]\w*|struct_size|sizeof\([^)]*\))")
LIBRARY = "The library"
WIDTH = 110

Linked = Callable[[str], str]

HEAD = f"""# Reference of the C interface

<!-- {NOTICE} -->

Everything that [include/trip.h](../include/trip.h) declares. What holds for all of it, such as how texts and times are
passed and what the tags mean, [the ABI](../ABI.md) says once. A unit that begins with `TRIP_` is the group of constants
that the number is one of.
"""


def write(contract: Contract) -> str:
    linked = linker(contract)
    parts = [HEAD]
    for heading, functions in by_object(contract).items():
        parts.append(f"## {heading}\n")
        parts += [function(one, linked) for one in functions]
    parts += ["## Structs\n", *(struct(one, linked) for one in contract.structs)]
    parts += ["## Constants\n", *(constants(group, found, linked) for group, found in contract.groups.items())]
    parts += ["## Types\n", types(contract, linked)]
    return "\n".join(parts)


def linker(contract: Contract) -> Linked:
    """Makes names in prose code, and those that have a heading on the page links to it."""
    headings = {one.name for one in contract.functions} | {one.name for one in contract.structs}

    def link(found: re.Match[str]) -> str:
        name = found[0]
        return f"[{code(name)}](#{name})" if name in headings else code(name)

    return lambda text: NAME.sub(link, escape(text))


def escape(text: str) -> str:
    """Prose as Markdown shows it, but for the star at the end of a name, which becomes code."""
    return re.sub(r"(?<!\w)\*|(?<=[^_])\*", r"\\*", text).replace("|", "\\|").replace("<", "&lt;").replace(" _", " \\_")


def by_object(contract: Contract) -> dict[str, list[Function]]:
    """Functions under the kind of object that they are named after, in the header's order."""
    kinds = {alias.name: alias.name.removeprefix("trip_").capitalize() + "s" for alias in contract.aliases}
    found: dict[str, list[Function]] = {}
    for one in contract.functions:
        kind = "_".join(one.name.split("_")[:2])
        found.setdefault(kinds.get(kind, LIBRARY), []).append(one)
    return found


def function(one: Function, linked: Linked) -> str:
    tags = " · ".join([f"since {one.since}", *one.tags])
    parts = [f"### {one.name}\n", f"```text\n{signature(one)}\n```\n", f"{linked(one.doc)}\n", f"*{tags}*\n"]
    if one.parameters:
        parts.append(laid_out(["parameter", "unit", "meaning"], [row(p, linked) for p in one.parameters]))
    if one.returns.statuses:
        rows = [[code(name), linked(when)] for name, when in one.returns.statuses.items()]
        parts.append(laid_out(["returns", "when"], rows))
    else:
        parts.append(f"Returns {linked(one.returns.doc)}.\n")
    return "\n".join(parts)


def signature(one: Function) -> str:
    if len(one.signature) <= WIDTH:
        return one.signature
    parameters = ",\n    ".join(declaration(p.type, p.name) for p in one.parameters)
    return f"{declaration(one.returns.type, one.name)}(\n    {parameters})"


def row(one: Parameter, linked: Linked) -> list[str]:
    return [code(one.name), unit(one.unit), linked(one.doc)]


def unit(text: str) -> str:
    return code(text) if text.startswith(("TRIP_", "trip_")) else text


def struct(one: Struct, linked: Linked) -> str:
    rows = [[code(m.name), code(m.type), str(m.offset), unit(m.unit), linked(m.doc)] for m in one.members]
    members = laid_out(["member", "type", "offset", "unit", "meaning"], rows)
    return f"### {one.name}\n\n{linked(one.doc)} {one.size} bytes.\n\n{members}"


def constants(group: str, found: list[Constant], linked: Linked) -> str:
    rows = [[code(c.name), str(c.value), linked(c.doc)] for c in found]
    return f"### {group.removesuffix('_*') if group != 'TRIP_*' else 'Statuses'}\n\n" + laid_out(
        ["name", "number", "meaning"], rows
    )


def types(contract: Contract, linked: Linked) -> str:
    named = [(a.name, a.type, a.doc) for a in contract.aliases]
    named += [(c.name, c.signature, c.doc) for c in contract.callbacks]
    return laid_out(["type", "is", "meaning"], [[code(name), code(kind), linked(doc)] for name, kind, doc in named])
