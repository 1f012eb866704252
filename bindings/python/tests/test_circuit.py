"""A circuit grants, refuses and shows itself; it is found again when it was evicted, and guards functions."""

from __future__ import annotations

import asyncio
import copy
import functools
import gc
import inspect
import logging
import pickle
import weakref

import pytest

import trip


def test_an_open_circuit_says_why_and_when_to_come_back(tracker: trip.Tracker, circuit: trip.Circuit) -> None:
    assert circuit.peek() is None
    circuit.permit().record_failure()
    tracker.advance(10)
    with pytest.raises(trip.CircuitOpen) as raised:
        circuit.permit()
    refused = raised.value
    assert (refused.tenant, refused.provider) == ("acme", "openai")
    assert (refused.reason, refused.status, refused.state) == (trip.Reason.OPEN, 1, trip.State.OPEN)
    assert (refused.retry_after, refused.retry_after_ns) == (20.0, 20_000_000_000)
    assert (refused.open_duration, refused.open_duration_ns, refused.failures) == (30.0, 30_000_000_000, 1)
    assert circuit.peek() == refused.rejection
    assert str(refused) == "the circuit of tenant 'acme', provider 'openai' is open; retry after 20.000 s"


def test_coming_back_when_told_is_early_enough(tracker: trip.Tracker, circuit: trip.Circuit) -> None:
    circuit.permit().record_failure()
    refused = circuit.peek()
    assert refused is not None
    tracker.advance(refused.retry_after)
    probe = circuit.permit()
    with pytest.raises(trip.CircuitOpen) as raised:
        circuit.permit()
    assert (raised.value.reason, raised.value.retry_after) == (trip.Reason.PROBING, 0.05)
    assert probe.record_success()
    assert circuit.inspect().state is trip.State.CLOSED


def test_a_refusal_is_no_error_of_the_library() -> None:
    assert not issubclass(trip.CircuitOpen, trip.Error)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_refusal_can_be_pickled(circuit: trip.Circuit, protocol: int) -> None:
    circuit.permit().record_failure()
    with pytest.raises(trip.CircuitOpen) as raised:
        circuit.permit()
    back = pickle.loads(pickle.dumps(raised.value, protocol))
    assert (str(back), back.rejection, back.reason) == (str(raised.value), raised.value.rejection, trip.Reason.OPEN)


def test_inspect_shows_every_member(circuit: trip.Circuit) -> None:
    with circuit.permit():
        pass
    with pytest.raises(OSError), circuit.permit():  # noqa: PT011 - it has no text
        raise OSError
    info = circuit.inspect()
    assert (info.permits, info.successes, info.failures_total, info.opens) == (2, 1, 1, 1)
    assert (info.state, info.mode, info.failures, info.level) == (trip.State.OPEN, trip.Mode.AUTO, 1, 0)
    assert (info.retry_after, info.open_duration) == (30.0, 30.0)
    assert pickle.loads(pickle.dumps(info)) == info


def test_the_same_names_are_the_same_circuit(tracker: trip.Tracker) -> None:
    circuit = tracker.circuit("acme", "openai")
    assert circuit == tracker.circuit(b"acme", b"openai")
    assert circuit.handle == tracker.circuit("acme", "openai").handle
    assert len({circuit, tracker.circuit("acme", "openai"), tracker.circuit("acm", "eopenai")}) == 2
    assert circuit != trip.Tracker().circuit("acme", "openai")
    assert circuit != "acme"


@pytest.mark.parametrize(
    ("tenant", "provider"),
    [("", ""), ("acme\0", "\0openai"), ("ä" * 127, "日本"), (b"\xff\x00", b"\x80"), ("a:b", ":")],
)
def test_names_come_back_as_they_were(tracker: trip.Tracker, tenant: str | bytes, provider: str | bytes) -> None:
    circuit = tracker.circuit(tenant, provider)
    as_bytes = tuple(name if isinstance(name, bytes) else name.encode() for name in (tenant, provider))
    assert circuit.key() == as_bytes
    assert tracker.circuit(circuit.tenant, circuit.provider) == circuit
    if isinstance(tenant, str):
        assert (circuit.tenant, circuit.provider) == (tenant, provider)


@pytest.mark.parametrize("name", [None, True, 1, 1.5, ["acme"], bytearray(b"acme")])
def test_a_name_of_another_type_is_refused(tracker: trip.Tracker, name: str) -> None:
    with pytest.raises(TypeError, match="tenant"):
        tracker.circuit(name, "openai")
    with pytest.raises(TypeError, match="provider"):
        tracker.circuit("acme", name)


def test_a_name_that_is_too_long_is_refused(tracker: trip.Tracker) -> None:
    tracker.circuit("x" * 255, "y" * 255)
    for tenant, provider in ("x" * 256, "openai"), ("acme", "é" * 128):
        with pytest.raises(trip.Error, match="TRIP_E_INVALID"):
            tracker.circuit(tenant, provider)


def test_a_name_that_is_no_text_is_refused(tracker: trip.Tracker) -> None:
    with pytest.raises(UnicodeEncodeError):
        tracker.circuit("\ud800", "openai")


def test_an_evicted_circuit_is_looked_up_again() -> None:
    tracker = trip.Tracker(max_circuits=1)
    first = tracker.circuit("acme", "openai")
    known = {first: "kept"}
    for use in first.permit, first.peek, first.inspect, first.key:
        before = first.handle
        second = tracker.circuit("acme", "anthropic")
        use()
        assert first.handle != before
        assert known[tracker.circuit("acme", "openai")] == "kept"
        with pytest.raises(trip.Error, match="TRIP_E_HANDLE"):
            trip.Permit.from_handle(second.handle).inspect()


def test_a_circuit_keeps_its_tracker_alive() -> None:
    tracker = trip.Tracker()
    gone = weakref.ref(tracker)
    circuit = tracker.circuit("acme", "openai")
    del tracker
    gc.collect()
    with circuit.permit():
        assert gone() is not None
    del circuit
    gc.collect()
    assert gone() is None


def test_a_circuit_cannot_be_copied(circuit: trip.Circuit) -> None:
    for duplicate in copy.copy, copy.deepcopy, pickle.dumps:
        with pytest.raises(TypeError, match="lives in this process"):
            duplicate(circuit)


def test_guard_records_what_the_function_does(circuit: trip.Circuit) -> None:
    @circuit.guard
    def divide(a: int, *, by: int) -> float:
        """Divides."""
        return a / by

    assert divide(6, by=3) == 2.0
    with pytest.raises(ZeroDivisionError):
        divide(6, by=0)
    with pytest.raises(trip.CircuitOpen):
        divide(6, by=3)
    info = circuit.inspect()
    assert (info.successes, info.failures_total, info.rejections) == (1, 1, 1)
    assert (divide.__name__, divide.__doc__, str(inspect.signature(divide))) == (
        "divide",
        "Divides.",
        "(a: 'int', *, by: 'int') -> 'float'",
    )


def test_guard_takes_async_functions(circuit: trip.Circuit) -> None:
    @circuit.guard
    async def ask(prompt: str) -> str:
        await asyncio.sleep(0)
        if not prompt:
            raise ValueError("empty")
        return prompt.upper()

    assert inspect.iscoroutinefunction(ask)
    assert (ask.__name__, str(inspect.signature(ask))) == ("ask", "(prompt: 'str') -> 'str'")
    assert asyncio.run(ask("hi")) == "HI"
    with pytest.raises(ValueError, match="empty"):
        asyncio.run(ask(""))
    with pytest.raises(trip.CircuitOpen):
        asyncio.run(ask("hi"))
    info = circuit.inspect()
    assert (info.successes, info.failures_total, info.permits) == (1, 1, 2)


def test_guard_asks_for_a_permit_when_the_coroutine_runs(circuit: trip.Circuit) -> None:
    @circuit.guard
    async def ask() -> None: ...

    coroutine = ask()
    assert circuit.inspect().permits == 0
    coroutine.close()


@pytest.mark.parametrize("end", ["cancelled", "closed"])
def test_guard_cancels_the_permit_of_a_call_given_up(circuit: trip.Circuit, end: str) -> None:
    @circuit.guard
    async def hang() -> None:
        while True:
            await asyncio.sleep(0)

    async def main() -> None:
        task = asyncio.create_task(hang())
        await asyncio.sleep(0)
        assert circuit.inspect().permits == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    if end == "cancelled":
        asyncio.run(main())
    else:
        coroutine = hang()
        coroutine.send(None)
        coroutine.close()
    info = circuit.inspect()
    assert (info.cancels, info.failures_total, info.state) == (1, 0, trip.State.CLOSED)


def test_guard_takes_methods_partials_and_callable_objects(circuit: trip.Circuit) -> None:
    class Client:
        @circuit.guard
        def name(self) -> str:
            return type(self).__name__

        @classmethod
        @circuit.guard
        def kind(cls) -> str:
            return cls.__name__

        async def __call__(self) -> str:
            raise OSError

    assert (Client().name(), Client.kind()) == ("Client", "Client")
    assert circuit.guard(functools.partial(int, base=2))("11") == 3
    assert circuit.inspect().successes == 3
    with pytest.raises(OSError):  # noqa: PT011 - it has no text
        asyncio.run(circuit.guard(Client())())
    assert circuit.inspect().failures_total == 1


@pytest.mark.parametrize("function", [None, 3, "text", property()])
def test_guard_refuses_what_is_no_function(circuit: trip.Circuit, function: object) -> None:
    with pytest.raises(TypeError, match="guard takes a function"):
        circuit.guard(function)  # type: ignore[call-overload]


def test_guard_lets_calls_through_when_the_library_fails(
    tracker: trip.Tracker, circuit: trip.Circuit, caplog: pytest.LogCaptureFixture
) -> None:
    @circuit.guard
    def call() -> str:
        return "answered"

    @circuit.guard
    async def call_async() -> str:
        return "answered"

    tracker.close()
    with caplog.at_level(logging.WARNING, "trip"):
        assert [call(), call(), asyncio.run(call_async()), asyncio.run(call_async())] == ["answered"] * 4
    assert len(caplog.records) == 2  # once for each function
    assert "unguarded" in caplog.records[0].getMessage()
    assert "TRIP_E_HANDLE" in caplog.records[0].getMessage()
