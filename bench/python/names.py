"""Whom callers ask for: the names are those of every other language's stand."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

PROVIDERS = ("openai", "anthropic", "gemini", "mistral", "cohere", "bedrock", "azure", "groq")

# Whose call it is and who is called.
Request = tuple[str, str]
# Requests before those that are timed: whoever is asked for names out of a thousand has been asked for each of them.
FIRST_REQUESTS = 1 << 14


def name(i: int) -> Request:
    """The i-th of all."""
    return f"tenant-{i // 8:07d}", PROVIDERS[i % 8]


def drawn(keys: int, seed: int) -> Iterator[Request]:
    """Requests for so many names at random, again and again in the same order. They are read one after the other, as a
    server's are hot when they are looked up: what is timed is the registry, not the fetching of the question."""
    draw = random.Random(seed)
    return itertools.cycle([name(draw.randrange(keys)) for _ in range(max(keys, FIRST_REQUESTS))])


def in_turn(names: int) -> Iterator[Request]:
    """Requests for each of so many names in its turn."""
    return itertools.cycle([name(i) for i in range(names)])
