"""What is guarded keeps its signature, for who reads it at run time and for type checkers. mypy --strict reads this
file: what assert_type says must be so, and each error that is ignored here must be one, of that kind.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
from collections.abc import Coroutine, Generator, Iterator
from typing import TYPE_CHECKING, Any, Callable

import pytest
from typing_extensions import assert_type

import trip
import trip.compat.pybreaker as pybreaker

tracker = trip.Tracker()
circuit = tracker.circuit("acme", "openai")
breaker = pybreaker.CircuitBreaker()


def judge(error: Exception) -> trip.StatusClass:
    return trip.StatusClass.TIMEOUT


@circuit.guard
def ask(prompt: str, *, tries: int = 1) -> str:
    """Asks."""
    return prompt * tries


@circuit.guard(classify=judge)
async def ask_async(prompt: str, *, tries: int = 1) -> str:
    """Asks."""
    return prompt * tries


@breaker
def broken(prompt: str, *, tries: int = 1) -> str:
    """Asks."""
    return prompt * tries


@breaker()
async def broken_async(prompt: str, *, tries: int = 1) -> str:
    """Asks."""
    return prompt * tries


@breaker
def streamed(prompt: str) -> Generator[str, int, bool]:
    yield prompt
    return True


class Client:
    @circuit.guard
    def ask(self, prompt: str) -> str:
        return prompt

    @classmethod
    @circuit.guard
    def kind(cls, length: int) -> str:
        return cls.__name__[:length]

    @staticmethod
    @breaker
    def twice(prompt: str) -> str:
        return prompt * 2

    @breaker
    async def ask_async(self, prompt: str) -> bytes:
        return prompt.encode()


@pytest.mark.parametrize("guarded", [ask, ask_async, broken, broken_async])
def test_a_signature_is_read_at_run_time(guarded: Callable[..., Any]) -> None:
    assert str(inspect.signature(guarded)) == "(prompt: 'str', *, tries: 'int' = 1) -> 'str'"
    assert guarded.__doc__ == "Asks."
    assert guarded.__module__ == __name__
    assert guarded.__qualname__ == guarded.__name__
    assert inspect.iscoroutinefunction(guarded) is guarded.__name__.endswith("async")
    assert callable(guarded.__wrapped__)  # type: ignore[attr-defined]


def test_a_type_checker_knows_what_a_guarded_function_gives() -> None:
    assert assert_type(ask("hi", tries=2), str) == "hihi"
    assert assert_type(broken("hi", tries=2), str) == "hihi"
    assert_type(streamed("hi"), Generator[str, int, bool])

    async def main() -> None:
        assert assert_type(await ask_async("hi"), str) == "hi"
        assert assert_type(await broken_async("hi"), str) == "hi"
        assert assert_type(await Client().ask_async("hi"), bytes) == b"hi"
        coroutine = ask_async("hi")
        await assert_type(coroutine, Coroutine[Any, Any, str])

    asyncio.run(main())


def test_a_type_checker_knows_methods() -> None:
    client = Client()
    assert assert_type(client.ask("hi"), str) == "hi"
    assert assert_type(Client.ask(client, "hi"), str) == "hi"
    assert assert_type(Client.kind(3), str) == "Cli"
    assert assert_type(Client.twice("hi"), str) == "hihi"
    assert assert_type(circuit.guard(functools.partial(int, base=2))("11"), int) == 3


def test_a_type_checker_finds_a_wrong_argument() -> None:
    """Where Python finds it too, as the caller's mistake: it asks for no permit."""
    permits = circuit.inspect().permits
    client = Client()
    with pytest.raises(TypeError, match="positional"):
        ask("hi", 2)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        ask()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="tires"):
        ask("hi", tires=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        client.ask()  # type: ignore[call-arg]
    assert circuit.inspect().permits == permits
    with pytest.raises(TypeError):
        ask("hi", tries="2")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        broken(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        broken("hi", 2)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        breaker.call(broken, "hi", 2)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        circuit.guard(3)  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        circuit.guard(classify=trip.StatusClass.TIMEOUT)  # type: ignore[call-overload]
    if TYPE_CHECKING:  # what Python takes as it comes
        ask(1)  # type: ignore[arg-type]
        circuit.guard(classify=lambda error: 3)(len)  # type: ignore[arg-type, return-value]
        number: int = ask("hi")  # type: ignore[assignment]
        ask_async("hi").upper()  # type: ignore[attr-defined]
        del number


def test_a_type_checker_knows_what_goes_around_a_permit() -> None:
    with circuit.permit() as permit:
        assert_type(permit, trip.Permit)
    with circuit.permit().classified_by(judge) as classified:
        assert_type(classified, trip.Permit)
    with circuit.permit_when_ready(timeout=1) as waited:
        assert_type(waited, trip.Permit)
    assert_type(circuit.wait(0), bool)
    assert_type(circuit.peek(), "trip.Rejection | None")

    async def main() -> None:
        async with circuit.permit() as permit:
            assert_type(permit, trip.Permit)
        async with circuit.permit_when_ready_async() as waited:
            assert_type(waited, trip.Permit)
        async with await circuit.permit_when_ready_async() as waited:
            assert_type(waited, trip.Permit)
        assert_type(await circuit.wait_async(0), bool)

    asyncio.run(main())
    caller = trip.Caller(circuit, retry=trip.Retry())
    assert assert_type(caller.call(len), int) == len("openai")
    assert assert_type(trip.Retry().call(ask, "hi"), str) == "hi"
    with pytest.raises(TypeError, match="take call_async"):
        asyncio.run(assert_type(caller.call(ask_async), Coroutine[Any, Any, str]))
    with breaker.calling() as nothing:
        assert_type(nothing, None)
    with contextlib.suppress(trip.CircuitOpen), trip.Tracker(failure_threshold=1) as own:
        assert_type(own, trip.Tracker)


def test_options_are_checked_by_name() -> None:
    with pytest.raises(TypeError, match="failure_treshold"):
        trip.Tracker(failure_treshold=5)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="initial_open"):
        trip.Tracker(initial_open="30")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="timeout"):
        circuit.wait("5")  # type: ignore[arg-type]


def test_a_generator_is_a_generator() -> None:
    stream: Iterator[str] = streamed("hi")
    assert list(stream) == ["hi"]
