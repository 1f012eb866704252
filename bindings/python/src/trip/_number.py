"""Owns the check that an int is one that the library can be told: ctypes would cut it down to its low bits."""

from __future__ import annotations

import ctypes
from enum import IntEnum
from typing import Any

U32_MAX = 2**32 - 1
U64_MAX = 2**64 - 1


def require_int(name: str, number: int, least: int, most: int, kind: type[IntEnum] | None = None) -> None:
    """`kind` is what people say in place of the number, where there is that."""
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(f"{name} must be {named(kind) if kind else 'an int'}, not {type(number).__name__}")
    if not least <= number <= most:
        raise ValueError(f"{name} must be from {least} to {most}, not {number}")


def named(kind: type[IntEnum]) -> str:
    """An enum of this package as people say it, by an example."""
    return f"a trip.{kind.__name__}, such as trip.{kind.__name__}.{next(iter(kind)).name}"


def range_of(kind: Any) -> tuple[int, int]:
    """The least and the most that an integer of ctypes holds."""
    bits = 8 * ctypes.sizeof(kind)
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if kind(-1).value < 0 else (0, 2**bits - 1)
