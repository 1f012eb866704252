"""Owns the HTTP clients that a circuit can protect, each behind the same few steps, so that a promise is shown of all.

Those on asyncio run on a loop of their own, step by step.
"""

from __future__ import annotations

import asyncio
from typing import Any, Callable, Protocol

import aiohttp
import httpx
import httpx2
import requests
import urllib3

import trip
import trip.aiohttp
import trip.httpx
import trip.httpx2
import trip.requests
import trip.urllib3


class Reading(Protocol):
    """A response whose body is read piece by piece."""

    def piece(self) -> bytes:
        """What comes next; nothing at the end."""

    def close(self) -> None: ...


class Client(Protocol):
    def ask(self, method: str, url: str, timeout: float = 60) -> tuple[int, bytes]:
        """One request, its response read to the end; redirects are followed."""

    def begin(self, url: str, timeout: float = 60) -> Reading:
        """One request, of which only the head of the response is read."""

    def close(self) -> None: ...


class Pieces:
    """A body of which the next piece is given by a function, and that is closed by another one."""

    def __init__(self, next_piece: Callable[[], bytes], close: Callable[[], None]) -> None:
        self.piece = next_piece
        self.close = close


class Httpx:
    def __init__(self, library: Any, transport: Any) -> None:
        self._client = library.Client(transport=transport, follow_redirects=True)
        self.close = self._client.close

    def ask(self, method: str, url: str, timeout: float = 60) -> tuple[int, bytes]:
        response = self._client.request(method, url, timeout=timeout)
        return response.status_code, response.content

    def begin(self, url: str, timeout: float = 60) -> Reading:
        response = self._client.send(self._client.build_request("GET", url, timeout=timeout), stream=True)
        pieces = response.iter_bytes()
        return Pieces(lambda: next(pieces, b""), response.close)


class Looping:
    """What runs on a loop of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self.run = self._loop.run_until_complete

    def turn(self) -> None:
        """Let the loop do what has become due, such as closing generators that nobody holds."""
        for _ in range(5):
            self.run(asyncio.sleep(0))

    def end(self) -> None:
        self.run(self._loop.shutdown_asyncgens())
        self._loop.close()


class AsyncHttpx(Looping):
    def __init__(self, library: Any, transport: Any) -> None:
        super().__init__()
        self._client = library.AsyncClient(transport=transport, follow_redirects=True)

    def ask(self, method: str, url: str, timeout: float = 60) -> tuple[int, bytes]:
        response = self.run(self._client.request(method, url, timeout=timeout))
        return response.status_code, response.content

    def begin(self, url: str, timeout: float = 60) -> Reading:
        request = self._client.build_request("GET", url, timeout=timeout)
        response = self.run(self._client.send(request, stream=True))
        pieces = response.aiter_bytes()

        async def piece() -> bytes:
            async for next_piece in pieces:
                return bytes(next_piece)
            return b""

        return Pieces(lambda: self.run(piece()), lambda: self.run(response.aclose()))

    def close(self) -> None:
        self.run(self._client.aclose())
        self.end()


class Requests:
    def __init__(self, adapter: Any) -> None:
        self._session = requests.Session()
        self._session.mount("http://", adapter)
        self.close = self._session.close

    def ask(self, method: str, url: str, timeout: float = 60) -> tuple[int, bytes]:
        response = self._session.request(method, url, timeout=timeout)
        return response.status_code, response.content

    def begin(self, url: str, timeout: float = 60) -> Reading:
        response = self._session.get(url, timeout=timeout, stream=True)
        pieces = response.iter_content(None)
        return Pieces(lambda: next(pieces, b""), response.close)


_ONLY_REDIRECTS = urllib3.Retry(5, connect=0, read=0, other=0)


class Urllib3:
    def __init__(self, manager: Any) -> None:
        self._manager = manager
        self.close = manager.clear

    def ask(self, method: str, url: str, timeout: float = 60) -> tuple[int, bytes]:
        response = self._manager.request(method, url, timeout=timeout, retries=_ONLY_REDIRECTS)
        return response.status, response.data

    def begin(self, url: str, timeout: float = 60) -> Reading:
        response = self._manager.request("GET", url, timeout=timeout, retries=False, preload_content=False)
        return Pieces(lambda: response.read1(65536), response.close)


class Aiohttp(Looping):
    def __init__(self, middleware: Any) -> None:
        super().__init__()

        async def session() -> aiohttp.ClientSession:
            return aiohttp.ClientSession(middlewares=[middleware])

        self._session = self.run(session())

    def ask(self, method: str, url: str, timeout: float = 60) -> tuple[int, bytes]:
        async def ask() -> tuple[int, bytes]:
            async with self._session.request(method, url, timeout=_sock_read(timeout)) as response:
                return response.status, await response.read()

        return self.run(ask())

    def begin(self, url: str, timeout: float = 60) -> Reading:
        async def begin() -> aiohttp.ClientResponse:
            return await self._session.get(url, timeout=_sock_read(timeout))

        response = self.run(begin())
        return Pieces(lambda: self.run(response.content.readany()), response.close)

    def close(self) -> None:
        self.run(self._session.close())
        self.end()


def _sock_read(timeout: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, sock_read=timeout, sock_connect=timeout)


CLIENTS: dict[str, Callable[..., Client]] = {
    "httpx": lambda *a, **k: Httpx(httpx, trip.httpx.Transport(*a, **k)),
    "httpx-async": lambda *a, **k: AsyncHttpx(httpx, trip.httpx.AsyncTransport(*a, **k)),
    "httpx2": lambda *a, **k: Httpx(httpx2, trip.httpx2.Transport(*a, **k)),
    "httpx2-async": lambda *a, **k: AsyncHttpx(httpx2, trip.httpx2.AsyncTransport(*a, **k)),
    "requests": lambda *a, **k: Requests(trip.requests.HTTPAdapter(*a, **k)),
    "urllib3": lambda *a, **k: Urllib3(trip.urllib3.PoolManager(*a, **k)),
    "aiohttp": lambda *a, **k: Aiohttp(trip.aiohttp.Middleware(*a, **k)),
}
