"""Owns the selectors and states of the ABI as enums. A newer library may know more of them than this package."""

from __future__ import annotations

from enum import IntEnum

from . import _abi


class _Extensible(IntEnum):
    """A value that this package does not know is kept as UNKNOWN_n: a newer library must not break an older package."""

    @classmethod
    def _missing_(cls, value: object) -> _Extensible | None:
        if not isinstance(value, int):
            return None
        unknown = int.__new__(cls, value)
        unknown._name_ = f"UNKNOWN_{value}"
        unknown._value_ = value
        return unknown

    def __reduce_ex__(self, protocol: object) -> tuple[type[_Extensible], tuple[int]]:
        return type(self), (int(self),)  # by value: some Pythons pickle by name, and an unknown value has none


class State(_Extensible):
    """What a circuit does with calls."""

    CLOSED = _abi.TRIP_STATE_CLOSED
    OPEN = _abi.TRIP_STATE_OPEN
    HALF_OPEN = _abi.TRIP_STATE_HALF_OPEN


class Mode(_Extensible):
    """Who decides about a circuit: itself, or an operator."""

    AUTO = _abi.TRIP_MODE_AUTO
    FORCED_OPEN = _abi.TRIP_MODE_FORCED_OPEN
    FORCED_CLOSED = _abi.TRIP_MODE_FORCED_CLOSED
    OBSERVE = _abi.TRIP_MODE_OBSERVE


class Scope(_Extensible):
    """Whose a policy is, or whom an event is about: all circuits of a tracker, of a provider, of a tenant, or one."""

    TRACKER = _abi.TRIP_SCOPE_TRACKER
    PROVIDER = _abi.TRIP_SCOPE_PROVIDER
    TENANT = _abi.TRIP_SCOPE_TENANT
    CIRCUIT = _abi.TRIP_SCOPE_CIRCUIT


class Reason(_Extensible):
    """Why a permit was refused; the numbers are the library's statuses."""

    OPEN = _abi.TRIP_REJECTED_OPEN
    PROBING = _abi.TRIP_REJECTED_PROBING
    FORCED = _abi.TRIP_REJECTED_FORCED
    RAMP = _abi.TRIP_REJECTED_RAMP


class StatusClass(_Extensible):
    """What kind of success or failure the outcome of a call is."""

    SUCCESS = _abi.TRIP_CLASS_SUCCESS
    SERVER_ERROR = _abi.TRIP_CLASS_SERVER_ERROR
    RATE_LIMITED = _abi.TRIP_CLASS_RATE_LIMITED
    OVERLOADED = _abi.TRIP_CLASS_OVERLOADED
    NETWORK = _abi.TRIP_CLASS_NETWORK
    TIMEOUT = _abi.TRIP_CLASS_TIMEOUT
    QUOTA = _abi.TRIP_CLASS_QUOTA
    AUTH = _abi.TRIP_CLASS_AUTH
    INVALID_REQUEST = _abi.TRIP_CLASS_INVALID_REQUEST
    CONTEXT_OVERFLOW = _abi.TRIP_CLASS_CONTEXT_OVERFLOW
    NOT_FOUND = _abi.TRIP_CLASS_NOT_FOUND
    CONTENT_FILTERED = _abi.TRIP_CLASS_CONTENT_FILTERED
    CANCELLED = _abi.TRIP_CLASS_CANCELLED
    UNKNOWN = _abi.TRIP_CLASS_UNKNOWN


class NoRetry(_Extensible):
    """Why a call is not tried again; the numbers are the library's statuses."""

    ATTEMPTS = _abi.TRIP_NO_RETRY_ATTEMPTS
    CLASS = _abi.TRIP_NO_RETRY_CLASS
    LATE = _abi.TRIP_NO_RETRY_LATE
    BUDGET = _abi.TRIP_NO_RETRY_BUDGET


class EventKind(_Extensible):
    """What happened. Pass over one that you do not know."""

    OPENED = _abi.TRIP_EVENT_OPENED
    HALF_OPENED = _abi.TRIP_EVENT_HALF_OPENED
    CLOSED = _abi.TRIP_EVENT_CLOSED
    REFUSED_FIRST = _abi.TRIP_EVENT_REFUSED_FIRST
    PROBE_LOST = _abi.TRIP_EVENT_PROBE_LOST
    FORCED = _abi.TRIP_EVENT_FORCED
    EVICTED = _abi.TRIP_EVENT_EVICTED
    DROPPED_LATE = _abi.TRIP_EVENT_DROPPED_LATE
    LOCK_WAITED = _abi.TRIP_EVENT_LOCK_WAITED
    CONFIGURED = _abi.TRIP_EVENT_CONFIGURED
    GATE_SOFT = _abi.TRIP_EVENT_GATE_SOFT
    GATE_FULL = _abi.TRIP_EVENT_GATE_FULL


class Cause(_Extensible):
    """Why it happened."""

    NONE = _abi.TRIP_CAUSE_NONE
    FAILURES = _abi.TRIP_CAUSE_FAILURES
    COUNT_WINDOW = _abi.TRIP_CAUSE_COUNT_WINDOW
    TIME_WINDOW = _abi.TRIP_CAUSE_TIME_WINDOW
    HANGING = _abi.TRIP_CAUSE_HANGING
    PROBE = _abi.TRIP_CAUSE_PROBE
    LEASE = _abi.TRIP_CAUSE_LEASE
    TIME = _abi.TRIP_CAUSE_TIME
    OPERATOR = _abi.TRIP_CAUSE_OPERATOR
    RESTORED = _abi.TRIP_CAUSE_RESTORED
    CAPACITY = _abi.TRIP_CAUSE_CAPACITY


class Labels(IntEnum):
    """What metrics tell apart."""

    PROVIDER = _abi.TRIP_LABELS_PROVIDER
    TENANT = _abi.TRIP_LABELS_TENANT


class Backoff(IntEnum):
    """How open periods grow after failed probes."""

    FIRST = _abi.TRIP_BACKOFF_FIRST
    COMPOUND = _abi.TRIP_BACKOFF_COMPOUND


class OnDrop(IntEnum):
    """What a permit that nobody recorded counts as."""

    FAILURE = _abi.TRIP_DROP_FAILURE
    CANCEL = _abi.TRIP_DROP_CANCEL


class Effect(IntEnum):
    """What an outcome counts as."""

    FAILURE = _abi.TRIP_EFFECT_FAILURE
    SUCCESS = _abi.TRIP_EFFECT_SUCCESS
    NOTHING = _abi.TRIP_EFFECT_NOTHING


class Clock(IntEnum):
    """What measures a tracker's time; MANUAL moves only by Tracker.advance, for tests and simulations."""

    MONOTONIC = _abi.TRIP_CLOCK_MONOTONIC
    MANUAL = _abi.TRIP_CLOCK_MANUAL


class Jitter(IntEnum):
    """How the delays of a Retry are spread."""

    NONE = _abi.TRIP_JITTER_NONE
    FULL = _abi.TRIP_JITTER_FULL
    EQUAL = _abi.TRIP_JITTER_EQUAL
    DECORRELATED = _abi.TRIP_JITTER_DECORRELATED


class Adapt(IntEnum):
    """Whether, and how, the limit of a Gate follows its calls."""

    NONE = _abi.TRIP_ADAPT_NONE
    AIMD = _abi.TRIP_ADAPT_AIMD
    GRADIENT = _abi.TRIP_ADAPT_GRADIENT


class Order(IntEnum):
    """Which provider of a Route comes first."""

    LISTED = _abi.TRIP_ORDER_LISTED
    WEIGHTED = _abi.TRIP_ORDER_WEIGHTED


class Fallback(IntEnum):
    """What becomes of a call that all providers of a Route refuse."""

    REFUSE = _abi.TRIP_FALLBACK_REFUSE
    ONE = _abi.TRIP_FALLBACK_ONE


class Rule(IntEnum):
    """Which results of a guarded function are failures."""

    NEGATIVE_FAILS = _abi.TRIP_RULE_NEGATIVE_FAILS
    ZERO_SUCCEEDS = _abi.TRIP_RULE_ZERO_SUCCEEDS
    ZERO_FAILS = _abi.TRIP_RULE_ZERO_FAILS
    ERRNO = _abi.TRIP_RULE_ERRNO
    CLASSIFIER = _abi.TRIP_RULE_CLASSIFIER
