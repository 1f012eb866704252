"""Owns Config: trip_config as a value that Python can hold, and the way of it into C without loss."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, fields

from . import _abi
from ._constants import Backoff, Clock, OnDrop
from ._errors import ConfigError, failure
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

    def __post_init__(self) -> None:
        for field in fields(self):
            _check(field.name, getattr(self, field.name))


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
    native = _abi.trip_config()
    library.trip_config_init(ctypes.byref(native), ctypes.sizeof(native))
    for field in fields(config):
        setattr(native, field.name, getattr(config, field.name))
    tracker = _abi.trip_tracker()
    error = _abi.trip_error(ctypes.sizeof(_abi.trip_error))
    status = library.trip_tracker_create(ctypes.byref(native), ctypes.byref(tracker), ctypes.byref(error))
    if status < 0:
        raise failure(status, error.message.decode(errors="replace"), _field_at(error.field_offset))
    return tracker.value


def _field_at(offset: int) -> str | None:
    return next((name for name in _TYPES if getattr(_abi.trip_config, name).offset == offset), None)
