"""Makes the .crate files of the Rust binding: its sources as they are, and the amalgamation in trip-sys. Writes nowhere
but into the folder that is asked for, and leaves nothing in the tree.

The same sources and the same amalgamation give the same bytes, wherever the tree lies: what cargo would write about the
state of a git repository is left out, because what is packaged is a copy.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BINDING = ROOT / "bindings/rust"
CRATES = ("trip-sys", "trip", "trip-tower")
AMALGAMATION = ("trip.c", "trip.h")

# Any of these would lead cargo or a build script away from what is packaged.
ELSEWHERE = ("PKG_CONFIG_PATH", "RUSTFLAGS", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET", "DOCS_RS")


def environment(**settings: str) -> dict[str, str]:
    """One in which cargo downloads nothing and knows no libtrip that somebody has built."""
    kept = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    return {**kept, "CARGO_NET_OFFLINE": "true", **settings}


def package(amalgamation: Path, output: Path, target: Path | None = None, options: tuple[str, ...] = ()) -> list[Path]:
    """The .crate files, dependencies first. Each is built from its own file with the library that it carries.

    amalgamation: the folder of trip.c and trip.h. output: where the files go; made where it is missing. target: a
    folder for what cargo builds, kept to be used again; else it is a temporary one. options: of `cargo package`. Raises
    CalledProcessError where cargo refuses, and FileNotFoundError without an amalgamation.
    """
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="trip-crates-") as name:
        sources, built = Path(name) / "rust", target or Path(name) / "target"
        copy_sources(sources, amalgamation)
        command = ["cargo", "package", "--workspace", "--locked", "--quiet", "--target-dir", str(built), *options]
        subprocess.run(command, cwd=sources, env=environment(TRIP_SYS_BUNDLED="1"), check=True)
        return [Path(shutil.copy(built / f"package/{crate}-{version()}.crate", output)) for crate in CRATES]


def version() -> str:
    """The one version that the crates have."""
    found = re.search(r'(?m)^version = "([^"]+)"', (BINDING / "Cargo.toml").read_text())
    assert found, "the workspace has no version"
    return found[1]


def copy_sources(sources: Path, amalgamation: Path) -> None:
    """What git would, and the licences themselves where the tree has links to them."""
    left_out = shutil.ignore_patterns("target", "bundled")
    shutil.copytree(BINDING, sources, ignore=left_out)
    bundled = sources / "trip-sys/bundled"
    bundled.mkdir()
    for file in AMALGAMATION:
        shutil.copy(amalgamation / file, bundled)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--amalgamation", type=Path, required=True, metavar="DIR", help="where trip.c and trip.h are")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="where the .crate files go")
    parser.add_argument("--target", type=Path, metavar="DIR", help="where cargo builds them, to be used again")
    parser.add_argument("--no-verify", action="store_true", help="do not build what is packaged")
    asked = parser.parse_args()
    options = ("--no-verify",) if asked.no_verify else ()
    print(
        *package(asked.amalgamation.resolve(), asked.output, asked.target and asked.target.resolve(), options), sep="\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
