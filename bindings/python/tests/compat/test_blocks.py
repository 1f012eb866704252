"""Blocks, generators and what is awaited are calls of a breaker, as in pybreaker.

The source distribution of pybreaker 1.4.1 holds no tests. These are ours, written from its documentation, and each runs
with pybreaker too, which shows that they say what it does; see DIFFERENT in pybreakers.py.
"""
# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tornado import gen

from pybreakers import SHORT, Failed, Told, fail, opened, seen

# ---- Context managers


def test_a_block_is_a_call(pb: Any) -> None:
    breaker = pb.CircuitBreaker(fail_max=2)
    with pytest.raises(Failed), breaker.calling():
        raise Failed
    assert breaker.fail_counter == 1
    with breaker.calling():
        pass
    assert breaker.fail_counter == 0
    for error in Failed, pb.CircuitBreakerError:
        with pytest.raises(error), breaker.calling():
            raise Failed
    assert seen(breaker) == ("open", 2)
    entered = []
    with pytest.raises(pb.CircuitBreakerError), breaker.calling():
        entered.append(1)
    assert entered == []


def test_a_block_is_a_trial(pb: Any) -> None:
    breaker = opened(pb)
    with pytest.raises(pb.CircuitBreakerError), breaker.calling():
        raise Failed
    assert seen(breaker) == ("open", 2)
    time.sleep(3 * SHORT)
    with breaker.calling():
        pass
    assert seen(breaker) == ("closed", 0)


def test_a_block_may_raise_what_is_excluded(pb: Any) -> None:
    breaker = pb.CircuitBreaker(exclude=[Failed])
    with pytest.raises(Failed), breaker.calling():
        raise Failed
    assert breaker.fail_counter == 0


def test_blocks_are_told_to_listeners(pb: Any) -> None:
    told = Told()
    breaker = pb.CircuitBreaker(listeners=[told])
    with breaker.calling():
        told.lines.append("within")
    assert told.lines == ["before () {}", "within", "success"]


def test_blocks_pass_as_trials_all_at_once(pb: Any) -> None:
    breaker = opened(pb)

    def enter() -> contextlib.ExitStack:
        with contextlib.ExitStack() as stack:
            stack.enter_context(breaker.calling())
            return stack.pop_all()

    with ThreadPoolExecutor(1) as elsewhere, enter(), elsewhere.submit(enter).result():
        assert breaker.current_state == "half-open"


def test_a_late_success_clears_the_failures(pb: Any) -> None:
    breaker = pb.CircuitBreaker(fail_max=1)
    with breaker.calling():
        with pytest.raises(pb.CircuitBreakerError):
            breaker.call(fail)
        assert seen(breaker) == ("open", 1)
    assert seen(breaker) == ("open", 0)


def test_a_late_failure_prolongs_the_open_period(pb: Any) -> None:
    breaker = pb.CircuitBreaker(fail_max=1)

    def late() -> None:
        with breaker.calling():
            with pytest.raises(pb.CircuitBreakerError):
                breaker.call(fail)
            raise Failed

    with pytest.raises(pb.CircuitBreakerError):
        late()
    assert seen(breaker) == ("open", 2)


# ---- Generators


def test_a_generator_is_a_call_until_it_ends(pb: Any, breaker: Any) -> None:
    @breaker
    def stream(answers: int, end: Exception | None = None) -> Iterator[int]:
        for number in range(answers):
            asked = yield number
            assert asked is None or asked == number
        if end is not None:
            raise end

    failing = stream(1, Failed())
    assert next(failing) == 0
    with pytest.raises(Failed):
        next(failing)
    assert breaker.fail_counter == 1
    going = stream(2)
    assert (next(going), going.send(0)) == (0, 1)
    assert breaker.fail_counter == 1
    with pytest.raises(StopIteration):
        next(going)
    assert breaker.fail_counter == 0
    breaker.open()
    with pytest.raises(pb.CircuitBreakerError):
        stream(1)


def test_a_generator_may_be_a_context_manager(breaker: Any) -> None:
    @contextlib.contextmanager
    @breaker
    def connected() -> Iterator[str]:
        try:
            yield "connection"
        except Failed:
            raise OSError from None

    with connected() as connection:
        assert connection == "connection"
    assert breaker.fail_counter == 0
    with pytest.raises(OSError), connected():  # noqa: PT011 - it has no text
        raise Failed
    assert breaker.fail_counter == 1


def test_a_generator_that_is_closed_early_has_failed(breaker: Any) -> None:
    @breaker
    def stream() -> Iterator[int]:
        yield 1
        yield 2

    going = stream()
    next(going)
    with contextlib.suppress(GeneratorExit, RuntimeError):
        going.close()
    assert breaker.fail_counter == 1


def test_a_generator_that_deals_with_what_is_thrown_into_it_has_failed(breaker: Any) -> None:
    @contextlib.contextmanager
    @breaker
    def connected() -> Iterator[None]:
        with contextlib.suppress(Failed):
            yield

    with contextlib.suppress(Exception), connected():
        raise Failed
    assert breaker.fail_counter == 1


# ---- What is awaited


@gen.coroutine
def answered(value: int) -> Any:
    yield gen.sleep(0)
    return value


@gen.coroutine
def failed() -> Any:
    yield gen.sleep(0)
    raise Failed


def test_coroutines_of_tornado_are_awaited(pb: Any) -> None:
    told = Told()
    breaker = pb.CircuitBreaker(fail_max=2, listeners=[told])

    async def main() -> None:
        with pytest.raises(Failed):
            await breaker.call_async(failed)
        assert seen(breaker) == ("closed", 1)
        assert await breaker.call_async(answered, 42) == 42
        assert seen(breaker) == ("closed", 0)
        for error in Failed, pb.CircuitBreakerError:
            with pytest.raises(error):
                await breaker.call_async(failed)
        with pytest.raises(pb.CircuitBreakerError, match="still open"):
            await breaker.call_async(answered, 42)

    asyncio.run(main())
    assert seen(breaker) == ("open", 2)
    assert told.lines[:4] == ["before () {}", "failure Failed 1", "before (42,) {}", "success"]


def test_the_decorator_awaits_coroutines_of_tornado(pb: Any, breaker: Any) -> None:
    ask = breaker(__pybreaker_call_async=True)(answered)
    fails = breaker(failed, __pybreaker_call_async=True)

    @gen.coroutine
    def main() -> Any:
        with pytest.raises(Failed):
            yield fails()
        assert breaker.fail_counter == 1
        assert (yield ask(42)) == 42
        assert breaker.fail_counter == 0
        assert (yield [ask(1), ask(2)]) == [1, 2]

    async def run() -> None:
        await main()

    asyncio.run(run())
    assert ask.__name__ == "answered"


def test_an_async_function_succeeds_by_being_called(breaker: Any) -> None:
    @breaker
    async def ask() -> None:
        raise Failed

    with pytest.raises(Failed):
        asyncio.run(ask())
    assert breaker.fail_counter == 0
