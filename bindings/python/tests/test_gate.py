"""No more calls are in progress than a gate allows, each gives its place back once, and who is turned away is told."""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import threading
import weakref
from typing import Any, Callable

import pytest

import trip
from trip._library import library


@pytest.fixture
def gate(tracker: trip.Tracker) -> trip.Gate:
    return trip.Gate(tracker, "embeddings", capacity=2, soft_limit=1)


def limit_after(gate: trip.Gate, end: Callable[[trip.Token], Any], calls: int = 10) -> int:
    for _ in range(calls):
        end(gate.acquire())
    return gate.inspect().limit


def test_a_full_gate_turns_callers_away(gate: trip.Gate) -> None:
    first, second = gate.acquire(), gate.acquire()
    with pytest.raises(trip.Shed) as raised:
        gate.acquire()
    shed = raised.value
    assert (shed.depth, shed.limit, shed.capacity, shed.status) == (2, 2, 2, 13)
    assert "2 calls are in progress" in str(shed)
    assert not isinstance(shed, trip.Error)
    back = pickle.loads(pickle.dumps(shed))
    assert (back.depth, back.limit, back.capacity) == (2, 2, 2)
    assert first.release()
    third = gate.acquire()
    assert second.release(trip.Effect.FAILURE)
    assert third.release(trip.Effect.NOTHING)
    info = gate.inspect()
    assert (info.depth, info.acquired, info.released, info.shed) == (0, 3, 3, 1)


def test_who_is_turned_away_is_told_the_limit_and_the_capacity() -> None:
    gate = trip.Gate(capacity=10, adapt=trip.Adapt.AIMD, initial_limit=4)
    tokens = [gate.acquire() for _ in range(4)]
    for token in tokens[:1]:
        token.release(trip.Effect.FAILURE)
    with pytest.raises(trip.Shed) as raised:
        gate.acquire()
    assert (raised.value.depth, raised.value.limit, raised.value.capacity) == (3, 3, 10)


def test_a_token_is_released_once(gate: trip.Gate) -> None:
    token, other = gate.acquire(), gate.acquire()
    assert token.release()
    with pytest.raises(trip.Consumed) as raised:
        token.release()
    assert (raised.value.name, type(raised.value), gate.inspect().depth) == ("TRIP_E_CONSUMED", trip.Consumed, 1)
    assert other.release()


@pytest.mark.parametrize("effect", [-1, 3, 2**32, "SUCCESS", None, True, 1.5])
def test_an_effect_that_is_none_releases_nothing(gate: trip.Gate, effect: Any) -> None:
    token = gate.acquire()
    with pytest.raises((TypeError, ValueError, trip.Error)):
        token.release(effect)
    assert gate.inspect().depth == 1
    assert token.release()


def test_events_tell_of_a_gate_by_its_name(tracker: trip.Tracker, gate: trip.Gate) -> None:
    tokens = [gate.acquire(), gate.acquire()]
    with pytest.raises(trip.Shed):
        gate.acquire()
    events, _ = tracker.take_events()
    assert [(event.kind, event.reason, event.depth, event.limit) for event in events] == [
        (trip.EventKind.GATE_SOFT, "embeddings", 2, 2),
        (trip.EventKind.GATE_FULL, "embeddings", 2, 2),
    ]
    info = gate.inspect()
    assert (info.soft_limit, info.soft_depth_ratio) == (1, 2.0)
    for token in tokens:
        token.release()
    assert gate.inspect().soft_depth_ratio == 0


def test_fifty_threads_never_exceed_the_capacity(switching_often: None) -> None:
    gate, inside, most, turned_away = trip.Gate(capacity=5), 0, 0, 0
    counting, begin = threading.Lock(), threading.Barrier(50)

    def call() -> None:
        nonlocal inside, most, turned_away
        begin.wait(60)
        for _ in range(40):
            try:
                with gate.acquire():
                    with counting:
                        inside += 1
                        most = max(most, inside)
                    with counting:
                        inside -= 1
            except trip.Shed as shed:
                with counting:
                    turned_away += shed.depth <= shed.limit == shed.capacity == 5

    threads = [threading.Thread(target=call) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    info = gate.inspect()
    assert 1 <= most <= 5
    assert (info.depth, info.shed, info.acquired, info.released) == (0, turned_away, 2000 - turned_away, info.acquired)


# ---- Blocks


def test_a_block_gives_its_place_back_however_it_ends(gate: trip.Gate) -> None:
    with gate.acquire():
        assert gate.inspect().depth == 1
    for error in OSError("its own"), KeyboardInterrupt(), trip.Shed(1, 1, 1):
        with pytest.raises(type(error)), gate.acquire():
            raise error
    with gate.acquire() as token:
        token.release(trip.Effect.FAILURE)

    async def main() -> None:
        async with gate.acquire():
            assert gate.inspect().depth == 1
        with pytest.raises(asyncio.CancelledError):
            async with gate.acquire():
                raise asyncio.CancelledError

    asyncio.run(main())
    info = gate.inspect()
    assert (info.depth, info.acquired, info.released) == (0, 7, 7)


def ending(error: BaseException, classify: Any = None) -> Callable[[trip.Token], None]:
    def end(token: trip.Token) -> None:
        with pytest.raises(type(error)), token.classified_by(classify) if classify else token:
            raise error

    return end


@pytest.mark.parametrize(
    ("end", "falls"),
    [
        (ending(OSError()), True),
        (ending(OSError(), lambda _: trip.StatusClass.OVERLOADED), True),
        (ending(OSError(), lambda _: None), True),
        (ending(OSError(), lambda _: 1 / 0), True),
        (ending(OSError(), lambda _: trip.StatusClass.INVALID_REQUEST), False),
        (ending(OSError(), lambda _: trip.StatusClass.QUOTA), True),
        (ending(OSError(), lambda _: trip.StatusClass.UNKNOWN), False),
        (ending(OSError(), lambda _: trip.StatusClass.CANCELLED), False),
        (ending(KeyboardInterrupt()), False),
        (ending(asyncio.CancelledError()), False),
        (ending(trip.Error(-4, "")), False),
        (ending(trip.CircuitOpen("a", "b", (1, bytes(32)))), False),
        (lambda token: token.release(trip.Effect.FAILURE), True),
        (lambda token: token.release(), False),
    ],
)
def test_only_what_a_crowded_provider_answers_lets_the_limit_fall(end: Any, falls: bool) -> None:
    gate = trip.Gate(capacity=100, adapt=trip.Adapt.AIMD, initial_limit=50)
    assert (limit_after(gate, end) < 50) is falls


@pytest.mark.parametrize("status_class", list(trip.StatusClass))
def test_a_class_is_to_a_gate_what_it_is_to_a_circuit(
    tracker: trip.Tracker, circuit: trip.Circuit, status_class: trip.StatusClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    def release(token: int, effect: int) -> int:
        released.append(effect)
        return 0

    released: list[int] = []
    gate = trip.Gate()
    with monkeypatch.context() as patched:
        patched.setattr(library, "trip_token_release", release)
        ending(OSError(), lambda _: status_class)(gate.acquire())
    circuit.permit().record(status_class)
    info = circuit.inspect()
    assert released == [[info.failures_total, info.successes, info.cancels].index(1)]


def test_the_limit_follows_how_long_calls_take(tracker: trip.Tracker) -> None:
    gate = trip.Gate(tracker, capacity=100, adapt=trip.Adapt.AIMD, initial_limit=50, latency=1)

    def slow(token: trip.Token) -> None:
        tracker.advance(2)
        token.release()

    assert limit_after(gate, slow) < 50


def test_a_wrong_classifier_is_refused(gate: trip.Gate) -> None:
    token = gate.acquire()
    with pytest.raises(TypeError, match="classify"):
        token.classified_by(1)  # type: ignore[arg-type]
    token.release()


def test_a_block_of_a_gate_that_is_closed_raises_nothing(gate: trip.Gate, caplog: pytest.LogCaptureFixture) -> None:
    with gate.acquire():
        gate.close()
    assert "TRIP_E_HANDLE" in caplog.text


# ---- Its life


def test_a_token_that_is_collected_gives_its_place_back(gate: trip.Gate) -> None:
    token = gate.acquire()
    del token
    gc.collect()
    assert (gate.inspect().depth, gate.inspect().released) == (0, 1)


def test_a_closed_gate_is_an_error(tracker: trip.Tracker, gate: trip.Gate) -> None:
    token = gate.acquire()
    assert (gate.close(), gate.close()) == (True, False)
    for use in gate.acquire, gate.inspect, token.release:
        with pytest.raises(trip.Error) as raised:
            use()
        assert raised.value.name == "TRIP_E_HANDLE"
    other = trip.Gate(tracker)
    tracker.close()
    with pytest.raises(trip.Error) as raised:
        other.acquire()
    assert raised.value.name == "TRIP_E_HANDLE"


def test_names_are_texts(tracker: trip.Tracker) -> None:
    assert trip.Gate(tracker, b"\xff" * 255).inspect().depth == 0
    with pytest.raises(trip.Error) as raised:
        trip.Gate(tracker, "x" * 256)
    assert raised.value.name == "TRIP_E_INVALID"
    with pytest.raises(TypeError, match="name"):
        trip.Gate(tracker, 1)  # type: ignore[arg-type]


def test_a_token_keeps_its_gate_and_that_its_tracker() -> None:
    tracker = trip.Tracker()
    gate = trip.Gate(tracker)
    kept, token, handle = (weakref.ref(gate), weakref.ref(tracker)), gate.acquire(), gate.handle
    del gate, tracker
    gc.collect()
    assert all(each() is not None for each in kept)
    assert token.release()
    del token
    gc.collect()
    assert [each() for each in kept] == [None, None]
    assert library.trip_gate_destroy(handle) < 0


def test_in_a_forked_child_the_parents_tokens_are_given_up(gate: trip.Gate) -> None:
    token = gate.acquire()
    child = os.fork()
    if child == 0:
        os._exit(0 if gate.inspect().depth == 0 and token.release() is False else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert (gate.inspect().depth, token.release()) == (1, True)


def test_objects_show_which_they_are_and_stay_here(gate: trip.Gate) -> None:
    token = gate.acquire()
    assert repr(gate) == f"<trip.Gate {gate.handle:#x}>"
    assert repr(token) == f"<trip.Token {token.handle:#x}>"
    for each in gate, token:
        with pytest.raises(TypeError, match="in this process"):
            pickle.dumps(each)
