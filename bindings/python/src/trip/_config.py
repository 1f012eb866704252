"""Owns Config: trip_config as a value that Python can hold. And Options, which are the same with times as people think
of them.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TypedDict

from . import _abi
from ._constants import Backoff, Clock, Effect, OnDrop
from ._duration import Duration
from ._fields import Fields
from ._library import library


@dataclass(frozen=True)
class Config(Fields):
    """How the circuits of a tracker behave: the library's trip_config, field for field, times in nanoseconds.

    It holds whatever trip_config can hold; whether that makes sense, the library says when a tracker is made of it.
    """

    _struct = _abi.trip_config

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


def create_tracker(config: Config) -> int:
    """The handle of a new tracker."""
    tracker = _abi.trip_tracker()
    error = _abi.trip_error(ctypes.sizeof(_abi.trip_error))
    status = library.trip_tracker_create(ctypes.byref(config.native()), ctypes.byref(tracker), ctypes.byref(error))
    if status < 0:
        raise config.told(status, error)
    return tracker.value


def set_policy(tracker: int, scope: int, tenant: bytes, provider: bytes, config: Config | None) -> None:
    """Replace a policy of a tracker; None withdraws it."""
    native = None if config is None else ctypes.byref(config.native())
    error = _abi.trip_error(ctypes.sizeof(_abi.trip_error))
    status = library.trip_tracker_configure(
        tracker, scope, tenant, len(tenant), provider, len(provider), native, ctypes.byref(error)
    )
    if status < 0:
        raise Config.told(status, error)
