"""Operators: modes, trip, reset, remove and policies. What they do to a circuit is the contract's; this is what Python
takes and refuses, and that no lane, and no thread, goes by what was before.
"""

from __future__ import annotations

import itertools
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any, Callable

import pytest

import trip
from lanes import admits, answer, begun_late, on_lane
from trip._entry import COLD, SELDOM
from trip._lane import NO_LANE

S = 10**9
YEAR = 31_536_000


def test_a_forced_circuit_refuses_for_a_reason_of_its_own(tracker: trip.Tracker, circuit: trip.Circuit) -> None:
    circuit.set_mode(trip.Mode.FORCED_OPEN, ttl=10, reason="key rotation")
    tracker.advance(4)
    with pytest.raises(trip.CircuitOpen) as raised:
        circuit.permit()
    assert (raised.value.reason, raised.value.retry_after, raised.value.state) == (trip.Reason.FORCED, 6, 0)
    assert "is forced open" in str(raised.value)
    info = circuit.inspect()
    assert (info.mode, info.mode_left, info.mode_left_ns, info.rejections) == (trip.Mode.FORCED_OPEN, 6.0, 6 * S, 1)
    assert "key rotation" in circuit.explain()
    tracker.advance(6)
    assert circuit.permit().record_success()
    info = circuit.inspect()
    assert (info.mode, info.mode_left) == (trip.Mode.AUTO, None)


@pytest.mark.parametrize("mode", [trip.Mode.FORCED_CLOSED, trip.Mode.OBSERVE])
def test_other_modes_refuse_nobody(circuit: trip.Circuit, mode: trip.Mode) -> None:
    circuit.set_mode(mode)
    assert circuit.inspect().mode_left is None
    for _ in range(3):
        assert circuit.permit().record_failure()
    info = circuit.inspect()
    assert (info.permits, info.failures_total, info.rejections) == (3, 3, 0 if mode is trip.Mode.FORCED_CLOSED else 2)
    circuit.set_mode(trip.Mode.AUTO)
    assert circuit.peek() is None or mode is trip.Mode.OBSERVE


@pytest.mark.parametrize(
    ("ttl", "left_ns"), [(1, S), (1e-9, 1), (timedelta(minutes=1), 60 * S), (YEAR, YEAR * S), (None, 0)]
)
def test_a_mode_lasts_as_long_as_was_said(circuit: trip.Circuit, ttl: float | timedelta | None, left_ns: int) -> None:
    circuit.set_mode(trip.Mode.OBSERVE, ttl=ttl)
    assert circuit.inspect().mode_left_ns == left_ns


@pytest.mark.parametrize("reason", ["", "ü" * 127, b"\xff\x00", "\udcff"])
def test_a_reason_is_any_text(circuit: trip.Circuit, reason: str | bytes) -> None:
    circuit.set_mode(trip.Mode.OBSERVE, reason=reason)
    circuit.explain().encode()  # people can read it


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    *(({"ttl": ttl}, ValueError, "ttl") for ttl in (0, -1, 1e-10, math.nan, math.inf, 1e300, timedelta(0), 10**30)),
    *(({"ttl": ttl}, TypeError, "ttl") for ttl in ("1", True, b"1", [1], 1j)),
    *(({"ttl": ttl}, trip.Error, "TRIP_E_INVALID") for ttl in (YEAR + 1, 1e10)),
    *(({"reason": reason}, TypeError, "reason") for reason in (None, 1, bytearray(b"x"), ["x"])),
    *(({"reason": reason}, trip.Error, "TRIP_E_INVALID") for reason in ("x" * 256, "é" * 128, b"x" * 10**6)),
    ({"reason": "\ud800"}, UnicodeEncodeError, "surrogate"),
    *(({"mode": mode}, TypeError, "mode") for mode in (None, "FORCED_OPEN", 1.0, True)),
    *(({"mode": mode}, ValueError, "mode") for mode in (-1, 2**32, 2**32 + 1, 10**30)),
    *(({"mode": mode}, trip.Error, "TRIP_E_INVALID") for mode in (4, trip.Mode(77), 2**32 - 1)),
]


@pytest.mark.parametrize(("arguments", "error", "named"), REFUSED)
def test_a_mode_that_cannot_be_set_changes_nothing(
    tracker: trip.Tracker, circuit: trip.Circuit, arguments: dict[str, Any], error: type[Exception], named: str
) -> None:
    circuit.set_mode(trip.Mode.OBSERVE, ttl=5, reason="trial")
    tracker.take_events()
    with pytest.raises(error, match=named):
        circuit.set_mode(**{"mode": trip.Mode.FORCED_OPEN, **arguments})
    info = circuit.inspect()
    assert (info.mode, info.mode_left, tracker.take_events().events) == (trip.Mode.OBSERVE, 5.0, [])


@pytest.mark.parametrize("ttl_ns", [0, -1, 2**64, 1.0, True, "1"])
def test_nanoseconds_are_an_int_above_zero(circuit: trip.Circuit, ttl_ns: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="ttl_ns"):
        circuit.set_mode_ns(trip.Mode.FORCED_OPEN, ttl_ns)
    assert circuit.inspect().mode is trip.Mode.AUTO


def test_trip_and_reset(tracker: trip.Tracker) -> None:
    circuit = on_lane(tracker)
    out = circuit.permit()
    circuit.trip()
    assert out.record_success() is False
    info = circuit.inspect()
    assert (info.state, info.retry_after, info.opens) == (trip.State.OPEN, 30.0, 1)
    circuit.reset()
    info = circuit.inspect()
    assert (info.state, info.permits, info.stale, info.opens) == (trip.State.CLOSED, 1, 1, 1)
    assert circuit.permit().record_success()


def test_a_removed_circuit_begins_again(tracker: trip.Tracker) -> None:
    circuit, handle = on_lane(tracker), tracker.circuit("acme", "openai").handle
    fixed = trip.Circuit.from_handle(handle)
    out = circuit.permit()
    circuit.permit().record_failure()
    circuit.remove()
    assert out.record_success() is False
    with pytest.raises(trip.Error, match="TRIP_E_HANDLE"):
        fixed.inspect()
    info = circuit.inspect()
    assert (info.permits, info.state, circuit.handle != handle) == (0, trip.State.CLOSED, True)
    assert tracker.circuit("acme", "openai").handle == circuit.handle
    assert circuit.guard(answer)() == 7


def test_what_a_lane_has_counted_outlives_its_circuit_in_the_metrics(tracker: trip.Tracker) -> None:
    circuit = on_lane(tracker)
    tracker.metrics()  # somebody keeps the count from here on
    for _ in range(10):
        circuit.permit().record_success()
    circuit.remove()
    assert 'trip_calls_total{provider="openai",outcome="success"} 10\n' in tracker.metrics()


USES: list[Callable[[trip.Circuit], object]] = [
    trip.Circuit.permit,
    trip.Circuit.peek,
    trip.Circuit.inspect,
    trip.Circuit.explain,
    trip.Circuit.key,
    trip.Circuit.trip,
    trip.Circuit.reset,
    trip.Circuit.remove,
    lambda circuit: circuit.set_mode(trip.Mode.AUTO),
]


@pytest.mark.parametrize("use", USES)
def test_a_circuit_that_is_gone_is_asked_for_again_and_one_of_a_handle_is_not(
    use: Callable[[trip.Circuit], object],
) -> None:
    tracker = trip.Tracker(max_circuits=1)
    circuit = tracker.circuit("acme", "openai")
    fixed, handle = trip.Circuit.from_handle(circuit.handle), circuit.handle
    tracker.circuit("acme", "anthropic")
    with pytest.raises(trip.Error, match="TRIP_E_HANDLE"):
        use(fixed)
    use(circuit)
    assert circuit.handle != handle
    assert tracker.close()
    with pytest.raises(trip.Error, match="TRIP_E_HANDLE"):
        use(circuit)


def test_a_circuit_of_a_handle_is_the_same_circuit(tracker: trip.Tracker) -> None:
    circuit = tracker.circuit("acme", b"\xff")
    fixed = trip.Circuit.from_handle(circuit.handle)
    assert (fixed.tenant, fixed.provider, fixed.key()) == ("acme", "\udcff", (b"acme", b"\xff"))
    assert fixed == trip.Circuit.from_handle(circuit.handle) != circuit
    with trip.Tracker() as other:
        assert fixed != trip.Circuit.from_handle(other.circuit("acme", b"\xff").handle)
    for _ in range(2 * COLD):
        assert fixed.guard(answer)() == 7
    assert circuit.inspect().successes == 2 * COLD


@pytest.mark.parametrize("handle", [0, 1, 2**64 - 1, 0xDEADBEEF])
def test_a_number_of_no_circuit_is_refused(handle: int) -> None:
    with pytest.raises(trip.Error, match="TRIP_E_HANDLE"):
        trip.Circuit.from_handle(handle)


@pytest.mark.parametrize("handle", [-1, 2**64, None, "1", 1.0, True])
def test_what_is_no_number_is_refused(handle: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="handle"):
        trip.Circuit.from_handle(handle)


# ---- The lane


def test_a_forced_mode_ends_the_lane_at_once_and_it_comes_back(tracker: trip.Tracker) -> None:
    circuit = on_lane(tracker)
    guarded = circuit.guard(answer)
    assert guarded() == 7
    for mode in trip.Mode.FORCED_CLOSED, trip.Mode.OBSERVE:
        trip.Circuit.from_handle(circuit.handle).set_mode(mode)  # by somebody else
        assert not admits(circuit)
        assert guarded() == 7
        assert not admits(circuit)
        circuit.set_mode(trip.Mode.AUTO)
        assert guarded() == 7
        assert admits(circuit)
    info = circuit.inspect()
    assert (info.permits, info.successes) == (5, 5)


def test_calls_on_the_lane_that_end_after_it_was_forced_are_counted(tracker: trip.Tracker) -> None:
    circuit = on_lane(tracker)
    out = [circuit.permit() for _ in range(3)]
    circuit.set_mode(trip.Mode.FORCED_OPEN)
    assert circuit.inspect().permits == 3
    assert [permit.record_success() for permit in out] == [True] * 3
    info = circuit.inspect()
    assert (info.permits, info.successes, info.failures, info.rejections) == (3, 3, 0, 0)


def test_no_call_begins_after_a_mode_was_set(switching_often: None) -> None:
    for _ in range(50):
        with trip.Tracker() as tracker:
            circuit, elsewhere = on_lane(tracker), tracker.circuit(b"acme", b"openai")
            assert begun_late(circuit, lambda: elsewhere.set_mode(trip.Mode.FORCED_OPEN)) == 0  # noqa: B023


def test_calls_that_are_steered_all_the_time_are_counted_exactly(switching_often: None) -> None:
    tracker = trip.Tracker(failure_threshold=5, initial_open=1e-6, max_open=1e-6, jitter=0.5)
    circuit, elsewhere = on_lane(tracker), trip.Circuit.from_handle(tracker.circuit("acme", "openai").handle)
    threads, each = 4, 2000

    def call(n: int) -> tuple[int, int]:
        calls, refusals = 0, 0
        guarded = circuit.guard(answer)
        for turn in range(each):
            try:
                if (turn + n) % 2:
                    guarded()
                else:
                    with circuit.permit():
                        pass
                calls += 1
            except trip.CircuitOpen:
                refusals += 1
        return calls, refusals

    orders = [lambda mode=mode: elsewhere.set_mode(mode) for mode in trip.Mode]
    with ThreadPoolExecutor(threads) as pool:
        calling = [pool.submit(call, n) for n in range(threads)]
        for order in itertools.cycle([*orders, elsewhere.trip, elsewhere.reset]):
            order()
            if all(future.done() for future in calling):
                break
    calls, refusals = (sum(counts) for counts in zip(*(future.result() for future in calling)))
    info = circuit.inspect()
    assert calls + refusals == threads * each
    assert (info.permits, info.successes) == (calls, calls)
    # Where it was only observed, it has counted refusals of calls that it granted.
    assert info.rejections >= refusals


def test_a_policy_without_a_lane_ends_it_and_it_comes_back_with_another(tracker: trip.Tracker) -> None:
    circuit = on_lane(tracker)
    guarded = circuit.guard(answer)
    tracker.configure(count_window=100)
    assert not admits(circuit)
    for _ in range(2 * SELDOM):
        assert guarded() == 7
    assert circuit._entry.lane is NO_LANE
    tracker.withdraw()
    for _ in range(SELDOM + 1):
        assert guarded() == 7
    assert admits(circuit)
    info = circuit.inspect()
    assert (info.permits, info.successes) == (3 * SELDOM + 1, 3 * SELDOM + 1)


# ---- Policies


def failures_to_open(tracker: trip.Tracker, tenant: str, provider: str) -> int:
    circuit = tracker.circuit(tenant, provider)
    circuit.reset()
    while circuit.peek() is None:
        circuit.permit().record_failure()
    return circuit.inspect().failures


def test_the_most_specific_policy_holds() -> None:
    tracker = trip.Tracker(failure_threshold=9, clock=trip.Clock.MANUAL, max_circuits=100)
    tracker.configure(failure_threshold=1)
    tracker.configure(provider="openai", failure_threshold=2)
    tracker.configure(tenant="acme", failure_threshold=3)
    tracker.configure(tenant="acme", provider="openai", failure_threshold=4)
    every = [(tenant, provider) for tenant in ("globex", "acme") for provider in ("mistral", "openai")]
    assert [failures_to_open(tracker, *names) for names in every] == [1, 2, 3, 4]
    tracker.withdraw(tenant="acme", provider="openai")
    tracker.withdraw(provider="openai")
    assert [failures_to_open(tracker, *names) for names in every] == [1, 1, 3, 3]
    tracker.withdraw(tenant="acme")
    tracker.withdraw()
    assert [failures_to_open(tracker, *names) for names in every] == [9, 9, 9, 9]


def test_an_empty_name_is_a_name(tracker: trip.Tracker) -> None:
    tracker.configure(tenant="", failure_threshold=3)
    tracker.configure(provider=b"", failure_threshold=4)
    assert [failures_to_open(tracker, *names) for names in (("", "x"), ("x", ""), ("x", "x"))] == [3, 4, 1]


def test_nothing_is_merged(tracker: trip.Tracker, circuit: trip.Circuit) -> None:
    tracker.configure(initial_open=timedelta(seconds=7))
    tracker.configure(tenant="acme", failure_threshold=1)
    circuit.permit().record_failure()
    assert circuit.inspect().open_duration == 30.0


def test_an_exact_config_is_a_policy(tracker: trip.Tracker, circuit: trip.Circuit) -> None:
    config = trip.Config(failure_threshold=1, initial_open_ns=1234567891, clock=trip.Clock.MANUAL)
    tracker.configure_from(config, trip.Scope.PROVIDER, provider="openai")
    circuit.permit().record_failure()
    assert circuit.inspect().open_duration_ns == 1234567891
    tracker.configure_from(None, trip.Scope.PROVIDER, provider="openai")
    circuit.reset()
    circuit.permit().record_failure()
    assert circuit.inspect().open_duration_ns == 30 * S


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"failure_threshold": 0}, "failure_threshold"),
        ({"initial_open": -1}, "initial_open_ns"),
        ({"jitter": math.nan}, "jitter"),
        ({"max_circuits": 7}, "max_circuits"),
        ({"clock": trip.Clock.MONOTONIC}, "clock"),
        ({"half_open_max_probes": 16}, "half_open_max_probes"),
    ],
)
def test_a_bad_policy_names_its_field_and_changes_nothing(
    tracker: trip.Tracker, options: dict[str, Any], field: str
) -> None:
    tracker.configure(provider="openai", failure_threshold=3)
    with pytest.raises(trip.ConfigError, match=next(iter(options))) as raised:
        tracker.configure(provider="openai", **options)
    assert raised.value.field == field
    assert failures_to_open(tracker, "acme", "openai") == 3


def test_bad_places_of_policies_are_refused(tracker: trip.Tracker) -> None:
    wrong: Any
    with pytest.raises(TypeError, match="bogus"):
        tracker.configure(bogus=1)  # type: ignore[call-arg]
    for wrong in (1, True, ["acme"]):
        with pytest.raises(TypeError, match="tenant"):
            tracker.configure(tenant=wrong)
        with pytest.raises(TypeError, match="provider"):
            tracker.withdraw(provider=wrong)
    with pytest.raises(trip.Error, match="TRIP_E_INVALID"):
        tracker.configure(tenant="x" * 256)
    for wrong in ({}, 5, "config"):
        with pytest.raises(TypeError, match=r"trip\.Config"):
            tracker.configure_from(wrong, trip.Scope.TRACKER)
    for wrong in (None, "TENANT", 1.0, True, -1, 2**32):
        with pytest.raises((TypeError, ValueError), match="scope"):
            tracker.configure_from(None, wrong)
    for scope, tenant in (trip.Scope.TRACKER, "acme"), (trip.Scope(77), ""):
        with pytest.raises(trip.Error, match="TRIP_E_INVALID"):
            tracker.configure_from(None, scope, tenant)
    assert tracker.take_events().events == []


def test_no_decision_agrees_with_no_policy(switching_often: None) -> None:
    """Policies are replaced while threads fail: each circuit opens by the threshold, and for the period, of one."""
    two: list[Any] = [
        {"failure_threshold": 2, "initial_open": 100, "clock": trip.Clock.MANUAL},
        {"failure_threshold": 4, "initial_open": 101, "clock": trip.Clock.MANUAL},
    ]
    tracker = trip.Tracker(**two[0])
    is_over, opened = threading.Event(), set()

    def fail(name: str) -> None:
        circuit = tracker.circuit(name, "openai")
        while not is_over.is_set():
            circuit.reset()
            count = 0
            with suppress(trip.CircuitOpen):
                while True:
                    circuit.permit().record_failure()
                    count += 1
            opened.add((count, circuit.inspect().retry_after))

    threads = [threading.Thread(target=fail, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for _ in range(500):
        for policy in two:
            tracker.configure(**policy)
    is_over.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    # Who has counted three under the second opens with the next one under the first.
    assert opened <= {(2, 100.0), (3, 100.0), (4, 100.0), (4, 101.0)}


def test_everything_is_refused_after_close(tracker: trip.Tracker) -> None:
    circuit = tracker.circuit("acme", "openai")
    snapshot = tracker.snapshot()
    tracker.close()
    for use in (
        lambda: circuit.set_mode(trip.Mode.AUTO),
        lambda: tracker.configure(failure_threshold=1),
        tracker.withdraw,
        lambda: list(tracker.circuits()),
        tracker.take_events,
        tracker.events,
        tracker.metrics,
        tracker.snapshot,
        lambda: tracker.restore(snapshot),
    ):
        with pytest.raises(trip.Error, match="TRIP_E_HANDLE"):
            use()
