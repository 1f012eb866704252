"""What needs threads or a process of its own: races for the probe, interpreter exit, fork, and finding the library."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import trip

SOURCES = Path(trip.__file__).resolve().parents[1]


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": str(SOURCES), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_of_fifty_threads_one_gets_the_probe(tracker: trip.Tracker, circuit: trip.Circuit) -> None:
    threads, rounds = 50, 100
    together = threading.Barrier(threads)

    def ask(_: int) -> trip.Permit | None:
        together.wait()
        try:
            return circuit.permit()
        except trip.CircuitOpen:
            return None

    circuit.permit().record_failure()
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(rounds):
            tracker.advance(300)
            granted = [permit for permit in pool.map(ask, range(threads)) if permit]
            assert len(granted) == 1
            assert granted[0].record_failure()
    info = circuit.inspect()
    assert (info.permits, info.rejections) == (1 + rounds, rounds * (threads - 1))


def test_threads_lose_no_count(circuit: trip.Circuit) -> None:
    threads, calls = 8, 500

    def call(_: int) -> None:
        for _ in range(calls):
            with circuit.permit():
                pass

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(call, range(threads)))
    info = circuit.inspect()
    assert (info.permits, info.successes) == (threads * calls, threads * calls)


def test_one_of_many_threads_settles_a_permit(circuit: trip.Circuit) -> None:
    threads = 16
    together = threading.Barrier(threads)
    permit = circuit.permit()

    def settle(_: int) -> bool:
        together.wait()
        try:
            return permit.record_success()
        except trip.PermitConsumed:
            return False

    with ThreadPoolExecutor(threads) as pool:
        assert sum(pool.map(settle, range(threads))) == 1


@pytest.mark.parametrize(
    "left",
    [
        "kept = tracker.circuit('acme', 'openai').permit()",
        "cycle = [tracker, tracker.circuit('acme', 'openai').permit()]; cycle.append(cycle)",
        "import builtins; builtins.kept = tracker.circuit('acme', 'openai').permit(); del tracker",
        "import sys; sys.modules['trip'].kept = tracker.circuit('acme', 'openai').permit()",
        "circuit = tracker.circuit('acme', 'openai'); [circuit.permit().record_success() for _ in range(9)]; "
        "import sys; lane = sys.modules['trip._lane']; lane.kept, lane.itself = circuit, lane",
        "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()",
        "import asyncio, threading; events = tracker.events(); "
        "threading.Thread(target=lambda: asyncio.run(events.__anext__(), debug=False), daemon=True).start(); "
        "exec('while not tracker._waiting: pass')",
    ],
)
def test_the_interpreter_ends_in_silence(left: str) -> None:
    ended = python(f"import trip; tracker = trip.Tracker(); {left}")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_a_forked_child_goes_on() -> None:
    ended = python(
        """
        import os, trip
        tracker = trip.Tracker(failure_threshold=1, clock=trip.Clock.MANUAL)
        circuit = tracker.circuit("acme", "openai")
        child = os.fork()
        if child == 0:
            with circuit.permit():
                pass
            tracker.circuit("acme", "anthropic").permit().record_failure()
            circuit.permit().record_failure()
            tracker.advance(30)
            assert circuit.permit().inspect().is_probe
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert circuit.inspect().permits == 0  # the child had its own copy
        assert circuit.permit().record_success()
        """
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_forked_child_ends_in_silence_and_destroys_only_its_copy() -> None:
    ended = python(
        """
        import os, sys, trip
        circuit = trip.Tracker().circuit("acme", "openai")
        permit = circuit.permit()
        child = os.fork()
        if child == 0:
            del permit, circuit
            sys.exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert permit.record_success()
        """
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_ctypes_that_never_keeps_the_interpreter_s_lock_will_do() -> None:
    """As PyPy's."""
    ended = python(
        """
        import ctypes
        del ctypes.PyDLL
        import trip
        with trip.Tracker() as tracker, tracker.circuit("acme", "openai").permit() as permit:
            print(permit.inspect().is_probe)
        """
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "False\n", "")


def test_a_library_that_is_not_there_is_an_import_error(tmp_path: Path) -> None:
    missing = str(tmp_path / "libtrip.so")
    ended = python("import trip", TRIP_LIBRARY=missing)
    assert ended.returncode == 1
    assert f"ImportError: cannot load libtrip from {missing!r}" in ended.stderr
    assert "libtrip.so.1 as the system's loader finds it" in ended.stderr


def test_another_library_is_an_import_error() -> None:
    ended = python("import trip", TRIP_LIBRARY="libc.so.6")
    assert ended.returncode == 1
    assert "ImportError: cannot load libtrip from 'libc.so.6'" in ended.stderr


@pytest.mark.parametrize(
    ("version", "loads"), [(0x10004, True), (0x10007, True), (0x10003, False), (0x20001, False), (0x0FFFF, False)]
)
def test_a_library_of_another_abi_is_an_import_error(version: int, loads: bool) -> None:
    ended = python(
        f"""
        import sys, types
        from importlib.machinery import PathFinder
        package = types.ModuleType("trip")
        package.__path__ = PathFinder.find_spec("trip").submodule_search_locations
        sys.modules["trip"] = package
        from trip import _abi
        load = _abi.load
        def load_of_another_version(path):
            library = load(path)
            library.trip_abi_version = lambda: {version}
            return library
        _abi.load = load_of_another_version
        import trip._library
        """
    )
    assert (ended.returncode == 0) is loads
    assert ("ImportError" in ended.stderr) is not loads


def test_a_bundled_library_is_found_before_the_system_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from trip import _library

    monkeypatch.setattr(_library, "__file__", str(tmp_path / "_library.py"))
    monkeypatch.delenv("TRIP_LIBRARY", raising=False)
    assert _library.candidate() == "libtrip.so.1"
    bundled = tmp_path / "libtrip.so.1"
    bundled.touch()
    assert _library.candidate() == str(bundled)
    monkeypatch.setenv("TRIP_LIBRARY", "elsewhere")
    assert _library.candidate() == "elsewhere"
