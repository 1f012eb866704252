"""Owns what the tests of trip.compat.pybreaker share: what they do with a breaker; where libtrip differs on purpose."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable

import pytest

SHORT = 0.01  # seconds; nothing fails that takes longer

# What libtrip does otherwise, on purpose, and why: docs/pybreaker.python.md says it to users. A test of this list that
# passes with libtrip is an error.
DIFFERENT = {
    "test_being_interrupted_is_a_failure": "who gives a call up has learned nothing of the provider",
    "test_a_generator_that_is_closed_early_has_failed": "nor has who closes a stream early",
    "test_a_generator_that_deals_with_what_is_thrown_into_it_has_failed": "what it deals with is no failure",
    "test_a_call_waits_for_the_trial": "no lock is held while a call runs: who comes meanwhile is refused at once",
    "test_blocks_pass_as_trials_all_at_once": "one call at a time is a trial, in whatever form",
    "test_a_late_success_clears_the_failures": "what comes late, after the circuit has moved on, changes nothing",
    "test_a_late_failure_prolongs_the_open_period": "what comes late, after the circuit has moved on, changes nothing",
    "test_a_time_that_has_begun_takes_the_length_that_is_set": "a time to come back that was told stays",
    "test_the_failure_that_opens_is_told_before_the_circuit_is_open": "a failure is counted and judged in one step",
    "test_an_async_function_succeeds_by_being_called": "it is the call that its coroutine makes which counts",
    "test_failed_trials_are_counted_without_end": "libtrip counts 31 of them",
    "test_any_number_of_trials_may_be_asked_for": "libtrip counts 63 of them",
    "test_a_storage_may_be_ones_own": "libtrip keeps the states of its circuits itself",
    "test_a_storage_counts_for_whoever_asks_it_to": "libtrip counts calls that were made",
    "test_unknown_options_of_the_decorator_are_passed_over": "a mistake is told",
}


class Failed(Exception):
    """What a guarded function raises."""


def fail(*_: object) -> Any:
    raise Failed


def answer() -> str:
    return "answered"


def opened(pb: Any, **options: Any) -> Any:
    """A breaker that has opened at its first failure, and whose time is over."""
    breaker = pb.CircuitBreaker(fail_max=1, reset_timeout=SHORT, **options)
    with pytest.raises(pb.CircuitBreakerError):
        breaker.call(fail)
    time.sleep(3 * SHORT)
    return breaker


def seen(breaker: Any) -> tuple[str, int]:
    return breaker.current_state, breaker.fail_counter


class Told:
    """A listener that writes down what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def before_call(self, cb: Any, func: Any, *args: Any, **kwargs: Any) -> None:
        self.lines.append(f"before {args} {kwargs}")

    def failure(self, cb: Any, exc: BaseException) -> None:
        self.lines.append(f"failure {type(exc).__name__} {cb.fail_counter}")

    def success(self, cb: Any) -> None:
        self.lines.append("success")

    def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:
        self.lines.append(f"{old_state.name} -> {new_state.name}")


def raising(error: BaseException) -> Callable[[], None]:
    def raises() -> None:
        raise error

    return raises


def called_elsewhere(breaker: Any) -> Any:
    """What a call gives on a thread that has no trial of its own."""
    with ThreadPoolExecutor(1) as elsewhere:
        return elsewhere.submit(breaker.call, answer).result()
