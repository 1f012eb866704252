"""Owns the form in which a refusal passes through the SDKs that a transport serves, unchanged and untried.

Anthropic's SDK, and OpenAI's of some versions, take any exception of a transport for a lost connection: they ask again,
and raise an error of their own at last. Only what is one of their own errors goes through. So a refusal that meets them
is that too: `except trip.CircuitOpen` catches it, `except anthropic.AnthropicError` does, and nobody asks again.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

from ._rejection import CircuitOpen

# The roots, of which neither SDK tries anything again. Not the errors below them, which stand for the provider's.
_ROOTS = (("anthropic", "AnthropicError"), ("openai", "OpenAIError"))


def passable(refused: CircuitOpen) -> CircuitOpen:
    """The refusal, as the SDKs in this process let it through. None is imported for that."""
    roots = tuple(root for module, name in _ROOTS if (root := getattr(sys.modules.get(module), name, None)) is not None)
    return _kind(roots)(*refused.args) if roots else refused


@cache
def _kind(roots: tuple[type[Exception], ...]) -> Any:
    return type(
        "CircuitOpen",
        (CircuitOpen, *roots),
        {
            "__doc__": CircuitOpen.__doc__,
            "__module__": CircuitOpen.__module__,
            "__reduce__": lambda self: (CircuitOpen, self.args),  # whoever unpickles it may have no SDK
        },
    )
