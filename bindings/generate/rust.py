"""Writes bindings/rust/trip-sys/src/bindings.rs: what bindgen makes of the header, tidied.

bindgen names the type of each enum without a name by a running number, and prettyplease, its formatter, writes comments
of several lines in a way of its own. Declarations, types and layout are bindgen's, which reads the header by itself."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from textwrap import wrap

import clang  # type: ignore[import-untyped]

from . import NOTICE
from .header import compiler_arguments
from .model import STATUS_GROUP, Contract

PATH = "bindings/rust/trip-sys/src/bindings.rs"
PROGRAM = Path(__file__).parent / "bindgen"
EDITION = "2021"

ENUM_TYPE = re.compile(r"pub type _bindgen_ty_\d+ = \w+;\n")
CONSTANT = re.compile(r"pub const (\w+): _bindgen_ty_\d+ =")
BLOCK_COMMENT = re.compile(r"^( *)/\*\*(.*?)\*/", re.MULTILINE | re.DOTALL)
INDENTED_STATUS = re.compile(r" {4,}TRIP_")
WIDTH = 120


def write(contract: Contract, header: Path) -> str:
    declared = bindgen(header)
    declared = BLOCK_COMMENT.sub(line_comments, declared)
    declared = name_constant_types(declared, contract)
    return formatted(f"// {NOTICE}\n\n{declared}")


def bindgen(header: Path) -> str:
    libclang = Path(clang.__file__).parent / "native"
    environment = {**os.environ, "LIBCLANG_PATH": str(libclang)}
    manifest = str(PROGRAM / "Cargo.toml")
    command = ["cargo", "run", "--quiet", "--locked", "--manifest-path", manifest, "--"]
    arguments = [str(header), *compiler_arguments()]
    return subprocess.run([*command, *arguments], env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


def line_comments(block: re.Match[str]) -> str:
    """A comment of several lines as rustdoc has them, each parameter and status an entry of a list."""
    indent, text = block.groups()
    lines: list[str] = []
    for piece in pieces(text.strip()):
        hanging = " " * (len(piece) - len(piece.lstrip(" -")))
        lines += wrap(piece, WIDTH - len(indent) - len("/// "), subsequent_indent=hanging) or [""]
    return "\n".join(f"{indent}/// {line}".rstrip() for line in lines)


def pieces(text: str) -> list[str]:
    """Lines joined into paragraphs and entries of a list, which are what wraps."""
    found = [""]
    for line in text.split("\n"):
        if INDENTED_STATUS.match(line):
            found.append(f"  - {line.strip()}")
        elif not line.strip() or not found[-1] or line.lstrip().startswith("- "):
            found.append(line.strip())
        else:
            found[-1] += f" {line.strip()}"
    return found[1:]


def name_constant_types(declared: str, contract: Contract) -> str:
    """A status constant is a trip_status, any other what the members that hold it are: a u32."""
    groups = {constant.name: constant.group for constant in contract.constants}
    declared = ENUM_TYPE.sub("", declared)
    return CONSTANT.sub(
        lambda m: f"pub const {m[1]}: {'trip_status' if groups[m[1]] == STATUS_GROUP else 'u32'} =", declared
    )


def formatted(source: str) -> str:
    """As `cargo fmt` would: rustfmt looks for the settings of the workspace above the folder it runs in."""
    workspace = Path(__file__).parents[1] / "rust"
    command = ["rustfmt", "--edition", EDITION]
    return subprocess.run(command, input=source, cwd=workspace, check=True, stdout=subprocess.PIPE, text=True).stdout
