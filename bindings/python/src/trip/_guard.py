"""Owns the decorator behind Circuit.guard: which functions it takes, and that a failing breaker stops no call."""

from __future__ import annotations

import functools
import inspect
import logging
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Callable, cast

from ._errors import Error

if TYPE_CHECKING:
    from typing_extensions import ParamSpec, TypeVar

    from ._circuit import Circuit

    P = ParamSpec("P")
    R = TypeVar("R")

_log = logging.getLogger("trip")


def guard(circuit: Circuit, function: Callable[P, R]) -> Callable[P, R]:
    if not callable(function):
        raise TypeError(f"guard takes a function, not {type(function).__name__}; it goes below @classmethod")
    if _is(inspect.isgeneratorfunction, function) or _is(inspect.isasyncgenfunction, function):
        raise TypeError(
            f"guard cannot take the generator function {function!r}: when it returns, it has not called the provider. "
            "Hold the permit inside it: with circuit.permit(): ..."
        )
    admit = _admission(circuit, function)

    if _is(inspect.iscoroutinefunction, function):

        @functools.wraps(function)
        async def guarded_coroutine(*args: P.args, **kwargs: P.kwargs) -> Any:
            with admit():
                return await cast(Any, function(*args, **kwargs))

        return cast("Callable[P, R]", guarded_coroutine)

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        with admit():
            return function(*args, **kwargs)

    return guarded


def _is(kind: Callable[[Any], bool], function: Any) -> bool:
    """Whether a function, or an object that is called like one, is of a kind."""
    return kind(function) or kind(getattr(function, "__call__", None))  # noqa: B004 - its value is wanted


def _admission(circuit: Circuit, function: Callable[..., object]) -> Callable[[], AbstractContextManager[object]]:
    reported: set[int] = set()

    def admit() -> AbstractContextManager[object]:
        try:
            return circuit.permit()
        except Error as error:
            if error.status not in reported:
                reported.add(error.status)
                _log.warning("%r is called unguarded, %r failed: %s", function, circuit, error)
            return nullcontext()

    return admit
