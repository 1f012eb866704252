"""Owns asking the library for a text of which only the library knows how long it is."""

from __future__ import annotations

import ctypes
from typing import Any, Callable

from . import _abi
from ._errors import failure

_ROOM = 65536  # bytes at first


def whole(function: Callable[..., int], *arguments: Any) -> bytes:
    """What a function writes that takes a buffer, its size, and where the length goes, behind its arguments."""
    length, status = ctypes.c_size_t(_ROOM), _abi.TRIP_E_CAPACITY
    while status == _abi.TRIP_E_CAPACITY:
        room = length.value + length.value // 8  # by the time it is asked again it may have grown
        text = ctypes.create_string_buffer(room)
        status = function(*arguments, text, room, ctypes.byref(length))
    if status < 0:
        raise failure(status)
    return ctypes.string_at(text, length.value)
