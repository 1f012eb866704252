"""Owns Shed: the answer of a gate that has no place left."""

from __future__ import annotations

from . import _abi


class Shed(Exception):
    """As many calls as a gate allows are in progress: do not call now.

    No trip.Error, so that a handler which lets calls through when the library fails lets none through here.
    """

    def __init__(self, depth: int, limit: int, capacity: int) -> None:
        super().__init__(depth, limit, capacity)
        self.depth = depth
        self.limit = limit
        self.capacity = capacity

    @property
    def status(self) -> int:
        """The library's status."""
        return _abi.TRIP_SHED

    def __str__(self) -> str:
        return f"{self.depth} calls are in progress, of {self.limit} that may be now and {self.capacity} at most"
