"""A guarded generator function gives streams: each is one call, and says how it went by how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import Any

import pytest

import trip


class Dealt(Exception):
    """What a stream deals with."""


def stream(values: int, end: type[Exception] | None = None) -> Generator[Any, Any, str]:
    """Streams."""
    sent = None
    for number in range(values):
        try:
            sent = yield number if sent is None else sent
        except Dealt:
            sent = "dealt"
    if end is not None:
        raise end
    return "the end"


async def stream_async(values: int, end: type[Exception] | None = None) -> AsyncGenerator[Any, Any]:
    """Streams."""
    sent = None
    for number in range(values):
        await asyncio.sleep(0)
        try:
            sent = yield number if sent is None else sent
        except Dealt:
            sent = "dealt"
    if end is not None:
        raise end


class Stepped:
    """A stream of either kind, step by step."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.is_async = inspect.isasyncgen(stream)

    def step(self, how: str, *values: Any) -> Any:
        if not self.is_async:
            return getattr(self.stream, how)(*values)
        how = {"__next__": "__anext__"}.get(how, f"a{how}")
        return self.loop.run_until_complete(getattr(self.stream, how)(*values))

    @functools.cached_property
    def loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.new_event_loop()


@pytest.fixture(params=["plain", "async"])
def streaming(request: pytest.FixtureRequest) -> Iterator[Any]:
    """What makes a guarded stream."""
    made: list[Stepped] = []

    def make(circuit: trip.Circuit, *args: Any, **options: Any) -> Stepped:
        function: Any = stream_async if request.param == "async" else stream
        guard: Any = circuit.guard
        made.append(Stepped(guard(**options)(function)(*args)))
        return made[-1]

    yield make
    for each in made:
        if each.is_async:
            each.loop.run_until_complete(each.loop.shutdown_asyncgens())
            each.loop.close()


ENDS = (StopIteration, StopAsyncIteration)


def counted(circuit: trip.Circuit) -> tuple[int, int, int, int]:
    info = circuit.inspect()
    return info.permits, info.successes, info.failures_total, info.cancels


def test_a_stream_asks_for_its_permit_at_its_first_value(circuit: trip.Circuit, streaming: Any) -> None:
    going = streaming(circuit, 2)
    assert counted(circuit) == (0, 0, 0, 0)
    assert going.step("__next__") == 0
    assert counted(circuit) == (1, 0, 0, 0)
    assert going.step("__next__") == 1
    with pytest.raises(ENDS):
        going.step("__next__")
    assert counted(circuit) == (1, 1, 0, 0)


def test_a_stream_that_breaks_has_failed(circuit: trip.Circuit, streaming: Any) -> None:
    going = streaming(circuit, 1, OSError)
    going.step("__next__")
    with pytest.raises(OSError):  # noqa: PT011 - it has no text
        going.step("__next__")
    assert counted(circuit) == (1, 0, 1, 0)
    with pytest.raises(trip.CircuitOpen):
        streaming(circuit, 1).step("__next__")


def test_a_stream_that_is_closed_early_counts_as_nothing(circuit: trip.Circuit, streaming: Any) -> None:
    going = streaming(circuit, 2)
    going.step("__next__")
    frame = "ag_frame" if going.is_async else "gi_frame"
    within = getattr(going.stream, frame).f_locals["stream"]
    going.step("close")
    assert getattr(within, frame) is None  # by now, and not when somebody collects it
    assert counted(circuit) == (1, 0, 0, 1)


def test_a_stream_is_judged_by_what_its_error_tells(circuit: trip.Circuit, streaming: Any) -> None:
    going = streaming(circuit, 0, OSError, classify=lambda error: trip.StatusClass.INVALID_REQUEST)
    with pytest.raises(OSError):  # noqa: PT011 - it has no text
        going.step("__next__")
    assert circuit.inspect().failures == 0


def test_whoever_guards_a_stream_may_talk_to_it(circuit: trip.Circuit, streaming: Any) -> None:
    going = streaming(circuit, 3)
    assert going.step("__next__") == 0
    assert going.step("send", "sent") == "sent"
    assert going.step("throw", Dealt()) == "dealt"
    with pytest.raises(ENDS):
        going.step("__next__")
    assert counted(circuit) == (1, 1, 0, 0)
    other = streaming(circuit, 3)
    other.step("__next__")
    with pytest.raises(KeyError):
        other.step("throw", KeyError())
    assert counted(circuit) == (2, 1, 1, 0)


def test_the_first_value_of_a_probe_is_its_success(
    tracker: trip.Tracker, circuit: trip.Circuit, streaming: Any
) -> None:
    circuit.trip()
    tracker.advance(30)
    going = streaming(circuit, 2)
    going.step("__next__")
    assert circuit.inspect().state is trip.State.CLOSED
    going.step("close")


def test_a_stream_that_falls_silent_is_a_failure(streaming: Any) -> None:
    tracker = trip.Tracker(failure_threshold=1, stall=5, clock=trip.Clock.MANUAL)
    circuit = tracker.circuit("acme", "openai")
    going = streaming(circuit, 5)
    for _ in range(3):
        going.step("__next__")
        tracker.advance(4)
    circuit.permit().cancel()
    tracker.advance(4)
    with pytest.raises(trip.CircuitOpen):
        circuit.permit()


def test_streams_go_on_when_the_library_fails(
    tracker: trip.Tracker, circuit: trip.Circuit, streaming: Any, caplog: pytest.LogCaptureFixture
) -> None:
    begun = streaming(circuit, 2)
    begun.step("__next__")
    tracker.close()
    assert begun.step("__next__") == 1
    with caplog.at_level(logging.WARNING, "trip"):
        assert streaming(circuit, 1).step("__next__") == 0
    assert "unguarded" in caplog.records[0].getMessage()


def test_arguments_that_do_not_fit_ask_for_no_permit(circuit: trip.Circuit) -> None:
    with pytest.raises(TypeError, match="positional"):
        next(circuit.guard(stream)(1, OSError, 3))  # type: ignore[call-arg]
    assert circuit.inspect().permits == 0


def test_a_guarded_generator_function_is_one(circuit: trip.Circuit) -> None:
    guarded, guarded_async = circuit.guard(stream), circuit.guard(stream_async)
    assert inspect.isgeneratorfunction(guarded)
    assert inspect.isasyncgenfunction(guarded_async)
    assert inspect.signature(guarded) == inspect.signature(stream)
    assert (guarded.__name__, guarded_async.__doc__) == ("stream", "Streams.")

    def outer() -> Generator[Any, Any, str]:
        return (yield from guarded(1))

    going = outer()
    next(going)
    with pytest.raises(StopIteration) as end:
        next(going)
    assert end.value.value == "the end"


def test_streams_are_cancelled_with_their_task(circuit: trip.Circuit) -> None:
    @circuit.guard
    async def silent() -> AsyncIterator[int]:
        yield 1
        await asyncio.Event().wait()

    async def read() -> None:
        async for _ in silent():
            pass

    async def main() -> None:
        task = asyncio.create_task(read())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert counted(circuit) == (1, 0, 0, 1)


def test_methods_partials_and_context_managers_may_stream(circuit: trip.Circuit) -> None:
    class Client:
        @circuit.guard
        def stream(self) -> Iterator[str]:
            yield type(self).__name__

        def __call__(self) -> Iterator[int]:
            yield 1

    @contextlib.contextmanager
    @circuit.guard
    def connected() -> Iterator[str]:
        yield "connection"

    assert list(Client().stream()) == ["Client"]
    assert list(circuit.guard(Client())()) == [1]
    assert list(circuit.guard(functools.partial(stream, 2))()) == [0, 1]
    with connected() as connection:
        assert connection == "connection"
    assert counted(circuit) == (4, 4, 0, 0)


def test_a_library_that_takes_no_progress_ends_no_stream(
    circuit: trip.Circuit, streaming: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(permit: trip.Permit) -> bool:
        raise trip.Error(-4, "out of memory")

    monkeypatch.setattr(trip.Permit, "progress", fails)
    assert streaming(circuit, 1).step("__next__") == 0
