"""The names of pybreaker 1.4, driven by a circuit of libtrip's. Owns how pybreaker says what libtrip answers, and
decides nothing: whether a call is admitted, what opens and what closes, the circuit says.

    import trip.compat.pybreaker as pybreaker

    breaker = pybreaker.CircuitBreaker(fail_max=5, reset_timeout=60)

    @breaker
    def update_customer(customer): ...

is all that a program of pybreaker's changes. docs/pybreaker.python.md says what differs, and why.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import types
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Union, cast, overload

from .._ending import says_nothing
from .._errors import Error
from .._guard import is_of_kind
from .._rejection import CircuitOpen
from .._stream_guard import guarded_async_generator
from ._pybreaker_storage import (
    NAMES,
    STATE_CLOSED,
    STATE_HALF_OPEN,
    STATE_OPEN,
    CircuitBreakerStorage,
    CircuitMemoryStorage,
    CircuitRedisStorage,
    is_probe,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator, Iterable, Sequence

    from typing_extensions import ParamSpec, TypeVar

    from .._circuit import Circuit
    from .._permit import Permit

    P = ParamSpec("P")
    R = TypeVar("R")

Exclusion = Union[type[BaseException], Callable[[Any], bool]]

__all__ = (
    "STATE_CLOSED",
    "STATE_HALF_OPEN",
    "STATE_OPEN",
    "CircuitBreaker",
    "CircuitBreakerError",
    "CircuitBreakerListener",
    "CircuitBreakerState",
    "CircuitBreakerStorage",
    "CircuitClosedState",
    "CircuitHalfOpenState",
    "CircuitMemoryStorage",
    "CircuitOpenState",
    "CircuitRedisStorage",
)

_CALL_ASYNC = "__pybreaker_call_async"


class CircuitBreakerError(Exception):
    """A call was refused, or has just opened the circuit; then `__cause__` is what the call has raised. Of a refusal it
    is the trip.CircuitOpen, which says when to come back.
    """


class CircuitBreaker:
    """A circuit breaker in pybreaker's names, for one integration point. Share one among all threads and loops.

    It opens after `fail_max` failures in a row, for `reset_timeout` seconds; then one call at a time is let in as a
    trial, and `success_threshold` of them close it again. Exceptions of `exclude`, classes or functions of an
    exception, are no failures. A call that opens the circuit raises CircuitBreakerError, or, without
    `throw_new_error_on_trip`, what the guarded function has raised.

    Where the library itself fails, calls go through unguarded and the logger "trip" says so, once per status: the
    breaker must never be the outage.
    """

    def __init__(
        self,
        fail_max: int = 5,
        reset_timeout: float = 60,
        success_threshold: int = 1,
        exclude: Iterable[Exclusion] | None = None,
        listeners: Sequence[CircuitBreakerListener] | None = None,
        state_storage: CircuitBreakerStorage | None = None,
        name: str | None = None,
        throw_new_error_on_trip: bool = True,
    ) -> None:
        if state_storage is None:
            state_storage = CircuitMemoryStorage(STATE_CLOSED, name)
        if not isinstance(state_storage, CircuitMemoryStorage):
            raise TypeError(f"state_storage must be a CircuitMemoryStorage, not {type(state_storage).__name__}")
        self._state_storage = state_storage
        self._fail_max, self._reset_timeout, self._success_threshold = fail_max, reset_timeout, success_threshold
        self._limit()
        self._excluded_exceptions = list(exclude or [])
        self._listeners = list(listeners or [])
        self._name = name
        self._throw_new_error_on_trip = throw_new_error_on_trip
        self._state = self._state_of(state_storage.state)  # that listeners know of

    @property
    def circuit(self) -> Circuit:
        """The circuit of libtrip's: `explain()`, `inspect()`, `set_mode()`, the handle for other languages."""
        return self._state_storage.circuit

    @property
    def fail_counter(self) -> int:
        """Failures in a row."""
        return self._state_storage.counter

    @property
    def success_counter(self) -> int:
        """Successes in a row while the circuit is half-open."""
        return self._state_storage.success_counter

    @property
    def fail_max(self) -> int:
        """Failures in a row that open the circuit."""
        return self._fail_max

    @fail_max.setter
    def fail_max(self, number: int) -> None:
        self._limit(fail_max=number)
        self._fail_max = number

    @property
    def reset_timeout(self) -> float:
        """Seconds for which the circuit opens. An open period that has begun keeps the length that it has."""
        return self._reset_timeout

    @reset_timeout.setter
    def reset_timeout(self, timeout: float) -> None:
        self._limit(reset_timeout=timeout)
        self._reset_timeout = timeout

    @property
    def success_threshold(self) -> int:
        """Trials that must succeed to close the circuit."""
        return self._success_threshold

    @success_threshold.setter
    def success_threshold(self, threshold: int) -> None:
        self._limit(success_threshold=threshold)
        self._success_threshold = threshold

    @property
    def name(self) -> str | None:
        """What people call it."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name = name

    @property
    def current_state(self) -> str:
        """STATE_CLOSED, STATE_OPEN or STATE_HALF_OPEN."""
        return self._state_storage.state

    @property
    def state(self) -> CircuitBreakerState:
        """The state as an object, whose `name` says which. Listeners are told if they did not know it."""
        self._notice()
        return self._state

    @state.setter
    def state(self, name: str) -> None:
        steering: dict[str, Callable[[], object]] = {
            STATE_CLOSED: self.close,
            STATE_OPEN: self.open,
            STATE_HALF_OPEN: self.half_open,
        }
        if name not in steering:
            raise ValueError(f"Unknown state {name!r}, valid states: {', '.join(steering)}")
        steering[name]()

    def open(self) -> bool:
        """Open the circuit for its time. Returns `throw_new_error_on_trip`."""
        with self._state_storage.lock:
            self._state_storage.open()
            self._tell_change(STATE_OPEN)
        return self._throw_new_error_on_trip

    def half_open(self) -> None:
        """Half-open the circuit: the next call is a trial."""
        with self._state_storage.lock:
            self._state_storage.half_open()
            self._tell_change(STATE_HALF_OPEN)

    def close(self) -> None:
        """Close the circuit, and forget the failures."""
        with self._state_storage.lock:
            self._state_storage.close()
            self._tell_change(STATE_CLOSED)

    @property
    def excluded_exceptions(self) -> tuple[Exclusion, ...]:
        """What is no failure: classes of exceptions, and functions that say so of one."""
        return tuple(self._excluded_exceptions)

    def add_excluded_exception(self, exception: Exclusion) -> None:
        """From now on this is no failure."""
        with self._state_storage.lock:
            self._excluded_exceptions.append(exception)

    def add_excluded_exceptions(self, *exceptions: Exclusion) -> None:
        """From now on these are no failures."""
        for exception in exceptions:
            self.add_excluded_exception(exception)

    def remove_excluded_exception(self, exception: Exclusion) -> None:
        """From now on this is a failure again. Raises ValueError if it was."""
        with self._state_storage.lock:
            self._excluded_exceptions.remove(exception)

    def is_system_error(self, exception: BaseException) -> bool:
        """Whether an exception is a failure, and not excluded."""
        return not any(
            isinstance(exception, exclusion) if isinstance(exclusion, type) else exclusion(exception)
            for exclusion in self.excluded_exceptions
        )

    @property
    def listeners(self) -> tuple[CircuitBreakerListener, ...]:
        """Who is told of calls and of changes."""
        return tuple(self._listeners)

    def add_listener(self, listener: CircuitBreakerListener) -> None:
        """Tell one more."""
        with self._state_storage.lock:
            self._listeners.append(listener)

    def add_listeners(self, *listeners: CircuitBreakerListener) -> None:
        """Tell some more."""
        for listener in listeners:
            self.add_listener(listener)

    def remove_listener(self, listener: CircuitBreakerListener) -> None:
        """Tell it no more. Raises ValueError if nobody did."""
        with self._state_storage.lock:
            self._listeners.remove(listener)

    def call(self, func: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function. Raises CircuitBreakerError, and does not call it, when the circuit refuses.

        A generator that it returns is the call, and ends it when it ends; so is what an `async def` returns, which is
        awaited. No lock is held meanwhile.
        """
        if is_of_kind(inspect.iscoroutinefunction, func):
            return cast("R", self.call_async(cast(Any, func), *args, **kwargs))
        call = self._begin(func, args, kwargs)
        try:
            result = func(*args, **kwargs)
        except BaseException as error:
            self._fail(call, error)
            raise
        if isinstance(result, types.GeneratorType):
            return cast("R", self._yielding(call, result))
        self._succeed(call)
        return result

    async def call_async(self, func: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> R:
        """The same for what is awaited: an `async def` on asyncio, or a coroutine of tornado's, which need not be
        there. Cancelled, the call counts as nothing.
        """
        call = self._begin(func, args, kwargs)
        try:
            result = await func(*args, **kwargs)
        except BaseException as error:
            self._fail(call, error)
            raise
        self._succeed(call)
        return result

    @contextlib.contextmanager
    def calling(self) -> Generator[None]:
        """A block of code as a call: `with breaker.calling(): ...`."""
        with self._holding(self.calling):
            yield

    @contextlib.contextmanager
    def _holding(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Generator[None]:
        call = self._begin(func, args, kwargs)
        try:
            yield
        except BaseException as error:
            self._fail(call, error)
            raise
        self._succeed(call)

    @overload
    def __call__(self, func: Callable[P, R], /) -> Callable[P, R]: ...

    @overload
    def __call__(self, **options: bool) -> Callable[[Callable[P, R]], Callable[P, R]]: ...

    def __call__(self, *functions: Any, **options: bool) -> Any:
        """Decorate a function, plain or `async def`, or a generator function of either kind: `@breaker`, `@breaker()`.

        `__pybreaker_call_async=True` says that a plain function returns an awaitable, such as a coroutine of tornado's.
        """
        # In the body of a class Python puts the name of that before this one.
        unknown = [name for name in options if not name.endswith(_CALL_ASYNC)]
        if unknown:
            raise TypeError(f"a breaker takes no option {unknown[0]!r}, only {_CALL_ASYNC}")
        decorate = functools.partial(self._decorated, is_awaited=any(options.values()))
        return decorate(*functions) if functions else decorate

    def _decorated(self, func: Any, *, is_awaited: bool) -> Any:
        if is_awaited or is_of_kind(inspect.iscoroutinefunction, func):

            @functools.wraps(func)
            async def call_async(*args: Any, **kwargs: Any) -> Any:
                return await self.call_async(func, *args, **kwargs)

            return call_async

        if is_of_kind(inspect.isasyncgenfunction, func):
            return functools.wraps(func)(guarded_async_generator(func, functools.partial(self._holding, func)))

        @functools.wraps(func)
        def call(*args: Any, **kwargs: Any) -> Any:
            return self.call(func, *args, **kwargs)

        return call

    def _limit(self, **changed: Any) -> None:
        limits = {
            "fail_max": self._fail_max,
            "reset_timeout": self._reset_timeout,
            "success_threshold": self._success_threshold,
        }
        self._state_storage.limit(**{**limits, **changed})

    def _begin(self, func: Callable[..., Any], args: Any, kwargs: Any) -> _Call:
        """Ask for a permit, and tell who listens."""
        try:
            permit = self._state_storage.admit()
        except CircuitOpen as refused:
            if self._state.name != NAMES[refused.state]:
                self._notice()
            raise CircuitBreakerError("Timeout not elapsed yet, circuit breaker still open") from refused
        call = _Call(permit, permit is not None and is_probe(permit))
        try:
            with self._state_storage.lock:
                self._notice_after(call)
                for listener in self.listeners:
                    listener.before_call(self, func, *args, **kwargs)
        except BaseException:
            self._give_up(call)
            raise
        return call

    def _succeed(self, call: _Call) -> None:
        with self._state_storage.lock:
            if call.permit is not None:
                self._state_storage.succeed(call.permit, call.is_probe)
            self._notice_after(call)
            for listener in self.listeners:
                listener.success(self)

    def _fail(self, call: _Call, error: BaseException) -> None:
        """The call has raised. Raises what is to be raised in place of that."""
        try:
            is_failure = self.is_system_error(error)
        except BaseException:  # of a function that excludes
            self._give_up(call)
            raise
        if not is_failure:
            self._succeed(call)
        elif says_nothing(type(error)):
            self._give_up(call)
        else:
            self._record_failure(call, error)

    def _record_failure(self, call: _Call, error: BaseException) -> None:
        with self._state_storage.lock:
            has_opened = call.permit is not None and self._state_storage.fail(call.permit)
            for listener in self.listeners:
                listener.failure(self, error)
            self._notice()
        if has_opened and self._throw_new_error_on_trip:
            why = "Trial call failed" if call.is_probe else "Failures threshold reached"
            tripped = CircuitBreakerError(f"{why}, circuit breaker opened")
            raise tripped.with_traceback(error.__traceback__) from error

    def _give_up(self, call: _Call) -> None:
        if call.permit is not None:
            self._state_storage.give_up(call.permit)

    def _yielding(self, call: _Call, generator: types.GeneratorType[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """The generator, and what its end says."""
        try:
            result = yield from generator
        except BaseException as error:
            self._fail(call, error)
            raise
        self._succeed(call)
        return result

    def _notice_after(self, call: _Call) -> None:
        """A call that was no probe changes nothing by its beginning, nor by its success."""
        if call.is_probe or self._state.name != STATE_CLOSED:
            self._notice()

    def _notice(self) -> None:
        """Tell who listens if the circuit is in another state than they know of, whoever has brought that about."""
        with self._state_storage.lock:
            try:
                name = self._state_storage.state
            except Error:  # nobody knows; a call goes on
                return
            if name != self._state.name:
                self._tell_change(name)

    def _tell_change(self, name: str) -> None:
        before, self._state = self._state, self._state_of(name)
        for listener in self.listeners:
            listener.state_change(self, before, self._state)

    def _state_of(self, name: str) -> CircuitBreakerState:
        return _STATES[name](self, name)

    def __repr__(self) -> str:
        return f"<trip.compat.pybreaker.CircuitBreaker name={self.name!r} state={self.current_state!r}>"


class _Call(NamedTuple):
    permit: Permit | None  # None: the library had none
    is_probe: bool  # when it began


class CircuitBreakerListener:
    """Derive from it to be told what a breaker does, on the thread that does it. One listener is told at a time."""

    def before_call(self, cb: CircuitBreaker, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """A call is admitted, and about to be made."""

    def failure(self, cb: CircuitBreaker, exc: BaseException) -> None:
        """A call has failed, and is counted."""

    def success(self, cb: CircuitBreaker) -> None:
        """A call has succeeded, or has raised what is excluded, and is counted."""

    def state_change(
        self, cb: CircuitBreaker, old_state: CircuitBreakerState | None, new_state: CircuitBreakerState
    ) -> None:
        """The circuit is in another state than the listeners knew of."""


class CircuitBreakerState:
    """A state that a breaker was seen in."""

    def __init__(self, cb: CircuitBreaker, name: str) -> None:
        self._breaker = cb
        self._name = name

    @property
    def name(self) -> str:
        """STATE_CLOSED, STATE_OPEN or STATE_HALF_OPEN."""
        return self._name

    def __repr__(self) -> str:
        return f"<trip.compat.pybreaker.{type(self).__name__}>"


class CircuitClosedState(CircuitBreakerState):
    """Calls pass."""


class CircuitOpenState(CircuitBreakerState):
    """Calls are refused."""


class CircuitHalfOpenState(CircuitBreakerState):
    """One call at a time passes, as a trial."""


_STATES = {
    STATE_CLOSED: CircuitClosedState,
    STATE_OPEN: CircuitOpenState,
    STATE_HALF_OPEN: CircuitHalfOpenState,
}
