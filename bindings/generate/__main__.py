"""python -m generate [--header FILE] [--into FOLDER]

Reads the header, refuses what breaks a rule or a promise with exit status 1, and writes every generated file: into the
repository, or into another folder so that the two can be compared."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import header, layout, python, reference, released, rust, signatures, tables
from .model import Refused

REPOSITORY = Path(__file__).resolve().parents[2]


def generated(path: Path, shown: str) -> dict[str, str]:
    """Every generated file: its path in the repository and its text."""
    contract = header.read(path, shown)
    released.check(contract, REPOSITORY / released.FOLDER, shown)
    return {
        signatures.PATH: signatures.write(contract),
        layout.JSON_PATH: layout.write_json(contract),
        layout.C_PATH: layout.write_c(contract),
        layout.GO_PATH: layout.write_go(contract),
        python.PATH: python.write(contract),
        rust.PATH: rust.write(contract, path),
        reference.PATH: reference.write(contract),
        tables.PATH: tables.write(contract, (REPOSITORY / tables.PATH).read_text()),
    }


def put(path: Path, text: str) -> None:
    """A file that is current keeps its date, so that nothing is built again."""
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(path)


def main() -> int:
    parser = argparse.ArgumentParser(prog="generate", description="Writes the files that come from include/trip.h.")
    parser.add_argument("--header", type=Path, default=REPOSITORY / "include" / "trip.h")
    parser.add_argument(
        "--into", type=Path, default=REPOSITORY, help="the folder to write into; default: the repository"
    )
    options = parser.parse_args()
    path = options.header.resolve()
    shown = str(path.relative_to(REPOSITORY)) if path.is_relative_to(REPOSITORY) else str(options.header)
    try:
        files = generated(path, shown)
    except (Refused, tables.NoSuchTable) as refusal:
        print(refusal, file=sys.stderr)
        return 1
    for name, text in files.items():
        put(options.into / name, text)
    return 0


sys.exit(main())
