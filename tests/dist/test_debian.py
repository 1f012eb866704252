"""Debian's packages: lintian has nothing against them, and what they install is what a C programmer needs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import archives
from conftest import REPOSITORY, Release, run


@pytest.fixture(scope="module")
def library(release: Release) -> Path:
    return next(release.folder.glob("libtrip1_*.deb"))


@pytest.fixture(scope="module")
def development(release: Release) -> Path:
    return next(release.folder.glob("libtrip-dev_*.deb"))


def field(package: Path, name: str) -> str:
    return run("dpkg-deb", "--field", package, name).strip()


def test_lintian_finds_no_error_and_no_warning(library: Path, development: Path) -> None:
    run("lintian", "--allow-root", "--fail-on", "error,warning", library, development)


def test_install_header_library_and_descriptions(library: Path, development: Path) -> None:
    def names(package: Path) -> set[str]:
        return {re.sub(r"/lib/[\w-]+-linux-\w+/", "/lib/", name) for name in archives.read(package)}

    shared = "./usr/share/doc"
    version = field(library, "Version").rpartition("-")[0]
    assert names(library) == {
        "./usr/lib/libtrip.so.1",
        f"./usr/lib/libtrip.so.{version}",
        *(f"{shared}/libtrip1/{name}" for name in ("NOTICE", "changelog.Debian.gz", "copyright")),
        "./usr/share/lintian/overrides/libtrip1",
    }
    assert names(development) == {
        "./usr/include/trip.h",
        "./usr/lib/libtrip.so",
        "./usr/lib/pkgconfig/libtrip.pc",
        "./usr/lib/cmake/libtrip/libtripConfig.cmake",
        "./usr/lib/cmake/libtrip/libtripConfigVersion.cmake",
        *(f"{shared}/libtrip-dev/{name}" for name in ("ABI.md.gz", "changelog.Debian.gz", "copyright")),
        "./usr/share/lintian/overrides/libtrip-dev",
    }


def test_depend_on_libc_alone_and_say_what_is_built_in(library: Path, development: Path) -> None:
    assert re.fullmatch(r"libc6 \(>= [\d.]+\)", field(library, "Depends"))
    assert field(development, "Depends") == f"libtrip1 (= {field(library, 'Version')})"
    assert {name.split()[0] for name in field(library, "Built-Using").split(", ")} == {"jsmn", "libffi", "uthash"}


def test_symbols_are_told_with_the_version_that_first_had_them(library: Path, tmp_path: Path) -> None:
    """So that a program that needs 1.0 alone does not ask for 1.4."""
    run("dpkg-deb", "--control", library, tmp_path)
    told = dict(re.findall(r"^ (trip_\w+)@TRIP_[\d.]+ (\S+)$", (tmp_path / "symbols").read_text(), re.MULTILINE))
    nodes = re.findall(r"^TRIP_([\d.]+) \{(.*?)^\}", (REPOSITORY / "lib/libtrip.map").read_text(), re.S | re.M)
    assert told == {name: version for version, body in nodes for name in re.findall(r"(trip_\w+);", body)}
    assert "activate-noawait ldconfig" in (tmp_path / "triggers").read_text()
    assert (tmp_path / "shlibs").read_text().startswith("libtrip 1 libtrip1")


def test_a_program_is_built_and_run_against_them(library: Path, development: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    for package in (library, development):
        run("dpkg-deb", "--extract", package, root)
    (shared,) = root.rglob("libtrip.so")
    environment = {"PKG_CONFIG_LIBDIR": shared.parent / "pkgconfig", "PKG_CONFIG_SYSROOT_DIR": root}
    flags = run("pkg-config", "--cflags", "--libs", "libtrip", PKG_CONFIG_PATH="", **environment).split()
    program = tmp_path / "protect"
    run("cc", REPOSITORY / "examples/pkg-config/protect.c", "-o", program, *flags)
    assert "TRIP_REJECTED_OPEN" in run(program, LD_LIBRARY_PATH=shared.parent)
