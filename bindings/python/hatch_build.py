"""Owns the library inside a wheel: compiles the amalgamation in bundled/ into the package. Asks nothing of the network,
and never falls back: without a compiler there is no wheel.

A source distribution carries bundled/. The source tree does not: what is installed from there looks for the system's
library, as the packages of a Linux distribution do.

CC, CFLAGS and LDFLAGS of the environment hold. TRIP_GUARDS is meson's option `guards`: `disabled` leaves libffi out,
`enabled` fails where it is missing, and `auto`, the default, takes it where the compiler finds it.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SONAME = "libtrip.so.1"

COMPILE = ["-std=gnu11", "-O3", "-DNDEBUG", "-fPIC", "-fvisibility=hidden", "-fstack-protector-strong"]
# The library can never be unmapped: what threads do at their end, and processes at a fork, points into it.
LINK = ["-shared", "-s", "-pthread", "-Wl,-z,nodelete", "-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,defs"]
LIBRARY = [f"-Wl,-soname,{SONAME}", "-Wl,--version-script=libtrip.map", "trip.c"]

# Debian has libffi twice as a static library, and only the first can be part of a shared one. Elsewhere the second name
# is as a rule the system's shared library, on which a wheel that is built where it is installed may depend.
LIBFFI = ("ffi_pic", "ffi")
CALLS_LIBFFI = "#include <ffi.h>\nvoid call(ffi_cif *cif);\nvoid call(ffi_cif *cif) { ffi_call(cif, 0, 0, 0); }\n"


class Unbuildable(Exception):
    """Why there can be no library here, in words for whoever installs."""


def words_of(variable: str, default: str = "") -> list[str]:
    return shlex.split(os.environ.get(variable) or default)


def compile_shared(folder: Path, output: Path, arguments: list[str]) -> str | None:
    """Make a shared library of sources in `folder`, whose names are relative so that no path gets into it.

    What the compiler said when it failed, else None. Raises Unbuildable where there is no compiler.
    """
    compiler = words_of("CC", "cc")
    command = [*compiler, *COMPILE, *words_of("CFLAGS"), *LINK, *words_of("LDFLAGS"), *arguments, "-o", str(output)]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    except OSError as error:
        raise Unbuildable(
            f"libtrip's source distribution contains C, and the compiler {compiler[0]!r} cannot be run "
            f"({error.strerror}). Install a C compiler, name one in the variable CC, or install libtrip's wheel, "
            "which needs none."
        ) from error
    return None if done.returncode == 0 else done.stderr or f"{shlex.join(command)} failed"


def arguments_for_libffi(scratch: Path) -> list[str]:
    """What adds libffi to the library; nothing where guards are not wanted, or cannot be had and need not be."""
    wanted = os.environ.get("TRIP_GUARDS") or "auto"
    if wanted not in ("auto", "enabled", "disabled"):
        raise Unbuildable(f"TRIP_GUARDS is {wanted!r}; it can be auto, enabled or disabled")
    (scratch / "probe.c").write_text(CALLS_LIBFFI)
    for name in LIBFFI if wanted != "disabled" else ():
        if compile_shared(scratch, scratch / "probe.so", ["probe.c", f"-l{name}"]) is None:
            return ["-DTRIP_WITH_LIBFFI", f"-l{name}"]
    if wanted == "enabled":
        raise Unbuildable("libffi is missing: install libffi-dev, or set TRIP_GUARDS=disabled")
    return []


def compile_library(bundled: Path, scratch: Path) -> Path:
    library = scratch / SONAME
    failure = compile_shared(bundled, library, [*LIBRARY, *arguments_for_libffi(scratch)])
    if failure is not None:
        raise Unbuildable(f"libtrip cannot be compiled here:\n{failure}")
    return library


class BundledLibrary(BuildHookInterface):  # type: ignore[type-arg]  # of any builder's configuration
    """What hatchling calls before it packs, and after."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        bundled = Path(self.root, "bundled")
        if self.target_name != "wheel" or version == "editable" or not bundled.is_dir():
            return
        self.scratch = tempfile.TemporaryDirectory(prefix="libtrip-")
        try:
            library = compile_library(bundled, Path(self.scratch.name))
        except Unbuildable as why:
            self.app.abort(str(why))
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data.update(pure_python=False, tag=f"py3-none-{platform}")
        build_data["force_include"][str(library)] = f"trip/{SONAME}"
        for listing in sorted(Path(self.root, "sboms").glob("*.json")):  # none but where a release is made
            build_data["sbom_files"].append(f"sboms/{listing.name}")

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if hasattr(self, "scratch"):
            self.scratch.cleanup()
