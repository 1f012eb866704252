"""Owns going through the circuits of a tracker, a page at a time. Makes none, and passes over those that are gone."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import TYPE_CHECKING

from . import _abi
from ._circuit import Circuit, CircuitInfo
from ._entry import of_handle
from ._errors import Error, failure
from ._lane import has_lanes
from ._library import library

if TYPE_CHECKING:
    from ._tracker import Tracker

PAGE_MAX = 65536


def listed(tracker: Tracker, page: int) -> Iterator[tuple[Circuit, CircuitInfo]]:
    """Every circuit of the tracker, once, and what inspect says of it."""
    after = 0
    while True:
        told = _page(tracker.handle, after, page)
        for handle, info in told:
            found = _found(tracker, handle, info)
            if found is not None:
                yield found
        if len(told) < page:
            return
        after = told[-1][0]


def _page(tracker: int, after: int, page: int) -> list[tuple[int, _abi.trip_circuit_info]]:
    handles, infos = (_abi.trip_circuit * page)(), (_abi.trip_circuit_info * page)()
    count = ctypes.c_size_t()
    status = library.trip_tracker_circuits(
        tracker,
        after,
        ctypes.byref(_abi.trip_circuit.from_buffer(handles)),
        ctypes.byref(infos[0]),
        ctypes.sizeof(_abi.trip_circuit_info),
        page,
        ctypes.byref(count),
    )
    if status < 0:
        raise failure(status)
    return list(zip(handles, infos))[: count.value]


def _found(tracker: Tracker, handle: int, info: _abi.trip_circuit_info) -> tuple[Circuit, CircuitInfo] | None:
    """A circuit of a page, if it is still there."""
    try:
        entry = of_handle(handle)
        if has_lanes(handle):  # which have counted what the library does not know
            info = entry.inspect()
    except Error as error:
        if error.status != _abi.TRIP_E_HANDLE:
            raise
        return None
    entry.tracker = tracker._handle
    circuit = Circuit()
    circuit._tracker, circuit._entry = tracker, entry
    return circuit, CircuitInfo.of(info)
