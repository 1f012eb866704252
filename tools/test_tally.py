"""A run is never counted as better than it was: each reader against what its runner prints when things go wrong."""

import json

import pytest

import tally
from tally import Tally

PYTEST_GREEN = "....\n======== 4 passed in 0.05s ========\n"
CARGO_GREEN = """running 2 tests
test a ... ok

test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
"""


def go_lines(*events: tuple[str, ...]) -> str:
    return "".join(json.dumps(dict(zip(("Action", "Package", "Test"), e))) + "\n" for e in events)


def meson_lines(*programs: tuple[str, str]) -> str:
    return "".join(json.dumps({"name": "p", "result": result, "stdout": out}) + "\n" for result, out in programs)


GO_GREEN = go_lines(("run", "p", "A"), ("run", "p", "A/x"), ("pass", "p", "A/x"), ("pass", "p", "A"), ("pass", "p"))
CHECK_GREEN = "Running suite(s): word\n100%: Checks: 12, Failures: 0, Errors: 0\n"

CASES = {
    "plain": [
        ("12 passed, 0 failed\n", 0, Tally(12)),
        ("12 passed, 2 failed, 1 skipped\n", 1, Tally(12, 2, 1)),
        ("1 passed, 0 failed\n9 passed, 0 failed\n", 0, Tally(9)),
        ("12 passed, 0 failed\n", 139, Tally(12, 1)),
        ("0 passed, 0 failed\n", 0, Tally(0, 1)),
        ("all good\n", 0, Tally(0, 1)),
        ("I said 12 passed, 0 failed yesterday\n", 0, Tally(0, 1)),
    ],
    "pytest": [
        (PYTEST_GREEN, 0, Tally(4)),
        ("4 passed in 0.05s\n", 0, Tally(4)),
        ("=== 1 failed, 3 passed, 2 skipped, 1 error in 61.10s (0:01:01) ===\n", 1, Tally(3, 2, 2)),
        ("=== 1 passed, 1 xfailed, 1 xpassed, 7 warnings, 3 deselected in 1.00s ===\n", 0, Tally(2, 1)),
        ("=== 2 skipped in 0.01s ===\n", 0, Tally(0, 1, 2)),
        ("=== no tests ran in 0.01s ===\n", 5, Tally(0, 1)),
        ("Fatal Python error: Segmentation fault\n", -11, Tally(0, 1)),
        (PYTEST_GREEN, 3, Tally(4, 1)),
        ("bash: pytest: command not found\n", 127, Tally(0, 1)),
    ],
    "cargo": [
        (CARGO_GREEN, 0, Tally(2, 0, 1)),
        (CARGO_GREEN * 2, 0, Tally(4, 0, 2)),
        (CARGO_GREEN + "running 3 tests\nerror: test failed (signal: 11, SIGSEGV)\n", 101, Tally(2, 1, 1)),
        (CARGO_GREEN + "running 3 tests\n", 0, Tally(2, 1, 1)),
        ("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out\n", 101, Tally(1, 2)),
        ("error: could not compile `trip`\n", 101, Tally(0, 1)),
        ("test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out\n", 0, Tally(0, 1)),
    ],
    "go": [
        (GO_GREEN, 0, Tally(1)),
        (GO_GREEN + go_lines(("skip", "p", "B")), 0, Tally(1, 0, 1)),
        (go_lines(("run", "p", "A"), ("fail", "p", "A"), ("fail", "p")), 1, Tally(0, 1)),
        (GO_GREEN + go_lines(("output", "q"), ("fail", "q")), 1, Tally(1, 1)),
        (go_lines(("run", "p", "A"), ("pass", "p", "A"), ("run", "p", "B"), ("fail", "p")), 1, Tally(1, 1)),
        (go_lines(("run", "p", "A"), ("pass", "p", "A"), ("fail", "p")), 1, Tally(1, 1)),
        ("# trip\n./x.go:1:1: syntax error\n{not json\n", 1, Tally(0, 1)),
        (go_lines(("skip", "p")), 0, Tally(0, 1)),
    ],
    "meson": [
        (meson_lines(("OK", CHECK_GREEN), ("OK", "3 passed, 0 failed\n")), 0, Tally(15)),
        (meson_lines(("FAIL", "80%: Checks: 5, Failures: 1, Errors: 0\n")), 1, Tally(4, 1)),
        (meson_lines(("OK", CHECK_GREEN), ("FAIL", "Segmentation fault\n")), 1, Tally(12, 1)),
        (meson_lines(("TIMEOUT", CHECK_GREEN)), 1, Tally(12, 1)),
        (meson_lines(("OK", "said nothing\n")), 0, Tally(0, 1)),
        (meson_lines(("SKIP", "")), 0, Tally(0, 1)),
        ("", 0, Tally(0, 1)),
    ],
    "check_only": [("", 0, Tally(1)), ("anything", 2, Tally(0, 1))],
}


@pytest.mark.parametrize(
    ("reader", "text", "status", "expected"),
    [(reader, *case) for reader, cases in CASES.items() for case in cases],
)
def test_a_run_is_counted_as_it_was(reader: str, text: str, status: int, expected: Tally) -> None:
    assert getattr(tally, reader)(text, status) == expected


def test_every_reader_turns_a_crash_into_a_failure() -> None:
    for reader in CASES:
        assert getattr(tally, reader)("", -11).failed == 1


def test_the_closing_line_has_the_form_that_is_promised() -> None:
    assert str(Tally(3, 0)) == "3 passed, 0 failed"
    assert str(Tally(3, 1) + Tally(0, 0, 2)) == "3 passed, 1 failed, 2 skipped"
