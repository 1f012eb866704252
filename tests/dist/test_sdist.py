"""The source distribution installs where there is a C compiler, and says in words where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from conftest import PACKERS, PythonPackages


def build(sdist: Path, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Have pip build a wheel in `folder`, outside the tree; quickly, for nobody measures it."""
    folder.mkdir(exist_ok=True)
    command = [str(PACKERS / "python"), "-m", "pip", "wheel", str(sdist)]
    command += ["--no-index", "--no-build-isolation", "--no-deps"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "CFLAGS": "-O0", **variables}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def unpacked(python_packages: PythonPackages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    shutil.unpack_archive(python_packages.sdist, folder)
    (root,) = folder.iterdir()
    return root


ASK = "import trip; from trip._library import library; print(library.trip_has_feature(9))"


@pytest.mark.parametrize(("guards", "has_guards"), [("", "1"), ("disabled", "0")])
def test_builds_a_wheel_with_the_machine_s_compiler(
    python_packages: PythonPackages, tmp_path: Path, guards: str, has_guards: str
) -> None:
    done = build(python_packages.sdist, tmp_path, TRIP_GUARDS=guards, CC="")  # as good as unset
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("libtrip-*-py3-none-linux_*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    command = [sys.executable, "-c", ASK]
    asked = subprocess.run(command, env={"PYTHONPATH": str(tmp_path / "site")}, capture_output=True, text=True)
    assert (asked.stdout.strip(), asked.stderr) == (has_guards, "")


def test_says_that_there_is_no_compiler(python_packages: PythonPackages, tmp_path: Path) -> None:
    done = build(python_packages.sdist, tmp_path, CC="no-such-compiler")
    assert done.returncode != 0
    assert "the compiler 'no-such-compiler' cannot be run (No such file or directory)" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout


def test_says_what_the_compiler_did_not_like(python_packages: PythonPackages, tmp_path: Path) -> None:
    done = build(python_packages.sdist, tmp_path, CFLAGS="-fno-such-option")
    assert done.returncode != 0
    assert "libtrip cannot be compiled here" in done.stdout + done.stderr
    assert "-fno-such-option" in done.stdout + done.stderr


def test_a_wish_that_it_does_not_know_is_refused(python_packages: PythonPackages, tmp_path: Path) -> None:
    done = build(python_packages.sdist, tmp_path, TRIP_GUARDS="perhaps")
    assert done.returncode != 0
    assert "TRIP_GUARDS is 'perhaps'; it can be auto, enabled or disabled" in done.stdout + done.stderr


def test_holds_what_it_takes_to_compile_and_no_tests(python_packages: PythonPackages) -> None:
    with tarfile.open(python_packages.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    package = {name for name in names if name.startswith("src/trip/")}
    assert "src/trip/__init__.py" in package
    assert names - package == {
        "bundled/libtrip.map",
        "bundled/trip.c",
        "bundled/trip.h",
        "hatch_build.py",
        "LICENSE",
        "NOTICE",
        "PKG-INFO",
        "pyproject.toml",
        "README.md",
    }
