"""Events are taken once, whole and in order; who waits for them sleeps, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import trip
from trip._library import library
from waits import descriptors, until, watched

S = 10**9


def happen(tracker: trip.Tracker, times: int = 1) -> None:
    """An event each."""
    for n in range(times):
        tracker.circuit("acme", "openai").set_mode(trip.Mode.OBSERVE, reason=str(n))


@pytest.fixture(autouse=True)
def everything_is_given_back() -> Iterator[None]:
    before = descriptors()
    yield
    gc.collect()
    assert descriptors() <= before + 1  # the tracker of the fixture has one while it lives


# ---- Taking


def test_an_outage_is_told_in_order(tracker: trip.Tracker, circuit: trip.Circuit) -> None:
    tracker.advance(5)
    circuit.permit().record_failure()
    with pytest.raises(trip.CircuitOpen):
        circuit.permit()
    tracker.advance(30)
    circuit.permit().record_success()
    events, lost = tracker.take_events()
    assert [event.kind.name for event in events] == ["OPENED", "REFUSED_FIRST", "HALF_OPENED", "CLOSED"]
    assert ([event.number for event in events], lost) == ([1, 2, 3, 4], 0)
    opened = events[0]
    assert (opened.cause, opened.state, opened.mode, opened.scope) == (
        trip.Cause.FAILURES,
        trip.State.OPEN,
        trip.Mode.AUTO,
        trip.Scope.CIRCUIT,
    )
    assert (opened.tenant, opened.provider, opened.reason) == ("acme", "openai", "")
    assert (opened.at, opened.at_ns, opened.duration, opened.failures) == (5.0, 5 * S, 30.0, 1)
    assert abs(opened.at_unix - time.time()) < 3600
    assert (opened.circuit, opened.duration_ns) == (circuit.handle, 30 * S)
    assert events[3].epoch == circuit.inspect().epoch
    assert trip.Circuit.from_handle(opened.circuit).explain() == circuit.explain()
    assert tracker.take_events() == ([], 0)


def test_bytes_that_are_no_text_survive(tracker: trip.Tracker) -> None:
    circuit = tracker.circuit(b"\xff\x00", b"\x80")
    circuit.set_mode(trip.Mode.OBSERVE, reason=b"\xfe")
    ((event,), _) = tracker.take_events()
    assert tracker.circuit(event.tenant, event.provider) == circuit
    assert event.reason.encode(errors="surrogateescape") == b"\xfe"


def test_an_event_of_the_tracker_belongs_to_no_circuit(tracker: trip.Tracker) -> None:
    tracker.configure(provider="openai", failure_threshold=2)
    ((event,), _) = tracker.take_events()
    assert (event.kind, event.scope, event.circuit) == (trip.EventKind.CONFIGURED, trip.Scope.PROVIDER, 0)
    tracker.configure_from(None, event.scope, event.tenant, event.provider)  # an event says whose policy it was
    assert tracker.take_events().events[0].provider == "openai"


def test_events_have_the_longest_texts(tracker: trip.Tracker) -> None:
    circuit = tracker.circuit("t" * 255, "p" * 255)
    for _ in range(200):
        circuit.set_mode(trip.Mode.OBSERVE, reason="r" * 255)
    events, _ = tracker.take_events()
    assert {(event.tenant, event.provider, event.reason) for event in events} == {("t" * 255, "p" * 255, "r" * 255)}
    assert len(events) == 200


@pytest.mark.parametrize("at_most", [1, 2, 63, 64, 65, 128, 150, 4096])
def test_no_more_events_are_taken_than_are_wanted(tracker: trip.Tracker, at_most: int) -> None:
    happen(tracker, 150)
    numbers = []
    while events := tracker.take_events(at_most).events:
        assert len(events) <= at_most
        numbers += [event.number for event in events]
    assert numbers == list(range(1, 151))


@pytest.mark.parametrize("at_most", [0, -1, 2**32, 1.0, "1", None, True])
def test_how_many_is_a_number(tracker: trip.Tracker, at_most: Any) -> None:
    happen(tracker)
    with pytest.raises((TypeError, ValueError), match="at_most"):
        tracker.take_events(at_most)
    assert len(tracker.take_events().events) == 1


def test_what_is_lost_is_counted(tracker: trip.Tracker) -> None:
    happen(tracker, 4096 + 10)
    events, lost = tracker.take_events()
    assert (len(events), events[-1].number, lost) == (4096, 4096, 10)
    happen(tracker)
    events, lost = tracker.take_events()
    assert ([event.number for event in events], lost) == ([4097], 10)  # lost ones have no number


def test_a_kind_of_a_newer_library_is_kept() -> None:
    assert [enum(77).name for enum in (trip.EventKind, trip.Cause, trip.Scope)] == ["UNKNOWN_77"] * 3


def test_what_was_taken_is_told_though_the_tracker_is_destroyed_meanwhile(
    tracker: trip.Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    happen(tracker, 100)
    take = library.trip_tracker_events

    def take_and_destroy(*arguments: Any) -> int:
        status = take(*arguments)
        tracker.close()
        return status

    monkeypatch.setattr(library, "trip_tracker_events", take_and_destroy)
    assert len(tracker.take_events().events) == 64
    with pytest.raises(trip.Error, match="TRIP_E_HANDLE"):
        tracker.take_events()


def test_of_many_threads_each_event_has_one_taker(switching_often: None) -> None:
    tracker, takers, each = trip.Tracker(), 4, 2000
    are_told = threading.Event()

    def tell(n: int) -> None:
        circuit = tracker.circuit("acme", f"provider {n}")
        for _ in range(each):
            circuit.trip()
            circuit.reset()

    def take(_: int) -> list[trip.Event]:
        taken: list[trip.Event] = []
        while True:
            is_last = are_told.is_set()
            events = tracker.take_events(10).events
            taken += events
            if is_last and not events:
                return taken

    with ThreadPoolExecutor(takers + 2) as pool:
        taking = [pool.submit(take, n) for n in range(takers)]
        for telling in [pool.submit(tell, n) for n in range(2)]:
            telling.result()
        are_told.set()
        taken = [event for future in taking for event in future.result()]
    _, lost = tracker.take_events()
    assert sorted(event.number for event in taken) == list(range(1, len(taken) + 1))
    told = [event for event in taken if event.kind is not trip.EventKind.LOCK_WAITED]
    assert len(told) <= 4 * each <= len(taken) + lost


# ---- Waiting


async def waiting(tracker: trip.Tracker, waiters: int) -> None:
    await until(lambda: len(tracker._waiting) == waiters)


async def number_of_next(events: trip.Events) -> int:
    return (await events.__anext__()).number


def test_events_come_as_they_happen(tracker: trip.Tracker) -> None:
    async def main() -> None:
        happen(tracker, 2)
        events = tracker.events()
        assert [await number_of_next(events), await number_of_next(events)] == [1, 2]
        third = asyncio.create_task(number_of_next(events))
        await waiting(tracker, 1)
        happen(tracker)
        assert await third == 3
        assert events.lost == 0

    asyncio.run(main())


def test_an_event_of_another_thread_wakes_up_a_loop_that_sleeps(
    tracker: trip.Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has nothing to do and nothing planned: only the descriptor can end its sleep."""
    sleeps = threading.Event()

    def tell() -> None:
        sleeps.wait()
        happen(tracker)

    async def main() -> None:
        selector = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]
        select = selector.select

        def select_and_say_so(timeout: float | None) -> Any:
            if timeout is None:
                sleeps.set()
            return select(timeout)

        monkeypatch.setattr(selector, "select", select_and_say_so)
        assert await number_of_next(tracker.events()) == 1
        assert sleeps.is_set()

    teller = threading.Thread(target=tell)
    teller.start()
    asyncio.run(main())
    teller.join(60)


def test_an_iteration_tells_what_was_lost(tracker: trip.Tracker) -> None:
    async def main() -> int:
        happen(tracker, 4100)
        events = tracker.events()
        await events.__anext__()
        return events.lost

    assert asyncio.run(main()) == 4


def test_an_iteration_that_is_left_loses_nothing_and_leaves_nothing(tracker: trip.Tracker) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        before = watched(loop), len(asyncio.all_tasks())
        happen(tracker, 5)
        async for event in tracker.events():
            if event.number == 2:
                break
        assert (watched(loop), len(asyncio.all_tasks()), tracker._waiting) == (*before, set())
        assert [event.number for event in tracker.take_events().events] == [3, 4, 5]

    asyncio.run(main())


@pytest.mark.parametrize("end", ["cancelled", "cancelled and forgotten", "timed out"])
def test_who_waits_no_longer_is_not_registered(tracker: trip.Tracker, end: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        events, before, open_before = tracker.events(), watched(loop), descriptors()
        if end == "timed out":
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(events.__anext__(), 0.01)
        else:
            task = asyncio.ensure_future(events.__anext__())
            await waiting(tracker, 1)
            assert (watched(loop), descriptors()) == (before + 1, open_before + 1)
            task.cancel()
            if end == "cancelled":
                with pytest.raises(asyncio.CancelledError):
                    await task
            del task
            await until(lambda: not tracker._waiting)
        assert (watched(loop), descriptors(), tracker._waiting) == (before, open_before, set())
        happen(tracker)
        assert await number_of_next(events) == 1  # it can go on

    asyncio.run(main())


def test_an_event_that_comes_with_the_cancellation_is_not_lost(tracker: trip.Tracker) -> None:
    async def main() -> None:
        task = asyncio.ensure_future(tracker.events().__anext__())
        await waiting(tracker, 1)
        happen(tracker)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert [event.number for event in tracker.take_events().events] == [1]


def test_of_several_who_wait_each_event_wakes_one(tracker: trip.Tracker) -> None:
    async def main() -> None:
        loop, waiters, each = asyncio.get_running_loop(), 5, 20
        taken: list[int] = []

        async def take() -> None:
            async for event in tracker.events():
                taken.append(event.number)

        before = watched(loop)
        tasks = [asyncio.create_task(take()) for _ in range(waiters)]
        for n in range(each):
            await waiting(tracker, waiters)
            assert watched(loop) == before + waiters
            happen(tracker)
            await until(lambda: len(taken) == n + 1)  # noqa: B023
        assert taken == list(range(1, each + 1))
        tracker.close()
        await asyncio.wait_for(asyncio.gather(*tasks), 60)
        assert (watched(loop), tracker._waiting) == (before, set())

    asyncio.run(main())


def test_several_loops_on_several_threads_share_the_events(switching_often: None) -> None:
    tracker, loops, events = trip.Tracker(), 4, 500
    taken: list[str] = []
    is_over = threading.Event()

    async def take() -> None:
        async for event in tracker.events():
            if event.kind is trip.EventKind.FORCED:  # and nobody has waited for a lock
                taken.append(event.reason)
            if len(taken) == events:
                is_over.set()

    threads = [threading.Thread(target=lambda: asyncio.run(take()), daemon=True) for _ in range(loops)]
    for thread in threads:
        thread.start()
    happen(tracker, events)
    is_over.wait(60)
    tracker.close()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert sorted(taken, key=int) == [str(n) for n in range(events)]


@pytest.mark.parametrize("closed_by", ["the same thread", "another thread", "with"])
def test_the_iteration_ends_when_its_tracker_is_closed(closed_by: str) -> None:
    async def main() -> list[int]:
        tracker = trip.Tracker()
        loop, complaints = asyncio.get_running_loop(), list[Any]()
        loop.set_exception_handler(lambda _, complaint: complaints.append(complaint))
        before = watched(loop)

        async def take() -> list[int]:
            return [event.number async for event in tracker.events()]

        happen(tracker)
        task = asyncio.create_task(take())
        await waiting(tracker, 1)
        if closed_by == "another thread":
            await loop.run_in_executor(None, tracker.close)
        elif closed_by == "with":
            with tracker:
                pass
        else:
            assert [tracker.close(), tracker.close()] == [True, False]
        numbers = await asyncio.wait_for(task, 60)
        assert (watched(loop), complaints) == (before, [])
        return numbers

    assert asyncio.run(main()) == [1]


def test_trackers_that_are_closed_and_loops_that_wait_meet_at_any_time(switching_often: None) -> None:
    """Who begins to wait while another thread closes the tracker is woken up, or does not fall asleep."""

    async def take(events: trip.Events, begins: threading.Barrier) -> list[trip.Event]:
        async def take_all() -> list[trip.Event]:
            return [event async for event in events]

        begins.wait()
        return await asyncio.wait_for(take_all(), 60)

    with ThreadPoolExecutor(1) as pool:
        for _ in range(300):
            tracker, begins = trip.Tracker(), threading.Barrier(2)
            ended = pool.submit(asyncio.run, take(tracker.events(), begins))
            begins.wait()
            tracker.close()
            assert ended.result(60) == []


@pytest.mark.parametrize("is_taken", [True, False])
def test_a_number_that_has_become_somebody_else_s_is_not_watched(
    tracker: trip.Tracker, monkeypatch: pytest.MonkeyPatch, is_taken: bool
) -> None:
    """Nor is it a mistake when it is nobody's."""
    events, dup = tracker.events(), os.dup
    pipe: list[int] = []

    def dup_late(descriptor: int) -> int:
        library.trip_tracker_destroy(tracker.handle)  # as another language would
        if is_taken:
            pipe.extend(os.pipe())
            assert descriptor in pipe
        return dup(descriptor)

    async def take() -> list[trip.Event]:
        return [event async for event in events]

    monkeypatch.setattr(os, "dup", dup_late)
    assert asyncio.run(asyncio.wait_for(take(), 60)) == []
    for end in pipe:
        os.close(end)


def test_who_gets_no_descriptor_is_told(tracker: trip.Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int) -> int:
        raise OSError(24, "too many open files")

    async def main() -> None:
        monkeypatch.setattr(os, "dup", refuse)
        with pytest.raises(OSError, match="too many"):
            await tracker.events().__anext__()
        monkeypatch.undo()
        assert tracker._waiting == set()
        happen(tracker)
        assert await number_of_next(tracker.events()) == 1

    asyncio.run(main())


def test_who_waits_on_a_loop_that_is_closed_hinders_nobody(tracker: trip.Tracker) -> None:
    loop = asyncio.new_event_loop()
    task: Any = loop.create_task(number_of_next(tracker.events()))
    loop.run_until_complete(waiting(tracker, 1))
    loop.close()
    assert tracker.close()
    task._log_destroy_pending = False  # this is what is tested


def test_an_iteration_keeps_its_tracker_alive() -> None:
    async def main() -> None:
        tracker = trip.Tracker()
        gone, circuit = weakref.ref(tracker), tracker.circuit("acme", "openai")
        task = asyncio.create_task(number_of_next(tracker.events()))
        await waiting(tracker, 1)
        trip.Circuit.from_handle(circuit.handle).set_mode(trip.Mode.OBSERVE)
        del circuit, tracker
        assert await task == 1
        del task
        gc.collect()
        assert gone() is None

    asyncio.run(main())


def test_events_are_for_asyncio(tracker: trip.Tracker) -> None:
    waits: Any = tracker.events().__anext__()
    with pytest.raises(RuntimeError, match="no running event loop"):
        waits.send(None)
    assert tracker._waiting == set()


def test_a_forked_child_hears_of_its_own_events_alone() -> None:
    program = """
import asyncio, os, trip

tracker = trip.Tracker()
circuit = tracker.circuit("acme", "openai")
circuit.trip()

async def first():
    return (await tracker.events().__anext__()).number

tracker.events()  # the descriptor is there when it forks
child = os.fork()
if child == 0:
    circuit.reset()
    assert asyncio.run(first(), debug=False) == 1
    assert tracker.take_events() == ([], 0)
    tracker.close()
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert [event.kind.name for event in tracker.take_events().events] == ["OPENED"]
"""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_asyncio_is_not_imported_by_who_does_not_wait() -> None:
    program = "import sys, trip; trip.Tracker().take_events(); sys.exit('asyncio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0
