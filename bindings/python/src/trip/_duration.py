"""Owns the way between seconds, in which people think, and nanoseconds, in which the library counts."""

from __future__ import annotations

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
