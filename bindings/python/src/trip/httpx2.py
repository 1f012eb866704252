"""Transports of httpx2 that ask a circuit before each request:

    client = httpx2.Client(transport=trip.httpx2.Transport(tracker))
    client = httpx2.AsyncClient(transport=trip.httpx2.AsyncTransport(tracker))

and so the clients of OpenAI's and Anthropic's SDKs, which are made of these:

    openai.OpenAI(http_client=openai.DefaultHttpxClient(transport=trip.httpx2.Transport(tracker)))
    anthropic.AsyncAnthropic(
        http_client=anthropic.DefaultAsyncHttpxClient(transport=trip.httpx2.AsyncTransport(tracker))
    )

Importing this imports httpx2, of which `import trip` knows nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2

from . import _transport

if TYPE_CHECKING:
    from ._exchange import Naming
    from ._tracker import Tracker

__all__ = ["AsyncTransport", "Transport"]


class _Watched(_transport.SyncWatched, httpx2.SyncByteStream):
    """As httpx2 asks for it."""


class _AsyncWatched(_transport.AsyncWatched, httpx2.AsyncByteStream):
    """As httpx2 asks for it."""


class Transport(_transport.SyncTransport, httpx2.BaseTransport):
    """Sends requests by another transport, by default httpx2.HTTPTransport(), each with a permit of its own.

    `provider` names the circuit: by default the request's host, with its port where that is not the scheme's own; a
    str for all requests, or a function of the httpx2.Request. `tenant` likewise, "" by default. A name that cannot be
    told lets the request through, and the logger "trip" says so, as when the library fails.

    Raises trip.CircuitOpen in place of a request that must not be sent. Share it among threads, as its client is.
    """

    errors = _transport.errors_of(httpx2)
    watched = _Watched
    default = httpx2.HTTPTransport

    if TYPE_CHECKING:

        def __init__(
            self,
            tracker: Tracker,
            transport: httpx2.BaseTransport | None = None,
            *,
            provider: Naming[httpx2.Request] | None = None,
            tenant: Naming[httpx2.Request] = "",
        ) -> None: ...


class AsyncTransport(_transport.AsyncTransport, httpx2.AsyncBaseTransport):
    """The same for httpx2.AsyncClient, by default in front of httpx2.AsyncHTTPTransport()."""

    errors = _transport.errors_of(httpx2)
    watched = _AsyncWatched
    default = httpx2.AsyncHTTPTransport

    if TYPE_CHECKING:

        def __init__(
            self,
            tracker: Tracker,
            transport: httpx2.AsyncBaseTransport | None = None,
            *,
            provider: Naming[httpx2.Request] | None = None,
            tenant: Naming[httpx2.Request] = "",
        ) -> None: ...
