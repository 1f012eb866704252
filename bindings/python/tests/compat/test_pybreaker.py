"""What trip.compat.pybreaker adds to pybreaker, refuses, and says of itself."""
# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import asyncio
import inspect
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pybreaker
import pytest

import trip
import trip.compat.pybreaker
from pybreakers import DIFFERENT, Failed, Told, answer, raising, seen


@pytest.fixture
def ours() -> Any:
    return trip.compat.pybreaker


def test_what_differs_is_listed_and_told_to_users() -> None:
    here = Path(__file__).resolve().parent
    tests = {name for file in here.glob("test_*.py") for name in re.findall(r"(?m)^def (test_\w+)", file.read_text())}
    assert set(DIFFERENT) <= tests
    told = (here.parents[3] / "docs" / "pybreaker.python.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r'"(test_\w+)"', told)) == sorted(DIFFERENT)


def test_all_names_of_pybreaker_are_there(ours: Any) -> None:
    assert set(pybreaker.__all__) <= set(ours.__all__)
    assert all(hasattr(ours, name) for name in ours.__all__)
    for kind in "CircuitBreaker", "CircuitBreakerListener":
        theirs = {name for name in vars(getattr(pybreaker, kind)) if not name.startswith("_")}
        assert theirs <= set(dir(getattr(ours, kind)))
    for name, member in inspect.getmembers(pybreaker.CircuitBreaker, inspect.isfunction):
        if not name.startswith("_"):
            expected = list(inspect.signature(member).parameters)
            assert list(inspect.signature(getattr(ours.CircuitBreaker, name)).parameters) == expected


def test_redis_is_refused(ours: Any) -> None:
    with pytest.raises(NotImplementedError, match="memory of this process and not in Redis"):
        ours.CircuitRedisStorage(ours.STATE_CLOSED, object())
    with pytest.raises(TypeError, match="must be a CircuitMemoryStorage, not CircuitBreakerStorage"):
        ours.CircuitBreaker(state_storage=ours.CircuitBreakerStorage("mine"))


@pytest.mark.parametrize(
    "options",
    [{"fail_max": 2.5}, {"fail_max": "5"}, {"reset_timeout": "60"}, {"reset_timeout": -1}, {"success_threshold": None}],
)
def test_what_is_no_number_is_refused_by_name(ours: Any, options: dict[str, Any]) -> None:
    ((name, value),) = options.items()
    with pytest.raises((TypeError, ValueError), match=name):
        ours.CircuitBreaker(**options)
    breaker = ours.CircuitBreaker()
    before = getattr(breaker, name)
    with pytest.raises((TypeError, ValueError), match=name):
        setattr(breaker, name, value)
    assert getattr(breaker, name) == before


def test_who_is_refused_learns_when_to_come_back(ours: Any) -> None:
    breaker = ours.CircuitBreaker(reset_timeout=60)
    breaker.open()
    with pytest.raises(ours.CircuitBreakerError) as refused:
        breaker.call(answer)
    assert isinstance(refused.value.__cause__, trip.CircuitOpen)
    assert 0 < refused.value.__cause__.retry_after < 61  # as coarse as a tick of the clock


def test_an_async_function_is_guarded_while_it_runs(ours: Any) -> None:
    breaker = ours.CircuitBreaker()

    @breaker
    async def ask(answers: int) -> int:
        await asyncio.sleep(0)
        if answers < 0:
            raise Failed
        return answers

    assert inspect.iscoroutinefunction(ask)
    assert asyncio.run(ask(3)) == asyncio.run(breaker.call(ask.__wrapped__, 3)) == 3
    with pytest.raises(Failed):
        asyncio.run(ask(-1))
    assert breaker.fail_counter == 1


def test_an_async_generator_is_a_call_until_it_ends(ours: Any) -> None:
    told = Told()
    breaker = ours.CircuitBreaker(listeners=[told])

    @breaker
    async def stream(values: int) -> AsyncIterator[int]:
        for number in range(values):
            yield number
        if values == 1:
            raise Failed

    async def main() -> None:
        with pytest.raises(Failed):
            assert [value async for value in stream(1)] == []
        assert breaker.fail_counter == 1
        assert [value async for value in stream(2)] == [0, 1]
        assert breaker.fail_counter == 0

    asyncio.run(main())
    assert inspect.isasyncgenfunction(stream)
    assert told.lines == ["before (1,) {}", "failure Failed 1", "before (2,) {}", "success"]


def test_a_call_that_is_cancelled_counts_as_nothing(ours: Any) -> None:
    breaker = ours.CircuitBreaker()
    breaker.half_open()

    @breaker
    async def hang() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(hang())
        await asyncio.sleep(0)
        with pytest.raises(ours.CircuitBreakerError):  # somebody else's
            await asyncio.create_task(breaker.call_async(asyncio.sleep, 0))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert seen(breaker) == ("half-open", 0)
    breaker.call(answer)
    assert breaker.current_state == "closed"


def test_a_generator_that_was_never_begun_gives_its_trial_back(ours: Any) -> None:
    breaker = ours.CircuitBreaker()
    breaker.half_open()
    stream = breaker.call(lambda: (n for n in range(2)))
    assert breaker.circuit.inspect().probes_out == 1
    del stream
    assert breaker.circuit.inspect().probes_out == 0
    breaker.call(answer)
    assert breaker.current_state == "closed"


def test_the_circuit_is_libtrips(ours: Any) -> None:
    told = Told()
    breaker = ours.CircuitBreaker(name="database " * 100, listeners=[told])
    assert "database" in breaker.circuit.explain()
    breaker.circuit.trip()
    with pytest.raises(ours.CircuitBreakerError):
        breaker.call(answer)
    assert told.lines == ["closed -> open"]
    assert repr(breaker).startswith("<trip.compat.pybreaker.CircuitBreaker name='database")


def test_calls_pass_when_the_library_fails(ours: Any, caplog: pytest.LogCaptureFixture) -> None:
    class Hears(Told):
        def failure(self, cb: Any, exc: BaseException) -> None:
            self.lines.append("failure")

    told = Hears()
    breaker = ours.CircuitBreaker(listeners=[told])
    breaker.circuit._tracker.close()
    assert breaker.call(answer) == breaker.call(answer) == "answered"
    with pytest.raises(Failed):
        breaker.call(raising(Failed()))
    assert [record.getMessage().partition(",")[0] for record in caplog.records] == ["calls are made unguarded"]
    assert told.lines == [*("before () {}", "success") * 2, "before () {}", "failure"]


def test_a_program_changes_its_import_alone(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    text = (
        "import pybreaker\n"
        "listeners = [pybreaker.CircuitBreakerListener()]\n"
        "breaker = pybreaker.CircuitBreaker(fail_max=1, exclude=[KeyError], listeners=listeners)\n"
        "@breaker\n"
        "def ask(): raise OSError\n"
        "try: ask()\n"
        "except pybreaker.CircuitBreakerError: print(breaker.current_state == pybreaker.STATE_OPEN)\n"
    )
    for imported in "import pybreaker\n", "import trip.compat.pybreaker as pybreaker\n":
        program.write_text(text.replace("import pybreaker\n", imported))
        ran = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=60, check=False)
        assert (ran.stdout, ran.stderr) == ("True\n", "")
