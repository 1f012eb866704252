"""Owns the express lane: calls that are admitted by reading a circuit's word, and the counting of them.

A lane is what trip_circuit_express told of a circuit. While it admits, a permit takes a ticket, counts itself when its
call has succeeded and gives the ticket back; the library is not called. A guarded call has no need of a ticket. ABI.md
has the rules, README.md says what is counted when.
"""

from __future__ import annotations

import ctypes
import math
import os
import struct
import sys
import sysconfig
import threading
import warnings
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from operator import length_hint
from typing import Callable

from . import _abi
from ._library import library
from ._native import Settle, drop

# Successes that are counted here before they are handed in: other languages see at most so many too few.
BATCH = 1024

# Grants that lie ready from the start. A list that goes empty gives its memory back, and with the next element asks
# for it again: a lane, of which there may be thousands, begins with just as many tickets as one call does not use up.
AT_HAND = 4

# Grants that are kept for calls to come, at most.
SPARE = 1024

# Where the interpreter's lock makes it one step to take the last element of a list, the next of an iterator, or an
# attribute away.
_IS_ONE_STEP = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
# And where a load of 8 aligned bytes is one load. Elsewhere each permit is asked for.
_IS_POSSIBLE = (
    _IS_ONE_STEP and ctypes.sizeof(ctypes.c_void_p) == 8 and library.trip_has_feature(_abi.TRIP_FEATURE_EXPRESS) == 1
)
_EVERY_BIT = 2**64 - 1
_TWO_WORDS, _TWO_FLOATS = struct.Struct("=2Q"), struct.Struct("=2d")
_OneFloat = ctypes.c_double * 1

# Held while counts are handed in. Reentrant, as signal handlers and destructors may get in between.
_handing_in = threading.RLock()


def _renew_lock() -> None:
    global _handing_in
    _handing_in = threading.RLock()  # whoever held it has no thread in the child


os.register_at_fork(after_in_child=_renew_lock)


class Ticket:
    """Admits one call at a time. Whoever lets it go without giving it back has leaked a permit, which is dropped."""

    __slots__ = ("__weakref__", "permit")

    is_ours = True  # the children of a fork have copies of what others hold

    def __init__(self, permit: _abi.trip_permit) -> None:
        self.permit: _abi.trip_permit | None = permit  # None: there is nothing to drop

    # Bound here: globals may be gone when the interpreter ends.
    def __del__(
        self, _drop: Settle = drop, _ok: int = _abi.TRIP_OK, _warn: Callable[..., None] = warnings.warn
    ) -> None:
        if self.permit is not None and _drop(self.permit) == _ok and self.is_ours:
            _warn("a permit was collected unsettled: hold it in `with`, or settle it", ResourceWarning, 2)


def _disown() -> None:
    Ticket.is_ours = False


os.register_at_fork(after_in_child=_disown)


class Grant(Ticket):
    """A permit of the library's own, and where the library says why it grants none. Used again, by whoever shows its
    handle to nobody: that is settled then, and dropping it changes nothing.
    """

    __slots__ = ("handle", "is_shown", "refusal", "to_handle", "to_refusal")

    def __init__(self) -> None:
        # The library writes the handle right into the object that drops it, so that an exception thrown in between, by
        # a signal handler say, leaks no permit. Until it does, the handle is 0, which settles nothing.
        self.handle = _abi.trip_permit()
        self.to_handle = ctypes.byref(self.handle)
        refusal = _abi.trip_rejection(ctypes.sizeof(_abi.trip_rejection))
        self.to_refusal = ctypes.byref(refusal)
        self.refusal = memoryview(refusal).cast("B")
        self.permit = self.handle
        self.is_shown = not _IS_ONE_STEP  # who can be taken by two threads at once is not used again


class Lane:
    """A lane as it was told. It never admits again once the circuit has opened:

        lane.value <= lane.word[0] <= lane.last   admits a call, for which a ticket of lane.tickets is taken
        lane.word[0] == lane.value                tells of a success that no failure counts: it need not be recorded

    Admission asks the second question first where time counts: most often it is answered with yes, by one comparison.
    Python compares floats faster than ints of this size, and floats are what `word` reads; see `_values`.
    """

    __slots__ = (
        *("__weakref__", "_circuit", "_handed_in", "_issued", "siblings"),
        *("last", "permit", "successes", "tickets", "value", "word"),
    )

    def __init__(
        self,
        circuit: int,
        word: memoryview[float],
        values: tuple[float, float],
        permit: _abi.trip_permit,
        tickets: list[Ticket],
    ) -> None:
        self.word = word
        self.value, self.last = values
        self.permit = permit
        self.tickets = tickets  # that nobody holds
        self._issued = [weakref.ref(ticket) for ticket in self.tickets]
        # Each success takes a step of it, which no two threads can take at once; at its end the batch is handed in.
        self.successes = repeat(None, BATCH)
        self._handed_in = 0  # steps of the batch
        self._circuit = circuit
        self.siblings: Siblings | None = None  # kept: its circuit's

    def issue(self) -> Ticket:
        """One more ticket: there are as many as there ever were calls at once."""
        ticket = Ticket(self.permit)
        with _handing_in:
            self._issued = [issued for issued in self._issued if issued() is not None]
            self._issued.append(weakref.ref(ticket))
        return ticket

    def out(self) -> int:
        """Calls that were admitted and have not ended."""
        return sum(issued() is not None for issued in self._issued) - len(self.tickets)

    def settle(self, ticket: Ticket, settle: Settle) -> int:
        """Let the library settle a call that this admitted, and give the ticket back. That first: should a signal
        handler throw an exception in between, the call must not be settled twice.
        """
        self.tickets.append(ticket)
        return settle(self.permit)

    def begin_batch(self) -> None:
        """Count a success that found the batch at its end. The first one that does hands it in and begins the next."""
        with _handing_in:
            if length_hint(self.successes) == 0:
                self.hand_in()
                self.successes, self._handed_in = repeat(None, BATCH), 0
            library.trip_circuit_count(self._circuit, 1, 1)

    def hand_in(self) -> None:
        """Tell the library of the successes that it does not know; calls that are out it learns of when they end."""
        with _handing_in:
            self._hand_in()

    # Bound here: globals may be gone when the interpreter ends.
    def _hand_in(
        self,
        _count: Callable[[int, int, int], int] = library.trip_circuit_count,
        _left: Callable[[object], int] = length_hint,
        _batch: int = BATCH,
    ) -> None:
        steps = _batch - _left(self.successes)
        fresh, self._handed_in = steps - self._handed_in, steps
        if fresh:
            _count(self._circuit, fresh, fresh)  # refused if the circuit is gone, and its counts with it

    def __del__(self) -> None:
        for ticket in self.tickets:
            ticket.permit = None
        self._hand_in()


class Siblings:
    """All lanes of a circuit that somebody still holds: those that admit, and those before them on which calls are out.

    A WeakSet takes as long to make as the rest of a lane.
    """

    __slots__ = ("__weakref__", "_lanes")

    def __init__(self) -> None:
        self._lanes: list[weakref.ref[Lane]] = []

    def add(self, lane: Lane) -> None:
        self._lanes = [known for known in self._lanes if known() is not None]
        self._lanes.append(weakref.ref(lane))

    def __iter__(self) -> Iterator[Lane]:
        return (lane for lane in [known() for known in self._lanes] if lane is not None)


_lanes_of: weakref.WeakValueDictionary[int, Siblings] = weakref.WeakValueDictionary()


def hand_in(circuit: int) -> int:
    """Hand in what was counted of a circuit; the calls on its lanes that have not ended."""
    with _handing_in:
        lanes = list(_lanes_of.get(circuit, ()))
    for lane in lanes:
        lane.hand_in()
    return sum(lane.out() for lane in lanes)


def has_lanes(circuit: int) -> bool:
    """Whether calls of a circuit may be counted here."""
    return circuit in _lanes_of


@contextmanager
def all_counted(circuit: int | None = None) -> Iterator[None]:
    """While it lasts the library knows of all calls that the lanes of a circuit, or all lanes, have admitted, also of
    those that have not ended: these it forgets again, for most of what they may end in counts them once more.
    """
    with _handing_in:
        known = list(_lanes_of.values()) if circuit is None else [_lanes_of.get(circuit, ())]
        lanes = [lane for siblings in known for lane in siblings]
    told: list[tuple[int, int]] = []
    try:
        for lane in lanes:
            lane.hand_in()
            out = lane.out()
            if out:
                library.trip_circuit_count(lane._circuit, out & _EVERY_BIT, 0)
                told.append((lane._circuit, out))
        yield
    finally:
        for whose, out in told:
            library.trip_circuit_count(whose, -out & _EVERY_BIT, 0)


def fetch(circuit: int) -> Lane | None:
    """The lane of a circuit as it is now, NO_LANE where there is none now, and None where there never is."""
    told = _abi.trip_express(ctypes.sizeof(_abi.trip_express))
    if not _IS_POSSIBLE:
        return None
    if library.trip_circuit_express(circuit, ctypes.byref(told)) != _abi.TRIP_OK:
        return NO_LANE
    if told.layout != _abi.TRIP_EXPRESS_LAYOUT_WORD:
        return None
    values = _values(told)
    if values is None or not told.word:
        return NO_LANE
    permit = _abi.trip_permit(told.permit)
    lane = Lane(circuit, _floats_at(told.word), values, permit, [Ticket(permit), Ticket(permit)])
    with _handing_in:
        siblings = lane.siblings = _lanes_of.setdefault(circuit, Siblings())
        siblings.add(lane)
    return lane


def _values(told: _abi.trip_express) -> tuple[float, float] | None:
    """The first and the last word that admits, where those between them admit, and no others."""
    ignored = told.admit_mask ^ _EVERY_BIT
    if told.mask != _EVERY_BIT or ignored & (ignored + 1) or told.value & ignored:  # not the lowest bits: no range
        return None
    first, last = _TWO_FLOATS.unpack(_TWO_WORDS.pack(told.value, told.value | ignored))
    # These compare as their bits do: neither negative, nor a NaN, nor so small that a processor may be set to take them
    # for zero. A closed circuit's words are none of these.
    return (first, last) if sys.float_info.min <= first <= last < math.inf else None


def _floats_at(address: int) -> memoryview[float]:
    return memoryview(_OneFloat.from_address(address)).toreadonly().cast("B").cast("d")


# What is there where there is no lane: nothing matches.
_NAN = ctypes.c_double(math.nan)
NO_LANE = Lane(0, _floats_at(ctypes.addressof(_NAN)), (math.nan, math.nan), _abi.trip_permit(), [])

# Those that nobody holds, to be used again.
grants = deque((Grant() for _ in range(AT_HAND)), SPARE)
