"""Transports of httpx that ask a circuit before each request:

    client = httpx.Client(transport=trip.httpx.Transport(tracker))
    client = httpx.AsyncClient(transport=trip.httpx.AsyncTransport(tracker))

Importing this imports httpx, of which `import trip` knows nothing. The SDKs of OpenAI and Anthropic use httpx2 today:
for these take trip.httpx2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from . import _transport

if TYPE_CHECKING:
    from ._exchange import Naming
    from ._tracker import Tracker

__all__ = ["AsyncTransport", "Transport"]


class _Watched(_transport.SyncWatched, httpx.SyncByteStream):
    """As httpx asks for it."""


class _AsyncWatched(_transport.AsyncWatched, httpx.AsyncByteStream):
    """As httpx asks for it."""


class Transport(_transport.SyncTransport, httpx.BaseTransport):
    """Sends requests by another transport, by default httpx.HTTPTransport(), each with a permit of its own.

    `provider` names the circuit: by default the request's host, with its port where that is not the scheme's own; a
    str for all requests, or a function of the httpx.Request. `tenant` likewise, "" by default. A name that cannot be
    told lets the request through, and the logger "trip" says so, as when the library fails.

    Raises trip.CircuitOpen in place of a request that must not be sent. Share it among threads, as its client is.
    """

    errors = _transport.errors_of(httpx)
    watched = _Watched
    default = httpx.HTTPTransport

    if TYPE_CHECKING:

        def __init__(
            self,
            tracker: Tracker,
            transport: httpx.BaseTransport | None = None,
            *,
            provider: Naming[httpx.Request] | None = None,
            tenant: Naming[httpx.Request] = "",
        ) -> None: ...


class AsyncTransport(_transport.AsyncTransport, httpx.AsyncBaseTransport):
    """The same for httpx.AsyncClient, by default in front of httpx.AsyncHTTPTransport()."""

    errors = _transport.errors_of(httpx)
    watched = _AsyncWatched
    default = httpx.AsyncHTTPTransport

    if TYPE_CHECKING:

        def __init__(
            self,
            tracker: Tracker,
            transport: httpx.AsyncBaseTransport | None = None,
            *,
            provider: Naming[httpx.Request] | None = None,
            tenant: Naming[httpx.Request] = "",
        ) -> None: ...
