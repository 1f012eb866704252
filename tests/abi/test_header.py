"""The header alone compiles as every C and C++ there is, without a warning, and its layout is the promised one."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

GCC_COMMON = "-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Wredundant-decls -Wpadded"
GCC_C = f"{GCC_COMMON} -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wc++-compat"
GCC_CXX = f"{GCC_COMMON} -Wold-style-cast -Wzero-as-null-pointer-constant -Wuseless-cast"
CLANG = "-Weverything"

C = ["c99", "c11", "c17", "c2x"]
CXX = ["c++11", "c++14", "c++17", "c++20"]
COMPILERS = [
    *(("gcc", "c", standard, GCC_C) for standard in C),
    *(("clang-14", "c", standard, CLANG) for standard in C),
    *(("gcc", "c++", standard, GCC_CXX) for standard in CXX),
    *(("clang-14", "c++", standard, CLANG) for standard in CXX),
]
every_compiler = pytest.mark.parametrize(("compiler", "language", "standard", "warnings"), COMPILERS)


def compiled(include: Path, source: str, compiler: str, language: str, standard: str, warnings: str) -> str:
    """What the compiler has to say; nothing when it is content. Assembly is made, as some warnings come only then."""
    options = [f"-x{language}", f"-std={standard}", *warnings.split(), "-Werror", f"-I{include}", "-S", "-o", "-", "-"]
    done = subprocess.run([compiler, *options], input=source, capture_output=True, text=True)
    return done.stderr if done.returncode else ""


@pytest.fixture(scope="module")
def program(layout: dict[str, Any]) -> str:
    """The header and nothing else, but that the size of each struct is asked for: clang looks for padding only then."""
    asked = (f"extern char {name}_bytes[sizeof({name})];\n" for name in layout["structs"])
    return "#include <trip.h>\n" + "".join(asked)


@every_compiler
def test_header_compiles_alone(
    repository: Path, program: str, compiler: str, language: str, standard: str, warnings: str
) -> None:
    assert compiled(repository / "include", program, compiler, language, standard, warnings) == ""


@every_compiler
def test_padding_would_be_noticed(
    repository: Path, program: str, compiler: str, language: str, standard: str, warnings: str, tmp_path: Path
) -> None:
    header = (repository / "include/trip.h").read_text()
    holed = header.replace("uint32_t reserved;", "uint64_t reserved;")
    assert holed != header
    (tmp_path / "trip.h").write_text(holed)
    said = compiled(tmp_path, program, compiler, language, standard, warnings)
    assert "padding struct" in said and "reserved" in said


@pytest.mark.parametrize("compiler", ["gcc", "clang-14"])
def test_layout_is_what_the_compiler_makes(repository: Path, compiler: str) -> None:
    source = (repository / "tests/abi/layout_generated.c").read_text()
    assert compiled(repository / "include", source, compiler, "c", "c11", "-Wall -Wextra -Wpedantic") == ""


@pytest.mark.parametrize(
    ("promised", "other"),
    [
        ("sizeof(trip_circuit_info) == 120", "sizeof(trip_circuit_info) == 128"),
        ("offsetof(trip_rejection, retry_after_ns) == 16", "offsetof(trip_rejection, retry_after_ns) == 8"),
        ("TRIP_E_CONSUMED == -3", "TRIP_E_CONSUMED == -2"),
    ],
)
def test_another_layout_does_not_compile(repository: Path, promised: str, other: str) -> None:
    source = (repository / "tests/abi/layout_generated.c").read_text()
    assert promised in source
    said = compiled(repository / "include", source.replace(promised, other), "gcc", "c", "c11", "-Wall")
    assert "static assertion failed" in said


def test_header_needs_no_compiler_s_extension(repository: Path) -> None:
    """A compiler that is not GCC's kin sees no attribute."""
    command = ["gcc", "-xc", "-std=c99", "-U__GNUC__", "-E", "-P", str(repository / "include/trip.h")]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "trip_abi_version(void);" in shown
    assert not [line for line in shown.splitlines() if "__attribute__" in line and "trip_" in line]
