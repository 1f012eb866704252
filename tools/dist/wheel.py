"""Makes the Python packages: a source distribution that carries the amalgamation, and from it the wheel, whose library
is compiled by zig's compiler for a glibc older than this machine's.

Owns what a release adds to bindings/python, and for which machines it is. Compiles and packs nothing by itself: that is
bindings/python/hatch_build.py, which does the same for whoever installs the source distribution.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import amalgamate
import bill
import maker

BINDING = maker.ROOT / "bindings" / "python"
PYTHON = maker.ROOT / ".venv-dist" / "bin" / "python"  # has what tools/dist/requirements.txt names

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
        shutil.copy(maker.ROOT / name, folder)
    shutil.copy(maker.ROOT / "meson.build", root)
    (folder / "README.md").write_text(without_relative_links((BINDING / "README.md").read_text()))
    bundled = folder / "bundled"
    bundled.mkdir()
    for source in (amalgamation / "trip.c", amalgamation / "trip.h", maker.ROOT / "lib" / "libtrip.map"):
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


def gather_libffi(folder: Path) -> Path:
    """The static libffi and its headers alone: the machine's other headers are of another glibc than zig's."""
    folder.mkdir()
    header = amalgamate.system_header("ffi.h")
    asked = ["cc", "-print-file-name=libffi_pic.a"]
    library = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    for file in (library, header, header.with_name("ffitarget.h")):
        shutil.copy(file, folder)
    return folder


def component(name: str, licence: str, version: str) -> dict[str, Any]:
    return {"type": "library", "bom-ref": name, "name": name, "version": version, "licenses": [{"expression": licence}]}


def bill_of_materials() -> str:
    """What the library in the wheel consists of, as CycloneDX has it; without a time, so that it is always the same."""
    works = [component(work, licence, bill.installed_version(work)) for work, licence in bill.LICENCES.items()]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": component("libtrip", "MIT", maker.version())},
        "components": works,
        "dependencies": [{"ref": "libtrip", "dependsOn": list(bill.LICENCES)}],
    }
    return json.dumps(document, indent=2) + "\n"


def make_sdist(amalgamation: Path, scratch: Path) -> Path:
    return hatchling(stage(amalgamation, scratch / "tree"), "sdist", scratch)


def make_wheel(sdist: Path, scratch: Path) -> Path:
    """The wheel that `sdist` builds where zig is the compiler."""
    shutil.unpack_archive(sdist, scratch)
    folder = scratch / sdist.name.removesuffix(".tar.gz")
    (folder / "sboms").mkdir()
    (folder / "sboms" / "libtrip.cdx.json").write_text(bill_of_materials())
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


def main() -> None:
    amalgamation, output = maker.arguments(__doc__)
    if not PYTHON.exists():
        sys.exit(f"{PYTHON} is missing: run './x install'")
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="libtrip-wheel-") as folder:
        scratch = Path(folder)
        sdist = make_sdist(amalgamation, scratch)
        for made in (sdist, make_wheel(sdist, scratch)):
            print(shutil.copy(made, output))


if __name__ == "__main__":
    main()
