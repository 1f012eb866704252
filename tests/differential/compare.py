#!/usr/bin/env python3
"""Compares libtrip's windows step by step with those of resilience4j: the same random calls on the same clock, and
after each whether a permit was granted and the state of the circuit. Then the steps at which they differ, and mean to.

    compare.py [--steps N] [--seed N]

A disagreement is printed with the steps before it; the same seed leads there again. Needs a JDK and Maven.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build"
JAVA = BUILD / "differential"
PROGRAM = "tests/differential/differential-steps"
AGREED = re.compile(r"(\d+) steps, (\d+) differences, opened (\d+) times by the last calls and (\d+) times")
DIFFERENCES = 3
STEPS_AN_OPENING = 1000  # at most, on the average, or the steps compare nothing


def build() -> None:
    missing = [tool for tool in ("java", "javac", "mvn") if shutil.which(tool) is None]
    if missing:
        sys.exit(f"missing: {', '.join(missing)}; ./x install has them")
    places = (f"-Ddifferential.build={JAVA}", f"-DoutputDirectory={JAVA / 'lib'}")
    maven = ("mvn", "--quiet", "--batch-mode", "-Dstyle.color=never")
    goals = ("compile", "dependency:copy-dependencies", "-DincludeScope=runtime")
    subprocess.run([*maven, *goals, *places], cwd=HERE / "java", check=True)
    subprocess.run(["ninja", "-C", str(BUILD), PROGRAM], check=True, stdout=subprocess.DEVNULL)


def replay(*arguments: str) -> tuple[int, ...] | None:
    """What resilience4j has counted on the way through the steps, or None where it disagrees."""
    ours = subprocess.Popen([BUILD / PROGRAM, *arguments], stdout=subprocess.PIPE)
    theirs = ["java", "-cp", f"{JAVA / 'classes'}:{JAVA / 'lib'}/*", "differential.Replay"]
    with ours:
        compared = subprocess.run(theirs, stdin=ours.stdout, capture_output=True, text=True)
    print(compared.stdout + compared.stderr, end="")
    found = AGREED.match(compared.stdout)
    return tuple(map(int, found.groups())) if found and compared.returncode == 0 and ours.returncode == 0 else None


def main() -> int:
    parser = argparse.ArgumentParser(description="Compares libtrip's windows with resilience4j's.")
    parser.add_argument("--steps", type=int, default=2_000_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    build()
    print(f"seed {chosen.seed}")
    agreed = replay("--steps", str(chosen.steps), "--seed", str(chosen.seed))
    opened = agreed is not None and min(agreed[2:]) > chosen.steps / STEPS_AN_OPENING
    differed = replay("--differences")
    passed = opened + (differed is not None and differed[1] == DIFFERENCES)
    print(f"{passed} passed, {2 - passed} failed")
    return 0 if passed == 2 else 1


if __name__ == "__main__":
    sys.exit(main())
