"""Owns the way between seconds, in which people think, and nanoseconds, in which the library counts."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Union

Duration = Union[float, timedelta]  # for a type checker float admits int

NS_PER_S = 1_000_000_000
NS_MAX = 2**64 - 1
S_MAX = NS_MAX // NS_PER_S


def nanoseconds(name: str, duration: Duration) -> int:
    """The duration as the library wants it; exact for timedelta and int, to the nearest nanosecond for float."""
    if isinstance(duration, bool) or not isinstance(duration, (int, float, timedelta)):
        raise TypeError(f"{name} must be seconds (int or float) or a timedelta, not {type(duration).__name__}")
    in_seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    if not 0 <= in_seconds <= S_MAX:  # false for NaN too
        raise ValueError(f"{name} must be a time from 0 to {S_MAX} seconds, not {duration}")
    if isinstance(duration, timedelta):
        return duration // timedelta(microseconds=1) * 1000
    return round(duration * NS_PER_S)


def seconds(ns: int) -> float:
    return ns / NS_PER_S


def end_of(timeout: Duration | None) -> int | None:
    """When a time is over, by the machine's clock in nanoseconds; None: never."""
    return None if timeout is None else time.monotonic_ns() + nanoseconds("timeout", timeout)


def left_until(end: int | None) -> int:
    """Nanoseconds until then; NS_MAX: there is no end."""
    return NS_MAX if end is None else min(max(0, end - time.monotonic_ns()), NS_MAX - 1)
