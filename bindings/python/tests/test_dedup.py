"""Of all who want the same call one makes it; the others wait without holding anything, and get what it has brought."""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable

import pytest

import trip
from trip._library import library
from waits import descriptors, until, watched

Dedups = Callable[..., trip.Dedup]


@pytest.fixture(autouse=True)
def everything_is_given_back() -> Iterator[None]:
    before = descriptors()
    yield
    if descriptors() > before:
        gc.collect()
    assert descriptors() <= before


@pytest.fixture
def dedup() -> trip.Dedup:
    return trip.Dedup()


def ours(found: trip.Ticket | trip.Cached | None) -> trip.Ticket:
    assert isinstance(found, trip.Ticket)
    return found


# ---- Checking


def test_the_first_who_asks_gets_the_ticket_and_the_others_its_value(dedup: trip.Dedup) -> None:
    ticket = ours(dedup.check("key"))
    assert dedup.check("key") is None
    assert dedup.check(b"key") is None  # the same key
    other = ours(dedup.check("other"))
    assert dedup.inspect().in_progress == 2
    assert ticket.complete(b"value\0")
    assert dedup.check("key") == trip.Cached(b"value\0")
    assert other.fail()
    info = dedup.inspect()
    assert (info.in_progress, info.cached, info.started, info.hits, info.joined) == (0, 1, 2, 1, 2)
    assert (info.completed, info.failed) == (1, 1)
    dedup.forget("key")
    ours(dedup.check("key")).drop()


@pytest.mark.parametrize("settle", ["fail", "drop"])
def test_a_ticket_without_a_value_frees_its_key_at_once(dedup: trip.Dedup, settle: str) -> None:
    assert getattr(ours(dedup.check("key")), settle)()
    assert ours(dedup.check("key")).complete(b"")
    assert dedup.check("key") == trip.Cached(b"")


def test_the_lease_and_the_time_to_live_are_the_trackers(tracker: trip.Tracker) -> None:
    dedup = trip.Dedup(tracker, lease=10, ttl=5)
    late = ours(dedup.check("key"))
    tracker.advance(9)
    assert late.renew()
    tracker.advance(9)
    assert dedup.check("key") is None
    tracker.advance(1)
    ticket = ours(dedup.check("key"))
    assert (late.complete(b"late"), late.handle == ticket.handle) == (False, False)
    assert ticket.complete(b"in time")
    tracker.advance(4)
    assert dedup.check("key") == trip.Cached(b"in time")
    tracker.advance(1)
    ours(dedup.check("key")).drop()
    assert dedup.inspect().expired == 1


def test_without_a_time_to_live_nothing_is_kept() -> None:
    dedup = trip.Dedup(ttl=0)
    assert ours(dedup.check("key")).complete(b"value")
    ours(dedup.check("key")).drop()


@pytest.mark.parametrize("length", [0, 1, 4095, 4096, 4097, 10**6])
def test_values_of_any_length_come_back_whole(dedup: trip.Dedup, length: int) -> None:
    value = os.urandom(length)
    assert ours(dedup.check("key")).complete(bytearray(value))
    assert dedup.check("key") == trip.Cached(value)
    assert dedup.wait("key") == trip.Cached(value)


def test_a_ticket_is_settled_once(dedup: trip.Dedup) -> None:
    ticket = ours(dedup.check("key"))
    assert ticket.complete(b"value")
    again: Callable[[], bool]
    for again in lambda: ticket.complete(b"other"), ticket.fail, ticket.drop, ticket.renew:
        with pytest.raises(trip.Consumed) as raised:
            again()
        assert (raised.value.name, type(raised.value)) == ("TRIP_E_CONSUMED", trip.Consumed)
    assert dedup.check("key") == trip.Cached(b"value")


def test_wrong_keys_values_and_times_are_refused(dedup: trip.Dedup) -> None:
    wrong: Any
    for wrong in 1, None, bytearray(b"key"), ["key"]:
        for use in dedup.check, dedup.wait, dedup.forget, lambda key: asyncio.run(dedup.wait_async(key)):
            with pytest.raises(TypeError, match="key"):
                use(wrong)
    for use in dedup.check, dedup.wait, dedup.forget, lambda key: asyncio.run(dedup.wait_async(key)):
        with pytest.raises(trip.Error) as raised:
            use("x" * 65537)
        assert raised.value.name == "TRIP_E_INVALID"
    ticket = ours(dedup.check("x" * 65536))
    for wrong in "text", None, 1, [b"bytes"]:
        with pytest.raises(TypeError, match="value"):
            ticket.complete(wrong)
    for wrong, kind in (-1, ValueError), (float("nan"), ValueError), ("1", TypeError), (True, TypeError):
        with pytest.raises(kind, match="timeout"):
            dedup.wait("x", wrong)
        with pytest.raises(kind, match="timeout"):
            asyncio.run(dedup.wait_async("x", wrong))
    assert ticket.drop()
    assert dedup.inspect().in_progress == 0


# ---- Blocks


def test_a_block_settles_its_ticket(dedup: trip.Dedup) -> None:
    with ours(dedup.check("key")) as ticket:
        ticket.complete(b"value")
    assert dedup.check("key") == trip.Cached(b"value")
    with ours(dedup.check("dropped")):
        pass
    with pytest.raises(OSError, match="its own"), ours(dedup.check("failed")):
        raise OSError("its own")
    with pytest.raises(KeyboardInterrupt), ours(dedup.check("cancelled")):
        raise KeyboardInterrupt

    async def main() -> None:
        with pytest.raises(asyncio.CancelledError):
            async with ours(dedup.check("awaited")):
                raise asyncio.CancelledError

    asyncio.run(main())
    info = dedup.inspect()
    assert (info.in_progress, info.completed, info.failed) == (0, 1, 4)


def test_a_block_of_a_dedup_that_is_closed_raises_nothing(dedup: trip.Dedup, caplog: pytest.LogCaptureFixture) -> None:
    with ours(dedup.check("key")):
        dedup.close()
    assert "TRIP_E_HANDLE" in caplog.text


def test_a_ticket_that_is_collected_is_dropped(dedup: trip.Dedup) -> None:
    ticket = ours(dedup.check("key"))
    del ticket
    gc.collect()
    ours(dedup.check("key")).drop()


# ---- Waiting


def test_who_waits_gets_what_the_call_brings(dedup: trip.Dedup) -> None:
    ticket = ours(dedup.check("key"))
    with ThreadPoolExecutor(8) as threads:
        found = [threads.submit(dedup.wait, "key", 60) for _ in range(8)]
        while dedup.inspect().waiting < 8:
            time.sleep(0.001)
        assert ticket.complete(b"value")
        assert [each.result(60) for each in found] == [trip.Cached(b"value")] * 8
    assert dedup.inspect().waiting == 0


def test_when_a_call_fails_one_of_those_who_wait_gets_the_next_ticket(dedup: trip.Dedup) -> None:
    ticket = ours(dedup.check("key"))
    answers: list[bytes] = []

    def call() -> None:
        found = dedup.wait("key")
        if isinstance(found, trip.Ticket):
            answers.append(b"made")
            found.complete(b"value")
        else:
            answers.append(found.value)

    with ThreadPoolExecutor(8) as threads:
        waiting = [threads.submit(call) for _ in range(8)]
        while dedup.inspect().waiting < 8:
            time.sleep(0.001)
        assert ticket.fail()
        for each in waiting:
            each.result(60)
    assert sorted(answers) == [b"made"] + [b"value"] * 7


def test_a_wait_is_over_when_its_time_is(dedup: trip.Dedup) -> None:
    ticket = ours(dedup.check("key"))
    assert dedup.wait("key", 0) is None
    began = time.monotonic()
    assert dedup.wait("key", 0.02) is None
    with ThreadPoolExecutor(1) as threads:  # where a thread waits at one stretch
        assert threads.submit(dedup.wait, "key", 0.02).result(60) is None
    assert time.monotonic() - began >= 0.04
    assert ticket.drop()


def test_the_main_thread_hears_a_signal_while_it_waits(dedup: trip.Dedup) -> None:
    class Alarm(Exception):
        pass

    def ring(*_: object) -> None:
        raise Alarm

    ticket = ours(dedup.check("key"))
    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        with pytest.raises(Alarm):
            dedup.wait("key")
    finally:
        signal.signal(signal.SIGALRM, before)
    assert ticket.drop()
    assert dedup.inspect().in_progress == 0


def test_the_main_thread_waits_on_after_each_look_for_signals(
    dedup: trip.Dedup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trip._dedup._ASLEEP_NS", 10**6)
    ticket = ours(dedup.check("key"))

    def complete() -> None:
        deadline = time.monotonic() + 60
        while dedup.inspect().joined < 3 and time.monotonic() < deadline:
            time.sleep(0.001)
        ticket.complete(b"value")

    thread = threading.Thread(target=complete)
    thread.start()
    assert dedup.wait("key") == trip.Cached(b"value")
    thread.join(60)


def test_closing_wakes_up_who_waits(dedup: trip.Dedup) -> None:
    ticket = ours(dedup.check("key"))
    with ThreadPoolExecutor(1) as threads:
        waits = threads.submit(dedup.wait, "key")
        while dedup.inspect().waiting == 0:
            time.sleep(0.001)
        assert dedup.close()
        with pytest.raises(trip.Error) as raised:
            waits.result(60)
    assert raised.value.name == "TRIP_E_HANDLE"
    with pytest.raises(trip.Error):
        ticket.complete(b"")


# ---- Waiting on asyncio


def test_on_asyncio_many_wait_and_no_thread_is_blocked(dedup: trip.Dedup) -> None:
    async def main() -> None:
        ticket, before = ours(dedup.check("key")), watched(asyncio.get_running_loop())
        threads = threading.active_count()
        waits = [asyncio.create_task(dedup.wait_async("key")) for _ in range(20)]
        await until(lambda: watched(asyncio.get_running_loop()) == before + 20)
        assert (threading.active_count(), dedup.inspect().waiting) == (threads, 0)
        assert ticket.complete(b"value")
        assert await asyncio.gather(*waits) == [trip.Cached(b"value")] * 20
        assert watched(asyncio.get_running_loop()) == before

    asyncio.run(asyncio.wait_for(main(), 60))


def test_on_asyncio_one_of_those_who_wait_gets_the_next_ticket(dedup: trip.Dedup) -> None:
    async def call() -> bool:
        found = await dedup.wait_async("key")
        if isinstance(found, trip.Cached):
            return False
        await asyncio.sleep(0.001)
        return found.complete(b"value")

    async def main() -> None:
        ticket, before = ours(dedup.check("key")), watched(asyncio.get_running_loop())
        waits = [asyncio.create_task(call()) for _ in range(20)]
        await until(lambda: watched(asyncio.get_running_loop()) == before + 20)
        threading.Thread(target=ticket.fail).start()  # from another thread
        assert sorted(await asyncio.gather(*waits)) == [False] * 19 + [True]

    asyncio.run(asyncio.wait_for(main(), 60))


def test_on_asyncio_a_wait_is_over_when_its_time_is(dedup: trip.Dedup) -> None:
    async def main() -> None:
        ticket, before = ours(dedup.check("key")), watched(asyncio.get_running_loop())
        began = time.monotonic()
        assert await dedup.wait_async("key", 0) is None
        assert await dedup.wait_async("key", 0.02) is None
        assert time.monotonic() - began >= 0.02
        assert watched(asyncio.get_running_loop()) == before
        assert ticket.drop()
        ours(await dedup.wait_async("key", 60)).drop()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_who_is_cancelled_while_he_waits_leaves_nothing(dedup: trip.Dedup) -> None:
    async def main() -> None:
        loop, open_before = asyncio.get_running_loop(), descriptors()
        ticket, before = ours(dedup.check("key")), watched(loop)
        waits = [asyncio.create_task(dedup.wait_async("key")) for _ in range(20)]
        await until(lambda: watched(loop) == before + 20)
        for each in waits[::2]:
            each.cancel()
        await until(lambda: all(each.done() for each in waits[::2]))
        assert watched(loop) == before + 10
        ticket.fail()  # and cancelled at the moment when all are woken
        for each in waits[1::2]:
            each.cancel()
        ended = await asyncio.gather(*waits, return_exceptions=True)
        assert [type(each) for each in ended] == [asyncio.CancelledError] * 20
        assert (watched(loop), descriptors(), dedup.inspect().in_progress) == (before, open_before, 0)

    asyncio.run(asyncio.wait_for(main(), 60))


def test_on_asyncio_closing_wakes_up_who_waits(dedup: trip.Dedup) -> None:
    async def main() -> None:
        ticket, before = ours(dedup.check("key")), watched(asyncio.get_running_loop())
        wait = asyncio.create_task(dedup.wait_async("key"))
        await until(lambda: watched(asyncio.get_running_loop()) == before + 1)
        dedup.close()
        with pytest.raises(trip.Error) as raised:
            await wait
        assert raised.value.name == "TRIP_E_HANDLE"
        with pytest.raises(trip.Error):
            ticket.drop()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_on_asyncio_closing_the_tracker_wakes_up_who_waits() -> None:
    async def main() -> None:
        tracker = trip.Tracker()
        dedup = trip.Dedup(tracker)
        ticket = ours(dedup.check("key"))
        waits = [asyncio.create_task(dedup.wait_async("key", timeout)) for timeout in (None, 3600)]
        await until(lambda: len(tracker._waiting) == 2)
        tracker.close()
        for wait in waits:
            with pytest.raises(trip.Error) as raised:
                await wait
            assert raised.value.name == "TRIP_E_HANDLE"
        assert tracker._waiting == set()
        with pytest.raises(trip.Error):
            ticket.drop()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_who_gets_no_descriptor_is_told(dedup: trip.Dedup, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = ours(dedup.check("key"))
    with monkeypatch.context() as patched:
        patched.setattr(library, "trip_dedup_watch", lambda *_: -9)
        with pytest.raises(trip.Error) as raised:
            asyncio.run(dedup.wait_async("key"))
    assert raised.value.name == "TRIP_E_SYSTEM"
    assert ticket.drop()


def test_a_loop_that_cannot_watch_leaves_no_descriptor(dedup: trip.Dedup) -> None:
    async def main() -> None:
        def refuse(*_: object) -> None:
            raise NotImplementedError

        loop: Any = asyncio.get_running_loop()
        loop.add_reader = refuse
        os.close(dedup._watched("key"))  # of which the library keeps one, until the call is over
        before = descriptors()
        with pytest.raises(NotImplementedError):
            await dedup.wait_async("key")
        assert descriptors() == before

    ticket = ours(dedup.check("key"))
    asyncio.run(main())
    assert ticket.drop()


# ---- Its life


def test_a_closed_dedup_is_an_error(dedup: trip.Dedup) -> None:
    assert (dedup.close(), dedup.close()) == (True, False)
    uses: list[Callable[[], Any]] = [
        *(lambda use=use: use("key") for use in (dedup.check, dedup.wait, dedup.forget)),
        dedup.inspect,
        lambda: asyncio.run(dedup.wait_async("key")),
    ]
    for use in uses:
        with pytest.raises(trip.Error) as raised:
            use()
        assert raised.value.name == "TRIP_E_HANDLE"


def test_a_ticket_keeps_its_dedup_and_that_its_tracker() -> None:
    tracker = trip.Tracker()
    dedup = trip.Dedup(tracker)
    kept, ticket = (weakref.ref(dedup), weakref.ref(tracker)), ours(dedup.check("key"))
    handle = dedup.handle
    del dedup, tracker
    gc.collect()
    assert all(each() is not None for each in kept)
    assert ticket.complete(b"")
    del ticket
    gc.collect()
    assert [each() for each in kept] == [None, None]
    assert library.trip_dedup_destroy(handle) < 0


def test_objects_show_which_they_are_and_stay_here(dedup: trip.Dedup) -> None:
    ticket = ours(dedup.check("key"))
    assert repr(dedup) == f"<trip.Dedup {dedup.handle:#x}>"
    assert repr(ticket) == f"<trip.Ticket {ticket.handle:#x}>"
    for each in dedup, ticket:
        with pytest.raises(TypeError, match="in this process"):
            pickle.dumps(each)
    assert pickle.loads(pickle.dumps(trip.Cached(b"value"))) == trip.Cached(b"value")


def test_an_interpreter_that_ends_says_nothing() -> None:
    program = """
import trip
class Last:
    def __del__(self):
        ticket.handle, token.handle
dedup, gate = trip.Dedup(), trip.Gate()
ticket, token, last = dedup.check("key"), gate.acquire(), Last()
pipeline, retry = trip.Pipeline([("a", bytes.upper)]), trip.Retry()
pipeline.me, dedup.me = pipeline, dedup
"""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_in_a_forked_child_the_parents_calls_are_given_up(dedup: trip.Dedup) -> None:
    ticket = ours(dedup.check("key"))
    child = os.fork()
    if child == 0:
        free = dedup.check("key")
        os._exit(0 if isinstance(free, trip.Ticket) and ticket.complete(b"") is False else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert dedup.check("key") is None
    assert ticket.complete(b"value")
