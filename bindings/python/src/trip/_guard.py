"""Owns the decorator behind Circuit.guard: which functions it takes, and that a failing breaker stops no call."""

from __future__ import annotations

import functools
import inspect
import logging
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Callable, cast

from . import _abi
from ._ending import Classify, report, settlement
from ._errors import Error
from ._lane import NO_LANE, Grant, Lane, grants
from ._native import Settle, record_success
from ._stream_guard import guarded_async_generator, guarded_generator
from ._wrapper import parameters_of, wrapper_maker

if TYPE_CHECKING:
    from typing_extensions import ParamSpec, TypeVar

    from ._circuit import Circuit
    from ._permit import Permit

    P = ParamSpec("P")
    R = TypeVar("R")

_log = logging.getLogger("trip")


def guard(circuit: Circuit, function: Callable[P, R], classify: Classify | None) -> Callable[P, R]:
    if not callable(function):
        raise TypeError(f"guard takes a function, not {type(function).__name__}; it goes below @classmethod")
    way = Way(circuit, function, classify)
    return cast("Callable[P, R]", functools.update_wrapper(_guarded(circuit, function, way), function))


def _guarded(circuit: Circuit, function: Callable[..., Any], way: Way) -> Callable[..., Any]:
    if is_of_kind(inspect.isgeneratorfunction, function):
        return guarded_generator(function, way.hold)
    if is_of_kind(inspect.isasyncgenfunction, function):
        return guarded_async_generator(function, way.hold)
    parameters = parameters_of(function)
    make = wrapper_maker(parameters.declared, parameters.passed, is_of_kind(inspect.iscoroutinefunction, function))
    guarded = make(function, circuit._entry, way)
    guarded.__defaults__, guarded.__kwdefaults__ = parameters.defaults, parameters.keyword_defaults
    return guarded


def is_of_kind(kind: Callable[[Any], bool], function: Any) -> bool:
    """Whether a function, or an object that is called like one, is of a kind."""
    return kind(function) or kind(getattr(function, "__call__", None))  # noqa: B004 - its value is wanted


class Way:
    """Where a guarded call goes that does not pass by the lane from its beginning to its end."""

    __slots__ = ("_circuit", "_classify", "_function", "_reported")

    def __init__(self, circuit: Circuit, function: Callable[..., object], classify: Classify | None) -> None:
        self._circuit = circuit  # kept, and its tracker with it
        self._function = function
        self._classify = classify
        self._reported: set[int] = set()

    def insist(self, status: int, grant: Grant) -> Grant | None:
        """The grant that was not given at once, for what `status` says; none if the call is let through without."""
        entry = self._circuit._entry
        try:
            status = entry.insist_on_permit(status, grant)
        except Error as error:
            self._report(error)
            return None
        if status != _abi.TRIP_OK:
            raise entry.refused(status, grant)
        return grant

    def hold(self, *args: object, **kwargs: object) -> AbstractContextManager[Permit | None]:
        """The permit of a stream; none in it if it is let through without."""
        try:
            permit = self._circuit.permit()
        except Error as error:
            self._report(error)
            return nullcontext()
        return permit if self._classify is None else permit.classified_by(self._classify)

    def _report(self, error: Error) -> None:
        if error.status not in self._reported:
            self._reported.add(error.status)
            _log.warning("%r is called unguarded, %r failed: %s", self._function, self._circuit, error)

    def succeed(self, lane: Lane, grant: Grant | None) -> None:
        status = record_success(lane.permit) if lane is not NO_LANE else _settle(grant, record_success)
        if status != _abi.TRIP_OK:
            report(status)
        elif grant is not None:
            self._circuit._entry.succeeded()

    def fail(self, lane: Lane, grant: Grant | None, error: BaseException) -> None:
        settle = settlement(type(error), error, self._classify)
        status = settle(lane.permit) if lane is not NO_LANE else _settle(grant, settle)
        if status < 0:
            report(status)


def _settle(grant: Grant | None, settle: Settle) -> int:
    """Let the library settle a call that no lane has admitted."""
    if grant is None:  # nor has the library
        return _abi.TRIP_OK
    status = settle(grant.handle)
    grants.append(grant)  # not before: its handle must not be another call's while it is to be settled
    return status
