"""Owns Config: trip_config as a value that Python can hold, and the way of it into C without loss. And Options, which
are the same with times as people think of them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypedDict

from . import _abi
from ._constants import Backoff, Clock, Effect, OnDrop
from ._duration import Duration, nanoseconds
from ._errors import ConfigError, Error, failure
from ._library import library


@dataclass(frozen=True)
class Config:
    """How the circuits of a tracker behave: the library's trip_config, field for field, times in nanoseconds.

    It holds whatever trip_config can hold; whether that makes sense, the library says when a tracker is made of it.
    """

    failure_threshold: int = 5
    initial_open_ns: int = 30_000_000_000
    max_open_ns: int = 300_000_000_000
    backoff_multiplier: float = 2.0
    backoff: int = Backoff.FIRST
    half_open_max_probes: int = 1
    half_open_successes: int = 1
    on_drop: int = OnDrop.FAILURE
    probe_lease_ns: int = 600_000_000_000
    probe_retry_ns: int = 50_000_000
    jitter: float = 0.0
    clock: int = Clock.MONOTONIC
    max_circuits: int = 65536
    on_server_error: int = Effect.FAILURE
    on_rate_limited: int = Effect.FAILURE
    on_overloaded: int = Effect.FAILURE
    on_network: int = Effect.FAILURE
    on_timeout: int = Effect.FAILURE
    on_quota: int = Effect.FAILURE
    on_auth: int = Effect.SUCCESS
    on_invalid_request: int = Effect.SUCCESS
    on_context_overflow: int = Effect.SUCCESS
    on_not_found: int = Effect.SUCCESS
    on_content_filtered: int = Effect.SUCCESS
    on_cancelled: int = Effect.NOTHING
    on_unknown: int = Effect.NOTHING
    half_open_probes: int = 0
    quota_open_ns: int = 600_000_000_000
    max_retry_after_ns: int = 3_600_000_000_000
    slow_call_ns: int = 0
    count_window: int = 0
    count_minimum: int = 10
    count_failure_ratio: float = 0.5
    count_slow_ratio: float = 0.0
    time_window_ns: int = 0
    time_buckets: int = 10
    time_minimum: int = 10
    time_failure_ratio: float = 0.5
    time_slow_ratio: float = 0.0
    hang_ns: int = 0
    hang_calls: int = 0
    ramp_steps: int = 4
    ramp_ns: int = 0
    stall_ns: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            _check(field.name, getattr(self, field.name))


class Options(TypedDict, total=False):
    """What Tracker takes: the fields of Config, and those of its times without their _ns, in seconds."""

    failure_threshold: int
    initial_open: Duration
    max_open: Duration
    backoff_multiplier: float
    backoff: Backoff
    half_open_max_probes: int
    half_open_successes: int
    on_drop: OnDrop
    probe_lease: Duration
    probe_retry: Duration
    jitter: float
    clock: Clock
    max_circuits: int
    on_server_error: Effect
    on_rate_limited: Effect
    on_overloaded: Effect
    on_network: Effect
    on_timeout: Effect
    on_quota: Effect
    on_auth: Effect
    on_invalid_request: Effect
    on_context_overflow: Effect
    on_not_found: Effect
    on_content_filtered: Effect
    on_cancelled: Effect
    on_unknown: Effect
    half_open_probes: int
    quota_open: Duration
    max_retry_after: Duration
    slow_call: Duration
    count_window: int
    count_minimum: int
    count_failure_ratio: float
    count_slow_ratio: float
    time_window: Duration
    time_buckets: int
    time_minimum: int
    time_failure_ratio: float
    time_slow_ratio: float
    hang: Duration
    hang_calls: int
    ramp_steps: int
    ramp: Duration
    stall: Duration


_FIELDS = {field.name.removesuffix("_ns"): field.name for field in fields(Config)}


def configured(taker: str, options: Mapping[str, Any]) -> Config:
    """The config that these Options say, which `taker` was given."""
    for option in options:
        if option not in _FIELDS:
            raise TypeError(f"{taker}() got an unexpected keyword argument {option!r}")
    return Config(**{_FIELDS[option]: _value(option, value) for option, value in options.items()})


def _value(option: str, value: Any) -> Any:
    if _FIELDS[option] == option:
        return value
    try:
        return nanoseconds(option, value)
    except ValueError as error:
        raise _out_of_range(_FIELDS[option], str(error)) from None


_TYPES = {name: kind for name, kind, *_ in _abi.trip_config._fields_}


def _check(name: str, value: object) -> None:
    """ctypes would cut an int that is too wide down to its low bits, so the range is checked here."""
    is_double = _TYPES[name] is ctypes.c_double
    if isinstance(value, bool) or not isinstance(value, (int, float) if is_double else int):
        raise TypeError(f"{name} must be {'a float' if is_double else 'an int'}, not {type(value).__name__}")
    if is_double:
        try:
            float(value)
        except OverflowError:
            raise _out_of_range(name, f"{name} is too large for a float") from None
        return
    highest = 2 ** (8 * ctypes.sizeof(_TYPES[name])) - 1
    if not 0 <= value <= highest:
        raise _out_of_range(name, f"{name} must be 0 to {highest}, not {value}")


def _out_of_range(name: str, text: str) -> ConfigError:
    return ConfigError(_abi.TRIP_E_CONFIG, text, name)


def create_tracker(config: Config) -> int:
    """The handle of a new tracker."""
    tracker = _abi.trip_tracker()
    error = _abi.trip_error(ctypes.sizeof(_abi.trip_error))
    status = library.trip_tracker_create(ctypes.byref(_native(config)), ctypes.byref(tracker), ctypes.byref(error))
    if status < 0:
        raise told(status, error)
    return tracker.value


def set_policy(tracker: int, scope: int, tenant: bytes, provider: bytes, config: Config | None) -> None:
    """Replace a policy of a tracker; None withdraws it."""
    native = None if config is None else ctypes.byref(_native(config))
    error = _abi.trip_error(ctypes.sizeof(_abi.trip_error))
    status = library.trip_tracker_configure(
        tracker, scope, tenant, len(tenant), provider, len(provider), native, ctypes.byref(error)
    )
    if status < 0:
        raise told(status, error)


def _native(config: Config) -> _abi.trip_config:
    native = _abi.trip_config()
    library.trip_config_init(ctypes.byref(native), ctypes.sizeof(native))
    for field in fields(config):
        setattr(native, field.name, getattr(config, field.name))
    return native


def told(status: int, error: _abi.trip_error) -> Error:
    """The exception for what the library has told in a trip_error."""
    return failure(status, error.message.decode(errors="replace"), _field_at(error.field_offset))


def _field_at(offset: int) -> str | None:
    return next((name for name in _TYPES if getattr(_abi.trip_config, name).offset == offset), None)
