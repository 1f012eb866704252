"""A failed call is tried again as its rule says, and as often as its provider's budget allows."""

from __future__ import annotations

import asyncio
import gc
import pickle
import threading
import weakref
from collections.abc import Awaitable
from typing import Any, Callable

import pytest

import trip

MS = 10**6


@pytest.fixture
def retry() -> trip.Retry:
    """Sleeps some milliseconds, which nobody has to wait for."""
    return trip.Retry(base_delay=0.001, jitter=trip.Jitter.NONE)


class Flaky:
    """Fails so many times, then answers."""

    def __init__(self, failures: int, error: Callable[[int], BaseException] = lambda n: OSError(n)) -> None:
        self.failures = failures
        self.calls = 0
        self._error = error

    def __call__(self, *args: Any) -> Any:
        self.calls += 1
        if self.calls <= self.failures:
            raise self._error(self.calls)
        return args

    async def wait(self, *args: Any) -> Any:
        await asyncio.sleep(0)
        return self(*args)


def run(retry: trip.Retry, flaky: Flaky, is_async: bool, *args: Any, **options: Any) -> Any:
    if is_async:
        return asyncio.run(retry.call_async(flaky.wait, *args, **options))
    return retry.call(flaky, *args, **options)


either_way = pytest.mark.parametrize("is_async", [False, True])


# ---- The rule


def test_delays_double_up_to_the_cap() -> None:
    with trip.Retry(base_delay=0.5, max_delay=60, jitter=trip.Jitter.FULL) as retry:
        assert [retry.delay_for(attempt) for attempt in (0, 1, 2, 3, 8, 2**32 - 1)] == [0.5, 0.5, 1, 2, 60, 60]
        assert retry.delay_for_ns(2) == 1000 * MS


def test_a_call_has_so_many_attempts(tracker: trip.Tracker) -> None:
    retry = trip.Retry(tracker, max_attempts=3, jitter=trip.Jitter.NONE, deadline=10)
    tracker.advance(1)
    attempts = retry.begin("openai")
    assert (attempts.began_ns, attempts.attempt, attempts.last_delay_ns) == (10**9, 1, 0)
    assert (attempts.next(trip.StatusClass.TIMEOUT), attempts.attempt) == (0.5, 2)
    assert (attempts.next_ns(trip.Outcome(trip.StatusClass.OVERLOADED)), attempts.last_delay_ns) == (10**9, 10**9)
    assert (attempts.next(trip.StatusClass.TIMEOUT), attempts.refusal) == (None, trip.NoRetry.ATTEMPTS)
    assert retry.inspect("openai") == trip.RetryInfo(budget=8, calls=1, retries=2, refused=0)
    assert repr(attempts) == "<trip.Attempts provider='openai' attempt=3>"


def test_why_there_is_no_next_attempt(tracker: trip.Tracker) -> None:
    retry = trip.Retry(tracker, deadline=10, budget_burst=1, budget_ratio=0, max_retry_after=5)
    refused = [
        (trip.StatusClass.AUTH, 0, trip.NoRetry.CLASS),
        (trip.StatusClass.SUCCESS, 0, trip.NoRetry.CLASS),
        (trip.StatusClass.RATE_LIMITED, 6, trip.NoRetry.LATE),
    ]
    for status_class, retry_after, reason in refused:
        attempts = retry.begin("a")
        outcome = trip.Outcome(status_class, retry_after_ns=retry_after * 10**9)
        assert (attempts.next(outcome), attempts.refusal) == (None, reason)
    asked = retry.begin("a").next(trip.Outcome(trip.StatusClass.RATE_LIMITED, retry_after_ns=4 * 10**9))
    assert asked is not None
    assert asked >= 4
    attempts = retry.begin("a")
    assert (attempts.next(trip.StatusClass.TIMEOUT), attempts.refusal) == (None, trip.NoRetry.BUDGET)
    assert retry.inspect("a").refused == 1
    assert retry.begin("b").next(trip.StatusClass.TIMEOUT) is not None  # whose budget is its own
    attempts = retry.begin("c")
    tracker.advance(10)
    assert (attempts.next(trip.StatusClass.TIMEOUT), attempts.refusal) == (None, trip.NoRetry.LATE)


def test_the_provider_that_failed_pays(retry: trip.Retry) -> None:
    attempts = retry.begin("a")
    assert attempts.next(trip.StatusClass.TIMEOUT, "b") is not None
    assert (retry.inspect("a").retries, retry.inspect("b").retries) == (0, 1)
    assert (retry.inspect("a").calls, retry.inspect("b").calls) == (1, 0)


def test_the_classes_are_those_that_are_named() -> None:
    with trip.Retry(classes=[trip.StatusClass.QUOTA]) as retry:
        assert retry.begin().next(trip.StatusClass.QUOTA) is not None
        assert retry.begin().next(trip.StatusClass.TIMEOUT) is None


@pytest.mark.parametrize("wrong", [-1, 2**32, 1.5, "1", None, True])
def test_wrong_attempts_never_reach_c(retry: trip.Retry, wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="attempt"):
        retry.delay_for(wrong)
    for position in range(3):
        numbers: list[Any] = [0, 1, 0]
        numbers[position] = 2**64 if wrong == 2**32 and position != 1 else wrong
        with pytest.raises((TypeError, ValueError)):
            trip.Attempts(retry, "a", *numbers)


def test_wrong_providers_outcomes_and_classes(retry: trip.Retry) -> None:
    for wrong in 1, None, ["a"]:
        with pytest.raises(TypeError, match="provider"):
            retry.begin(wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="provider"):
            retry.inspect(wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="provider"):
            retry.call(lambda: None, provider=wrong)  # type: ignore[arg-type]
    for ask in retry.begin, retry.inspect:
        with pytest.raises(trip.Error) as raised:
            ask("x" * 256)
        assert raised.value.name == "TRIP_E_INVALID"
    assert retry.begin(b"\xff").next(trip.StatusClass.TIMEOUT) is not None
    for outcome in None, 1, "TIMEOUT", TimeoutError():
        with pytest.raises(TypeError, match="outcome"):
            retry.begin().next(outcome)  # type: ignore[arg-type]
    with pytest.raises(trip.Error, match="no class"):
        retry.begin().next(trip.StatusClass(14))
    with pytest.raises(ValueError, match="classes"):
        trip.Retry(classes=[trip.StatusClass(64)])
    with pytest.raises(TypeError, match="classify"):
        retry.call(lambda: None, classify=1)  # type: ignore[arg-type]


# ---- Calls


@either_way
def test_a_call_is_tried_until_it_succeeds(retry: trip.Retry, is_async: bool) -> None:
    flaky = Flaky(2)
    assert run(retry, flaky, is_async, 1, "two", provider="openai") == (1, "two")
    assert flaky.calls == 3
    assert retry.inspect("openai") == trip.RetryInfo(budget=8, calls=1, retries=2, refused=0)


@either_way
def test_what_the_last_attempt_raised_goes_on_as_it_was(retry: trip.Retry, is_async: bool) -> None:
    flaky = Flaky(9)
    with pytest.raises(OSError, match=r"^3$") as raised:
        run(retry, flaky, is_async)
    assert (flaky.calls, raised.value.__cause__, raised.value.__context__) == (3, None, None)


@either_way
def test_what_is_not_worth_a_retry_is_made_once(retry: trip.Retry, is_async: bool) -> None:
    flaky = Flaky(9)
    with pytest.raises(OSError, match="1"):
        run(retry, flaky, is_async, classify=lambda error: trip.StatusClass.INVALID_REQUEST)
    assert flaky.calls == 1


@pytest.mark.parametrize(
    ("error", "is_async"),
    [
        (KeyboardInterrupt(), False),  # with which asyncio ends by itself
        (SystemExit(1), False),
        *((asyncio.CancelledError(), is_async) for is_async in (False, True)),
        *((trip.Shed(1, 1, 1), is_async) for is_async in (False, True)),
        *((trip.Error(-4, ""), is_async) for is_async in (False, True)),
    ],
)
def test_what_says_nothing_of_the_provider_ends_the_call(
    retry: trip.Retry, is_async: bool, error: BaseException
) -> None:
    asked: list[BaseException] = []
    flaky = Flaky(9, lambda _: error)
    with pytest.raises(type(error)):
        run(retry, flaky, is_async, classify=asked.append)
    assert (flaky.calls, asked) == (1, [])


def test_a_function_is_given_what_it_asks_for(retry: trip.Retry) -> None:
    def divide(by: int, into: float) -> float:
        return into / by

    halves: float = retry.call(divide, 2, 1.0)
    assert halves == 0.5

    async def double(number: int) -> int:
        return 2 * number

    waits: Awaitable[int] = retry.call_async(double, 21)
    assert asyncio.run(asyncio.wait_for(waits, 60)) == 42


def test_a_sleep_before_a_retry_can_be_cancelled() -> None:
    async def main() -> None:
        retry = trip.Retry(base_delay=3600, max_delay=3600, jitter=trip.Jitter.NONE)
        flaky = Flaky(9)
        call = asyncio.create_task(retry.call_async(flaky.wait))
        while flaky.calls == 0:
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert flaky.calls == 1

    asyncio.run(asyncio.wait_for(main(), 60))


def test_retries_of_many_threads_stay_within_the_budget() -> None:
    calls, threads, burst = 60, 8, 5
    retry = trip.Retry(base_delay=0.0001, max_attempts=5, budget_ratio=0.1, budget_burst=burst)
    made: list[None] = []

    def fail() -> None:
        made.append(None)
        raise OSError("its own")

    def call() -> None:
        for _ in range(calls):
            with pytest.raises(OSError, match="its own"):
                retry.call(fail, provider="openai")

    running = [threading.Thread(target=call) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(60)
    assert calls * threads < len(made) <= 1.1 * calls * threads + burst
    info = retry.inspect("openai")
    assert (info.calls, info.calls + info.retries) == (calls * threads, len(made))


# ---- Its life


def test_a_closed_rule_is_an_error(retry: trip.Retry) -> None:
    attempts = retry.begin()
    assert retry.close()
    assert not retry.close()
    uses: list[Callable[[], Any]] = [
        lambda: retry.delay_for(1),
        retry.begin,
        retry.inspect,
        lambda: attempts.next(trip.StatusClass.TIMEOUT),
        lambda: retry.call(lambda: 1),
        lambda: asyncio.run(retry.call_async(Flaky(0).wait)),
    ]
    for use in uses:
        with pytest.raises(trip.Error) as raised:
            use()
        assert raised.value.name == "TRIP_E_HANDLE"


def test_a_rule_that_is_closed_meanwhile_hides_no_error(retry: trip.Retry, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        retry.close()
        raise OSError("its own")

    with pytest.raises(OSError, match="its own"):
        retry.call(fail)
    assert "retry" in caplog.text


def test_a_rule_keeps_its_tracker_and_goes_with_its_object() -> None:
    tracker = trip.Tracker(clock=trip.Clock.MANUAL)
    retry, kept = trip.Retry(tracker), weakref.ref(tracker)
    handle = retry.handle
    del tracker
    gc.collect()
    assert kept() is not None
    assert retry.begin().began_ns == 0
    del retry
    gc.collect()
    assert kept() is None
    from trip._library import library

    assert library.trip_retry_destroy(handle) < 0


def test_objects_show_which_they_are_and_stay_here(retry: trip.Retry) -> None:
    assert repr(retry) == f"<trip.Retry {retry.handle:#x}>"
    with pytest.raises(TypeError, match="lives in this process"):
        pickle.dumps(retry)
