"""The promises of the express lane: it admits nothing that the library would refuse, its counts are exact, and nobody
can tell it from permits of the library's own.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Callable

import pytest

import trip
from lanes import admits, answer, begun_late, on_lane
from replay import replay
from trip import _abi, _ending, _entry, _guard, _lane, _native, _permit, _tracker
from trip._entry import COLD
from trip._lane import BATCH, NO_LANE, SPARE, _values, grants
from trip._library import library
from vectors import Vector, load

THRESHOLD = 4


class Down(Exception):
    """The provider's failure."""


def be_down() -> int:
    raise Down


def by_with(circuit: trip.Circuit, function: Callable[[], int]) -> int:
    with circuit.permit():
        return function()


def by_guard(circuit: trip.Circuit, function: Callable[[], int]) -> int:
    return circuit.guard(function)()


def by_async_guard(circuit: trip.Circuit, function: Callable[[], int]) -> int:
    async def later() -> int:
        return function()

    return asyncio.run(circuit.guard(later)())


def by_permit(circuit: trip.Circuit, function: Callable[[], int]) -> int:
    permit = circuit.permit()
    try:
        answered = function()
    except Down:
        permit.record_failure()
        raise
    permit.record_success()
    return answered


WAYS = [by_with, by_guard, by_async_guard, by_permit]
Way = Callable[[trip.Circuit, Callable[[], int]], int]


@pytest.fixture
def tracker() -> trip.Tracker:
    return trip.Tracker(failure_threshold=THRESHOLD, clock=trip.Clock.MANUAL)


@pytest.fixture
def circuit(tracker: trip.Tracker) -> trip.Circuit:
    return on_lane(tracker)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls into the library on the path of a call, by name."""
    names: list[str] = []

    def listen(where: Any, name: str) -> None:
        function = getattr(where, name)

        def listening(*arguments: Any) -> Any:
            names.append(name)
            return function(*arguments)

        monkeypatch.setattr(where, name, listening)

    listen(_native, "permit")
    listen(_native, "circuit")
    listen(library, "trip_circuit_count")
    for module in _ending, _guard, _permit:
        for name in "record_success", "record_failure", "cancel":
            if hasattr(module, name):
                listen(module, name)
    listen(_native, "record")
    return names


# Here calls are out that the library would know of, had no lane admitted them before anybody asked how long they take.
NOT_ON_LANES = "calls-hang-only-since-a-policy-asks-for-it"


@pytest.mark.parametrize(
    "vector", [vector for vector in load() if vector["name"] != NOT_ON_LANES], ids=lambda vector: vector["name"]
)
def test_whoever_has_a_lane_at_once_sees_what_the_contract_says(
    monkeypatch: pytest.MonkeyPatch, vector: Vector
) -> None:
    def found_on_lane(*arguments: Any) -> _entry.Entry:
        entry = _entry.found(*arguments)
        entry.fetch_lane()
        return entry

    monkeypatch.setattr(_entry, "COLD", 0)
    monkeypatch.setattr(_tracker, "found", found_on_lane)
    replay(vector)


@pytest.mark.parametrize("way", WAYS)
def test_a_healthy_call_does_not_call_the_library(circuit: trip.Circuit, told: list[str], way: Way) -> None:
    for _ in range(10):
        assert way(circuit, answer) == 7
    assert told == []
    info = circuit.inspect()
    assert (info.permits, info.successes) == (10, 10)


@pytest.mark.parametrize("way", WAYS)
def test_a_failure_calls_the_library_once_and_the_next_success_once(
    circuit: trip.Circuit, told: list[str], way: Way
) -> None:
    for _ in range(THRESHOLD - 1):
        with pytest.raises(Down):
            way(circuit, be_down)
    assert told == ["record_failure"] * (THRESHOLD - 1)
    assert circuit.inspect().failures == THRESHOLD - 1
    assert way(circuit, answer) == 7
    assert told[THRESHOLD - 1 :] == ["record_success"]
    info = circuit.inspect()
    assert (info.failures, info.permits, info.successes, info.failures_total) == (0, THRESHOLD, 1, THRESHOLD - 1)
    assert admits(circuit)


@pytest.mark.parametrize("way", WAYS)
def test_the_last_failure_opens_and_the_lane_is_dead_until_the_circuit_has_closed(
    tracker: trip.Tracker, circuit: trip.Circuit, way: Way
) -> None:
    dead = circuit._entry.lane
    for _ in range(THRESHOLD):
        with pytest.raises(Down):
            way(circuit, be_down)
    assert not admits(circuit)
    with pytest.raises(trip.CircuitOpen):
        way(circuit, answer)
    tracker.advance(30)
    for _ in range(COLD + 1):
        assert way(circuit, answer) == 7
    assert admits(circuit)
    assert circuit._entry.lane is not dead
    info = circuit.inspect()
    assert (info.permits, info.successes, info.rejections, info.opens) == (THRESHOLD + COLD + 1, COLD + 1, 1, 1)


@pytest.mark.parametrize("way", WAYS)
def test_a_success_that_overtakes_a_failure_resets_the_count(
    tracker: trip.Tracker, circuit: trip.Circuit, way: Way
) -> None:
    elsewhere = tracker.circuit(b"acme", b"openai")

    def overtaken() -> int:
        elsewhere.permit().record_failure()
        return 7

    for _ in range(THRESHOLD):
        assert way(circuit, overtaken) == 7
    info = circuit.inspect()
    assert (info.state, info.failures, info.permits) == (trip.State.CLOSED, 0, 2 * THRESHOLD)


def test_what_threads_do_in_every_way_is_counted_exactly(switching_often: None) -> None:
    tracker = trip.Tracker(failure_threshold=1_000_000, on_drop=trip.OnDrop.CANCEL)
    circuit = on_lane(tracker)
    threads, rounds = 4, 3000
    guarded, failing = circuit.guard(answer), circuit.guard(be_down)
    together = threading.Barrier(threads)

    def call(_: int) -> None:
        together.wait()
        for _ in range(rounds):
            guarded()
            by_with(circuit, answer)
            with pytest.raises(Down):
                failing()
            circuit.permit().record_success()
            circuit.permit().cancel()
            circuit.permit().drop()

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(call, range(threads)))
    for seen in circuit, tracker.circuit(b"acme", b"openai"):
        info = seen.inspect()
        calls = threads * rounds
        assert (info.permits, info.successes, info.failures_total) == (6 * calls, 3 * calls, calls)
        assert (info.cancels, info.drops, info.rejections, info.stale) == (calls, calls, 0, 0)


def test_the_library_is_told_in_batches(circuit: trip.Circuit) -> None:
    guarded = circuit.guard(answer)
    for _ in range(2 * BATCH + 2):
        guarded()
    info = _abi.trip_circuit_info(ctypes.sizeof(_abi.trip_circuit_info))
    assert library.trip_circuit_inspect(circuit.handle, ctypes.byref(info)) == _abi.TRIP_OK
    assert 2 * BATCH <= info.permits == info.successes <= 2 * BATCH + 2
    assert circuit.inspect().permits == 2 * BATCH + 2


def test_a_permit_that_is_out_is_inspected_as_out(circuit: trip.Circuit) -> None:
    out = [circuit.permit() for _ in range(5)]
    info = circuit.inspect()
    assert (info.permits, info.successes) == (5, 0)
    for permit in out:
        permit.record_success()
    info = circuit.inspect()
    assert (info.permits, info.successes) == (5, 5)


def test_what_several_lanes_of_a_circuit_count_all_of_them_show(tracker: trip.Tracker) -> None:
    by_bytes = [tracker.circuit(b"acme", b"openai") for _ in range(3)]  # which share no lane, unlike those by str
    assert all(circuit._entry.fetch_lane() for circuit in by_bytes)
    for circuit in by_bytes:
        circuit.permit().record_success()
    out = by_bytes[0].permit()
    for circuit in *by_bytes, on_lane(tracker):
        info = circuit.inspect()
        assert (info.permits, info.successes) == (4, 3)
    out.cancel()


@pytest.mark.parametrize("first", [trip.Permit.record_success, trip.Permit.record_failure, trip.Permit.detach])
def test_a_permit_of_the_lane_is_settled_once(circuit: trip.Circuit, first: Callable[[trip.Permit], int]) -> None:
    permit = circuit.permit()
    assert permit._lane is not NO_LANE
    handle = first(permit)
    if first is trip.Permit.detach:
        assert trip.Permit.from_handle(handle).record_success()
    for again in trip.Permit.record_success, trip.Permit.record_failure, trip.Permit.cancel, trip.Permit.drop:
        with pytest.raises(trip.PermitConsumed):
            again(permit)
    info = circuit.inspect()
    assert (info.permits, info.successes + info.failures_total) == (1, 1)


def test_of_many_threads_one_settles_a_permit_of_the_lane(circuit: trip.Circuit, switching_often: None) -> None:
    threads, rounds = 8, 200
    together = threading.Barrier(threads)
    permits = [circuit.permit() for _ in range(rounds)]

    def settle(_: int) -> int:
        settled = 0
        for permit in permits:
            together.wait()
            with suppress(trip.PermitConsumed):
                settled += permit.record_success()
        return settled

    with ThreadPoolExecutor(threads) as pool:
        assert sum(pool.map(settle, range(threads))) == rounds
    info = circuit.inspect()
    assert (info.permits, info.successes) == (rounds, rounds)


def test_a_settled_permit_settles_nothing_for_the_permit_after_it(circuit: trip.Circuit) -> None:
    old: list[trip.Permit] = []
    for _ in range(50):
        permit = circuit.permit()
        for settled in old:
            with pytest.raises(trip.PermitConsumed):
                settled.record_success()
        permit.record_success()
        old.append(permit)
    assert circuit.inspect().successes == 50


@pytest.mark.parametrize("on_drop", list(trip.OnDrop))
def test_a_permit_of_the_lane_that_is_forgotten_is_dropped(on_drop: trip.OnDrop) -> None:
    circuit = on_lane(trip.Tracker(failure_threshold=THRESHOLD, on_drop=on_drop))
    cycle: list[object] = [circuit.permit()]
    cycle.append(cycle)
    kept = circuit.permit()
    del cycle
    gc.collect()
    info = circuit.inspect()
    assert (info.permits, info.drops, info.failures) == (2, 1, int(on_drop is trip.OnDrop.FAILURE))
    assert kept.record_success()


def test_a_coroutine_that_is_forgotten_settles_its_call(circuit: trip.Circuit) -> None:
    async def wait() -> None:
        await asyncio.sleep(0)

    waiting = circuit.guard(wait)()
    waiting.send(None)
    assert circuit.inspect().permits == 0  # such a call is counted when it ends
    del waiting
    gc.collect()
    info = circuit.inspect()
    assert (info.permits, info.cancels, info.failures) == (1, 1, 0)


def test_no_call_begins_after_a_refusal_elsewhere(switching_often: None) -> None:
    tracker = trip.Tracker(failure_threshold=1, clock=trip.Clock.MANUAL)
    circuit, elsewhere = tracker.circuit("acme", "openai"), tracker.circuit(b"acme", b"openai")

    def open_elsewhere() -> None:
        elsewhere.permit().record_failure()
        with pytest.raises(trip.CircuitOpen):
            elsewhere.permit()

    for _ in range(50):
        assert circuit._entry.fetch_lane()
        assert begun_late(circuit, open_elsewhere) == 0
        tracker.advance(30)
        circuit.permit().record_success()


def test_a_lane_dies_with_its_circuit_which_is_found_again() -> None:
    tracker = trip.Tracker(failure_threshold=THRESHOLD, max_circuits=1)
    circuit = on_lane(tracker)
    late = circuit.permit()
    guarded = circuit.guard(answer)
    assert guarded() == 7
    assert tracker.circuit("globex", "openai").permit().record_success()
    assert not admits(circuit)
    assert late.record_success() is False
    for _ in range(COLD + 2):
        assert guarded() == 7
    assert admits(circuit)
    info = circuit.inspect()
    assert (info.permits, info.successes) == (COLD + 2, COLD + 2)


@pytest.mark.parametrize("way", WAYS)
def test_a_circuit_that_is_found_again_may_be_open_by_then(way: Way) -> None:
    tracker = trip.Tracker(failure_threshold=1, max_circuits=1)
    circuit = on_lane(tracker)
    tracker.circuit("globex", "openai")
    tracker.circuit(b"acme", b"openai").permit().record_failure()
    with pytest.raises(trip.CircuitOpen) as raised:
        way(circuit, answer)
    assert (raised.value.tenant, raised.value.failures) == ("acme", 1)
    assert circuit.inspect().rejections == 1


def test_a_tracker_finds_a_circuit_by_its_lane_until_that_is_evicted(told: list[str]) -> None:
    tracker = trip.Tracker(max_circuits=1)
    for _ in range(3):
        handles = {tracker.circuit("acme", "openai").handle for _ in range(COLD + 10)}
        assert told == ["circuit"] * (COLD + 1)
        assert len(handles) == 1
        evicting = tracker.circuit("globex", "openai")
        assert tracker.circuit("acme", "openai").handle not in {*handles, evicting.handle}
        tracker.circuit("globex", "openai")
        told.clear()


def test_a_lane_dies_with_its_tracker(tracker: trip.Tracker, circuit: trip.Circuit) -> None:
    late, guarded = circuit.permit(), circuit.guard(answer)
    assert guarded() == 7
    assert tracker.close()
    assert not admits(circuit)
    for use in circuit.permit, late.record_success, lambda: tracker.circuit("acme", "openai"):
        with pytest.raises(trip.Error, match="TRIP_E_HANDLE"):
            use()
    assert guarded() == 7  # unguarded: the breaker must never be the outage


def test_a_permit_given_away_after_the_circuit_opened_is_stale_and_no_probe(
    tracker: trip.Tracker, circuit: trip.Circuit
) -> None:
    late = circuit.permit()
    for _ in range(THRESHOLD):
        circuit.permit().record_failure()
    tracker.advance(30)
    assert trip.Permit.from_handle(late.detach()).record_failure() is False
    info = circuit.inspect()
    assert (info.state, info.stale, info.probes_out) == (trip.State.OPEN, 1, 0)


def test_the_counts_of_a_forked_child_are_its_own(circuit: trip.Circuit) -> None:
    guarded, kept = circuit.guard(answer), circuit.permit()
    for _ in range(10):
        guarded()
    child = os.fork()
    if child == 0:
        try:
            guarded()
            kept.record_failure()
            info = circuit.inspect()
            right = (info.permits, info.successes, info.failures_total) == (12, 11, 1) and admits(circuit)
            os._exit(0 if right else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    info = circuit.inspect()
    assert (info.permits, info.successes, info.failures) == (11, 10, 0)
    assert kept.record_success()


def test_a_child_forked_while_another_thread_hands_in_can_hand_in(circuit: trip.Circuit) -> None:
    hands_in, is_over = threading.Event(), threading.Event()

    def hand_in() -> None:
        with _lane._handing_in:
            hands_in.set()
            is_over.wait()

    other = threading.Thread(target=hand_in)
    other.start()
    hands_in.wait()
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(10)  # which ends a child that waits for ever
            circuit.permit().record_success()
            os._exit(0 if circuit.inspect().successes == 1 else 1)
        finally:
            os._exit(2)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    is_over.set()
    other.join()
    assert ended == 0


CLOSED, PAYLOAD = 1 << 62, (1 << 23) - 1
ALL = 2**64 - 1


@pytest.mark.parametrize("ignored", [0, 1, PAYLOAD])
def test_a_lane_admits_what_its_mask_says(ignored: int) -> None:
    told = _abi.trip_express(ctypes.sizeof(_abi.trip_express), mask=ALL, value=CLOSED, admit_mask=ALL ^ ignored)
    values = _values(told)
    assert values is not None
    first, last = values
    for bit in range(64):
        for word in CLOSED ^ 1 << bit, CLOSED | PAYLOAD ^ 1 << bit, (CLOSED | ignored) + (1 << bit):
            seen = ctypes.c_double.from_buffer(ctypes.c_uint64(word)).value
            assert (first <= seen <= last) == (word & told.admit_mask == told.value)


@pytest.mark.parametrize(
    ("ignored", "value"),
    [
        (1 << 24, CLOSED),  # not the lowest bits
        (PAYLOAD, CLOSED + 1),  # matched by no word
        (PAYLOAD, 0),  # too small a float
        (PAYLOAD, CLOSED | 1 << 63),  # a negative one
        (CLOSED - 1, CLOSED),  # up to what is no number
    ],
)
def test_a_lane_of_another_form_is_not_taken(ignored: int, value: int) -> None:
    told = _abi.trip_express(ctypes.sizeof(_abi.trip_express), mask=ALL, value=value, admit_mask=ALL ^ ignored)
    assert _values(told) is None


def test_a_circuit_gets_its_lane_when_it_is_worth_one() -> None:
    circuit = trip.Tracker().circuit("acme", "openai")
    for _ in range(COLD):
        circuit.permit().record_success()
        assert circuit._entry.lane is NO_LANE  # who uses a circuit a few times does not pay for a lane
    circuit.permit().record_success()
    assert admits(circuit)


def test_refusals_use_their_grants_again(tracker: trip.Tracker, circuit: trip.Circuit) -> None:
    for _ in range(THRESHOLD):
        circuit.permit().record_failure()
    guarded = circuit.guard(answer)
    before = len(grants)
    for _ in range(100):
        for ask in circuit.permit, guarded:
            with pytest.raises(trip.CircuitOpen) as raised:
                ask()
            assert raised.value.retry_after == 30
    assert len(grants) <= before + 1
    assert circuit.inspect().rejections == 200


def test_a_guarded_call_gives_its_grant_back(tracker: trip.Tracker) -> None:
    circuit = tracker.circuit("acme", "openai")
    before = len(grants)
    assert by_guard(circuit, answer) == 7
    assert circuit._entry.lane is NO_LANE
    assert len(grants) == max(before, 1)


@pytest.fixture
def granting(monkeypatch: pytest.MonkeyPatch) -> trip.Circuit:
    """A circuit without a lane, whose permits are all granted by the library."""
    monkeypatch.setattr(_entry, "COLD", 1_000_000)
    return trip.Tracker(failure_threshold=THRESHOLD).circuit("acme", "openai")


def test_a_settled_permit_knows_nothing_of_the_call_that_its_grant_serves_next(granting: trip.Circuit) -> None:
    for settle in trip.Permit.record_success, trip.Permit.record_failure, trip.Permit.cancel, trip.Permit.drop:
        old = granting.permit()
        grant = old._ticket
        assert settle(old)
        new = granting.permit()
        assert new._ticket is grant
        assert (old.handle, old.detach()) == (0, 0)
        for use in old.record_success, old.record_failure, old.cancel, old.drop, old.renew, old.inspect:
            with pytest.raises(trip.PermitConsumed):
                use()
        assert new.record_success()
    info = granting.inspect()
    assert (info.permits, info.successes, info.failures_total, info.cancels, info.drops) == (8, 5, 1, 1, 1)


@pytest.mark.parametrize(
    "show", [lambda permit: permit.handle, trip.Permit.inspect, trip.Permit.renew, trip.Permit.detach]
)
def test_a_grant_that_was_shown_serves_no_other_call(
    granting: trip.Circuit, show: Callable[[trip.Permit], object]
) -> None:
    permit = granting.permit()
    grant = permit._ticket
    show(permit)
    handle = permit.handle
    assert permit.record_success()
    assert grant not in grants
    assert permit.handle == handle
    with pytest.raises(trip.PermitConsumed):
        trip.Permit.from_handle(handle).record_success()


class Overtaken(_lane.Grant):
    """When it is next asked or told whether it is shown, another thread has settled its permit and made a new one."""

    def __init__(self, circuit: trip.Circuit) -> None:
        super().__init__()
        self.circuit = circuit
        self.old: trip.Permit | None = None
        self.new: trip.Permit | None = None
        self.was_shown = False

    @property
    def is_shown(self) -> bool:
        self.overtake()
        return self.was_shown

    @is_shown.setter
    def is_shown(self, is_shown: bool) -> None:
        self.overtake()
        self.was_shown = is_shown

    def overtake(self) -> None:
        if getattr(self, "old", None) is None:
            return
        old, self.old = self.old, None
        assert old is not None
        assert old.record_success()
        self.new = self.circuit.permit()
        assert self.new._ticket is self


@pytest.fixture
def overtaken(granting: trip.Circuit) -> Iterator[Overtaken]:
    grant = Overtaken(granting)
    grants.append(grant)
    grant.old = granting.permit()
    assert grant.old._ticket is grant
    yield grant
    grants.clear()


@pytest.mark.parametrize("is_shown_then", [False, True])
def test_who_is_overtaken_while_settling_settles_no_other_call(overtaken: Overtaken, is_shown_then: bool) -> None:
    overtake = overtaken.overtake

    def overtake_and_show() -> None:
        overtake()
        overtaken.was_shown = is_shown_then and overtaken.new is not None

    overtaken.overtake = overtake_and_show  # type: ignore[method-assign]
    old = overtaken.old
    assert old is not None
    with pytest.raises(trip.PermitConsumed):
        old.record_failure()
    assert overtaken.new is not None
    assert overtaken.new.record_success()
    assert overtaken.circuit.inspect().failures_total == 0


def test_who_is_overtaken_while_asking_for_the_handle_gets_no_other_call_s(overtaken: Overtaken) -> None:
    old = overtaken.old
    assert old is not None
    assert old.handle == 0
    assert overtaken.new is not None
    assert overtaken.new.handle == overtaken.handle.value != 0
    assert overtaken.new.record_success()


def test_no_more_grants_are_kept_than_are_likely_to_be_used(granting: trip.Circuit) -> None:
    out = [granting.permit() for _ in range(SPARE + 10)]
    for permit in out:
        assert permit.record_success()
    assert len(grants) == SPARE
    assert granting.inspect().successes == SPARE + 10
