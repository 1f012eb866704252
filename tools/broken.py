"""Shows that the contract vectors guard the library: with one comparison of the state machine broken, the runner of
every language must fail. The broken library is built in a folder of its own; nothing of the tree is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from vectors import ROOT, RUNNERS

RIGHT = "if (setting->now < open_deadline(word))"
WRONG = "if (setting->now <= open_deadline(word))"


def build(folder: Path) -> Path:
    """The library, one nanosecond late at every deadline."""
    for part in ("lib", "include", "meson.build", "meson_options.txt", "tests", "bindings/generate/signatures.json"):
        source, target = ROOT / part, folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    word = folder / "lib/word.c"
    text = word.read_text()
    if text.count(RIGHT) != 1:
        sys.exit(f"lib/word.c has not one line with {RIGHT!r}")
    word.write_text(text.replace(RIGHT, WRONG))
    built = folder / "build"
    for command in (["meson", "setup", str(built), str(folder)], ["meson", "compile", "-C", str(built), "trip"]):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return built


def notices(command: str, built: Path) -> bool:
    """Whether a runner has run the vectors, and failed."""
    environment = {**os.environ, "TRIP_LIBRARY": str(built / "libtrip.so"), "LD_LIBRARY_PATH": str(built)}
    ran = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    return ran.returncode != 0 and "contract vectors: " in ran.stdout + ran.stderr


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        built = build(Path(folder))
        caught = {language: notices(command, built) for language, command in RUNNERS.items()}
    for language, noticed in caught.items():
        print(f"{language:<7} {'fails, as it should' if noticed else 'PASSES with a broken library'}")
    missed = len(caught) - sum(caught.values())
    print(f"{len(caught) - missed} passed, {missed} failed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
