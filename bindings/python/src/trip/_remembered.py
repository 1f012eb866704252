"""Owns which names a tracker remembers: those that it is asked for often, and never more than it has room for."""

from __future__ import annotations

from itertools import cycle, repeat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._entry import Entry

Key = tuple[str, str]  # tenant and provider

# Names that are remembered at least, and twice as many at most. Their circuits have lanes, of some 2 KB in a dozen
# places of memory; when there are so many that these are in no cache, the library looks a circuit up in less time.
ROOM = 4096

# Of the names that are looked up when there is no room, one in so many is remembered. One that is asked for often is
# soon among them; one of very many seldom, for it would be forgotten before it is asked for again. No names that come
# round in turn can be expected to do so in a multiple of this.
SELDOM = 17


class Remembered:
    """Entries by name, in two generations: what was asked for lately, and what before that.

    Other threads may get in between any two steps: they make it forget, or remember a name too many, and no worse.
    """

    __slots__ = ("_room", "is_passed_by", "older", "recent")

    def __init__(self, max_circuits: int) -> None:
        self._room = min(ROOM, max_circuits)
        self.recent: dict[Key, Entry] = {}  # always this dict: the tracker has its `get` at hand
        self.older: dict[Key, Entry] = {}
        self.is_passed_by: Iterator[bool] = repeat(False)  # its next: of the next name of which nothing is known

    def forget(self) -> None:
        self.recent.clear()
        self.older = {}

    def keep(self, key: Key, entry: Entry) -> None:
        is_new = key not in self.recent
        if is_new and len(self.recent) >= self._room:
            self.older = self.recent.copy()
            self.recent.clear()
        self.recent[key] = entry
        if is_new and len(self.recent) == self._room:
            self.is_passed_by = cycle([True] * (SELDOM - 1) + [False])
