"""Calls through a breaker, and what is excluded, are pybreaker's.

The source distribution of pybreaker 1.4.1 holds no tests. These are ours, written from its documentation, and each runs
with pybreaker too, which shows that they say what it does; see DIFFERENT in pybreakers.py.
"""
# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import functools
import inspect
import time
import traceback
from typing import Any

import pytest

from pybreakers import SHORT, Failed, answer, called_elsewhere, fail, opened, raising, seen

# ---- Calls


def test_a_call_gives_what_the_function_gives(breaker: Any) -> None:
    assert breaker.call(answer) == "answered"
    assert breaker.call(lambda *args, **kwargs: (args, kwargs), 1, 2, a=3) == ((1, 2), {"a": 3})
    assert seen(breaker) == ("closed", 0)


def test_a_failure_is_counted_and_goes_on(breaker: Any) -> None:
    with pytest.raises(Failed):
        breaker.call(fail)
    assert seen(breaker) == ("closed", 1)


def test_a_success_clears_the_failures(breaker: Any) -> None:
    for _ in range(2):
        with pytest.raises(Failed):
            breaker.call(fail)
        breaker.call(answer)
        assert seen(breaker) == ("closed", 0)


def test_failures_in_a_row_open_the_circuit(pb: Any) -> None:
    breaker = pb.CircuitBreaker(fail_max=3)
    for _ in range(2):
        with pytest.raises(Failed):
            breaker.call(fail)
    with pytest.raises(pb.CircuitBreakerError, match="Failures threshold reached, circuit breaker opened") as tripped:
        breaker.call(fail)
    assert "Failed" in "".join(traceback.format_exception(None, tripped.value, tripped.value.__traceback__))
    assert isinstance(tripped.value.__context__, Failed)
    assert seen(breaker) == ("open", 3)


def test_the_failure_itself_is_raised_where_that_is_wanted(pb: Any) -> None:
    breaker = pb.CircuitBreaker(fail_max=2, throw_new_error_on_trip=False)
    for _ in range(2):
        with pytest.raises(Failed):
            breaker.call(fail)
    assert seen(breaker) == ("open", 2)
    with pytest.raises(pb.CircuitBreakerError, match="Timeout not elapsed yet, circuit breaker still open"):
        breaker.call(answer)


def test_an_open_circuit_calls_nobody(pb: Any) -> None:
    breaker = pb.CircuitBreaker(fail_max=1)
    calls: list[int] = []
    breaker.open()
    for _ in range(3):
        with pytest.raises(pb.CircuitBreakerError):
            breaker.call(calls.append, 1)
    assert (calls, seen(breaker)) == ([], ("open", 0))


def test_a_trial_that_succeeds_closes(pb: Any) -> None:
    breaker = opened(pb)
    assert breaker.current_state == "open"  # until a call comes
    assert breaker.call(answer) == "answered"
    assert seen(breaker) == ("closed", 0)


def test_a_trial_that_fails_opens_again(pb: Any) -> None:
    breaker = opened(pb)
    with pytest.raises(pb.CircuitBreakerError, match="Trial call failed, circuit breaker opened"):
        breaker.call(fail)
    assert seen(breaker) == ("open", 2)


def test_a_trial_that_fails_raises_its_failure_where_that_is_wanted(pb: Any) -> None:
    breaker = pb.CircuitBreaker(throw_new_error_on_trip=False)
    breaker.half_open()
    with pytest.raises(Failed):
        breaker.call(fail)
    assert seen(breaker) == ("open", 1)


def test_as_many_trials_close_as_are_asked_for(pb: Any) -> None:
    breaker = opened(pb, success_threshold=3)
    for wins in 1, 2:
        breaker.call(answer)
        assert (breaker.current_state, breaker.success_counter) == ("half-open", wins)
        assert breaker.fail_counter == 0
    breaker.call(answer)
    assert (breaker.current_state, breaker.success_counter) == ("closed", 0)


def test_a_trial_that_fails_after_others_begins_anew(pb: Any) -> None:
    breaker = opened(pb, success_threshold=3)
    breaker.call(answer)
    with pytest.raises(pb.CircuitBreakerError):
        breaker.call(fail)
    assert (breaker.current_state, breaker.fail_counter, breaker.success_counter) == ("open", 1, 0)
    time.sleep(3 * SHORT)
    breaker.call(answer)
    assert (breaker.current_state, breaker.success_counter) == ("half-open", 1)


@pytest.mark.parametrize("fail_max", [0, 1])
def test_a_breaker_that_stands_nothing_opens_at_once(pb: Any, fail_max: int) -> None:
    breaker = pb.CircuitBreaker(fail_max=fail_max)
    with pytest.raises(pb.CircuitBreakerError):
        breaker.call(fail)
    assert seen(breaker) == ("open", 1)


def test_bounds_that_nobody_reaches_are_taken(pb: Any) -> None:
    breaker = pb.CircuitBreaker(fail_max=10**12, reset_timeout=10**9, success_threshold=0)
    with pytest.raises(Failed):
        breaker.call(fail)
    breaker.open()
    assert seen(breaker) == ("open", 1)
    breaker.half_open()
    breaker.call(answer)
    assert seen(breaker) == ("closed", 0)


def test_a_circuit_that_opens_for_no_time_lets_each_call_try(pb: Any) -> None:
    breaker = pb.CircuitBreaker(fail_max=1, reset_timeout=0)
    calls: list[int] = []

    def fails(n: int) -> None:
        calls.append(n)
        raise Failed

    for n in range(30):
        with pytest.raises(pb.CircuitBreakerError):
            breaker.call(fails, n)
    assert calls == list(range(30))


def test_a_function_may_call_another_of_the_same_breaker(pb: Any) -> None:
    """A trial too: else it would be refused because of itself, and the circuit would never close."""
    breaker = opened(pb)
    assert breaker.call(lambda: breaker.call(answer)) == "answered"
    assert seen(breaker) == ("closed", 0)

    breaker = opened(pb)
    with pytest.raises(pb.CircuitBreakerError):
        breaker.call(lambda: breaker.call(fail))
    assert breaker.current_state == "open"

    breaker = opened(pb)
    with breaker.calling():
        assert breaker.call(answer) == "answered"
    assert seen(breaker) == ("closed", 0)


def test_the_decorator_keeps_what_the_function_says_of_itself(pb: Any, breaker: Any) -> None:
    @breaker
    def ask(prompt: str, *, tries: int = 1) -> str:
        """Asks."""
        return prompt * tries

    assert (ask.__name__, ask.__doc__, str(inspect.signature(ask))) == (
        "ask",
        "Asks.",
        "(prompt: 'str', *, tries: 'int' = 1) -> 'str'",
    )
    assert ask("hi", tries=2) == "hihi"
    guarded = breaker()(fail)
    with pytest.raises(Failed):
        guarded()
    assert breaker.fail_counter == 1


def test_the_decorator_takes_methods_and_whatever_can_be_called(breaker: Any) -> None:
    class Client:
        @breaker
        def name(self) -> str:
            return type(self).__name__

        @classmethod
        @breaker
        def kind(cls) -> str:
            return cls.__name__

        @staticmethod
        @breaker
        def fails() -> None:
            raise Failed

    assert (Client().name(), Client.kind()) == ("Client", "Client")
    with pytest.raises(Failed):
        Client.fails()
    assert breaker.fail_counter == 1
    assert breaker(functools.partial(int, base=2))("11") == 3


def test_being_interrupted_is_a_failure(breaker: Any) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        breaker.call(interrupted)
    assert breaker.fail_counter == 1


def test_failed_trials_are_counted_without_end(pb: Any) -> None:
    breaker = pb.CircuitBreaker(fail_max=1)
    for _ in range(40):
        breaker.half_open()
        with pytest.raises(pb.CircuitBreakerError):
            breaker.call(fail)
    assert breaker.fail_counter == 40

    breaker = opened(pb)
    for _ in range(40):
        with pytest.raises(pb.CircuitBreakerError):
            breaker.call(fail)
        time.sleep(SHORT)
    assert breaker.fail_counter == 41


def test_any_number_of_trials_may_be_asked_for(pb: Any) -> None:
    pb.CircuitBreaker(success_threshold=63)
    pb.CircuitBreaker(success_threshold=64)


# ---- Exclusion


def test_what_is_excluded_is_a_success(pb: Any) -> None:
    breaker = pb.CircuitBreaker(exclude=[LookupError])
    for excluded in LookupError, KeyError:
        with pytest.raises(Failed):
            breaker.call(fail)
        with pytest.raises(excluded):
            breaker.call(raising(excluded()))
        assert seen(breaker) == ("closed", 0)


def test_a_function_may_say_what_is_excluded(pb: Any) -> None:
    breaker = pb.CircuitBreaker(exclude=[lambda error: isinstance(error, OSError) and error.errno == 2, LookupError])
    for error, failures in (OSError(1, ""), 1), (OSError(2, ""), 0), (OSError(1, ""), 1), (KeyError(), 0):
        with pytest.raises(type(error)):
            breaker.call(raising(error))
        assert breaker.fail_counter == failures


def test_what_is_excluded_ends_a_trial_well(pb: Any) -> None:
    breaker = opened(pb, exclude=[KeyError])
    with pytest.raises(KeyError):
        breaker.call(raising(KeyError()))
    assert seen(breaker) == ("closed", 0)


def test_even_what_is_no_exception_may_be_excluded(pb: Any) -> None:
    breaker = pb.CircuitBreaker(exclude=[SystemExit])
    with pytest.raises(Failed):
        breaker.call(fail)
    with pytest.raises(SystemExit):
        breaker.call(raising(SystemExit()))
    assert breaker.fail_counter == 0


def test_exclusions_come_and_go(breaker: Any) -> None:
    assert breaker.excluded_exceptions == ()
    breaker.add_excluded_exception(Failed)
    breaker.add_excluded_exceptions(KeyError, OSError)
    assert breaker.excluded_exceptions == (Failed, KeyError, OSError)
    assert not breaker.is_system_error(Failed())
    with pytest.raises(Failed):
        breaker.call(fail)
    assert breaker.fail_counter == 0
    breaker.remove_excluded_exception(Failed)
    assert breaker.excluded_exceptions == (KeyError, OSError)
    assert breaker.is_system_error(Failed())
    with pytest.raises(Failed):
        breaker.call(fail)
    assert breaker.fail_counter == 1
    with pytest.raises(ValueError):  # noqa: PT011 - its text is a list's
        breaker.remove_excluded_exception(Failed)


def test_a_function_that_cannot_say_it_is_heard(pb: Any) -> None:
    breaker = pb.CircuitBreaker(exclude=[lambda error: error.no_such_attribute])
    with pytest.raises(AttributeError):
        breaker.call(fail)
    breaker.half_open()
    with pytest.raises(AttributeError) as kept:
        breaker.call(fail)
    assert breaker.current_state == "half-open"
    assert called_elsewhere(breaker) == "answered"  # its trial was given back, though its error is kept
    assert (breaker.current_state, kept.type) == ("closed", AttributeError)
