"""Outcomes recorded, streams that tell of progress, and functions that judge exceptions. What each class does to a
circuit is the contract's; this is what Python takes and refuses.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import math
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Callable

import pytest

import trip
from trip import _lane
from trip._entry import SELDOM
from trip._library import library

QUOTA = trip.Outcome(trip.StatusClass.QUOTA)
S = 10**9


class Refused(Exception):
    """What a client raises of a response that is no success."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def of_response(error: Exception) -> trip.Outcome | None:
    return trip.classify_http(error.status) if isinstance(error, Refused) else None


@pytest.fixture(params=["lane", "library", "windows"])
def circuit(request: pytest.FixtureRequest) -> Iterator[trip.Circuit]:
    """A closed circuit that opens at the second failure: on its lane, without one yet, and one that never has any."""
    window = 2047 if request.param == "windows" else 0
    with trip.Tracker(failure_threshold=2, clock=trip.Clock.MANUAL, count_window=window) as tracker:
        circuit = tracker.circuit("acme", "openai")
        if request.param == "lane":
            circuit.permit().record_success()
            assert circuit._entry.fetch_lane()
        yield circuit


def test_an_outcome_counts_as_its_class_says(circuit: trip.Circuit) -> None:
    circuit.permit().record(trip.StatusClass.OVERLOADED)
    assert circuit.inspect().failures == 1
    assert circuit.permit().record(trip.Outcome(trip.StatusClass.CANCELLED)) is True
    assert circuit.permit().record(trip.classify_http(401)) is True
    assert circuit.inspect().failures == 0
    assert circuit.permit().record(trip.classify_http(200)) is True
    info = circuit.inspect()
    settled = info.successes + info.failures_total + info.cancels
    assert (info.failures_total, info.cancels, info.permits) == (1, 1, settled)


def test_a_wait_and_a_duration_are_told_beside_the_outcome(circuit: trip.Circuit) -> None:
    for retry_after in timedelta(minutes=20), 15 * 60.0:
        circuit.permit().record(trip.classify_http(429), retry_after=retry_after, duration=0.25)
    assert circuit.inspect().retry_after_ns == 1200 * S


def test_an_outcome_settles_once(circuit: trip.Circuit) -> None:
    permit = circuit.permit()
    assert permit.record(trip.StatusClass.AUTH) is True
    for settle in permit.record_success, permit.cancel, lambda: permit.record(QUOTA), permit.progress:
        with pytest.raises(trip.PermitConsumed):
            settle()
    first = circuit.permit()
    first.record_success()
    with pytest.raises(trip.PermitConsumed):
        first.record(trip.StatusClass.SUCCESS)


def test_an_outcome_of_a_stale_permit_is_false(circuit: trip.Circuit) -> None:
    late, later = circuit.permit(), circuit.permit()
    for _ in range(2):
        circuit.permit().record_failure()
    assert late.progress() is False
    assert late.record(trip.StatusClass.TIMEOUT) is False
    assert later.record(trip.StatusClass.SUCCESS) is False
    assert circuit.inspect().stale == 2


BAD: list[tuple[Any, type[Exception]]] = [
    (None, TypeError),
    (1, TypeError),
    ("TIMEOUT", TypeError),
    (trip.StatusClass, TypeError),
    (trip.Effect.FAILURE, TypeError),
    ({"status_class": 1}, TypeError),
    (trip.StatusClass(14), trip.Error),
    (trip.StatusClass(2**32 - 1), trip.Error),
    (trip.StatusClass(2**32), ValueError),
    (trip.Outcome(trip.StatusClass(77)), trip.Error),
    (trip.Outcome("TIMEOUT"), TypeError),  # type: ignore[arg-type]
    (trip.Outcome(trip.StatusClass.TIMEOUT, http_status=-1), ValueError),
    (trip.Outcome(trip.StatusClass.TIMEOUT, http_status=2**32), ValueError),
    (trip.Outcome(trip.StatusClass.TIMEOUT, sys_errno=2**31), ValueError),
    (trip.Outcome(trip.StatusClass.TIMEOUT, retry_after_ns=-1), ValueError),
    (trip.Outcome(trip.StatusClass.TIMEOUT, retry_after_ns=2**64), ValueError),
    (trip.Outcome(trip.StatusClass.TIMEOUT, retry_after_ns=1.5), TypeError),  # type: ignore[arg-type]
    (trip.Outcome(trip.StatusClass.TIMEOUT, duration_ns=True), TypeError),
    (trip.Outcome(trip.StatusClass.TIMEOUT, duration_ns=None), TypeError),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("outcome", "error"), BAD, ids=lambda value: repr(value)[:60])
def test_a_bad_outcome_settles_nothing(circuit: trip.Circuit, outcome: Any, error: type[Exception]) -> None:
    permit = circuit.permit()
    before = circuit.inspect()
    with pytest.raises(error):
        permit.record(outcome)
    assert circuit.inspect() == before
    assert permit.record(trip.StatusClass.SERVER_ERROR) is True
    assert circuit.inspect().failures == 1


@pytest.mark.parametrize("name", ["retry_after", "duration"])
@pytest.mark.parametrize("time", [-1, -1e-9, math.nan, math.inf, 1e300, "1", True, timedelta(days=-1), 2**80])
def test_a_bad_time_settles_nothing(circuit: trip.Circuit, name: str, time: Any) -> None:
    permit = circuit.permit()
    with pytest.raises((TypeError, ValueError), match=name):
        permit.record(trip.StatusClass.TIMEOUT, **{name: time})
    assert permit.record_success() is True


def test_threads_settle_a_permit_once(circuit: trip.Circuit) -> None:
    ways: list[Callable[[trip.Permit], bool]] = [
        lambda permit: permit.record(trip.StatusClass.AUTH),
        lambda permit: permit.record(trip.StatusClass.SUCCESS),
        trip.Permit.record_success,
        trip.Permit.cancel,
    ]
    before = circuit.inspect().permits
    for _ in range(200):
        permit, start = circuit.permit(), threading.Barrier(len(ways))
        settled: list[bool] = []

        def race(settle: Callable[[trip.Permit], bool]) -> None:
            start.wait()  # noqa: B023 - the threads end within the turn
            with contextlib.suppress(trip.PermitConsumed):
                settled.append(settle(permit))  # noqa: B023

        threads = [threading.Thread(target=race, args=(way,)) for way in ways]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert settled == [True]
    info = circuit.inspect()
    assert info.permits - before == 200
    assert info.permits == info.successes + info.failures_total + info.cancels + info.drops


# ---- Streams ----


def test_a_probe_is_over_with_its_first_token() -> None:
    tracker = trip.Tracker(failure_threshold=1, initial_open=1, clock=trip.Clock.MANUAL)
    circuit = tracker.circuit("acme", "openai")
    circuit.permit().record_failure()
    tracker.advance(1)
    with circuit.permit() as permit:
        assert permit.progress() is True
        assert circuit.inspect().state is trip.State.CLOSED
        with circuit.permit():
            assert permit.progress() is True
    info = circuit.inspect()
    assert (info.successes, info.stale) == (2, 0)


def test_a_stalled_stream_is_settled_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    tracker = trip.Tracker(failure_threshold=3, stall=5, clock=trip.Clock.MANUAL)
    circuit = tracker.circuit("acme", "openai")
    with circuit.permit() as permit:
        permit.progress()
        tracker.advance(5)
        assert circuit.permit().cancel()
        assert permit.progress() is False
    info = circuit.inspect()
    assert (info.failures_total, info.stale, info.permits, caplog.records) == (1, 1, 2, [])


def test_progress_of_a_permit_that_is_none() -> None:
    with pytest.raises(trip.Error, match="TRIP_E_HANDLE"):
        trip.Permit.from_handle(7).progress()


def test_a_ramp_says_so() -> None:
    tracker = trip.Tracker(failure_threshold=1, initial_open=1, ramp=100, ramp_steps=100, clock=trip.Clock.MANUAL)
    circuit = tracker.circuit("acme", "openai")
    circuit.permit().record_failure()
    tracker.advance(1)
    circuit.permit().record_success()
    circuit.permit().record_success()
    with pytest.raises(trip.CircuitOpen, match="admits a part of the calls") as raised:
        circuit.permit()
    assert (raised.value.reason, raised.value.state) == (trip.Reason.RAMP, trip.State.CLOSED)
    assert circuit.peek() == raised.value.rejection


@pytest.mark.parametrize("option", ["count_window", "time_window", "hang", "ramp", "stall"])
def test_a_circuit_without_lanes_is_seldom_asked_for_one(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    ask = library.trip_circuit_express

    def count(*arguments: Any) -> int:
        asked.append(arguments)
        return ask(*arguments)

    monkeypatch.setattr(library, "trip_circuit_express", count)
    options: Any = {option: 100, **({"hang_calls": 100} if option == "hang" else {})}
    tracker = trip.Tracker(clock=trip.Clock.MANUAL, **options)
    circuit = tracker.circuit("acme", "openai")
    guarded = circuit.guard(lambda: None)
    for _ in range(100):
        with circuit.permit():
            pass
        guarded()
        tracker.circuit("acme", "openai").permit().record_success()
    assert circuit._entry.lane is _lane.NO_LANE
    assert 1 <= len(asked) <= 1 + 400 // SELDOM  # looking it up by name counts as a use, too
    assert circuit.inspect().successes == 300


def test_recorded_successes_lead_to_a_lane(tracker: trip.Tracker) -> None:
    circuit = tracker.circuit("acme", "openai")
    for _ in range(10):
        circuit.permit().record(trip.classify_http(200), duration=1.5)
    assert circuit._entry.lane is not _lane.NO_LANE
    assert circuit.inspect().successes == 10


# ---- Judging exceptions ----


def by_with(circuit: trip.Circuit, error: BaseException, classify: Any) -> None:
    with circuit.permit().classified_by(classify):
        raise error


def by_async_with(circuit: trip.Circuit, error: BaseException, classify: Any) -> None:
    async def call() -> None:
        async with circuit.permit().classified_by(classify):
            raise error

    asyncio.run(call())


def by_guard(circuit: trip.Circuit, error: BaseException, classify: Any) -> None:
    @circuit.guard(classify=classify)
    def call() -> None:
        raise error

    call()


def by_async_guard(circuit: trip.Circuit, error: BaseException, classify: Any) -> None:
    async def call() -> None:
        raise error

    asyncio.run(circuit.guard(call, classify=classify)())


CALLS = pytest.mark.parametrize("call", [by_with, by_async_with, by_guard, by_async_guard])


@CALLS
def test_a_function_says_what_an_exception_tells(circuit: trip.Circuit, call: Any) -> None:
    before = circuit.inspect()
    for status in 400, 401, 404, 503:
        with pytest.raises(Refused):
            call(circuit, Refused(status), of_response)
    with pytest.raises(OSError, match="no route"):
        call(circuit, OSError("no route"), of_response)  # of which it knows nothing: a failure
    info = circuit.inspect()
    assert (info.successes - before.successes, info.failures_total, info.state) == (3, 2, trip.State.OPEN)


@CALLS
@pytest.mark.parametrize("error", [asyncio.CancelledError, KeyboardInterrupt, trip.PermitConsumed(-3, "")])
def test_it_is_not_asked_about_what_cancels(circuit: trip.Circuit, call: Any, error: Any) -> None:
    asked: list[Exception] = []
    with pytest.raises(error if isinstance(error, type) else type(error)):
        call(circuit, error() if isinstance(error, type) else error, asked.append)
    assert (asked, circuit.inspect().cancels) == ([], 1)


def raises(error: Exception) -> trip.Outcome:
    raise ZeroDivisionError(f"in the classifier, of {error}")


@CALLS
@pytest.mark.parametrize(
    "classify",
    [raises, lambda error: 5, lambda error: "TIMEOUT", lambda error: trip.StatusClass(14), lambda: None],
    ids=["raises", "int", "text", "no-class", "takes-nothing"],
)
def test_a_function_that_fails_hides_no_failure(
    circuit: trip.Circuit, call: Any, classify: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "trip"), pytest.raises(OSError, match="no route"):
        call(circuit, OSError("no route"), classify)
    assert "could not classify OSError('no route')" in caplog.text
    info = circuit.inspect()
    assert (info.failures_total, info.permits) == (1, 1 + info.successes)
    gc.collect()
    assert circuit.inspect().drops == 0


@pytest.mark.parametrize("classify", [3, "text", trip.StatusClass.TIMEOUT])
def test_what_is_no_function_classifies_nothing(circuit: trip.Circuit, classify: Any) -> None:
    with pytest.raises(TypeError, match="classify must be a function"):
        circuit.guard(classify=classify)
    with pytest.raises(TypeError, match="classify must be a function"):
        circuit.permit().classified_by(classify)
