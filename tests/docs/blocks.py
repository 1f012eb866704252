"""Finds the fenced blocks of code in a Markdown file, and what an invisible comment before a block says about it.

    <!-- test: wrap=tests/docs/permit.c -->

makes a fragment whole: the line of that file that consists of a comment with the one word `block` stands for it.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^\s*(`{3,}|~{3,})\s*([\w+-]*)[^`]*$")
DIRECTIVE = re.compile(r"^\s*<!--\s*test:\s*(.*?)\s*-->\s*$")
PLACE = re.compile(r"^([ \t]*)(?:/\* block \*/|// block|# block)$", re.MULTILINE)


class Malformed(Exception):
    """The Markdown cannot be read as it was meant."""


@dataclass(frozen=True)
class Block:
    path: Path
    line: int
    language: str
    text: str
    wrap: Path | None = None

    def program(self) -> str:
        """The text as it is run."""
        if self.wrap is None:
            return self.text
        whole = self.wrap.read_text()
        places = PLACE.findall(whole)
        if len(places) != 1:
            raise Malformed(f"{self.wrap}: {len(places)} lines stand for the block, not one")
        return PLACE.sub(lambda place: textwrap.indent(self.text, place[1]).rstrip("\n"), whole)


def blocks(path: Path, root: Path) -> Iterator[Block]:
    """The blocks of a file, in order; `root` is where the paths in directives begin."""
    lines = path.read_text().splitlines()
    directive = ""
    number = 0
    while number < len(lines):
        opening = FENCE.match(lines[number])
        if opening is None:
            said = DIRECTIVE.match(lines[number])
            directive = said[1] if said else directive if not lines[number].strip() else ""
            number += 1
            continue
        end = closing(lines, number, opening[1], path)
        text = textwrap.dedent("\n".join(lines[number + 1 : end])) + "\n"
        yield Block(path, number + 1, opening[2], text, wrap_of(directive, path, number + 1, root))
        directive = ""
        number = end + 1


def closing(lines: list[str], opened: int, fence: str, path: Path) -> int:
    for number in range(opened + 1, len(lines)):
        if re.fullmatch(rf"\s*{re.escape(fence[0])}{{{len(fence)},}}\s*", lines[number]):
            return number
    raise Malformed(f"{path}:{opened + 1}: this block never ends")


def wrap_of(directive: str, path: Path, line: int, root: Path) -> Path | None:
    if not directive:
        return None
    wrap = re.fullmatch(r"wrap=(\S+)", directive)
    if wrap is None:
        raise Malformed(f"{path}:{line}: the one thing that may be said of a block is wrap=FILE, not '{directive}'")
    return root / wrap[1]
