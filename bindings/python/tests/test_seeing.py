"""Circuits that are listed and explained, metrics, snapshots: what Python hands on whole, takes and refuses."""

from __future__ import annotations

import ctypes
import itertools
import threading
from typing import Any

import pytest

import trip
from trip import _abi, _text
from trip._lane import all_counted
from trip._library import library

NOW = 1_764_000_000 * 10**9


def value(metrics: str, series: str) -> int:
    values = dict(line.rpartition(" ")[::2] for line in metrics.splitlines())
    return int(values[series])


# ---- Circuits


@pytest.mark.parametrize("page", [1, 2, 3, 7, 8, 256, 65536])
def test_every_circuit_comes_once_with_what_inspect_says(tracker: trip.Tracker, page: int) -> None:
    made = {tracker.circuit(f"tenant {n}", b"\xff") for n in range(7)}
    tracker.circuit("tenant 3", b"\xff").permit().record_failure()
    listed = list(tracker.circuits(page))
    assert len(listed) == 7
    assert {circuit for circuit, _ in listed} == made
    assert all(info == circuit.inspect() for circuit, info in listed)
    assert [circuit.tenant for circuit, info in listed if info.state is trip.State.OPEN] == ["tenant 3"]


def test_what_is_listed_is_a_circuit_like_any_other(tracker: trip.Tracker) -> None:
    tracker.circuit("acme", "openai")
    ((circuit, _),) = tracker.circuits()
    assert (circuit.tenant, circuit.provider, circuit.guard(lambda: 7)()) == ("acme", "openai", 7)
    circuit.remove()
    assert circuit.inspect().permits == 0  # asked for again


def test_a_list_counts_what_lanes_have_admitted(tracker: trip.Tracker) -> None:
    circuit = tracker.circuit("acme", "openai")
    assert circuit._entry.fetch_lane()
    listed = tracker.circuits(1)
    for _ in range(5):
        circuit.permit().record_success()
    out = circuit.permit()
    ((_, info),) = listed
    assert (info.permits, info.successes) == (6, 5)
    assert out.record_success()


def test_circuits_that_come_and_go_meanwhile_end_no_list(tracker: trip.Tracker) -> None:
    for n in range(10):
        tracker.circuit("acme", f"provider {n}")
    listed = tracker.circuits(4)
    first, _ = next(listed)
    for n in range(10):
        tracker.circuit("acme", f"provider {n}").remove()
    assert list(listed) == []
    with pytest.raises(StopIteration):
        next(listed)
    assert list(tracker.circuits()) == []
    assert first.inspect().permits == 0


def test_a_list_ends_with_an_error_when_its_tracker_is_closed(tracker: trip.Tracker) -> None:
    for n in range(3):
        tracker.circuit("acme", f"provider {n}")
    listed = tracker.circuits(1)
    next(listed)
    tracker.close()
    with pytest.raises(trip.Error, match="TRIP_E_HANDLE"):
        next(listed)


@pytest.mark.parametrize("page", [0, -1, 65537, 2**64, 1.0, "1", None, True])
def test_a_page_is_a_number_of_circuits(tracker: trip.Tracker, page: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="page"):
        tracker.circuits(page)


def test_lists_and_new_circuits_at_once(switching_often: None) -> None:
    tracker = trip.Tracker(max_circuits=50)
    is_over = threading.Event()

    def make() -> None:
        for n in itertools.cycle(range(200)):
            tracker.circuit("acme", f"provider {n}")
            if is_over.is_set():
                return

    maker = threading.Thread(target=make)
    maker.start()
    for _ in range(50):
        listed = [circuit.provider for circuit, _ in tracker.circuits(7)]
        assert len(listed) <= 200
    is_over.set()
    maker.join(60)
    assert not maker.is_alive()


# ---- Explanations


def test_an_explanation_is_one_paragraph_with_everybody_s_calls(tracker: trip.Tracker) -> None:
    circuit = tracker.circuit("acme", b"\xff")
    assert circuit._entry.fetch_lane()
    for _ in range(3):
        circuit.permit().record_success()
    out = circuit.permit()
    told = circuit.explain()
    assert "acme" in told
    assert "4 granted; 3 succeeded" in told
    assert told.isprintable()
    out.record_failure()
    assert "4 granted; 3 succeeded, 1 failed" in circuit.explain()


# ---- Metrics


def test_metrics_count_what_lanes_have_admitted_once(tracker: trip.Tracker) -> None:
    circuit = tracker.circuit("acme", "openai")
    assert circuit._entry.fetch_lane()
    for _ in range(5):
        circuit.permit().record_success()
    out = [circuit.permit() for _ in range(3)]
    for _ in range(2):
        metrics = tracker.metrics()
        assert value(metrics, 'trip_permits_total{provider="openai"}') == 8
        assert value(metrics, 'trip_permits_out{provider="openai"}') == 3
        assert value(metrics, 'trip_calls_total{provider="openai",outcome="success"}') == 5
    for permit in out:
        permit.record_success()
    metrics = tracker.metrics()
    assert value(metrics, 'trip_permits_total{provider="openai"}') == 8
    assert value(metrics, 'trip_permits_out{provider="openai"}') == 0
    info = circuit.inspect()
    assert (info.permits, info.successes) == (8, 8)


def test_what_was_counted_ahead_is_taken_back_whatever_happens(tracker: trip.Tracker) -> None:
    circuit = tracker.circuit("acme", "openai")
    assert circuit._entry.fetch_lane()
    out = circuit.permit()
    with pytest.raises(ZeroDivisionError), all_counted():
        raise ZeroDivisionError
    assert circuit.inspect().permits == 1
    assert out.record_failure()
    assert circuit.inspect().permits == 1


def test_metrics_tell_apart_what_they_are_asked_to(tracker: trip.Tracker) -> None:
    for n in range(5):
        tracker.circuit(f"tenant {n}", "openai").permit().record_success()
    assert value(tracker.metrics(), 'trip_permits_total{provider="openai"}') == 5
    by_tenant = tracker.metrics(trip.Labels.TENANT)
    assert value(by_tenant, 'trip_permits_total{tenant="tenant 4",provider="openai"}') == 1


def test_metrics_keep_to_their_bound() -> None:
    tracker = trip.Tracker()
    for n in range(20):
        tracker.circuit(f"tenant {n}", "openai").permit().record_success()
    bounded = tracker.metrics(trip.Labels.TENANT, max_series=3)
    series = [line for line in bounded.splitlines() if line.startswith("trip_permits_total")]
    assert len(series) == 4
    assert sum("overflow" in line for line in series) == 1


def test_metrics_are_text_whatever_the_names_are() -> None:
    tracker = trip.Tracker()
    tracker.circuit(b"\xff", 'a"b\\c\nd')
    assert tracker.metrics(trip.Labels.TENANT).encode().endswith(b"# EOF\n")


@pytest.mark.parametrize("room", [1, 100])
def test_a_text_that_is_longer_than_expected_comes_whole(
    tracker: trip.Tracker, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    for n in range(50):
        tracker.circuit("acme", f"provider {n}")
    metrics, snapshot = tracker.metrics(), tracker.snapshot(now_unix_ns=NOW)
    monkeypatch.setattr(_text, "_ROOM", room)
    assert tracker.metrics() == metrics
    assert tracker.snapshot(now_unix_ns=NOW) == snapshot


def test_a_text_that_grows_while_it_is_asked_for_comes_whole() -> None:
    lengths = iter([100_000, 200_000, 200_000])

    def write(text: Any, room: int, length: Any) -> int:
        length._obj.value = next(lengths)
        if room < length._obj.value:
            return _abi.TRIP_E_CAPACITY
        ctypes.memmove(text, b"x" * length._obj.value, length._obj.value)
        return _abi.TRIP_OK

    assert _text.whole(write) == b"x" * 200_000


def test_bad_labels_and_bounds_are_refused(tracker: trip.Tracker) -> None:
    wrong: Any
    for wrong in ("TENANT", None, 1.0, True, -1, 2**32):
        with pytest.raises((TypeError, ValueError), match="labels"):
            tracker.metrics(wrong)
    with pytest.raises(trip.Error, match="TRIP_E_INVALID"):
        tracker.metrics(2)  # type: ignore[arg-type]
    for wrong in (0, -1, 2**64, 1.0, "1", True):
        with pytest.raises((TypeError, ValueError), match="max_series"):
            tracker.metrics(max_series=wrong)


# ---- Snapshots


@pytest.fixture
def restarted() -> trip.Tracker:
    return trip.Tracker(failure_threshold=1, clock=trip.Clock.MANUAL)


def test_an_open_circuit_outlives_its_process(tracker: trip.Tracker, restarted: trip.Tracker) -> None:
    tracker.circuit("acme", b"\xff").permit().record_failure()
    tracker.circuit("acme", "forced").set_mode(trip.Mode.FORCED_OPEN, reason="key rotation")
    snapshot = tracker.snapshot(now_unix_ns=NOW)
    assert type(snapshot) is bytes
    restarted.restore(snapshot, now_unix_ns=NOW + 10 * 10**9)
    info = restarted.circuit("acme", b"\xff").inspect()
    assert (info.state, info.retry_after, info.failures_total) == (trip.State.OPEN, 20.0, 1)
    assert "key rotation" in restarted.circuit("acme", "forced").explain()
    assert restarted.take_events().events[0].cause is trip.Cause.RESTORED


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_snapshot_may_lie_in_any_buffer(tracker: trip.Tracker, restarted: trip.Tracker, kind: Any) -> None:
    tracker.circuit("acme", "openai")
    restarted.restore(kind(tracker.snapshot()))
    assert len(list(restarted.circuits())) == 1


def test_a_snapshot_holds_what_lanes_have_counted(tracker: trip.Tracker, restarted: trip.Tracker) -> None:
    circuit = tracker.circuit("acme", "openai")
    assert circuit._entry.fetch_lane()
    for _ in range(5):
        circuit.permit().record_success()
    restarted.restore(tracker.snapshot())
    info = restarted.circuit("acme", "openai").inspect()
    assert (info.permits, info.successes) == (5, 5)


def test_the_lane_of_a_circuit_that_is_restored_ends(tracker: trip.Tracker) -> None:
    circuit = tracker.circuit("acme", "openai")
    circuit.permit().record_failure()
    snapshot = tracker.snapshot(now_unix_ns=NOW)
    circuit.reset()
    assert circuit._entry.fetch_lane()
    out = circuit.permit()
    tracker.restore(snapshot, now_unix_ns=NOW)
    with pytest.raises(trip.CircuitOpen):
        circuit.permit()
    assert out.record_success() is False
    info = circuit.inspect()
    assert (info.permits, info.successes, info.failures_total) == (3, 1, 2)


def test_a_damaged_snapshot_changes_nothing(tracker: trip.Tracker, restarted: trip.Tracker) -> None:
    tracker.circuit("acme", "openai").permit().record_failure()
    snapshot = tracker.snapshot(now_unix_ns=NOW)
    restarted.circuit("globex", "openai")
    before = restarted.snapshot(now_unix_ns=NOW)
    for position in range(len(snapshot)):
        damaged = bytearray(snapshot)
        damaged[position] ^= 0x40
        with pytest.raises(trip.Error, match=r"TRIP_E_(INVALID|TOO_NEW)") as raised:
            restarted.restore(damaged)
        assert "a text is too long" not in str(raised.value)  # it is the library that says why
    for garbage in b"", snapshot[:-1], snapshot + b"\0", b"\0" * 64, b"garbage" * 100:
        with pytest.raises(trip.Error, match=r"TRIP_E_(INVALID|TOO_NEW)"):
            restarted.restore(garbage)
    assert restarted.snapshot(now_unix_ns=NOW) == before


@pytest.mark.parametrize("wrong", [None, 5, "text", ["x"], 1.0])
def test_what_is_no_bytes_is_refused(tracker: trip.Tracker, wrong: Any) -> None:
    with pytest.raises(TypeError, match="snapshot"):
        tracker.restore(wrong)


@pytest.mark.parametrize("now", [0, -1, 2**64, 1.0, "1", True])
def test_a_time_of_day_is_an_int_above_zero(tracker: trip.Tracker, now: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="now_unix_ns"):
        tracker.snapshot(now_unix_ns=now)
    with pytest.raises((TypeError, ValueError), match="now_unix_ns"):
        tracker.restore(b"", now_unix_ns=now)


def test_without_a_time_of_day_it_is_the_system_s(
    tracker: trip.Tracker, restarted: trip.Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    restore = library.trip_tracker_restore

    def listen(*arguments: Any) -> int:
        asked.append(arguments[1])
        return restore(*arguments)

    monkeypatch.setattr(library, "trip_tracker_restore", listen)
    restarted.restore(tracker.snapshot())
    assert asked == [0]
