"""The built library is what the header says: these symbols and no others, and nothing to install beside it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def lines_of(*command: str | Path) -> list[str]:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


@pytest.fixture(scope="module")
def exported(library: Path) -> dict[str, str]:
    """Each exported symbol and its version node, which is a symbol itself."""
    found = {}
    for line in lines_of("nm", "-D", "--defined-only", "--with-symbol-versions", library):
        _, kind, versioned = line.split()
        name, _, node = versioned.partition("@@")
        assert kind in ("T", "A"), f"{name} is neither function nor version node"
        if kind == "T":
            found[name] = node
    return found


@pytest.fixture(scope="module")
def dynamic(library: Path) -> list[tuple[str, str]]:
    """The dynamic section: tags and values."""
    entries = (re.fullmatch(r"\s*0x\w+\s+\((\w+)\)\s+(.*)", line) for line in lines_of("readelf", "-dW", library))
    return [(entry[1], entry[2].strip()) for entry in entries if entry]


def values(dynamic: list[tuple[str, str]], tag: str) -> list[str]:
    return [value for found, value in dynamic if found == tag]


def test_exports_are_the_functions_of_the_header(exported: dict[str, str], signatures: dict[str, Any]) -> None:
    assert set(exported) == set(signatures["functions"])


def test_each_function_is_in_the_version_node_of_its_since(
    exported: dict[str, str], signatures: dict[str, Any]
) -> None:
    promised = {name: f"TRIP_{function['since']}" for name, function in signatures["functions"].items()}
    assert exported == promised


def test_soname(dynamic: list[tuple[str, str]]) -> None:
    assert values(dynamic, "SONAME") == ["Library soname: [libtrip.so.1]"]


def needed(dynamic: list[tuple[str, str]]) -> list[str]:
    return [value.partition("[")[2].rstrip("]") for value in values(dynamic, "NEEDED")]


def is_loader(name: str) -> bool:
    """Thread-local storage brings the loader in; every process has it."""
    return re.fullmatch(r"ld-linux[\w.-]*\.so\.\d+", name) is not None


def test_needs_the_c_library_alone(dynamic: list[tuple[str, str]]) -> None:
    """Until glibc 2.34 its threads were in a file of their own, which later ones still have for who asks for it."""
    others = [name for name in needed(dynamic) if not is_loader(name)]
    assert others in (["libc.so.6"], ["libc.so.6", "libpthread.so.0"])


def test_carries_no_path_of_the_machine_that_built_it(dynamic: list[tuple[str, str]]) -> None:
    assert values(dynamic, "RPATH") + values(dynamic, "RUNPATH") == []


def test_can_not_be_unloaded_and_is_bound_at_once(dynamic: list[tuple[str, str]]) -> None:
    (flags,) = values(dynamic, "FLAGS_1")
    assert {"NOW", "NODELETE"} <= set(flags.split())


def test_is_not_bound_to_static_tls(dynamic: list[tuple[str, str]]) -> None:
    assert all("STATIC_TLS" not in value for value in values(dynamic, "FLAGS"))


def test_memory_is_hardened(library: Path) -> None:
    segments = {
        line.split()[0]: line for line in lines_of("readelf", "-lW", library) if line.strip().startswith("GNU_")
    }
    assert "GNU_RELRO" in segments
    assert " E" not in segments["GNU_STACK"].replace("RWE", " E"), "the stack is executable"


def test_imports_come_from_the_c_library(library: Path, dynamic: list[tuple[str, str]]) -> None:
    """libm and libffi have symbols of their own, which somebody would have to install."""
    offered = set()
    for name in ["libc.so.6", *filter(is_loader, needed(dynamic))]:
        (path,) = lines_of("gcc", f"-print-file-name={name}")
        offered |= {line.split()[-1].partition("@")[0] for line in lines_of("nm", "-D", "--defined-only", path)}
    for line in lines_of("nm", "-D", "--undefined-only", library):
        kind, versioned = line.split()
        assert kind == "w" or versioned.partition("@")[0] in offered, f"{versioned} comes from elsewhere"


LOAD_BARE = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
library.trip_version.restype = ctypes.c_char_p
print(library.trip_version().decode(), library.trip_abi_version())
"""


def test_loads_into_a_process_that_knows_nothing_of_it(library: Path) -> None:
    command = [sys.executable, "-I", "-c", LOAD_BARE, str(library)]
    shown = subprocess.run(command, check=True, capture_output=True, text=True, env={}).stdout
    version, abi = shown.split()
    major, minor = map(int, version.split(".")[:2])
    assert int(abi) == major << 16 | minor
