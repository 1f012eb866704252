"""Circuit breakers shared by every language in a process.

    tracker = trip.Tracker(failure_threshold=5, initial_open=30.0)
    circuit = tracker.circuit("acme", "openai")

    with circuit.permit():      # raises trip.CircuitOpen while the provider is down
        call_the_provider()     # an exception counts as a failure, anything else as a success

    @circuit.guard              # the same around a function: plain, async, or a generator, whose stream is the call
    async def complete(prompt): ...

    outcome = trip.classify_http(response.status_code, response.content)
    outcome.status_class, outcome.retry_after   # such as StatusClass.RATE_LIMITED, 20.0
    permit.record(outcome)                      # settles by what the tracker makes of that class

    circuit.set_mode(trip.Mode.FORCED_OPEN, ttl=600, reason="key rotation")     # no call passes for ten minutes
    print(circuit.explain())                                                    # what it does and why, for people
    async for event in tracker.events(): ...                                    # what happens to all circuits

    route = trip.Route(tracker, "acme", ["openai", "anthropic"])                # what goes around a permit, and the one
    caller = trip.Caller(route, retry=trip.Retry(), gate=trip.Gate(capacity=20))            # call that does all of it
    answer = caller.call(lambda provider: ask(provider, "hello"))

The library is found by TRIP_LIBRARY (its exact path), beside this package, or by the system's loader as libtrip.so.1.
"""

from ._caller import Caller
from ._circuit import Circuit, CircuitInfo
from ._config import Config, Options
from ._constants import (
    Adapt,
    Backoff,
    Cause,
    Clock,
    Effect,
    EventKind,
    Fallback,
    Jitter,
    Labels,
    Mode,
    NoRetry,
    OnDrop,
    Order,
    Reason,
    Rule,
    Scope,
    State,
    StatusClass,
)
from ._dedup import Cached, Dedup, DedupConfig, DedupInfo, DedupOptions, Ticket
from ._errors import ConfigError, Consumed, Error, InvalidHint, PermitConsumed
from ._events import Event, Events, TakenEvents
from ._function_guard import FunctionGuard, GuardConfig, GuardOptions
from ._gate import Gate, GateConfig, GateInfo, GateOptions, Token
from ._library import library_version
from ._outcome import Outcome, classify_errno, classify_http, classify_text, parse_retry_hint, parse_retry_hint_ns
from ._permit import Permit, PermitInfo
from ._pipeline import Pipeline, StageFailed
from ._rejection import CircuitOpen, Rejection
from ._retry import Attempts, Retry, RetryConfig, RetryInfo, RetryOptions
from ._route import Route, RouteConfig, RouteOptions, RoutePermit
from ._shed import Shed
from ._tracker import Tracker

__all__ = [
    "Adapt",
    "Attempts",
    "Backoff",
    "Cached",
    "Caller",
    "Cause",
    "Circuit",
    "CircuitInfo",
    "CircuitOpen",
    "Clock",
    "Config",
    "ConfigError",
    "Consumed",
    "Dedup",
    "DedupConfig",
    "DedupInfo",
    "DedupOptions",
    "Effect",
    "Error",
    "Event",
    "EventKind",
    "Events",
    "Fallback",
    "FunctionGuard",
    "Gate",
    "GateConfig",
    "GateInfo",
    "GateOptions",
    "GuardConfig",
    "GuardOptions",
    "InvalidHint",
    "Jitter",
    "Labels",
    "Mode",
    "NoRetry",
    "OnDrop",
    "Options",
    "Order",
    "Outcome",
    "Permit",
    "PermitConsumed",
    "PermitInfo",
    "Pipeline",
    "Reason",
    "Rejection",
    "Retry",
    "RetryConfig",
    "RetryInfo",
    "RetryOptions",
    "Route",
    "RouteConfig",
    "RouteOptions",
    "RoutePermit",
    "Rule",
    "Scope",
    "Shed",
    "StageFailed",
    "State",
    "StatusClass",
    "TakenEvents",
    "Ticket",
    "Token",
    "Tracker",
    "classify_errno",
    "classify_http",
    "classify_text",
    "library_version",
    "parse_retry_hint",
    "parse_retry_hint_ns",
]
