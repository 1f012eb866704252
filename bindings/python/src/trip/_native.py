"""Owns the functions of the library that are on the path of each call, as they are called fastest.

Arguments are C's own values, made once and used again: ctypes then converts nothing and makes no object on the way.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Callable, cast

from . import _abi
from ._library import library

if TYPE_CHECKING:
    from ctypes import _CArgObject as Reference  # what ctypes.byref gives

LENGTHS = [ctypes.c_size_t(length) for length in range(256)]  # of all names that the library takes

Settle = Callable[[_abi.trip_permit], int]


def _unconverted(function: object, prototype: Callable[..., Callable[..., object]]) -> object:
    """The same function without the checks of its arguments' types."""
    return prototype(_abi.trip_status)(ctypes.cast(function, ctypes.c_void_p).value)  # type: ignore[arg-type]


record_success = cast(Settle, _unconverted(library.trip_permit_record_success, ctypes.PYFUNCTYPE))
record_failure = cast(Settle, _unconverted(library.trip_permit_record_failure, ctypes.PYFUNCTYPE))
cancel = cast(Settle, _unconverted(library.trip_permit_cancel, ctypes.PYFUNCTYPE))
drop = cast(Settle, _unconverted(library.trip_permit_drop, ctypes.PYFUNCTYPE))
record = cast(
    "Callable[[_abi.trip_permit, Reference], int]",
    _unconverted(library.trip_permit_record, ctypes.PYFUNCTYPE),
)
permit = cast(
    "Callable[[_abi.trip_circuit, Reference, Reference], int]",
    _unconverted(library.trip_circuit_permit, ctypes.PYFUNCTYPE),
)
# It may wait, and lets go of the interpreter's lock meanwhile.
circuit = cast(
    "Callable[[_abi.trip_tracker, bytes, ctypes.c_size_t, bytes, ctypes.c_size_t, Reference], int]",
    _unconverted(library.trip_tracker_circuit, ctypes.CFUNCTYPE),
)
