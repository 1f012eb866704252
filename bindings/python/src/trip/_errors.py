"""Owns the exceptions, and the only way from an error status to one of them."""

from __future__ import annotations

from typing import Any

from . import _abi
from ._library import library


class Error(Exception):
    """libtrip could not do what it was asked to.

    An Error never speaks of a provider, and a refusal (trip.CircuitOpen) is none: the breaker must never be the outage,
    so on an Error let the call through unguarded and report it. Circuit.guard does that by itself.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text

    @property
    def name(self) -> str:
        """The name of the status, such as "TRIP_E_HANDLE"."""
        return library.trip_status_name(self.status).decode()

    def __str__(self) -> str:
        return f"{self.text} ({self.name})"


class ConfigError(Error, ValueError):
    """Nothing can be configured so. `field` is the field of the config at fault, None where it is not one field."""

    def __init__(self, status: int, text: str, field: str | None) -> None:
        super().__init__(status, text)
        self.field = field

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.status, self.text, self.field)


class Consumed(Error):
    """This ticket, token or permit has been settled before."""


class PermitConsumed(Consumed):
    """This permit has been settled before."""


class InvalidHint(Error, ValueError):
    """What should say how long to wait is wrong or absurd, and is not guessed at."""


_TEXTS = {
    _abi.TRIP_E_INVALID: "a text or a time is too long, a number out of range, or there is no such selector",
    _abi.TRIP_E_HANDLE: "there is no such object, or it is closed, or its tracker is",
    _abi.TRIP_E_CONSUMED: "it has been settled before",
    _abi.TRIP_E_NOMEM: "out of memory",
    _abi.TRIP_E_CAPACITY: "a bound is reached: of objects, of what is out, of extensions of a lease",
    _abi.TRIP_E_UNSUPPORTED: "this object cannot do that",
    _abi.TRIP_E_SYSTEM: "the operating system refused something",
}


def failure(status: int, text: str = "", field: str | None = None) -> Error:
    """The exception for an error status; `text` is the library's own words where it gave some."""
    text = text or _TEXTS.get(status, "libtrip answered an error")
    if status == _abi.TRIP_E_CONFIG:
        return ConfigError(status, text, field)
    if status == _abi.TRIP_E_CONSUMED:
        return PermitConsumed(status, text)
    return Error(status, text)


def settled(status: int) -> bool:
    """Whether the settlement of a ticket or token counted; a positive status that this package does not know is an
    answer other than yes.
    """
    if status == _abi.TRIP_E_CONSUMED:
        raise Consumed(status, _TEXTS[status])
    if status < 0:
        raise failure(status)
    return status == _abi.TRIP_OK
