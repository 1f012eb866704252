"""The example projects, copied out of the tree and built there against an installed library, as their readers would."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from conftest import REPOSITORY, Amalgamation, Prefix, run


def example(name: str, folder: Path) -> Path:
    return Path(shutil.copytree(REPOSITORY / "examples" / name, folder / name))


def needed(program: Path) -> str:
    return run("readelf", "--dynamic", "--wide", program)


def test_pkg_config(prefix: Prefix, tmp_path: Path) -> None:
    project = example("pkg-config", tmp_path)
    run("make", cwd=project, CFLAGS="-Werror", **prefix.environment())
    assert run(project / "protect", **prefix.environment()).startswith("asked 5 times; TRIP_REJECTED_OPEN")
    assert "[libtrip.so.1]" in needed(project / "protect")


def test_pkg_config_needs_nothing_else_for_a_static_program(prefix: Prefix) -> None:
    """There is no static library to link, and the shared one says itself what it needs."""

    def libraries(*options: str) -> str:
        return run("pkg-config", *options, "--libs", "libtrip", **prefix.environment()).strip()

    assert libraries("--static") == libraries() == f"-L{prefix.libraries} -ltrip"
    assert not list(prefix.folder.rglob("*.a"))


def test_pkg_config_follows_a_prefix_that_was_moved(prefix: Prefix, tmp_path: Path) -> None:
    moved = shutil.copytree(prefix.folder, tmp_path / "moved", symlinks=True)
    options = [f"--define-variable=prefix={moved}", "--cflags", "--libs", "libtrip"]
    said = run("pkg-config", *options, **prefix.environment())
    assert str(prefix.folder) not in said and said.count(str(moved)) == 2


def cmake(project: Path, prefix: Path) -> str:
    """Configure, build and run, offline; what the program prints."""
    build = project / "build"
    run("cmake", "-S", project, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Werror")
    run("cmake", "--build", build)
    return run(build / "protect")


def test_cmake(prefix: Prefix, tmp_path: Path) -> None:
    project = example("cmake", tmp_path)
    assert cmake(project, prefix.folder) == "5 calls failed; then TRIP_REJECTED_OPEN\n"
    assert "[libtrip.so.1]" in needed(project / "build/protect")


def test_cmake_follows_a_prefix_that_was_moved(prefix: Prefix, tmp_path: Path) -> None:
    moved = shutil.copytree(prefix.folder, tmp_path / "moved", symlinks=True)
    project = example("cmake", tmp_path)
    assert cmake(project, moved) == "5 calls failed; then TRIP_REJECTED_OPEN\n"
    assert str(moved) in needed(project / "build/protect") and str(prefix.folder) not in needed(
        project / "build/protect"
    )


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", True),
        ("1.0", True),
        ("1.4", True),
        ("1.4.0 EXACT", True),
        ("1.0...<2", True),
        ("1.0...1.4.0", True),
        ("1", True),
        ("1.4.1", False),
        ("1.5", False),
        ("2.0", False),
        ("0.9", False),
        ("1.3 EXACT", False),
        ("1.0...1.3", False),
        ("1.0...<1.4.0", False),
        ("1.5...2.0", False),
    ],
)
def test_cmake_finds_versions_that_are_compatible(prefix: Prefix, tmp_path: Path, asked: str, found: bool) -> None:
    """A script can ask for a version and make no target: beside the real file of versions stands an empty config."""
    (tmp_path / "libtripConfig.cmake").touch()
    shutil.copy(prefix.libraries / "cmake/libtrip/libtripConfigVersion.cmake", tmp_path)
    script = tmp_path / "find.cmake"
    script.write_text(
        f"set(libtrip_DIR {tmp_path})\nfind_package(libtrip {asked} CONFIG QUIET)\n"
        'message(STATUS "found: ${libtrip_FOUND}")\n'
    )
    said = run("cmake", "-P", script)
    assert f"found: {1 if found else 0}" in said


def test_vendored(amalgamated: Amalgamation, tmp_path: Path) -> None:
    project = example("vendored", tmp_path)
    run("make", f"AMALGAMATION={amalgamated.folder}", "CFLAGS=-std=gnu11 -O0 -Wall -Wextra -Werror", cwd=project)
    assert run(project / "protect").split() == ["TRIP_OK", "TRIP_REJECTED_OPEN", "TRIP_OK"]
    assert "libtrip" not in needed(project / "protect")


def test_vendored_in_the_folder_of_the_program(amalgamated: Amalgamation, tmp_path: Path) -> None:
    project = example("vendored", tmp_path)
    for file in (amalgamated.source, amalgamated.header):
        shutil.copy(file, project)
    run("make", "trip.o", "CFLAGS=-std=gnu11 -fsyntax-only", cwd=project)
