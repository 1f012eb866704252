"""Circuit breakers shared by every language in a process.

    tracker = trip.Tracker(failure_threshold=5, initial_open=30.0)
    circuit = tracker.circuit("acme", "openai")

    with circuit.permit():      # raises trip.CircuitOpen while the provider is down
        call_the_provider()     # an exception counts as a failure, anything else as a success

    @circuit.guard              # the same around a function, plain or async
    async def complete(prompt): ...

    outcome = trip.classify_http(response.status_code, response.content)
    outcome.status_class, outcome.retry_after   # such as StatusClass.RATE_LIMITED, 20.0
    permit.record(outcome)                      # settles by what the tracker makes of that class

    circuit.set_mode(trip.Mode.FORCED_OPEN, ttl=600, reason="key rotation")     # no call passes for ten minutes
    print(circuit.explain())                                                    # what it does and why, for people
    async for event in tracker.events(): ...                                    # what happens to all circuits

The library is found by TRIP_LIBRARY (its exact path), beside this package, or by the system's loader as libtrip.so.1.
"""

from ._circuit import Circuit, CircuitInfo
from ._config import Config, Options
from ._constants import (
    Backoff,
    Cause,
    Clock,
    Effect,
    EventKind,
    Labels,
    Mode,
    OnDrop,
    Reason,
    Scope,
    State,
    StatusClass,
)
from ._errors import ConfigError, Error, InvalidHint, PermitConsumed
from ._events import Event, Events, TakenEvents
from ._library import library
from ._outcome import Outcome, classify_errno, classify_http, classify_text, parse_retry_hint, parse_retry_hint_ns
from ._permit import Permit, PermitInfo
from ._rejection import CircuitOpen, Rejection
from ._tracker import Tracker

__all__ = [
    "Backoff",
    "Cause",
    "Circuit",
    "CircuitInfo",
    "CircuitOpen",
    "Clock",
    "Config",
    "ConfigError",
    "Effect",
    "Error",
    "Event",
    "EventKind",
    "Events",
    "InvalidHint",
    "Labels",
    "Mode",
    "OnDrop",
    "Options",
    "Outcome",
    "Permit",
    "PermitConsumed",
    "PermitInfo",
    "Reason",
    "Rejection",
    "Scope",
    "State",
    "StatusClass",
    "TakenEvents",
    "Tracker",
    "classify_errno",
    "classify_http",
    "classify_text",
    "library_version",
    "parse_retry_hint",
    "parse_retry_hint_ns",
]


def library_version() -> str:
    """The version of the library that was loaded, such as "1.0.0"."""
    return library.trip_version().decode()
