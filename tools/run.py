"""Runs the steps of the tests, or with --soak the long ones, showing that they move, and adds up what they counted.

The last line is `N passed, N failed` (`, N skipped` may follow); the exit status is 0 only if nothing failed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import tally
from steps import ROOT, SOAK, STEPS, Step
from tally import Tally

LOGS = ROOT / "build" / "step-logs"
LINES_OF_A_FAILURE = 60
LINES_OF_SIGNS = 12
SIGN_OF_FAILURE = re.compile(r"\bFAIL(ED|URE)?\b|:[FE]:|^error|panicked at|Sanitizer: |Traceback")


class Progress:
    """What is going on while a step runs: on a terminal a line that is written over, else a line every half minute."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.began = time.monotonic()
        self.terminal = sys.stdout.isatty()
        self.every = 0.5 if self.terminal else 30.0
        self.said = self.began

    def seconds(self) -> float:
        return time.monotonic() - self.began

    def tell(self, log: Path) -> None:
        if time.monotonic() - self.said < self.every:
            return
        self.said = time.monotonic()
        text = f"     {self.step.name:<13} {self.seconds():6.0f} s  {last_line(log)}"
        print(f"\r\033[K{text[:118]}" if self.terminal else text[:118], end="" if self.terminal else "\n", flush=True)

    def end(self, counted: Tally) -> None:
        mark = "FAIL" if counted.failed else "ok"
        line = f"{mark:<4} {self.step.name:<13} {self.seconds():6.1f} s  {counted}  ({self.step.shows})"
        print(f"\r\033[K{line}" if self.terminal else line, flush=True)


def last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(log.stat().st_size - 4096, 0))
        lines = file.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def run(step: Step) -> Tally:
    log = LOGS / f"{step.name}.log"
    report = ROOT / step.report if step.report else log
    report.unlink(missing_ok=True)
    progress = Progress(step)
    status = execute(step, log, progress)
    text = report.read_text(errors="replace") if report.exists() else ""
    counted = step.read(text, status)
    progress.end(counted)
    if counted.failed:
        show(step, log)
    return counted


def execute(step: Step, log: Path, progress: Progress) -> int:
    """The exit status of the step's command. It runs in a process group of its own, and nothing of it outlives it."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-o", "pipefail", "-c", step.command],
            cwd=ROOT,
            env={**os.environ, **step.env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while process.poll() is None:
                if progress.seconds() > step.limit:
                    output.write(f"\nstopped after {step.limit} s\n".encode())
                    return -signal.SIGKILL
                progress.tell(log)
                time.sleep(0.05)
            return process.returncode
        finally:
            end_group(process)


def end_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):  # nothing of it was left, as it should be
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def show(step: Step, log: Path) -> None:
    text = log.read_text(errors="replace")
    if step.read is tally.go:
        text = tally.go_output(text)
    command = "soak" if step in SOAK else "test"
    for line in signs(text) + text.splitlines()[-LINES_OF_A_FAILURE:]:
        print(f"     | {line}")
    print(f"     | all of it: {log.relative_to(ROOT)}; again: ./x {command} {step.name}")


def signs(text: str) -> list[str]:
    """The first lines that say what has failed: who sees but the beginning of a report sees these."""
    return [line for line in text.splitlines() if SIGN_OF_FAILURE.search(line)][:LINES_OF_SIGNS]


def chosen(names: list[str], steps: Sequence[Step]) -> Sequence[Step]:
    unknown = set(names) - {step.name for step in steps}
    if unknown:
        sys.exit(f"no such step: {', '.join(sorted(unknown))}; --list names them")
    return [step for step in steps if not names or step.name in names]


def main() -> int:
    parser = argparse.ArgumentParser(prog="x", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="STEP", help="only these steps")
    parser.add_argument("--list", action="store_true", help="list the steps and run none")
    parser.add_argument("--soak", action="store_true", help="the long steps")
    options = parser.parse_args()
    steps = chosen(options.names, SOAK if options.soak else STEPS)
    if options.list:
        for step in steps:
            print(f"{step.name:<13} {step.shows}")
        return 0
    LOGS.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    total = sum((run(step) for step in steps), Tally())
    print(f"{len(steps)} steps in {(time.monotonic() - began) / 60:.1f} minutes")
    print(total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
