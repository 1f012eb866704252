"""A permit is settled once: by hand, by the end of a block, or, when nobody did, by its destructor."""

from __future__ import annotations

import asyncio
import copy
import gc
import logging
import pickle
import sys
import threading
import weakref
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

import trip

SETTLE: list[Callable[[trip.Permit], bool]] = [
    trip.Permit.record_success,
    trip.Permit.record_failure,
    trip.Permit.cancel,
    trip.Permit.drop,
]


def open_and_wait(circuit: trip.Circuit, tracker: trip.Tracker) -> None:
    """Leaves the circuit at the end of its open period: the next permit is a probe."""
    circuit.permit().record_failure()
    tracker.advance(30)


@pytest.mark.parametrize("settle", SETTLE)
def test_settling_counts_once(circuit: trip.Circuit, settle: Callable[[trip.Permit], bool]) -> None:
    permit = circuit.permit()
    assert settle(permit) is True
    for again in SETTLE:
        with pytest.raises(trip.PermitConsumed) as raised:
            again(permit)
        assert raised.value.name == "TRIP_E_CONSUMED"
    info = circuit.inspect()
    assert (info.permits, info.successes + info.failures_total + info.cancels + info.drops) == (1, 1)


@pytest.mark.parametrize("settle", SETTLE)
def test_a_stale_permit_counts_for_nothing(circuit: trip.Circuit, settle: Callable[[trip.Permit], bool]) -> None:
    late = circuit.permit()
    circuit.permit().record_failure()
    assert late.inspect() is None
    assert late.renew() is False
    assert settle(late) is False
    assert circuit.inspect().state is trip.State.OPEN


def test_the_end_of_a_block_is_a_success(circuit: trip.Circuit) -> None:
    with circuit.permit() as permit:
        assert isinstance(permit, trip.Permit)
    assert circuit.inspect().successes == 1


def test_an_exception_is_a_failure_and_goes_on(circuit: trip.Circuit) -> None:
    with pytest.raises(OSError, match="no route"), circuit.permit():
        raise OSError("no route")
    info = circuit.inspect()
    assert (info.failures_total, info.state) == (1, trip.State.OPEN)


@pytest.mark.parametrize("error", [asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit, BaseException])
def test_giving_up_is_no_failure(circuit: trip.Circuit, error: type[BaseException]) -> None:
    with pytest.raises(error), circuit.permit():
        raise error
    info = circuit.inspect()
    assert (info.cancels, info.failures_total, info.state) == (1, 0, trip.State.CLOSED)


def test_what_the_breaker_raises_is_no_failure_of_the_provider(tracker: trip.Tracker, circuit: trip.Circuit) -> None:
    other = tracker.circuit("acme", "anthropic")
    other.permit().record_failure()
    with pytest.raises(trip.CircuitOpen), circuit.permit(), other.permit():
        pass
    settled = other_permit = circuit.permit()
    settled.cancel()
    with pytest.raises(trip.PermitConsumed), circuit.permit():
        other_permit.cancel()
    info = circuit.inspect()
    assert (info.cancels, info.failures_total) == (3, 0)


def test_a_block_may_settle_its_permit(circuit: trip.Circuit) -> None:
    with circuit.permit() as permit:
        permit.record_failure()
    with pytest.raises(trip.CircuitOpen):
        circuit.permit()
    info = circuit.inspect()
    assert (info.failures_total, info.successes) == (1, 0)


def test_a_block_may_be_settled_by_handle(circuit: trip.Circuit, caplog: pytest.LogCaptureFixture) -> None:
    with circuit.permit() as permit:
        trip.Permit.from_handle(permit.handle).record_failure()
    info = circuit.inspect()
    assert (info.failures_total, info.successes, caplog.records) == (1, 0, [])


def test_the_end_of_a_block_reports_and_never_raises(
    tracker: trip.Tracker, circuit: trip.Circuit, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "trip"), circuit.permit():
        tracker.close()
    assert "TRIP_E_HANDLE" in caplog.text


def test_async_with(circuit: trip.Circuit) -> None:
    async def call(error: type[BaseException] | None) -> None:
        async with circuit.permit():
            if error:
                raise error

    asyncio.run(call(None))
    with pytest.raises(OSError):  # noqa: PT011 - it has no text
        asyncio.run(call(OSError))
    info = circuit.inspect()
    assert (info.successes, info.failures_total) == (1, 1)


def test_a_task_cancelled_inside_a_block_frees_the_probe(tracker: trip.Tracker, circuit: trip.Circuit) -> None:
    async def wait_forever(reached: asyncio.Event) -> None:
        with circuit.permit():
            reached.set()
            await asyncio.Event().wait()

    async def main() -> None:
        reached = asyncio.Event()
        task = asyncio.create_task(wait_forever(reached))
        await reached.wait()
        assert circuit.inspect().probes_out == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    open_and_wait(circuit, tracker)
    asyncio.run(main())
    info = circuit.inspect()
    assert (info.cancels, info.probes_out, info.state) == (1, 0, trip.State.HALF_OPEN)


def test_a_collected_permit_is_dropped_as_a_failure(circuit: trip.Circuit) -> None:
    circuit.permit()
    gc.collect()
    info = circuit.inspect()
    assert (info.drops, info.state) == (1, trip.State.OPEN)


def test_a_collected_permit_is_dropped_as_a_cancellation() -> None:
    tracker = trip.Tracker(failure_threshold=1, on_drop=trip.OnDrop.CANCEL)
    circuit = tracker.circuit("acme", "openai")
    circuit.permit()
    gc.collect()
    info = circuit.inspect()
    assert (info.drops, info.state) == (1, trip.State.CLOSED)


def test_a_permit_in_a_reference_cycle_is_dropped(circuit: trip.Circuit) -> None:
    cycle: list[object] = [circuit.permit()]
    cycle.append(cycle)
    del cycle
    gc.collect()
    assert circuit.inspect().drops == 1


def test_a_settled_permit_is_not_dropped(circuit: trip.Circuit) -> None:
    for settle in SETTLE[2], SETTLE[0], SETTLE[1]:
        settle(circuit.permit())
    gc.collect()
    assert circuit.inspect().drops == 0


def test_a_detached_permit_is_not_dropped(circuit: trip.Circuit) -> None:
    with circuit.permit() as permit:
        handle = permit.detach()
    del permit
    gc.collect()
    info = circuit.inspect()
    assert (info.drops, info.successes) == (0, 0)
    assert trip.Permit.from_handle(handle).record_success()


def test_a_permit_taken_over_is_dropped(circuit: trip.Circuit) -> None:
    trip.Permit.from_handle(circuit.permit().detach())
    gc.collect()
    assert circuit.inspect().drops == 1


@pytest.mark.parametrize("handle", [0, 1, -1, 2**63 - 1, 2**64 - 1, 2**64, 10**40, -(10**40)])
def test_any_int_is_a_legal_handle(handle: int) -> None:
    permit = trip.Permit.from_handle(handle)
    for use in [*SETTLE, trip.Permit.renew, trip.Permit.inspect]:
        with pytest.raises(trip.Error, match="TRIP_E_HANDLE"):
            use(permit)


def test_a_handle_wider_than_64_bits_is_not_cut_down_to_a_real_one(circuit: trip.Circuit) -> None:
    permit = circuit.permit()
    with pytest.raises(trip.Error, match="TRIP_E_HANDLE"):
        trip.Permit.from_handle(permit.handle + 2**64).record_failure()
    assert permit.record_success()


@pytest.mark.parametrize("handle", [None, True, 1.0, "1", b"1"])
def test_only_an_int_is_a_handle(handle: int) -> None:
    with pytest.raises(TypeError):
        trip.Permit.from_handle(handle)


def test_a_probe_shows_its_lease(tracker: trip.Tracker, circuit: trip.Circuit) -> None:
    assert circuit.permit().inspect() == trip.PermitInfo(is_probe=False, lease_left_ns=0)
    tracker.advance(30)
    probe = circuit.permit()
    assert probe.inspect() == trip.PermitInfo(is_probe=True, lease_left_ns=600_000_000_000)
    tracker.advance(500)
    info = probe.inspect()
    assert info is not None
    assert info.lease_left == 100.0
    assert probe.renew()
    renewed = probe.inspect()
    assert renewed is not None
    assert renewed.lease_left >= 600.0


def test_a_permit_may_be_settled_on_another_thread(circuit: trip.Circuit) -> None:
    permit = circuit.permit()
    thread = threading.Thread(target=permit.record_success)
    thread.start()
    thread.join()
    with pytest.raises(trip.PermitConsumed):
        permit.cancel()


def test_an_unsettled_permit_keeps_its_tracker_alive() -> None:
    tracker = trip.Tracker()
    gone = weakref.ref(tracker)
    permit = tracker.circuit("acme", "openai").permit()
    del tracker
    gc.collect()
    assert gone() is not None
    assert permit.record_success()
    gc.collect()
    assert gone() is None


def test_a_permit_cannot_be_copied(circuit: trip.Circuit) -> None:
    permit = circuit.permit()
    for duplicate in copy.copy, copy.deepcopy, pickle.dumps:
        with pytest.raises(TypeError, match="settled once"):
            duplicate(permit)
    assert permit.record_success()


def test_an_exception_thrown_while_a_permit_is_granted_leaks_none() -> None:
    """As a signal handler could, at each line of Circuit.permit in turn."""
    circuit = trip.Tracker(on_drop=trip.OnDrop.CANCEL).circuit("acme", "openai")

    class Interrupted(Exception):
        pass

    def interrupt_at(line: int) -> bool:
        passed = 0

        def trace(frame: FrameType, event: str, argument: object) -> Any:
            nonlocal passed
            if frame.f_code is not trip.Circuit.permit.__code__:
                return None
            passed += event == "line"
            if passed == line:
                raise Interrupted
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            circuit.permit().cancel()
        except Interrupted:
            return True
        finally:
            sys.settrace(before)
        return False

    interrupted = sum(interrupt_at(line) for line in range(1, 20))
    gc.collect()
    info = circuit.inspect()
    assert info.drops >= 1
    assert info.permits == info.drops + info.cancels
    assert info.cancels == 19 - interrupted
