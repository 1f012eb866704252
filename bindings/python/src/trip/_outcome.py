"""Owns what providers say: the class of an outcome, and how long they ask to wait; and outcomes on their way to C.
Knows no circuit.
"""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass, replace
from typing import Union

from . import _abi
from ._constants import StatusClass
from ._duration import Duration, nanoseconds, seconds
from ._errors import InvalidHint, failure
from ._library import library
from ._number import U32_MAX, U64_MAX, require_int

Said = Union[str, bytes]

_READ_MAX = 65536  # bytes of what a provider said, of which the library reads no more


@dataclass(frozen=True)
class Outcome:
    """How a call went: what kind of success or failure it was, and what is known beside that; the rest is 0."""

    status_class: StatusClass
    http_status: int = 0
    sys_errno: int = 0
    retry_after_ns: int = 0
    duration_ns: int = 0

    @property
    def retry_after(self) -> float:
        """Seconds that the provider asks to wait; 0 where it did not say."""
        return seconds(self.retry_after_ns)

    @property
    def duration(self) -> float:
        """Seconds that the call took; no classification knows that."""
        return seconds(self.duration_ns)


_RANGES = {
    "status_class": (0, U32_MAX),
    "http_status": (0, U32_MAX),
    "sys_errno": (-(2**31), 2**31 - 1),
    "retry_after_ns": (0, U64_MAX),
    "duration_ns": (0, U64_MAX),
}
_CLASSES = frozenset(StatusClass)


def complete(
    outcome: Outcome | StatusClass, retry_after: Duration | None = None, duration: Duration | None = None
) -> Outcome:
    """The outcome, with what is said beside it."""
    if isinstance(outcome, StatusClass):
        outcome = Outcome(outcome)
    if not isinstance(outcome, Outcome):
        raise TypeError(f"outcome must be a trip.Outcome or a trip.StatusClass, not {type(outcome).__name__}")
    if retry_after is not None:
        outcome = replace(outcome, retry_after_ns=nanoseconds("retry_after", retry_after))
    if duration is not None:
        outcome = replace(outcome, duration_ns=nanoseconds("duration", duration))
    return outcome


def native(outcome: Outcome) -> _abi.trip_outcome:
    """An outcome as the library takes it. What it would refuse is refused here, before a permit is given up for it."""
    told = _abi.trip_outcome(ctypes.sizeof(_abi.trip_outcome))
    for name, (least, most) in _RANGES.items():
        value = getattr(outcome, name)
        require_int(name, value, least, most)
        setattr(told, name, value)
    if told.status_class not in _CLASSES:  # perhaps that of a newer library: with no permit it settles none
        status = library.trip_permit_record(0, ctypes.byref(told))
        if status == _abi.TRIP_E_INVALID:
            raise failure(status, f"{outcome.status_class!r} is no class of an outcome")
    return told


def classify_http(http_status: int, body: Said | None = None) -> Outcome:
    """The class of a response, by its status and by the error in its body, as much of it as there is.

    A status of 200 to 299 is a success unless the body is an error object or an event stream with one. Where nobody
    knows the status it is 0, and the body alone decides: as for the error of a single event.
    """
    require_int("http_status", http_status, 0, U32_MAX)
    said = _said("body", b"" if body is None else body)
    outcome = _abi.trip_outcome(ctypes.sizeof(_abi.trip_outcome))
    return _told(library.trip_classify_http(http_status, said, len(said), ctypes.byref(outcome)), outcome)


def classify_errno(sys_errno: int) -> Outcome:
    """The class of an OSError, by its errno, or of a socket.gaierror, by its, which is one of the EAI_* values.

    0 and errors of the caller's own machine, such as EMFILE, are UNKNOWN: the provider was not asked.
    """
    require_int("sys_errno", sys_errno, -(2**31), 2**31 - 1)
    outcome = _abi.trip_outcome(ctypes.sizeof(_abi.trip_outcome))
    return _told(library.trip_classify_errno(sys_errno, ctypes.byref(outcome)), outcome)


def classify_text(text: Said) -> Outcome:
    """The class of a call of which nothing is left but the text of its error: the last resort, as `str(error)`.

    Whole words are compared, and a number counts as an HTTP status only where the words around it say that it is one.
    """
    said = _said("text", text)
    outcome = _abi.trip_outcome(ctypes.sizeof(_abi.trip_outcome))
    return _told(library.trip_classify_text(said, len(said), ctypes.byref(outcome)), outcome)


def parse_retry_hint(name: Said, value: Said, now: float | None = None) -> float | None:
    """Seconds that a header asks to wait, such as Retry-After or x-ratelimit-reset-tokens, or that a text does, when
    `name` is empty: "Please try again in 6m0s."

    None when a header of this name, or this text, says nothing about it; InvalidHint when it should and is wrong or
    absurd: nothing is guessed. `now` is the time of day in seconds since 1970, from which dates are counted; by
    default the machine's.
    """
    now_ns = time.time_ns() if now is None else nanoseconds("now", now)
    wait_ns = parse_retry_hint_ns(name, value, now_ns)
    return None if wait_ns is None else seconds(wait_ns)


def parse_retry_hint_ns(name: Said, value: Said, now_unix_ns: int) -> int | None:
    """The same in nanoseconds, and without a look at the machine's clock."""
    require_int("now_unix_ns", now_unix_ns, 0, U64_MAX)
    named, said = _said("name", name), _said("value", value)
    wait = ctypes.c_uint64()
    status = library.trip_parse_retry_hint(named, len(named), said, len(said), now_unix_ns, ctypes.byref(wait))
    if status == _abi.TRIP_E_INVALID:
        raise InvalidHint(status, f"no time to wait: {name!r}: {value[:80]!r}")
    if status < 0:
        raise failure(status)
    return wait.value if status == _abi.TRIP_OK else None


def _told(status: int, outcome: _abi.trip_outcome) -> Outcome:
    if status < 0:
        raise failure(status)
    return Outcome(
        StatusClass(outcome.status_class),
        outcome.http_status,
        outcome.sys_errno,
        outcome.retry_after_ns,
        outcome.duration_ns,
    )


def _said(name: str, text: Said) -> bytes:
    """What the library reads of it. What is no text even for Python, a lone surrogate, is bytes like any others."""
    if isinstance(text, bytes):
        return text
    if not isinstance(text, str):
        raise TypeError(f"{name} must be str or bytes, not {type(text).__name__}")
    return text[:_READ_MAX].encode("utf-8", "surrogatepass")
