"""Whoever waits for a circuit goes on when it admits, costs little until then, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Awaitable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Callable

import pytest

import trip
from trip import _recovery
from trip._library import library
from waits import until, watched

LONG = 3000  # seconds; who sleeps so long is not woken up by time, and hangs
LIMIT = 60  # seconds, after which a wait hangs

Steer = Callable[[trip.Tracker, trip.Circuit], object]
STEERING: dict[str, Steer] = {
    "its time comes": lambda tracker, _: tracker.advance(LONG),
    "reset": lambda _, circuit: circuit.reset(),
    "forced closed": lambda _, circuit: circuit.set_mode(trip.Mode.FORCED_CLOSED),
    "observed": lambda _, circuit: circuit.set_mode(trip.Mode.OBSERVE),
    "removed": lambda _, circuit: circuit.remove(),
    "restored": lambda tracker, circuit: tracker.restore(empty_but_for(circuit)),
}


def empty_but_for(circuit: trip.Circuit) -> bytes:
    tracker = trip.Tracker()
    tracker.circuit(circuit.tenant, circuit.provider)
    return tracker.snapshot()


@pytest.fixture
def tracker() -> Iterator[trip.Tracker]:
    """Opens at the first failure, for longer than anybody sleeps."""
    with trip.Tracker(failure_threshold=1, initial_open=LONG, max_open=LONG, clock=trip.Clock.MANUAL) as tracker:
        yield tracker


@pytest.fixture
def circuit(tracker: trip.Tracker) -> trip.Circuit:
    circuit = tracker.circuit("acme", "openai")
    circuit.trip()
    return circuit


@pytest.fixture
def no_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody wakes up to look whether there is something new."""
    monkeypatch.setattr(_recovery, "LOOK", LONG)


@pytest.fixture(autouse=True)
def nobody_is_left_in_line() -> Iterator[None]:
    yield
    gc.collect()
    assert dict(_recovery._lines) == {}


def in_time(waiting: Awaitable[Any]) -> Any:
    async def main() -> Any:
        return await asyncio.wait_for(waiting, LIMIT)

    return asyncio.run(main())


async def all_wait(circuit: trip.Circuit, waiters: int = 1) -> None:
    def in_line() -> int:
        return sum(len(line.turns) for line in list(_recovery._lines.values()))

    await until(lambda: in_line() == waiters)
    await asyncio.sleep(0)
    await asyncio.sleep(0)


# ---- On asyncio


def test_a_circuit_that_admits_lets_nobody_wait(circuit: trip.Circuit) -> None:
    circuit.reset()

    async def main() -> None:
        waits: list[Coroutine[Any, Any, Any]] = [circuit.wait_async(), circuit.permit_when_ready_async()]
        for wait in waits:
            with pytest.raises(StopIteration):  # it is not suspended once
                wait.send(None)

    asyncio.run(main())
    info = circuit.inspect()
    assert (info.permits, info.drops, info.rejections) == (1, 1, 0)


@pytest.mark.parametrize("what", STEERING)
@pytest.mark.usefixtures("no_looks")
def test_whoever_waits_is_woken_up(tracker: trip.Tracker, circuit: trip.Circuit, what: str) -> None:
    async def main() -> None:
        waits = asyncio.create_task(circuit.wait_async()), asyncio.create_task(circuit.permit_when_ready_async())
        await all_wait(circuit, 2)
        assert not any(wait.done() for wait in waits)
        STEERING[what](tracker, circuit)
        admits, permit = await asyncio.wait_for(asyncio.gather(*waits), LIMIT)
        assert admits is True
        assert permit.record_success() or circuit.inspect().mode is not trip.Mode.AUTO

    asyncio.run(main())
    assert tracker._waiting == set()


def test_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the machine's clock, and by what the circuit has said alone."""
    monkeypatch.setattr(_recovery, "LOOK", LONG)
    circuit = trip.Tracker(failure_threshold=1, initial_open=0.05).circuit("acme", "openai")

    async def main() -> trip.Permit:
        circuit.permit().record_failure()
        began = time.monotonic()
        assert await circuit.wait_async(LIMIT)
        assert time.monotonic() - began >= 0.05
        return await circuit.permit_when_ready_async(LIMIT)

    permit = asyncio.run(main())
    info = permit.inspect()
    assert info is not None
    assert info.is_probe
    assert circuit.inspect().rejections == 0  # who looks is not refused


@pytest.mark.parametrize("timeout", [0, 0.001, timedelta(milliseconds=2)])
def test_a_wait_ends_with_its_time(circuit: trip.Circuit, timeout: float | timedelta) -> None:
    with pytest.raises(trip.CircuitOpen) as refused:
        in_time(circuit.permit_when_ready_async(timeout))
    assert refused.value.retry_after == LONG
    assert in_time(circuit.wait_async(timeout)) is False
    with pytest.raises(trip.CircuitOpen):
        circuit.permit_when_ready(timeout)
    assert circuit.wait(timeout) is False


def test_whoever_is_not_first_in_line_is_refused_in_time_too(circuit: trip.Circuit) -> None:
    async def main() -> None:
        first = asyncio.create_task(circuit.wait_async())
        await all_wait(circuit)
        with pytest.raises(trip.CircuitOpen):
            await asyncio.wait_for(circuit.permit_when_ready_async(0.001), LIMIT)
        circuit.reset()
        assert await asyncio.wait_for(first, LIMIT)

    asyncio.run(main())


@pytest.mark.parametrize("timeout", ["5", -1, float("nan"), True, b"5"])
def test_a_time_that_is_none_is_refused(circuit: trip.Circuit, timeout: Any) -> None:
    circuit.reset()
    for wait in circuit.permit_when_ready, circuit.wait:
        with pytest.raises((TypeError, ValueError), match="timeout"):
            wait(timeout)
    for wait_async in circuit.permit_when_ready_async, circuit.wait_async:
        with pytest.raises((TypeError, ValueError), match="timeout"):
            in_time(wait_async(timeout))
    assert circuit.inspect().permits == 0


@pytest.mark.usefixtures("no_looks")
def test_of_many_who_wait_one_asks_and_all_get_their_permit_in_turn(
    tracker: trip.Tracker, circuit: trip.Circuit
) -> None:
    waiters = 300
    granted: list[int] = []
    before = circuit.inspect().rejections

    async def call(n: int) -> None:
        async with circuit.permit_when_ready_async():
            granted.append(n)

    async def main() -> None:
        calls = [asyncio.create_task(call(n)) for n in range(waiters)]
        await all_wait(circuit, waiters)
        assert circuit.inspect().rejections - before == 1
        assert len(tracker._waiting) == 1
        tracker.advance(LONG)
        await asyncio.wait_for(asyncio.gather(*calls), LIMIT)

    asyncio.run(main())
    assert granted == list(range(waiters))
    info = circuit.inspect()
    assert (info.successes, info.failures_total, info.permits) == (waiters, 0, waiters)


def test_who_waits_for_a_probe_goes_on_when_it_has_ended(tracker: trip.Tracker) -> None:
    tracker.configure(failure_threshold=1, initial_open=LONG, max_open=LONG, probe_retry=0.001)
    circuit = tracker.circuit("acme", "openai")
    circuit.trip()
    tracker.advance(LONG)

    async def main() -> None:
        probe = await circuit.permit_when_ready_async()
        waiting = asyncio.create_task(circuit.permit_when_ready_async())
        await until(lambda: circuit.inspect().rejections > 2)
        probe.record_success()
        permit = await asyncio.wait_for(waiting, LIMIT)
        assert permit.record_success()

    asyncio.run(main())


@pytest.mark.usefixtures("no_looks")
def test_a_wait_that_is_cancelled_leaves_nothing_behind(tracker: trip.Tracker, circuit: trip.Circuit) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        before = watched(loop)
        first, second, third = (asyncio.create_task(circuit.permit_when_ready_async()) for _ in range(3))
        await all_wait(circuit, 3)
        for given_up in second, first:  # whoever comes to the front is told
            given_up.cancel()
            with pytest.raises(asyncio.CancelledError):
                await given_up
        tracker.advance(LONG)
        permit = await asyncio.wait_for(third, LIMIT)
        assert permit.record_success()
        assert (watched(loop), len(asyncio.all_tasks()), tracker._waiting) == (before, 1, set())

    asyncio.run(main())
    info = circuit.inspect()
    assert (info.permits, info.successes, info.probes_out) == (1, 1, 0)


@pytest.mark.usefixtures("no_looks")
def test_all_who_wait_learn_that_the_tracker_is_closed(tracker: trip.Tracker, circuit: trip.Circuit) -> None:
    async def main() -> list[Any]:
        waits = [asyncio.create_task(circuit.permit_when_ready_async()) for _ in range(3)]
        await all_wait(circuit, 3)
        tracker.close()
        return await asyncio.wait_for(asyncio.gather(*waits, return_exceptions=True), LIMIT)

    assert [error.name for error in asyncio.run(main())] == ["TRIP_E_HANDLE"] * 3
    with pytest.raises(trip.Error, match="TRIP_E_HANDLE"):
        in_time(circuit.wait_async())
    with pytest.raises(trip.Error, match="TRIP_E_HANDLE"):
        circuit.wait()


def test_each_loop_has_a_line_of_its_own(tracker: trip.Tracker, circuit: trip.Circuit) -> None:
    loops = 4

    async def wait() -> bool:
        return await asyncio.wait_for(circuit.wait_async(), LIMIT)

    with ThreadPoolExecutor(loops) as threads:
        waits = [threads.submit(asyncio.run, wait()) for _ in range(loops)]
        asyncio.run(until(lambda: len(tracker._waiting) == loops))
        circuit.reset()
        assert [wait.result() for wait in waits] == [True] * loops


def test_a_loop_that_was_closed_under_whoever_waited_harms_nobody(tracker: trip.Tracker, circuit: trip.Circuit) -> None:
    loop = asyncio.new_event_loop()
    waiting = [circuit.wait_async(), circuit.wait_async()]
    tasks = [loop.create_task(wait) for wait in waiting]
    loop.run_until_complete(all_wait(circuit, 2))
    loop.close()
    circuit.reset()
    assert in_time(circuit.wait_async()) is True
    for task, wait in zip(tasks, waiting):
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        wait.close()
    assert tracker._waiting == set()


def test_steering_in_another_language_is_seen_before_long(
    tracker: trip.Tracker, circuit: trip.Circuit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_recovery, "LOOK", 0.01)

    async def main() -> None:
        waiting = asyncio.create_task(circuit.wait_async())
        await all_wait(circuit)
        assert library.trip_circuit_reset(circuit.handle) == 0
        assert await asyncio.wait_for(waiting, LIMIT)

    asyncio.run(main())
    circuit.trip()
    same = trip.Circuit.from_handle(circuit.handle)  # which nobody in Python wakes up
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(same.wait, LIMIT)
        tracker.advance(LONG)
        assert waiting.result() is True


def test_a_permit_that_is_waited_for_is_held_like_one_that_is_not(tracker: trip.Tracker, circuit: trip.Circuit) -> None:
    async def main() -> None:
        circuit.reset()
        async with circuit.permit_when_ready_async() as permit:
            assert circuit.inspect().permits == 1
        with pytest.raises(trip.PermitConsumed):
            permit.cancel()
        async with await circuit.permit_when_ready_async():
            pass
        with pytest.raises(OSError):  # noqa: PT011 - it has no text
            async with circuit.permit_when_ready_async():
                raise OSError
        with pytest.raises(trip.CircuitOpen):
            async with circuit.permit_when_ready_async(timeout=0):
                raise AssertionError("it is not entered")
        never = circuit.permit_when_ready_async()
        assert "waited for" in repr(never)
        never.close()
        with pytest.raises(RuntimeError, match="reuse"):
            await never

    asyncio.run(main())
    info = circuit.inspect()
    assert (info.successes, info.failures_total, info.cancels, info.drops) == (2, 1, 0, 0)


# ---- In threads


@pytest.mark.parametrize("what", STEERING)
@pytest.mark.usefixtures("no_looks")
def test_a_thread_that_waits_is_woken_up(tracker: trip.Tracker, circuit: trip.Circuit, what: str) -> None:
    with ThreadPoolExecutor(2) as threads:
        permit, admits = threads.submit(circuit.permit_when_ready, LIMIT), threads.submit(circuit.wait, LIMIT)
        asyncio.run(until(lambda: len(tracker._waiting) == 2))
        STEERING[what](tracker, circuit)
        # Where there is one probe, who looks may come after who has taken it, and then waits for that.
        assert permit.result().record_success() or circuit.inspect().mode is not trip.Mode.AUTO
        circuit.reset()
        assert admits.result() is True
    assert tracker._waiting == set()


def test_no_thread_is_blocked_by_who_awaits(circuit: trip.Circuit) -> None:
    async def main() -> None:
        before = threading.active_count()
        waiting = asyncio.create_task(circuit.wait_async())
        await all_wait(circuit)
        assert threading.active_count() == before
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())
