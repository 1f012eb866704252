"""What the tests of the packages share: the amalgamation, the library installed at a prefix, and a release, which is
made once for all of them. It is of the last commit: what is not committed is in no package."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKERS = REPOSITORY / ".venv-dist" / "bin"
BUILD = Path(os.environ.get("TRIP_BUILD", REPOSITORY / "build"))
sys.path.insert(0, str(REPOSITORY / "tools"))


def run(*command: str | Path, **options: str | Path) -> str:
    """What a command prints; fails, with what it said, when it does. `cwd` is where; the rest are its variables."""
    folder = options.pop("cwd", None)
    environment = {**os.environ, **{name: str(value) for name, value in options.items()}}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Amalgamation:
    folder: Path
    source: Path
    header: Path


@pytest.fixture(scope="session")
def amalgamated(tmp_path_factory: pytest.TempPathFactory) -> Amalgamation:
    folder = tmp_path_factory.mktemp("amalgamation")
    run(sys.executable, REPOSITORY / "tools/amalgamate.py", "--output", folder)
    return Amalgamation(folder, folder / "trip.c", folder / "trip.h")


@dataclass(frozen=True)
class Prefix:
    """An installed library, with nothing of the source tree in reach."""

    folder: Path
    libraries: Path

    def environment(self) -> dict[str, str]:
        return {
            "PKG_CONFIG_LIBDIR": str(self.libraries / "pkgconfig"),
            "PKG_CONFIG_PATH": "",
            "LD_LIBRARY_PATH": str(self.libraries),
        }


@pytest.fixture(scope="session")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Prefix:
    """The library of the build folder, installed where it was not configured to be; its .pc file is told so."""
    root = tmp_path_factory.mktemp("installed")
    run("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", root)
    (library,), (header,) = root.rglob("libtrip.so"), root.rglob("trip.h")
    description = library.parent / "pkgconfig/libtrip.pc"
    folder = header.parents[1]
    text, told = re.subn("^prefix=.*$", f"prefix={folder}", description.read_text(), flags=re.MULTILINE)
    assert told == 1
    description.write_text(text)
    return Prefix(folder, library.parent)


@dataclass(frozen=True)
class Release:
    tree: Path  # the clone that it was made in
    folder: Path
    files: list[Path]  # but the checksums and the bill of materials

    @property
    def sums(self) -> str:
        return (self.folder / "SHA256SUMS").read_text()


# Compile all that they depend on: test_crates.py makes them once, and tries all that is tried here of the others.
SLOW = {"crates"}


def committed(folder: Path) -> Path:
    """A repository whose last commit is released: this one; where the sources came without theirs, one made of them."""
    if subprocess.run(["git", "-C", REPOSITORY, "rev-parse", "HEAD"], capture_output=True).returncode == 0:
        return REPOSITORY
    git = ["git", f"--git-dir={folder}", f"--work-tree={REPOSITORY}", "-c", "user.name=libtrip", "-c", "user.email="]
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message=As it is"]):
        run(*git, *command)
    return folder


def begin_release(repository: Path, tree: Path) -> subprocess.Popen[str]:
    """`./x dist` in a clone of its own. Tools that the makers have beside the tree are lent to it."""
    run("git", "clone", "--quiet", "--shared", repository, tree)
    for tools in REPOSITORY.glob(".venv-*"):
        (tree / tools.name).symlink_to(tools)
    kinds = sorted({path.stem for path in (tree / "tools/dist").glob("*.py")} - SLOW)
    command = [sys.executable, str(tree / "tools/release.py"), "--allow-dirty", *kinds]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> list[Release]:
    """The same release made twice at once, in folders of different names and lengths."""
    trees = [tmp_path_factory.mktemp("a") / "libtrip", tmp_path_factory.mktemp("another-folder") / "of-another-name"]
    repository = committed(tmp_path_factory.mktemp("commit") / ".git")
    running = [begin_release(repository, tree) for tree in trees]
    made = []
    for tree, process in zip(trees, running):
        said, _ = process.communicate()
        assert process.returncode == 0, said
        every = sorted((tree / "dist").iterdir())
        packages = [path for path in every if path.name != "SHA256SUMS" and path.suffixes[-2:] != [".spdx", ".json"]]
        made.append(Release(tree, tree / "dist", packages))
    return made


@pytest.fixture(scope="session")
def release(releases: list[Release]) -> Release:
    return releases[0]


@dataclass(frozen=True)
class PythonPackages:
    sdist: Path
    wheel: Path


@pytest.fixture(scope="session")
def python_packages(release: Release) -> PythonPackages:
    (sdist,), (wheel,) = release.folder.glob("libtrip-[0-9]*.tar.gz"), release.folder.glob("*.whl")
    return PythonPackages(sdist, wheel)
