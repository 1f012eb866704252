"""Makes a release: whatever the makers in tools/dist/ make, a bill of what is in it, and checksums. Run by `./x dist`.

The makers are given trip.c and trip.h, and the time of the last commit, which is the only one that anything carries:
the same commit on the same machine gives the same bytes, in whatever folder and however often."""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import bill
import maker

MAKERS = maker.ROOT / "tools" / "dist"


def changes() -> str:
    """What is not committed: it would be in some of the packages and not in others."""
    asked = ["git", "-C", str(maker.ROOT), "status", "--porcelain"]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout


def make(names: list[str], output: Path) -> list[Path]:
    """The packages of these makers."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(maker.ROOT / "tools"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "SOURCE_DATE_EPOCH": str(maker.time()),
    }
    made = []
    with tempfile.TemporaryDirectory() as folder:
        amalgamate = [sys.executable, str(maker.ROOT / "tools/amalgamate.py"), "--output", folder]
        subprocess.run(amalgamate, check=True, stdout=subprocess.DEVNULL, env=environment)
        for name in names:
            command = [sys.executable, str(MAKERS / f"{name}.py"), "--amalgamation", folder, "--output", str(output)]
            said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
            print(said, end="", flush=True)
            made += [Path(line) for line in said.splitlines()]
    return sorted(made, key=lambda path: path.name)


def write_sums(files: list[Path], output: Path) -> Path:
    """As sha256sum writes and checks them."""
    lines = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)
    sums = output / "SHA256SUMS"
    sums.write_text("".join(lines))
    return sums


def main() -> int:
    everything = sorted(path.stem for path in MAKERS.glob("*.py"))
    parser = argparse.ArgumentParser(prog="./x dist", description="make the packages of a release")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"which; all: {', '.join(everything)}")
    parser.add_argument("--output", type=Path, default=maker.ROOT / "dist", metavar="DIR", help="dist/, made anew")
    parser.add_argument("--allow-dirty", action="store_true", help="though not everything is committed")
    asked = parser.parse_args()
    unknown = set(asked.kinds) - set(everything)
    if unknown:
        parser.error(f"no such kind of package: {', '.join(sorted(unknown))}")
    if changes() and not asked.allow_dirty:
        print(f"./x dist: not committed:\n{changes()}", end="", file=sys.stderr)
        return 1

    output = asked.output.resolve()
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    files = make(asked.kinds or everything, output)
    document = output / f"libtrip-{maker.version()}.spdx.json"
    document.write_text(bill.bill(files, maker.time()))
    print(document, write_sums([*files, document], output), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
