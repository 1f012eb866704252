"""Runs the contract vectors in every language and shows how many each has run: as many as there are, or it fails."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

RUNNERS = {
    "c": "build/tests/contract/contract-runner",
    "python": "python -m pytest -q -p no:cacheprovider bindings/python/tests/contract",
    "rust": "cd bindings/rust && cargo test --quiet -p trip --test contract",
    "go": "cd bindings/go && go test -count=1 -run '^TestContract$' -v .",
}

LINES_OF_A_FAILURE = 30


def existing(folder: Path) -> int:
    return sum(len(json.loads(file.read_text())["vectors"]) for file in folder.glob("*.json"))


def run(command: str) -> int | None:
    """How many vectors a runner has run and kept; None when it failed or did not say."""
    ran = subprocess.run(["bash", "-c", command], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    printed = ran.stdout + ran.stderr
    said = re.findall(r"contract vectors: (\d+) run", printed)
    if ran.returncode == 0 and said:
        return int(said[-1])
    print(*printed.splitlines()[-LINES_OF_A_FAILURE:], sep="\n", file=sys.stderr)
    return None


def main() -> int:
    there = existing(Path(os.environ.get("TRIP_CONTRACT", ROOT / "tests" / "contract")))
    agreed = there > 0
    for language, command in RUNNERS.items():
        counted = run(command)
        print(f"{language:<7} {'failed' if counted is None else counted}", flush=True)
        agreed = agreed and counted == there
    print(f"{there} vectors in all")
    return 0 if agreed else 1


if __name__ == "__main__":
    sys.exit(main())
