"""A tracker remembers few of many names, and nobody can tell which: counts are exact, and no memory is kept."""

from __future__ import annotations

import gc
import operator
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

import trip
from trip import _entry, _native, _remembered
from trip._entry import COLD, Entry
from trip._remembered import SELDOM

ROOM = 16


@pytest.fixture(autouse=True)
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_remembered, "ROOM", ROOM)


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The tenants that the library is asked for."""
    tenants: list[bytes] = []
    look_up = _native.circuit

    def listening(tracker: object, tenant: bytes, *rest: object) -> int:
        tenants.append(tenant)
        return look_up(tracker, tenant, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(_native, "circuit", listening)
    return tenants


def entries() -> int:
    gc.collect()
    return sum(type(known) is Entry for known in gc.get_objects())


def call(tracker: trip.Tracker, tenant: str) -> None:
    assert tracker.circuit(tenant, "openai").permit().record_success()


def fill(tracker: trip.Tracker) -> None:
    for i in range(ROOM):
        call(tracker, f"first-{i}")


@pytest.mark.parametrize(("max_circuits", "most"), [(1, 2), (4, 8), (1000, 2 * ROOM)])
def test_a_tracker_remembers_no_more_than_it_has_room_for(max_circuits: int, most: int) -> None:
    before = entries()
    tracker = trip.Tracker(max_circuits=max_circuits)
    for again in range(3):
        for i in range(1000):
            for _ in range(1 + again):
                call(tracker, f"tenant-{i}")
    assert entries() - before <= most


def test_a_tracker_that_is_closed_remembers_nothing() -> None:
    before = entries()
    tracker = trip.Tracker()
    for i in range(3 * SELDOM * ROOM):
        call(tracker, f"tenant-{i}")
    assert entries() > before + ROOM
    assert tracker.close()
    assert entries() == before
    with pytest.raises(trip.Error, match="TRIP_E_HANDLE"):
        tracker.circuit("tenant-0", "openai")


def test_the_entry_of_an_evicted_circuit_goes_when_its_name_is_asked_for() -> None:
    before = entries()
    tracker = trip.Tracker(max_circuits=ROOM)
    fill(tracker)
    for i in range(1000):
        tracker.circuit(b"other", b"%d" % i)  # names in bytes are not remembered
    assert entries() - before == ROOM
    fill(tracker)
    assert entries() - before == ROOM
    for i in range(ROOM):
        assert tracker.circuit(f"first-{i}", "openai").inspect().permits == 1


def test_a_name_that_is_asked_for_often_comes_to_be_remembered(looked_up: list[bytes]) -> None:
    tracker = trip.Tracker()
    fill(tracker)
    for _ in range(SELDOM + COLD + 1):
        call(tracker, "acme")
    looked_up.clear()
    for _ in range(100):
        call(tracker, "acme")
    assert looked_up == []
    assert tracker.circuit("acme", "openai").inspect().successes == SELDOM + COLD + 101


def test_names_that_have_no_lane_yet_do_not_keep_others_from_being_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_entry, "COLD", 1_000_000)
    tracker = trip.Tracker()
    fill(tracker)
    for _ in range(SELDOM):
        tracker.circuit("first-0", "openai")
        circuit = tracker.circuit("acme", "openai")
    assert tracker.circuit("acme", "openai")._entry is circuit._entry


def test_names_that_are_asked_for_once_displace_few() -> None:
    tracker = trip.Tracker()
    fill(tracker)
    first = [tracker.circuit(f"first-{i}", "openai")._entry for i in range(ROOM)]
    for i in range(ROOM // 2 * (SELDOM - 1)):
        call(tracker, f"once-{i}")
    again = [tracker.circuit(f"first-{i}", "openai")._entry for i in range(ROOM)]
    assert sum(map(operator.is_, again, first)) >= ROOM // 2


def test_what_is_called_by_more_names_than_are_remembered_is_counted_exactly() -> None:
    tracker, draw = trip.Tracker(), random.Random(1)
    calls = Counter(f"tenant-{min(draw.randrange(200), draw.randrange(200))}" for _ in range(20_000))
    for tenant in draw.sample([*calls.elements()], 20_000):
        call(tracker, tenant)
    for tenant, times in calls.items():
        info = tracker.circuit(tenant.encode(), b"openai").inspect()
        assert (info.permits, info.successes) == (times, times)


def test_threads_that_look_names_up_lose_no_count(switching_often: None) -> None:
    before = entries()
    tracker, threads, rounds = trip.Tracker(), 4, 3000
    together = threading.Barrier(threads)

    def look_up(seed: int) -> Counter[str]:
        draw = random.Random(seed)
        names = [f"tenant-{draw.randrange(3 * ROOM)}" for _ in range(rounds)]
        together.wait()
        for name in names:
            call(tracker, name)
        return Counter(names)

    with ThreadPoolExecutor(threads) as pool:
        calls = sum(pool.map(look_up, range(threads)), Counter[str]())
    for tenant, times in calls.items():
        info = tracker.circuit(tenant.encode(), b"openai").inspect()
        assert (info.permits, info.successes) == (times, times)
    assert entries() - before <= 2 * (ROOM + threads)


def test_names_that_are_no_utf_8_are_remembered_like_others(looked_up: list[bytes]) -> None:
    tracker = trip.Tracker()
    for _ in range(100):
        call(tracker, "\udcff")
    assert len(looked_up) <= COLD + 1
    assert set(looked_up) == {b"\xff"}
    assert tracker.circuit(b"\xff", b"openai").inspect().successes == 100


def test_a_name_that_is_too_long_is_refused() -> None:
    tracker = trip.Tracker()
    assert tracker.circuit("a" * 255, "b" * 255).permit().record_success()
    for tenant, provider in ("a" * 256, "b"), ("a", "b" * 256), ("ä" * 128, "b"):
        with pytest.raises(trip.Error, match="TRIP_E_INVALID"):
            tracker.circuit(tenant, provider)
