"""Owns what every test needs: the library that was just built, a manual clock, restless threads, pybreaker and its
like, vectors counted.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BUILT = Path(__file__).resolve().parents[3] / "build" / "libtrip.so"
if BUILT.exists():
    os.environ.setdefault("TRIP_LIBRARY", str(BUILT))

import trip  # noqa: E402 - importing it loads the library


@pytest.fixture
def tracker() -> Iterator[trip.Tracker]:
    """Opens at the first failure, for 30 seconds of a manual clock."""
    with trip.Tracker(failure_threshold=1, clock=trip.Clock.MANUAL) as tracker:
        yield tracker


@pytest.fixture
def circuit(tracker: trip.Tracker) -> trip.Circuit:
    return tracker.circuit("acme", "openai")


@pytest.fixture
def switching_often() -> Iterator[None]:
    """Threads take the interpreter from one another all the time."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.fixture(params=["pybreaker", "libtrip"])
def pb(request: pytest.FixtureRequest) -> Any:
    """pybreaker, and what stands in for it. Where that is another on purpose a test that holds nevertheless fails."""
    if request.param == "pybreaker":
        return importlib.import_module("pybreaker")
    from pybreakers import DIFFERENT

    reason = DIFFERENT.get(request.node.originalname)
    if reason is not None:
        request.applymarker(pytest.mark.xfail(strict=True, reason=reason))
    return importlib.import_module("trip.compat.pybreaker")


@pytest.fixture
def breaker(pb: Any) -> Any:
    return pb.CircuitBreaker()


def pytest_collection_finish() -> None:
    """The SDKs are a million objects, which each of hundreds of collections would go through."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    ran = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        if getattr(report, "when", None) == "call" and "test_contract.py::test_vector" in report.nodeid
    ]
    terminalreporter.write_line(f"contract vectors: {len(ran)} run")
