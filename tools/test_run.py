"""A step that hangs, crashes or says nothing fails, and nothing that it started outlives it."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

import run
import tally
from steps import SOAK, STEPS, Step
from tally import Tally


@pytest.fixture(autouse=True)
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(run, "LOGS", tmp_path)
    monkeypatch.setattr(run, "ROOT", tmp_path)
    return tmp_path


def plain_step(command: str, report: str = "", limit: int = 60) -> Step:
    return Step("step", "a promise", command, tally.plain, report=report, limit=limit)


def test_a_step_is_counted_by_what_it_prints() -> None:
    assert run.run(plain_step("echo 3 passed, 0 failed")) == Tally(3)


@pytest.mark.parametrize(
    "command", ["true", "kill -SEGV $$", "no-such-program", "echo 0 passed, 0 failed", "false | echo"]
)
def test_a_step_that_counts_nothing_fails(command: str) -> None:
    assert run.run(plain_step(command)) == Tally(failed=1)


def test_a_step_that_crashes_after_counting_fails() -> None:
    assert run.run(plain_step("echo 3 passed, 0 failed; kill -SEGV $$")) == Tally(3, 1)


def test_a_failure_in_a_pipe_is_a_failure() -> None:
    assert run.run(plain_step("false | echo 3 passed, 0 failed")) == Tally(3, 1)


def test_a_step_that_hangs_fails() -> None:
    assert run.run(plain_step("sleep 1000", limit=0)) == Tally(failed=1)


def test_nothing_that_a_step_started_outlives_it(logs: Path) -> None:
    assert run.run(plain_step("sleep 1000 & echo $! >child; echo 1 passed, 0 failed")) == Tally(1)
    assert ends(int((logs / "child").read_text()))


def ends(process: int) -> bool:
    """A process that was killed may take a moment to go."""
    try:
        file = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    with os.fdopen(file):
        return bool(select.select([file], [], [], 30)[0])


def test_the_report_of_an_earlier_run_is_not_counted(logs: Path) -> None:
    (logs / "report").write_text("3 passed, 0 failed\n")
    assert run.run(plain_step("true", report="report")) == Tally(failed=1)
    assert run.run(plain_step("echo 2 passed, 0 failed >report", report="report")) == Tally(2)


def test_what_has_failed_is_shown_before_all_else(capsys: pytest.CaptureFixture[str]) -> None:
    run.run(plain_step("echo ' 8/10 route FAIL'; seq 1000; echo 1 passed, 1 failed"))
    lines = capsys.readouterr().out.splitlines()
    assert "8/10 route FAIL" in lines[1]
    assert lines[-3:-1] == ["     | 1000", "     | 1 passed, 1 failed"]


def test_names_are_unique() -> None:
    for steps in (STEPS, SOAK):
        assert len({step.name for step in steps}) == len(steps)


def test_an_unknown_step_is_refused() -> None:
    ran = subprocess.run([sys.executable, run.__file__, "no-such-step"], env=os.environ, capture_output=True, text=True)
    assert ran.returncode != 0
    assert "no-such-step" in ran.stderr
