"""Owns the decorator behind Circuit.guard: which functions it takes, and that a failing breaker stops no call."""

from __future__ import annotations

import functools
import inspect
import logging
from typing import TYPE_CHECKING, Any, Callable, cast

from . import _abi
from ._errors import Error
from ._lane import NO_LANE, Grant, Lane, Ticket
from ._native import cancel, record_failure, record_success
from ._permit import OWN, report
from ._wrapper import parameters_of, wrapper_maker

if TYPE_CHECKING:
    from typing_extensions import ParamSpec, TypeVar

    from ._circuit import Circuit
    from ._rejection import CircuitOpen

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
    parameters = parameters_of(function)
    make = wrapper_maker(parameters.declared, parameters.passed, _is(inspect.iscoroutinefunction, function))
    guarded = make(function, circuit._entry, Way(circuit, function))
    guarded.__defaults__, guarded.__kwdefaults__ = parameters.defaults, parameters.keyword_defaults
    return cast("Callable[P, R]", functools.update_wrapper(guarded, function))


def _is(kind: Callable[[Any], bool], function: Any) -> bool:
    """Whether a function, or an object that is called like one, is of a kind."""
    return kind(function) or kind(getattr(function, "__call__", None))  # noqa: B004 - its value is wanted


class Way:
    """Where a guarded call goes that does not pass by the lane from its beginning to its end."""

    __slots__ = ("_circuit", "_function", "_reported")

    def __init__(self, circuit: Circuit, function: Callable[..., object]) -> None:
        self._circuit = circuit  # kept, and its tracker with it
        self._function = function
        self._reported: set[int] = set()

    def without_guard(self, error: Error) -> None:
        """Let the call through: there is no ticket for it."""
        if error.status not in self._reported:
            self._reported.add(error.status)
            _log.warning("%r is called unguarded, %r failed: %s", self._function, self._circuit, error)

    def refused(self, status: int, grant: Grant) -> CircuitOpen:
        refused = self._circuit._entry.refused(status, grant)
        NO_LANE.tickets.append(grant)
        return refused

    def succeed(self, lane: Lane, ticket: Ticket | None) -> None:
        if ticket is None:
            return
        status = lane.settle(ticket, record_success)
        if status != _abi.TRIP_OK:
            report(status)
        elif lane is NO_LANE:
            self._circuit._entry.succeeded()

    def fail(self, lane: Lane, ticket: Ticket | None, error: BaseException) -> None:
        if ticket is not None:
            is_failure = isinstance(error, Exception) and not isinstance(error, OWN)
            status = lane.settle(ticket, record_failure if is_failure else cancel)
            if status < 0:
                report(status)
