"""Owns the circuit behind a breaker of pybreaker's, and tells what libtrip says of it as pybreaker counts. Judges no
call: it settles permits, and asks the circuit what has become of it.
"""

from __future__ import annotations

import logging
import threading
from contextvars import ContextVar
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Callable, NoReturn
from weakref import ref

from .. import _abi
from .._circuit import Circuit, CircuitInfo
from .._config import Config
from .._constants import OnDrop, Scope, State
from .._duration import NS_PER_S, Duration, nanoseconds
from .._ending import report
from .._errors import Error
from .._number import U32_MAX, require_int
from .._permit import Permit
from .._tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Mapping

STATE_OPEN = "open"
STATE_CLOSED = "closed"
STATE_HALF_OPEN = "half-open"

NAMES = {State.CLOSED: STATE_CLOSED, State.OPEN: STATE_OPEN, State.HALF_OPEN: STATE_HALF_OPEN}

# What a circuit of libtrip's can have: failures in a row, and an open period.
_FAILURES_MAX = 8_388_607
_YEAR_NS = 365 * 24 * 3600 * NS_PER_S
_AT_ONCE_NS = 1  # in place of 0
_TICK = 0.002  # seconds, after which that is over: two circuits do not begin in one tick of the library
_NAME_MAX = 255  # bytes

_log = logging.getLogger("trip")

# The probes that this thread or task has taken, by circuit. A guarded function that calls another of the same breaker
# has the probe already, and would be refused because of itself.
_probes: ContextVar[Mapping[int, ref[Permit]]] = ContextVar("_probes", default={})  # noqa: B039 - it is replaced


class CircuitBreakerStorage:
    """What may be given to a CircuitBreaker as `state_storage`: a CircuitMemoryStorage. One of your own is refused, for
    libtrip keeps the states of its circuits itself.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        """A name for people."""
        return self._name


class CircuitMemoryStorage(CircuitBreakerStorage):
    """A circuit of libtrip's, in the memory of this process. Breakers that share one share its state and its counters;
    its limits are those that were set last.

    `state` is the one that it begins in. `circuit` is the trip.Circuit, with all that libtrip can tell of it and do to
    it; `name` is its provider there.
    """

    def __init__(self, state: str, name: str | None = None) -> None:
        begin = {STATE_CLOSED: self._close, STATE_OPEN: self._open_until_a_call, STATE_HALF_OPEN: self._half_open}
        if state not in begin:
            raise ValueError(f"Unknown state {state!r}, valid states: {', '.join(NAMES.values())}")
        super().__init__("memory")
        self.lock = threading.RLock()  # held while listeners are told, and never while a guarded function runs
        self._config = _config_of(fail_max=5, reset_timeout=60, success_threshold=1)
        self._tracker = Tracker.from_config(self._config)
        provider = ("" if name is None else str(name)).encode(errors="backslashreplace")[:_NAME_MAX]
        self.circuit: Circuit = self._tracker.circuit("pybreaker", provider)
        self._unfailed = 0  # what the library counts as failures of a circuit that does not count as such in pybreaker
        self._won = 0  # probes that have succeeded since it is half-open
        self._opened_at: datetime | None = None
        self._opened_in = 0  # the epoch of that
        self._reported: set[int] = set()
        self._counting_on(begin[state])
        self._opened_at = None  # by nobody

    @property
    def state(self) -> str:
        """The state of the circuit. An open one stays open, though its time is over, until a call comes."""
        return NAMES[self.observe().state]

    @property
    def counter(self) -> int:
        """Failures in a row."""
        with self.lock:
            return self.observe().failures - self._unfailed

    @property
    def success_counter(self) -> int:
        """Successes in a row of a circuit that is half-open, else 0."""
        with self.lock:
            self.observe()
            return self._won

    @property
    def opened_at(self) -> datetime | None:
        """When the circuit was seen to have opened last; None: never."""
        return self._opened_at

    def limit(self, *, fail_max: int, reset_timeout: Duration, success_threshold: int) -> None:
        """Set what opens the circuit, for how long, and what closes it. A time that has begun stays as it is."""
        config = _config_of(fail_max, reset_timeout, success_threshold)
        self._counting_on(lambda: self._set(config))
        self._config = config

    def admit(self) -> Permit | None:
        """A permit for a call; None: the library has failed, and the call is made without one. Raises CircuitOpen."""
        held = _probes.get().get(self.circuit.handle)
        probe = None if held is None else held()
        if probe is not None and is_probe(probe):
            return probe
        try:
            is_over_at_once = self._config.initial_open_ns == _AT_ONCE_NS
            permit = self.circuit.permit_when_ready(_TICK if is_over_at_once else 0)
        except Error as error:
            if error.status not in self._reported:
                self._reported.add(error.status)
                _log.warning("calls are made unguarded, %r failed: %s", self.circuit, error)
            return None
        if is_probe(permit):
            _probes.set({self.circuit.handle: ref(permit), **_held_elsewhere(self.circuit.handle)})
        return permit

    def succeed(self, permit: Permit, is_probe: bool) -> None:
        """The call that held the permit has succeeded."""
        if _settle(permit.record_success) and is_probe:
            info = self.observe()
            if info.state is State.HALF_OPEN:
                self._won, self._unfailed = self._won + 1, info.failures

    def fail(self, permit: Permit) -> bool:
        """The call has failed: whether that has opened the circuit."""
        return _settle(permit.record_failure) and self.observe().state is State.OPEN

    def give_up(self, permit: Permit) -> None:
        """The call tells nothing."""
        _settle(permit.cancel)

    def observe(self) -> CircuitInfo:
        """What the library says of the circuit."""
        with self.lock:
            info = self.circuit.inspect()
            if info.state is State.CLOSED:
                self._unfailed = 0
            if info.state is not State.HALF_OPEN:
                self._won = 0
            if info.state is State.OPEN and info.epoch != self._opened_in:
                self._opened_at, self._opened_in = datetime.now(timezone.utc), info.epoch
            return info

    def open(self) -> None:
        """Open the circuit for its time, from now on."""
        self._counting_on(self.circuit.trip)

    def half_open(self) -> None:
        """Half-open the circuit. Libtrip has no such order: it opens for a nanosecond, and a probe is given up."""
        self._counting_on(self._half_open)

    def close(self) -> None:
        """Close the circuit, and forget the failures."""
        self._counting_on(self._close)

    def _close(self) -> None:
        self.circuit.reset()

    def _half_open(self) -> None:
        self._open_until_a_call()
        self.circuit.permit().cancel()

    def _open_until_a_call(self) -> None:
        self._set(replace(self._config, initial_open_ns=_AT_ONCE_NS, max_open_ns=_AT_ONCE_NS))
        try:
            self.circuit.reset()  # a time that goes on is not shortened
            self.circuit.trip()
        finally:
            self._set(self._config)
        self.circuit.wait()

    def _set(self, config: Config) -> None:
        self._tracker.configure_from(config, Scope.TRACKER)

    def _counting_on(self, steer: Callable[[], object]) -> None:
        """The failures in a row are no others after this than before."""
        with self.lock:
            counter = self.counter
            steer()
            info = self.observe()
            if info.state is not State.CLOSED:
                self._unfailed = info.failures - counter


class CircuitRedisStorage(CircuitBreakerStorage):
    """Refused: libtrip keeps circuits in the memory of a process, for all languages in it, and asks no server."""

    def __init__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(
            "trip.compat.pybreaker keeps circuits in the memory of this process and not in Redis: leave state_storage "
            "out, or stay with pybreaker where breakers of several machines must open together"
        )


def _config_of(fail_max: int, reset_timeout: Duration, success_threshold: int) -> Config:
    """The config of a circuit that behaves so. What pybreaker takes and libtrip has no number for becomes the nearest:
    a bound of 0 is reached by the first call, and one of millions, or a year, by none.
    """
    open_ns = min(max(nanoseconds("reset_timeout", reset_timeout), _AT_ONCE_NS), _YEAR_NS)
    for name, count in ("fail_max", fail_max), ("success_threshold", success_threshold):
        require_int(name, count, -(2**63), 2**63)
    return Config(
        failure_threshold=min(max(fail_max, 1), _FAILURES_MAX),
        initial_open_ns=open_ns,
        max_open_ns=open_ns,
        backoff_multiplier=1.0,
        half_open_successes=min(max(success_threshold, 1), U32_MAX),
        on_drop=OnDrop.CANCEL,
        max_circuits=1,
    )


def is_probe(permit: Permit) -> bool:
    """Whether a permit that is out is a probe."""
    try:
        info = permit.inspect()
    except Error:  # it is settled
        return False
    return info is not None and info.is_probe


def _held_elsewhere(circuit: int) -> dict[int, ref[Permit]]:
    """The probes of other circuits, as far as they still are there."""
    return {other: held for other, held in _probes.get().items() if other != circuit and held() is not None}


def _settle(settle: Callable[[], bool]) -> bool:
    """Whether it counted. A probe that a function within has settled is settled; what else the library has against it
    goes to the logger.
    """
    try:
        return settle()
    except Error as error:
        if error.status != _abi.TRIP_E_CONSUMED:
            report(error.status)
        return False
