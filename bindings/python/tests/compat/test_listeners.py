"""Listeners and threads meet in a breaker as in pybreaker's.

The source distribution of pybreaker 1.4.1 holds no tests. These are ours, written from its documentation, and each runs
with pybreaker too, which shows that they say what it does; see DIFFERENT in pybreakers.py.
"""
# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable

import pytest

from pybreakers import SHORT, Failed, Told, answer, called_elsewhere, fail, opened, seen

# ---- Listeners


def test_listeners_are_told_of_calls(pb: Any) -> None:
    told = Told()
    breaker = pb.CircuitBreaker(fail_max=2, listeners=[told])
    breaker.call(lambda *args, **kwargs: None, 1, a=2)
    with pytest.raises(Failed):
        breaker.call(fail)
    with pytest.raises(pb.CircuitBreakerError):
        breaker.call(fail)
    with pytest.raises(pb.CircuitBreakerError):
        breaker.call(answer)
    assert told.lines == [
        *("before (1,) {'a': 2}", "success"),
        *("before () {}", "failure Failed 1"),
        *("before () {}", "failure Failed 2", "closed -> open"),
    ]


def test_listeners_are_told_of_trials(pb: Any) -> None:
    told = Told()
    breaker = opened(pb, listeners=[told], success_threshold=2)
    told.lines.clear()
    breaker.call(answer)
    with pytest.raises(pb.CircuitBreakerError):
        breaker.call(fail)
    time.sleep(3 * SHORT)
    breaker.call(answer)
    breaker.call(answer)
    assert told.lines == [
        *("open -> half-open", "before () {}", "success"),
        *("before () {}", "failure Failed 1", "half-open -> open"),
        *("open -> half-open", "before () {}", "success"),
        *("before () {}", "half-open -> closed", "success"),
    ]


def test_listeners_are_told_what_operators_do(pb: Any) -> None:
    told = Told()
    breaker = pb.CircuitBreaker(listeners=(told,))
    for steer in breaker.open, breaker.half_open, breaker.close, breaker.close:
        steer()
    breaker.state = "open"
    assert told.lines == [
        *("closed -> open", "open -> half-open", "half-open -> closed"),
        *("closed -> closed", "closed -> open"),
    ]


def test_what_is_excluded_is_told_as_a_success(pb: Any) -> None:
    told = Told()
    breaker = pb.CircuitBreaker(exclude=[Failed], listeners=[told])
    with pytest.raises(Failed):
        breaker.call(fail)
    assert told.lines == ["before () {}", "success"]


def test_listeners_come_and_go(pb: Any, breaker: Any) -> None:
    first, second, third = pb.CircuitBreakerListener(), Told(), Told()
    assert breaker.listeners == ()
    breaker.add_listener(first)
    breaker.add_listeners(second, third)
    assert breaker.listeners == (first, second, third)
    breaker.remove_listener(second)
    breaker.call(answer)
    assert (breaker.listeners, second.lines, third.lines) == ((first, third), [], ["before () {}", "success"])
    with pytest.raises(ValueError):  # noqa: PT011 - its text is a list's
        breaker.remove_listener(second)


def test_a_listener_that_raises_before_a_call_keeps_it_from_being_made(pb: Any, breaker: Any) -> None:
    class Refuses(Told):
        def before_call(self, cb: Any, func: Any, *args: Any, **kwargs: Any) -> None:
            raise PermissionError

    refuses, calls = Refuses(), list[int]()
    breaker.add_listener(refuses)
    breaker.half_open()
    with pytest.raises(PermissionError) as kept:
        breaker.call(calls.append, 1)
    breaker.remove_listener(refuses)
    assert (calls, seen(breaker)) == ([], ("half-open", 0))
    called_elsewhere(breaker)  # its trial was given back, though its error is kept
    assert (breaker.current_state, kept.type) == ("closed", PermissionError)


def test_a_listener_may_use_the_breaker(breaker: Any) -> None:
    class Calls(Told):
        def failure(self, cb: Any, exc: BaseException) -> None:
            super().failure(cb, exc)
            assert cb.call(answer) == "answered"

    calls = Calls()
    breaker.add_listener(calls)
    with pytest.raises(Failed):
        breaker.call(fail)
    assert seen(breaker) == ("closed", 0)
    assert calls.lines == ["before () {}", "failure Failed 1", "before () {}", "success"]


def test_the_failure_that_opens_is_told_before_the_circuit_is_open(pb: Any) -> None:
    states = []

    class Looks(Told):
        def failure(self, cb: Any, exc: BaseException) -> None:
            states.append(cb.current_state)

    breaker = pb.CircuitBreaker(fail_max=1, listeners=[Looks()])
    with pytest.raises(pb.CircuitBreakerError):
        breaker.call(fail)
    assert states == ["closed"]


# ---- Threads


def in_threads(function: Callable[[], object], threads: int = 4) -> None:
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(function) for _ in range(threads)]:
            done.result()


def test_no_failure_of_many_threads_is_lost(pb: Any, switching_often: None) -> None:
    breaker = pb.CircuitBreaker(fail_max=10_000)
    guarded = breaker(fail)

    def fails() -> None:
        for _ in range(500):
            with pytest.raises(Failed):
                guarded()

    in_threads(fails)
    assert seen(breaker) == ("closed", 2000)


def test_listeners_are_told_one_at_a_time(pb: Any, switching_often: None) -> None:
    class Counts(Told):
        successes = 0

        def success(self, cb: Any) -> None:
            successes = self.successes
            time.sleep(0)
            self.successes = successes + 1

    counts = Counts()
    guarded = pb.CircuitBreaker(listeners=[counts])(answer)
    in_threads(lambda: [guarded() for _ in range(500)])
    assert counts.successes == 2000


def test_many_threads_make_no_more_failures_than_open(pb: Any, switching_often: None) -> None:
    breaker = pb.CircuitBreaker(fail_max=50)
    guarded = breaker(fail)

    def fails() -> None:
        for _ in range(200):
            with contextlib.suppress(Failed, pb.CircuitBreakerError):
                guarded()

    in_threads(fails)
    assert seen(breaker) == ("open", 50)


def test_of_many_threads_one_makes_the_trial(pb: Any, switching_often: None) -> None:
    told = Told()
    breaker = pb.CircuitBreaker(listeners=[told])
    breaker.half_open()
    told.lines.clear()
    guarded = breaker(fail)

    def fails() -> None:
        with pytest.raises(pb.CircuitBreakerError):
            guarded()

    in_threads(fails, 8)
    assert told.lines == ["before () {}", "failure Failed 1", "half-open -> open"]


def test_a_call_waits_for_the_trial(pb: Any) -> None:
    breaker = opened(pb)
    is_on_trial, may_end = threading.Event(), threading.Event()

    def trial() -> None:
        is_on_trial.set()
        assert may_end.wait(60)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(breaker.call, trial)
        assert is_on_trial.wait(60)
        second = pool.submit(breaker.call, answer)
        try:
            time.sleep(SHORT)
            assert not second.done()
        finally:
            may_end.set()
        first.result()
        assert second.result() == "answered"
