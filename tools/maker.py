"""What the makers of packages in tools/dist/ have in common: their arguments, the version, and the one time that all
files of a release carry. Makes nothing."""

from __future__ import annotations

import argparse
import os
import subprocess
from pathlib import Path

from amalgamate import ROOT, version

__all__ = ["ROOT", "arguments", "time", "version"]


def arguments(what: str | None) -> tuple[Path, Path]:
    """Where trip.c and trip.h are, and where the packages go."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--amalgamation", type=Path, required=True, metavar="DIR", help="where trip.c and trip.h are")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="where the packages go")
    parsed = parser.parse_args()
    return parsed.amalgamation.resolve(), parsed.output.resolve()


def time() -> int:
    """SOURCE_DATE_EPOCH, or when the last commit was made [s since 1970 UTC]."""
    if "SOURCE_DATE_EPOCH" in os.environ:
        return int(os.environ["SOURCE_DATE_EPOCH"])
    asked = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    return int(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)
