"""Makes the Python packages: a source distribution that carries the amalgamation, and from it the wheel, whose library
is compiled by zig's compiler for a glibc older than this machine's.

Owns what a release adds to bindings/python, and for which machines it is. Compiles and packs nothing by itself: that is
bindings/python/hatch_build.py, which does the same for whoever installs the source distribution.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BINDING = ROOT / "bindings" / "python"
PYTHON = ROOT / ".venv-dist" / "bin" / "python"  # has what tools/dist/requirements.txt names

TARGET = "x86_64-linux-gnu.2.28"
PLATFORM = "manylinux_2_28_x86_64"


def stage(amalgamation: Path, root: Path) -> Path:
    """The tree of a source distribution: the binding, and beside it what it takes to compile the library.

    It has the places of the source tree, where pyproject.toml looks for the version.
    """
    folder = root / "bindings" / "python"
    shutil.copytree(BINDING / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "hatch_build.py"):
        shutil.copy(BINDING / name, folder)
    for name in ("LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, folder)
    shutil.copy(ROOT / "meson.build", root)
    (folder / "README.md").write_text(without_relative_links((BINDING / "README.md").read_text()))
    bundled = folder / "bundled"
    bundled.mkdir()
    for source in (amalgamation / "trip.c", amalgamation / "trip.h", ROOT / "lib" / "libtrip.map"):
        shutil.copy(source, bundled)
    return folder


def without_relative_links(text: str) -> str:
    """An index shows this text without the files around it: what points to them keeps its words alone."""
    return re.sub(r"\[([^]]+)\]\((?!https?:|#)[^)]+\)", r"\1", text)


def hatchling(folder: Path, target: str, output: Path, **environment: str) -> Path:
    """Pack `folder`; the file that it became. Ends the program, with what hatchling said, where that fails."""
    command = [str(PYTHON), "-I", "-m", "hatchling", "build", "--target", target, "--directory", str(output)]
    done = subprocess.run(command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)
    (made,) = output.glob("*.tar.gz" if target == "sdist" else "*.whl")
    return made


def said_by(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL).stdout


def gather_libffi(folder: Path) -> Path:
    """The static libffi and its headers alone: the machine's other headers are of another glibc than zig's."""
    folder.mkdir()
    headers = said_by("gcc", "-M", "-include", "ffi.h", "-x", "c", "/dev/null").split()
    for file in (*headers, said_by("gcc", "-print-file-name=libffi_pic.a").strip()):
        if Path(file).name in ("ffi.h", "ffitarget.h", "libffi_pic.a"):
            shutil.copy(file, folder)
    return folder


def component(name: str, licence: str, **version: str) -> dict[str, Any]:
    return {"type": "library", "bom-ref": name, "name": name, **version, "licenses": [{"expression": licence}]}


def bill_of_materials(version: str, bundled: Path) -> dict[str, Any]:
    """What the library in the wheel consists of, as CycloneDX has it; without a time, so that it is always the same."""
    (uthash,) = re.findall(r"^#define UTHASH_VERSION (\S+)$", (bundled / "trip.c").read_text(), re.MULTILINE)
    parts = [
        component("jsmn", "MIT"),
        component("libffi", "MIT", version=said_by("pkg-config", "--modversion", "libffi").strip()),
        component("uthash", "BSD-1-Clause", version=uthash),
    ]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": component("libtrip", "MIT", version=version)},
        "components": parts,
        "dependencies": [{"ref": "libtrip", "dependsOn": [part["name"] for part in parts]}],
    }


def make_sdist(amalgamation: Path, scratch: Path) -> Path:
    return hatchling(stage(amalgamation, scratch / "tree"), "sdist", scratch)


def make_wheel(sdist: Path, scratch: Path) -> Path:
    """The wheel that `sdist` builds where zig is the compiler."""
    shutil.unpack_archive(sdist, scratch)
    folder = scratch / sdist.name.removesuffix(".tar.gz")
    version = folder.name.rpartition("-")[2]
    (folder / "sboms").mkdir()
    bill = json.dumps(bill_of_materials(version, folder / "bundled"), indent=2, sort_keys=True)
    (folder / "sboms" / "libtrip.cdx.json").write_text(bill + "\n")
    libffi = gather_libffi(scratch / "libffi")
    return hatchling(
        folder,
        "wheel",
        scratch,
        CC=shlex.join([str(PYTHON), "-I", "-m", "ziglang", "cc", "-target", TARGET]),
        CFLAGS=shlex.quote(f"-I{libffi}"),
        LDFLAGS=shlex.quote(f"-L{libffi}"),
        TRIP_GUARDS="enabled",
        _PYTHON_HOST_PLATFORM=PLATFORM,  # what sysconfig.get_platform() then says
        ZIG_GLOBAL_CACHE_DIR=str(PYTHON.parents[1] / "zig"),  # the C library, each time the same
        ZIG_LOCAL_CACHE_DIR=str(scratch / "zig"),
    )


def make(amalgamation: Path, output: Path) -> Iterable[Path]:
    if not PYTHON.exists():
        sys.exit(f"{PYTHON} is missing: run './x install'")
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="libtrip-wheel-") as folder:
        scratch = Path(folder)
        sdist = make_sdist(amalgamation, scratch)
        for made in (sdist, make_wheel(sdist, scratch)):
            yield Path(shutil.copy(made, output))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--amalgamation", type=Path, required=True, help="the folder of trip.c and trip.h")
    parser.add_argument("--output", type=Path, required=True, help="where the packages go")
    arguments = parser.parse_args()
    for package in make(arguments.amalgamation, arguments.output):
        print(package)


if __name__ == "__main__":
    main()
