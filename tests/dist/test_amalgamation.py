"""trip.c and trip.h are the whole library: every compiler takes them as they are, what they make passes the contract,
and names that could be mistaken for each other are found when the file is made."""

from __future__ import annotations

import ctypes
import json
import re
import shutil
from pathlib import Path

import pytest

import amalgamate
import vectors
from conftest import BUILD, REPOSITORY, Amalgamation, run

WARNINGS = ["-std=gnu11", "-Wall", "-Wextra", "-Werror"]
HANDLE = -2  # TRIP_E_HANDLE
LIBRARY = ["-fPIC", "-shared", "-Wl,-soname,libtrip.so.1"]


def exported(library: Path) -> set[str]:
    return {line.split()[-1] for line in run("nm", "--dynamic", "--defined-only", library).splitlines()}


@pytest.fixture(scope="module")
def functions() -> set[str]:
    signatures = json.loads((REPOSITORY / "bindings/generate/signatures.json").read_text())
    return set(signatures["functions"])


@pytest.fixture(scope="module")
def with_guards(amalgamated: Amalgamation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("with-guards") / "libtrip.so.1"
    run("gcc", *WARNINGS, "-O2", *LIBRARY, "-DTRIP_WITH_LIBFFI", amalgamated.source, "-o", library, "-lffi")
    return library


@pytest.fixture(scope="module")
def without_guards(amalgamated: Amalgamation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("without-guards") / "libtrip.so.1"
    run("gcc", *WARNINGS, "-O2", *LIBRARY, amalgamated.source, "-o", library, "-lpthread")
    return library


def test_is_the_same_every_time(amalgamated: Amalgamation) -> None:
    assert amalgamate.amalgamation() == amalgamated.source.read_text()
    assert amalgamated.header.read_bytes() == (REPOSITORY / "include/trip.h").read_bytes()


def test_names_nothing_of_the_machine(amalgamated: Amalgamation) -> None:
    text = amalgamated.source.read_text()
    assert str(REPOSITORY) not in text and "/usr/" not in text


@pytest.mark.parametrize("guards", [[], ["-DTRIP_WITH_LIBFFI"]], ids=["without guards", "with guards"])
def test_clang_has_nothing_to_say(amalgamated: Amalgamation, guards: list[str]) -> None:
    run("clang-14", *WARNINGS, *guards, "-fsyntax-only", amalgamated.source)


def test_every_contract_vector_passes(with_guards: Path) -> None:
    runner = BUILD / "tests/contract/contract-runner"
    said = run(runner, LD_LIBRARY_PATH=with_guards.parent, CK_FORK="no")
    mapped = run("bash", "-c", 'ldd "$0"', runner, LD_LIBRARY_PATH=with_guards.parent)
    assert str(with_guards) in mapped
    assert f"contract vectors: {vectors.existing(REPOSITORY / 'tests/contract')} run" in said


def test_exports_the_functions_of_the_header_alone(
    with_guards: Path, without_guards: Path, functions: set[str]
) -> None:
    assert exported(with_guards) == exported(without_guards) == functions


def test_exports_nothing_where_it_is_told_to_keep_quiet(amalgamated: Amalgamation, tmp_path: Path) -> None:
    library = tmp_path / "quiet.so"
    run("gcc", *WARNINGS, *LIBRARY, "-DTRIP_API=", amalgamated.source, "-o", library, "-lpthread")
    assert exported(library) == set()


def test_is_a_part_of_a_program_in_c_plus_plus(amalgamated: Amalgamation, tmp_path: Path) -> None:
    run("gcc", *WARNINGS, "-fvisibility=hidden", "-c", amalgamated.source, "-o", tmp_path / "trip.o")
    source, program = REPOSITORY / "examples/cmake/protect.cpp", tmp_path / "protect"
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{amalgamated.folder}"]
    run("g++", *flags, source, tmp_path / "trip.o", "-o", program, "-lpthread")
    assert run(program) == "5 calls failed; then TRIP_REJECTED_OPEN\n"


def test_goes_with_the_module_that_it_is_a_part_of(amalgamated: Amalgamation, tmp_path: Path) -> None:
    here = Path(__file__).parent
    module, program = tmp_path / "module.so", tmp_path / "unload"
    sources = [here / "module.c", amalgamated.source]
    run("gcc", *WARNINGS, "-fPIC", "-shared", "-DTRIP_API=", f"-I{amalgamated.folder}", *sources, "-o", module)
    run("gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", here / "unload.c", "-o", program, "-lpthread", "-ldl")
    assert run(program, module) == "unloaded\n"


def test_two_copies_share_no_circuits(with_guards: Path, without_guards: Path) -> None:
    one, other = ctypes.CDLL(str(with_guards)), ctypes.CDLL(str(without_guards))
    tracker, circuit = ctypes.c_uint64(), ctypes.c_uint64()
    assert one.trip_tracker_create(None, ctypes.byref(tracker), None) == 0
    key = [tracker, b"a", ctypes.c_size_t(1), b"b", ctypes.c_size_t(1), ctypes.byref(circuit)]
    assert one.trip_tracker_circuit(*key) == 0
    assert other.trip_tracker_circuit(*key) == HANDLE and other.trip_circuit_trip(circuit) == HANDLE
    assert one.trip_circuit_trip(circuit) == 0


# ---- Notices ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", amalgamate.BUNDLED)
def test_keeps_the_whole_of_what_it_bundles(amalgamated: Amalgamation, name: str) -> None:
    bundled = amalgamate.system_header(name).read_text()
    notice = bundled[: bundled.index("*/")]
    assert "Copyright (c)" in notice and bundled in amalgamated.source.read_text()


def test_begins_with_its_own_licence(amalgamated: Amalgamation) -> None:
    head = amalgamated.source.read_text().partition("*/")[0]
    said = " ".join(re.sub(r"^ \* ?", "", head, flags=re.MULTILINE).split())
    assert " ".join((REPOSITORY / "LICENSE").read_text().split()) in said
    assert "SPDX-License-Identifier: MIT AND BSD-1-Clause" in said


# ---- Collisions ------------------------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the amalgamation is made of, but only a few of the sources, to be spoiled."""
    for name in ("lib", "include"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    shutil.copy(REPOSITORY / "LICENSE", tmp_path)
    sources = ", ".join(f"'lib/{name}.c'" for name in ("clock", "draw", "emit", "gate", "retry_hint", "rules"))
    (tmp_path / "meson.build").write_text(f"project('libtrip', 'c',\n  version: '1.4.0')\nsources = files({sources})\n")
    monkeypatch.setattr(amalgamate, "ROOT", tmp_path)
    return tmp_path


SPOILED = {
    "a header declares a name that is not the library's": (
        "lib/mix.h",
        "#endif\n",
        "static inline int mixed(void) { return 0; }\n\n#endif\n",
        "lib/mix.h declares mixed: rename it to begin with trip_",
    ),
    "a header defines a macro that is not the library's": (
        "lib/mix.h",
        "#endif\n",
        "#define MIXED 1\n\n#endif\n",
        "lib/mix.h defines MIXED: rename it to begin with TRIP_",
    ),
    "two headers define one macro": (
        "lib/retry_hint.h",
        "#endif\n",
        "#define TRIP_YEAR 365\n\n#endif\n",
        "both define TRIP_YEAR: rename one of them",
    ),
    "a source undefines what the ones after it need": (
        "lib/clock.c",
        "#define NS_PER_SECOND",
        "#undef HASH_FUNCTION\n#define NS_PER_SECOND",
        "lib/clock.c undefines HASH_FUNCTION, which files after it need: do it in a header",
    ),
    "a name has no way out": (
        "lib/gate.c",
        "static __attribute__((noinline)) void tell(",
        "static int gate_tell;\nstatic __attribute__((noinline)) void tell(",
        "tell of lib/gate.c cannot be called gate_tell, which there is: rename one of them",
    ),
    "a header has no guard": (
        "lib/mix.h",
        "#ifndef TRIP_MIX_H\n",
        "#pragma once\n#if 1\n",
        "lib/mix.h has no include guard",
    ),
}


@pytest.mark.parametrize("case", SPOILED)
def test_a_collision_is_an_error_that_says_what_to_rename(tree: Path, case: str) -> None:
    name, text, spoiled, complaint = SPOILED[case]
    file = tree / name
    assert text in file.read_text()
    file.write_text(file.read_text().replace(text, spoiled, 1))
    with pytest.raises(amalgamate.Collision, match=re.escape(complaint)):
        amalgamate.amalgamation()


def test_names_of_several_files_are_told_apart(tree: Path, tmp_path: Path) -> None:
    """A name that another file has, too, or only a header of the system that another includes; and that of a member."""
    clock, draw = tree / "lib/clock.c", tree / "lib/draw.c"
    odd = "struct odd { int odd_one; };\nstatic inline int odd_one(struct odd *o) { return o->odd_one; }\n"
    bind = "static inline int bind(int odd) { return odd; }\n"
    for file, own in ((clock, f"{odd}{bind}"), (draw, f"#include <sys/socket.h>\n{odd}")):
        file.write_text(file.read_text().replace("\n\n", f"\n\n{own}", 1))
    text = amalgamate.amalgamation()
    for name in ("clock", "draw"):
        assert f"static inline int {name}_odd_one(struct {name}_odd *o) {{ return o->odd_one; }}" in text
    assert "static inline int clock_bind(int clock_odd)" in text
    (tmp_path / "trip.c").write_text(text)
    shutil.copy(tree / "include/trip.h", tmp_path)
    run("gcc", "-std=gnu11", "-fsyntax-only", tmp_path / "trip.c")
