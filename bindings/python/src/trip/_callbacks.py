"""Owns what C calls: Python objects that it knows by a number, for as long as it may use that. Calls none of them.

C gets the same few functions for all of them, made once and never freed: no call of C can come too late for them.
"""

from __future__ import annotations

import ctypes
import itertools
import sys
from typing import Any

from . import _abi

_kept: dict[int, Any] = {}
_numbers = itertools.count(1)


def keep(something: object) -> int:
    """The user_data for something, which is kept until the finalizer is told that number."""
    number = next(_numbers)
    _kept[number] = something
    return number


def let_go(number: int | None) -> None:
    """C does not know it after all, or will not use it again."""
    if number is not None:
        _kept.pop(number, None)


kept = _kept.__getitem__


def everlasting(callback: Any) -> Any:
    """A function for C that is not freed when the interpreter ends, either: something of C's may end after it."""
    if sys.implementation.name == "cpython":
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(callback))
    return callback


# The globals of this module may be gone when it is called last.
finalizer = everlasting(_abi.trip_finalizer(lambda number, _pop=_kept.pop: _pop(number, None) and None))
