"""Owns which names a tracker remembers: those that it is asked for often, and never more than it has room for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._entry import Entry

Key = tuple[str, str]  # tenant and provider

# Names that are remembered at least, and twice as many at most. Their circuits have lanes, of some 2 KB in a dozen
# places of memory; when there are so many that these are in no cache, the library looks a circuit up in less time.
ROOM = 4096

# Of the names that are looked up when there is no room, one in so many is remembered. One that is asked for often is
# soon among them; one of very many seldom, for it will be forgotten before it is asked for again. No names that come
# round in turn can be expected to do so in a multiple of this.
SELDOM = 17


class Remembered:
    """Entries by name, in two generations: what was asked for lately, and what before that.

    Other threads may get in between any two steps: they make it forget, or remember a name too many, and no worse.
    """

    __slots__ = ("_looked_up", "_room", "older", "recent")

    def __init__(self, max_circuits: int) -> None:
        self._room = min(ROOM, max_circuits)
        self._looked_up = 0
        self.recent: dict[Key, Entry] = {}
        self.older: dict[Key, Entry] = {}

    def offer(self, key: Key, entry: Entry) -> None:
        """A name that was asked for and of which nothing was known."""
        if self.older or len(self.recent) >= self._room:
            self._looked_up += 1
            if self._looked_up < SELDOM:
                return
            self._looked_up = 0
        self.keep(key, entry)

    def keep(self, key: Key, entry: Entry) -> None:
        if len(self.recent) >= self._room and key not in self.recent:
            self.older, self.recent = self.recent, {}
        self.recent[key] = entry

    def forget(self) -> None:
        self.recent, self.older = {}, {}
