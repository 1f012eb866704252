"""Owns a provider on a loopback socket, which answers as it is told and counts the requests that have reached it."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager

from endpoints import Request  # as the demo's stand-ins know it

import trip
from wire import Answer, Wire, listening


class Provider:
    """The status of its next answers, and how many requests have come."""

    def __init__(self, wire: Wire) -> None:
        self.status = 200
        self._wire = wire

    @property
    def requests(self) -> int:
        return len(self._wire.requests)

    def answer(self, request: Request) -> Answer:
        return Answer(self.status, f"answer to {request.path}".encode())

    def ask(self, path: str = "/") -> bytes:
        """One request, as a client makes it."""
        connection = http.client.HTTPConnection(self._wire.host, timeout=60)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise Refused(response.status, body)
        return body


class Refused(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


def classify(error: Exception) -> trip.Outcome | None:
    return trip.classify_http(error.status, error.body) if isinstance(error, Refused) else None


@contextmanager
def serving() -> Iterator[Provider]:
    with listening() as wire:
        provider = Provider(wire)
        wire.otherwise = provider.answer
        yield provider
