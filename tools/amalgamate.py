"""Writes the amalgamation: all of lib/ as one file, trip.c, to be compiled together with trip.h into any program.

The same tree and the same uthash.h and jsmn.h give the same bytes. Nothing in lib/ is written for it: names that
several files have for themselves get their file's name in front, macros end with their file, and what cannot be told
apart that way is an error that says what to rename."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from clang.cindex import Cursor, CursorKind, Index, TranslationUnit  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parent.parent
BUNDLED = ("uthash.h", "jsmn.h")  # of the system; inlined whole, with their notices
LIBFFI = "ffi.h"  # of the system too, but a library of its own: asked for by who compiles

# What a header may declare or define: what begins so cannot be a name that a .c file has for itself.
SHARED = re.compile(r"trip_|TRIP_")
CONFIGURES_BUNDLED = re.compile(r"HASH_|uthash_")

INCLUDE = re.compile(r'^#include [<"]([\w/.]+)[">]\n', re.MULTILINE)
DIRECTIVE = re.compile(r"^#\s*(define|undef) (\w+)", re.MULTILINE)
GUARD = re.compile(r"#ifndef (TRIP_\w+_H)\n#define \1\n\n?(.*)#endif\n\Z", re.DOTALL)
TOKEN = re.compile(
    r"""/\*.*?\*/ | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'  # comments and texts
      | (?:->|\.)\s*[A-Za-z_]\w* | \.?\d[\w.]*              # members and numbers
      | (?P<word>[A-Za-z_]\w*)""",
    re.VERBOSE | re.DOTALL,
)

HEAD = """\
/*
 * libtrip {version} in one file: circuit breakers with one C ABI for every language. trip.h says how it is used.
 *
 *     cc -std=gnu11 -O2 -c trip.c
 *     cc program.o trip.o -lpthread
 *
 * Of what is in here only the functions of trip.h have a name outside; -DTRIP_API= keeps these, too, inside the program
 * or library that trip.c becomes a part of. trip_guard needs libffi: -DTRIP_WITH_LIBFFI, and -lffi; without them
 * trip_has_feature says that there are no guards. Two copies in a process share no circuits.
 *
 * Made from the sources of libtrip by tools/amalgamate.py: edit those. The parts that are others' work, uthash and
 * jsmn, begin with their own notices; the notice of all the rest is this:
 *
{licence}
 *
 * SPDX-License-Identifier: MIT AND BSD-1-Clause
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

{includes}

#ifdef TRIP_WITH_LIBFFI
#include <ffi.h>
#endif

#define TRIP_VERSION "{version}"

#pragma GCC visibility push(hidden)

#include "trip.h"
"""

TAIL = """
#pragma GCC visibility pop
"""


class Collision(Exception):
    pass


def version() -> str:
    found = re.search(r"^  version: '([\d.]+)'", (ROOT / "meson.build").read_text(), re.MULTILINE)
    if found is None:
        raise ValueError("meson.build names no version")
    return found[1]


def sources() -> list[Path]:
    """The files that meson makes the library of, in its order."""
    return [ROOT / name for name in re.findall(r"'(lib/\w+\.c)'", (ROOT / "meson.build").read_text())]


def system_header(name: str) -> Path:
    """Where the compiler that builds the library finds a header."""
    asked = subprocess.run(
        ["cc", "-E", "-xc", "-"], input=f"#include <{name}>\n", check=True, capture_output=True, text=True
    )
    (found, *_) = re.findall(rf'^# \d+ "([^"]*/{re.escape(name)})"', asked.stdout, re.MULTILINE)
    return Path(found)


# ---- Names -----------------------------------------------------------------------------------------------------------


@dataclass
class Names:
    """What is declared at file scope, by a source for itself and by the system's headers; and members of structs, which
    have a scope of their own and keep their names."""

    own: set[str] = field(default_factory=set)
    systems: set[str] = field(default_factory=set)
    members: set[int] = field(default_factory=set)  # where in the source


def declared(cursor: Cursor) -> Iterator[Cursor]:
    """Everything that has a name at file scope, and all members."""
    for child in cursor.get_children():
        if child.kind.is_declaration():
            yield child
            if child.kind in (CursorKind.ENUM_DECL, CursorKind.STRUCT_DECL, CursorKind.UNION_DECL):
                yield from declared(child)


def compiler_s_headers() -> str:
    """libclang's package comes without the headers of a compiler; the one that builds the library has them."""
    asked = ["cc", "-print-file-name=include"]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()


def names_of(source: Path, arguments: list[str]) -> Names:
    """What libclang finds in a source. What the headers of lib/ declare is checked in passing."""
    names = Names()
    unit = Index.create().parse(str(source), arguments, options=TranslationUnit.PARSE_SKIP_FUNCTION_BODIES)
    for cursor in declared(unit.cursor):
        where = Path(cursor.location.file.name) if cursor.location.file else Path()
        if where == source and cursor.kind == CursorKind.FIELD_DECL:
            names.members.add(cursor.location.offset)
        elif cursor.kind == CursorKind.FIELD_DECL or not cursor.spelling or SHARED.match(cursor.spelling):
            pass
        elif where == source:
            names.own.add(cursor.spelling)
        elif where.parent != source.parent:
            names.systems.add(cursor.spelling)
        elif not cursor.is_anonymous():
            raise Collision(f"lib/{where.name} declares {cursor.spelling}: rename it to begin with trip_")
    return names


def renamed(texts: dict[Path, str]) -> dict[Path, str]:
    """The texts with each name that a file has for itself, and others or the system's headers too, made its file's."""
    arguments = ["-std=gnu11", "-D_GNU_SOURCE", "-DTRIP_WITH_LIBFFI", f"-I{ROOT / 'include'}"]
    arguments += ["-isystem", compiler_s_headers()]
    names = {path: names_of(path, arguments) for path in texts}
    owners = Counter(name for found in names.values() for name in found.own)
    systems = {name for found in names.values() for name in found.systems}
    words = {token["word"] for text in texts.values() for token in TOKEN.finditer(text)}

    def rename(path: Path, token: re.Match[str]) -> str:
        name = token["word"]
        if name not in names[path].own or token.start() in names[path].members:
            return token[0]
        if owners[name] == 1 and name not in systems:
            return token[0]
        new = f"{path.stem}_{name}"
        if new in words:
            raise Collision(f"{name} of lib/{path.name} cannot be called {new}, which there is: rename one of them")
        return new

    return {path: TOKEN.sub(partial(rename, path), text) for path, text in texts.items()}


# ---- Files -----------------------------------------------------------------------------------------------------------


def local_headers(text: str) -> list[Path]:
    """The headers of lib/ that a text includes, in its order."""
    return [path for name in INCLUDE.findall(text) if (path := ROOT / "lib" / name).exists()]


def system_includes(texts: Iterable[str]) -> list[str]:
    """What all of them together include of the system, but what is bundled, which may include more."""
    bundled = (system_header(name).read_text() for name in BUNDLED)
    names = {name for text in [*texts, *bundled] for name in INCLUDE.findall(text)}
    ours = {path.name for path in (ROOT / "lib").glob("*.h")} | {"trip.h", LIBFFI, *BUNDLED}
    return sorted(names - ours)


def left_over(path: Path, text: str) -> list[str]:
    """The macros that a .c file defines for itself and leaves behind."""
    names: set[str] = set()
    for line in DIRECTIVE.finditer(text):
        if line[1] == "define":
            names.add(line[2])
        elif line[2] in names:
            names.remove(line[2])
        else:
            raise Collision(f"lib/{path.name} undefines {line[2]}, which files after it need: do it in a header")
    return sorted(names)


def check_macros(headers: Iterable[Path]) -> None:
    """Those of a header are for all of lib/: each is defined in one, under a name that no .c file has for itself."""
    homes: dict[str, str] = {}
    for path in headers:
        for _, name in DIRECTIVE.findall(path.read_text()):
            if not SHARED.match(name) and not CONFIGURES_BUNDLED.match(name):
                raise Collision(f"lib/{path.name} defines {name}: rename it to begin with TRIP_")
            if homes.setdefault(name, path.name) != path.name:
                raise Collision(f"lib/{path.name} and lib/{homes[name]} both define {name}: rename one of them")


def section(path: Path, text: str) -> str:
    """A file without its includes and its guard, but with what it bundles; the macros of a .c file end with it."""
    ends = [] if path.suffix == ".h" else [f"#undef {name}\n" for name in left_over(path, text)]
    if path.suffix == ".h":
        guarded = GUARD.search(text)
        if guarded is None:
            raise Collision(f"lib/{path.name} has no include guard of the usual form")
        text = text[: guarded.start()] + guarded[2]
    text = INCLUDE.sub(lambda found: found[0] if found[1] in BUNDLED else "", text)
    text = re.sub(r"\n{3,}", "\n\n", text).strip("\n")
    text = INCLUDE.sub(lambda found: system_header(found[1]).read_text(), text + "\n")
    return f"\n/* ---- lib/{path.name} ---- */\n\n{text}" + ("\n" + "".join(ends) if ends else "")


def in_order(texts: dict[Path, str]) -> Iterator[tuple[Path, str]]:
    """Each header once, before what needs it, and each source."""
    seen = set()

    def with_headers(path: Path, text: str) -> Iterator[tuple[Path, str]]:
        for header in local_headers(text):
            if header not in seen:
                seen.add(header)
                yield from with_headers(header, header.read_text())
        yield path, text

    for path, text in texts.items():
        yield from with_headers(path, text)


def amalgamation() -> str:
    texts = renamed({path: path.read_text(encoding="ascii") for path in sources()})
    parts = list(in_order(texts))
    check_macros(path for path, _ in parts if path.suffix == ".h")
    licence = (ROOT / "LICENSE").read_text().rstrip("\n").split("\n")
    head = HEAD.format(
        version=version(),
        licence="\n".join(f" * {line}".rstrip() for line in licence),
        includes="\n".join(f"#include <{name}>" for name in system_includes(text for _, text in parts)),
    )
    return head + "".join(section(path, text) for path, text in parts) + TAIL


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="where trip.c and trip.h go")
    output = parser.parse_args().output
    try:
        text = amalgamation()
    except Collision as collision:
        print(f"amalgamate: {collision}", file=sys.stderr)
        return 1
    output.mkdir(parents=True, exist_ok=True)
    (output / "trip.c").write_text(text)
    (output / "trip.h").write_bytes((ROOT / "include/trip.h").read_bytes())
    print(output / "trip.c", output / "trip.h", sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
