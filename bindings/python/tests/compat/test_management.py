"""A breaker is set up, seen and steered as in pybreaker.

The source distribution of pybreaker 1.4.1 holds no tests. These are ours, written from its documentation, and each runs
with pybreaker too, which shows that they say what it does; see DIFFERENT in pybreakers.py.
"""
# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import time
from typing import Any

import pytest

from pybreakers import SHORT, Failed, Told, answer, fail, seen


def test_what_is_not_said_has_a_default(pb: Any, breaker: Any) -> None:
    assert (breaker.fail_max, breaker.reset_timeout, breaker.success_threshold, breaker.name) == (5, 60, 1, None)
    assert (breaker.fail_counter, breaker.success_counter, breaker.current_state) == (0, 0, "closed")
    assert (breaker.excluded_exceptions, breaker.listeners) == ((), ())
    assert (pb.STATE_CLOSED, pb.STATE_OPEN, pb.STATE_HALF_OPEN) == ("closed", "open", "half-open")


def test_all_may_be_said_in_pybreakers_order(pb: Any) -> None:
    told = Told()
    breaker = pb.CircuitBreaker(3, 30, 2, [KeyError], [told], pb.CircuitMemoryStorage("open"), "database", False)
    assert (breaker.fail_max, breaker.reset_timeout, breaker.success_threshold, breaker.name) == (3, 30, 2, "database")
    assert (breaker.excluded_exceptions, breaker.listeners, breaker.current_state) == ((KeyError,), (told,), "open")
    assert breaker.open() is False


def test_limits_may_be_set_while_calls_are_made(pb: Any, breaker: Any) -> None:
    for _ in range(2):
        with pytest.raises(Failed):
            breaker.call(fail)
    breaker.fail_max, breaker.success_threshold, breaker.reset_timeout, breaker.name = 3, 2, SHORT, "new"
    assert (breaker.fail_max, breaker.success_threshold, breaker.reset_timeout, breaker.name) == (3, 2, SHORT, "new")
    with pytest.raises(pb.CircuitBreakerError):
        breaker.call(fail)
    breaker.fail_max = 7
    assert seen(breaker) == ("open", 3)
    time.sleep(3 * SHORT)
    breaker.call(answer)
    assert seen(breaker) == ("half-open", 0)
    breaker.call(answer)
    assert seen(breaker) == ("closed", 0)


def test_people_open_and_close(pb: Any) -> None:
    breaker = pb.CircuitBreaker(fail_max=3)
    with pytest.raises(Failed):
        breaker.call(fail)
    assert breaker.open() is True
    assert seen(breaker) == ("open", 1)
    with pytest.raises(pb.CircuitBreakerError):
        breaker.call(answer)
    breaker.half_open()
    assert seen(breaker) == ("half-open", 1)
    with pytest.raises(pb.CircuitBreakerError):
        breaker.call(fail)
    assert seen(breaker) == ("open", 2)
    breaker.close()
    assert seen(breaker) == ("closed", 0)
    breaker.call(answer)


def test_a_state_has_a_name_and_a_class(pb: Any, breaker: Any) -> None:
    for name, kind in ("open", "CircuitOpenState"), ("half-open", "CircuitHalfOpenState"):
        getattr(breaker, name.replace("-", "_"))()
        assert (breaker.state.name, type(breaker.state)) == (name, getattr(pb, kind))
        assert isinstance(breaker.state, pb.CircuitBreakerState)
    breaker.close()
    assert isinstance(breaker.state, pb.CircuitClosedState)
    with pytest.raises(ValueError, match="Unknown state 'ajar', valid states: closed, open, half-open"):
        breaker.state = "ajar"


@pytest.mark.parametrize("state", ["closed", "open", "half-open"])
def test_a_breaker_begins_in_the_state_of_its_storage(pb: Any, state: str) -> None:
    storage = pb.CircuitMemoryStorage(state)
    breaker = pb.CircuitBreaker(state_storage=storage)
    assert (breaker.state.name, seen(breaker), storage.opened_at) == (state, (state, 0), None)
    assert (storage.name, storage.state, storage.counter, storage.success_counter) == ("memory", state, 0, 0)
    breaker.call(answer)  # nobody has said for how long it is open
    assert breaker.current_state == "closed"


def test_breakers_of_one_storage_share_its_state(pb: Any) -> None:
    storage, told = pb.CircuitMemoryStorage(pb.STATE_CLOSED), Told()
    first, second = (pb.CircuitBreaker(fail_max=2, state_storage=storage) for _ in range(2))
    second.add_listener(told)
    with pytest.raises(Failed):
        second.call(fail)
    with pytest.raises(pb.CircuitBreakerError):
        first.call(fail)
    assert (seen(first), seen(second), storage.counter) == (("open", 2), ("open", 2), 2)
    assert storage.opened_at is not None
    told.lines.clear()
    assert second.state.name == "open"
    assert told.lines == ["closed -> open"]  # as soon as it looks


def test_a_time_that_has_begun_takes_the_length_that_is_set(pb: Any) -> None:
    breaker = pb.CircuitBreaker(fail_max=1)
    with pytest.raises(pb.CircuitBreakerError):
        breaker.call(fail)
    breaker.reset_timeout = 0
    breaker.call(answer)


def test_a_storage_may_be_ones_own(pb: Any) -> None:
    class Mine(pb.CircuitBreakerStorage):  # type: ignore[misc]
        state, counter, success_counter, opened_at = pb.STATE_CLOSED, 0, 0, None

    pb.CircuitBreaker(state_storage=Mine("mine")).call(answer)


def test_a_storage_counts_for_whoever_asks_it_to(pb: Any) -> None:
    storage = pb.CircuitMemoryStorage(pb.STATE_CLOSED)
    storage.increment_counter()
    assert storage.counter == 1


def test_unknown_options_of_the_decorator_are_passed_over(breaker: Any) -> None:
    assert breaker(answer, call_asynchronously=True)() == "answered"
