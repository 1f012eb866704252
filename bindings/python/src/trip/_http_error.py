"""Owns what an exception of an HTTP library tells of the provider. Knows none of these libraries: each adapter names
the kinds of its own.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, NamedTuple

from ._constants import StatusClass
from ._outcome import Outcome, classify_errno, classify_text

if TYPE_CHECKING:
    from collections.abc import Iterator

Kinds = tuple[type[BaseException], ...]

_CHAIN_MAX = 16  # causes of causes; a chain may lead back to itself


class Errors(NamedTuple):
    """The exceptions of a library. What is in several is the first of them."""

    mistakes: Kinds  # the request was not made, or is wrong: nothing is told of the provider
    timeouts: Kinds
    failures: Kinds  # of the connection, or of what came over it


def outcome_of(error: BaseException, errors: Errors) -> Outcome:
    """How a call went that this exception has ended."""
    if isinstance(error, errors.mistakes):
        return Outcome(StatusClass.UNKNOWN)
    if isinstance(error, (*errors.timeouts, TimeoutError)):
        return Outcome(StatusClass.TIMEOUT)
    for cause in _chain(error):
        if isinstance(cause, ssl.SSLError):
            return Outcome(StatusClass.NETWORK)  # its errno is OpenSSL's
        if isinstance(cause, OSError) and cause.errno:
            return classify_errno(cause.errno)  # which knows those of the caller's own machine
    if isinstance(error, errors.failures):
        return Outcome(StatusClass.NETWORK)
    return classify_text(str(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The exception and what has led to it."""
    for _ in range(_CHAIN_MAX):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__
