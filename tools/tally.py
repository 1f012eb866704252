"""How many tests passed, failed and were skipped, read from what a test runner printed.

Every reader takes the text and the exit status of one run. The rules that no reader may soften stand in `settle`: a run
that ended badly has at least one failure, and a run that counted nothing has not run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Tally:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        text = f"{self.passed} passed, {self.failed} failed"
        return f"{text}, {self.skipped} skipped" if self.skipped else text


Reader = Callable[[str, int], Tally]


def settle(counted: Tally, status: int) -> Tally:
    nothing_ran = counted.passed + counted.failed == 0
    if (status != 0 and counted.failed == 0) or nothing_ran:
        return counted + Tally(failed=1)
    return counted


def check_only(text: str, status: int) -> Tally:
    """A linter or a build: one test, told by the exit status."""
    return Tally(passed=1) if status == 0 else Tally(failed=1)


PLAIN = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.MULTILINE)


def plain(text: str, status: int) -> Tally:
    """The last line of the form `N passed, N failed`, as our own scripts print it."""
    found = PLAIN.findall(text)
    return settle(Tally(*(int(n or 0) for n in found[-1])) if found else Tally(), status)


PYTEST_CLOSING = re.compile(r"^=*\s*((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s", re.MULTILINE)
PYTEST_WORDS = {
    "passed": Tally(passed=1),
    "xfailed": Tally(passed=1),  # it differs as it is listed to; these lists are strict
    "xpassed": Tally(failed=1),
    "failed": Tally(failed=1),
    "error": Tally(failed=1),
    "errors": Tally(failed=1),
    "skipped": Tally(skipped=1),
}


def pytest(text: str, status: int) -> Tally:
    """pytest's closing line, such as `== 3 failed, 5 passed in 0.12s ==`."""
    found = PYTEST_CLOSING.findall(text)
    counted = Tally()
    for number, word in re.findall(r"(\d+) ([a-z]+)", found[-1] if found else ""):
        unit = PYTEST_WORDS.get(word, Tally())
        counted += Tally(*(int(number) * n for n in (unit.passed, unit.failed, unit.skipped)))
    return settle(counted, status)


CARGO_BEGIN = re.compile(r"^running \d+ tests?$", re.MULTILINE)
CARGO_RESULT = re.compile(
    r"^test result: \S+\. (\d+) passed; (\d+) failed; (\d+) ignored;(?: \d+ measured;)? \d+ filtered out",
    re.MULTILINE,
)


def cargo(text: str, status: int) -> Tally:
    """The results of all the test binaries of a `cargo test`; one that began and told no result has crashed."""
    results = CARGO_RESULT.findall(text)
    crashed = max(len(CARGO_BEGIN.findall(text)) - len(results), 0)
    return settle(sum((Tally(*map(int, r)) for r in results), Tally(failed=crashed)), status)


def go(text: str, status: int) -> Tally:
    """The events of `go test -json`. A test with subtests is counted by these alone; a package that fails though none
    of its tests did, by not building or by crashing, is one failure."""
    ended: dict[tuple[str, str], str] = {}
    packages: dict[str, str] = {}
    for event in go_events(text):
        action, package, test = event.get("Action", ""), event.get("Package", ""), event.get("Test", "")
        if action in ("run", "pass", "fail", "skip"):
            if test:
                ended[package, test] = action
            elif package:
                packages[package] = action
    parents = {(package, test.rpartition("/")[0]) for package, test in ended}
    leaves = {key: action for key, action in ended.items() if key not in parents}
    broken = [p for p, action in packages.items() if action == "fail" and "fail" not in go_actions(leaves, p)]
    counted = Tally(failed=len(broken))
    for action in leaves.values():
        # A test that ran and never ended was running when its package crashed.
        counted += {"pass": Tally(passed=1), "skip": Tally(skipped=1)}.get(action, Tally(failed=1))
    return settle(counted, status)


def go_events(text: str) -> Iterable[dict[str, str]]:
    for line in text.splitlines():
        if line.startswith("{"):
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue  # a line of the compiler's or of a crashed program's own


def go_output(text: str) -> str:
    """The same for a reader's eyes: what the tests, the compiler and the go command itself have said."""
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith("{")]
    return "".join(lines + [event.get("Output", "") for event in go_events(text)])


def go_actions(leaves: dict[tuple[str, str], str], package: str) -> set[str]:
    return {"fail" if action == "run" else action for (p, _), action in leaves.items() if p == package}


CHECK_CLOSING = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)", re.MULTILINE)


def meson(text: str, status: int) -> Tally:
    """Meson's testlog.json, one line a program: each is a Check suite or prints a plain closing line."""
    total = Tally()
    for line in text.splitlines():
        program = json.loads(line)
        total += check(program.get("stdout", ""), 0 if program["result"] == "OK" else 1)
    return settle(total, status)


def check(text: str, status: int) -> Tally:
    """The closing lines of the suites in one program of Check's; without any, its plain closing line."""
    closings = [tuple(map(int, c)) for c in CHECK_CLOSING.findall(text)]
    if not closings:
        return plain(text, status)
    bad = sum(failures + errors for _, failures, errors in closings)
    return settle(Tally(passed=sum(checks for checks, _, _ in closings) - bad, failed=bad), status)
