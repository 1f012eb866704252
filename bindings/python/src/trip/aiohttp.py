"""A middleware of aiohttp, 3.12 or later, that asks a circuit before each request:

    session = aiohttp.ClientSession(middlewares=[trip.aiohttp.Middleware(tracker)])

Importing this imports aiohttp, of which `import trip` knows nothing.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Callable, TypeVar

import aiohttp

from ._exchange import Exchange, Exchanges, Naming
from ._http_error import Errors

if TYPE_CHECKING:
    from yarl import URL

    from ._tracker import Tracker

__all__ = ["Middleware"]

T = TypeVar("T")

_ERRORS = Errors(
    (aiohttp.InvalidURL,),
    (asyncio.TimeoutError,),
    (aiohttp.ClientError,),
)


class Middleware:
    """Sends requests on, each with a permit of its own: those that follow a redirect, too.

    `provider` names the circuit: by default the request's host, with its port where that is not the scheme's own; a
    str for all requests, or a function of the aiohttp.ClientRequest. `tenant` likewise, "" by default. A name that
    cannot be told lets the request through, and the logger "trip" says so, as when the library fails.

    Raises trip.CircuitOpen in place of a request that must not be sent. Use it in any number of sessions, on any loop.
    """

    def __init__(
        self,
        tracker: Tracker,
        *,
        provider: Naming[aiohttp.ClientRequest] | None = None,
        tenant: Naming[aiohttp.ClientRequest] = "",
    ) -> None:
        self._exchanges = Exchanges[aiohttp.ClientRequest](tracker, provider, tenant, _ERRORS)

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send one request, if its circuit admits it."""
        exchange = self._exchanges.begin(request, _host(request.url))
        try:
            response = await handler(request)
        except BaseException as error:
            exchange.failed(_timed_out(request, error))
            raise
        if exchange.answered(request.method, response.status, response.headers.get, is_unpacked=True):
            response.content = _Watched(response.content, exchange)
        return response


def _host(url: URL) -> str:
    """With the port where that is not the scheme's own."""
    host = url.raw_host or ""
    host = f"[{host}]" if ":" in host else host
    return host if url.is_default_port() or url.port is None else f"{host}:{url.port}"


def _timed_out(request: aiohttp.ClientRequest, error: BaseException) -> BaseException:
    """What ended a request that never got its response. aiohttp cancels the task when the total time of a request is
    over, and makes a timeout of that when the cancellation has come through here.
    """
    timer = getattr(request, "_timer", None)
    if isinstance(error, asyncio.CancelledError) and timer is not None:
        try:
            timer.assert_timeout()
        except asyncio.TimeoutError as timeout:
            return timeout
    return error


class _Watched(aiohttp.StreamReader):
    """The stream of a body, watched as it is read. It has no bytes of its own: whatever is asked of it, the stream that
    aiohttp feeds is asked.
    """

    __slots__ = ("_exchange", "_stream")

    def __init__(self, stream: aiohttp.StreamReader, exchange: Exchange) -> None:
        self._stream = stream
        self._exchange = exchange

    async def readuntil(self, *args: Any, **options: Any) -> bytes:
        return self._heard(await self._watched(self._stream.readuntil(*args, **options)))

    async def readany(self) -> bytes:
        return self._heard(await self._watched(self._stream.readany()))

    async def readchunk(self) -> tuple[bytes, bool]:
        data, is_end_of_chunk = await self._watched(self._stream.readchunk())
        return self._heard(data), is_end_of_chunk

    async def read(self, n: int = -1) -> bytes:
        if n >= 0:
            return self._heard(await self._watched(self._stream.read(n)), n)
        self._stream.set_read_chunk_size(sys.maxsize)
        return b"".join([chunk async for chunk in self.iter_any()])

    def read_nowait(self, n: int = -1) -> bytes:
        return self._heard(self._stream.read_nowait(n), n)

    async def wait_eof(self) -> None:
        await self._watched(self._stream.wait_eof())

    def set_exception(self, *args: Any, **options: Any) -> None:
        """aiohttp says so that the response has been closed, or released."""
        self._exchange.left(is_whole=self._stream.is_eof())
        self._stream.set_exception(*args, **options)

    def _heard(self, data: bytes, asked: int = -1) -> bytes:
        self._exchange.heard(data)
        if asked != 0 and self._stream.at_eof():
            self._exchange.ended()
        return data

    async def _watched(self, reading: Awaitable[T]) -> T:
        try:
            return await reading
        except BaseException as error:
            self._exchange.failed(error)
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)  # the state that this stream does not have


def _of_the_stream(name: str) -> Callable[..., Any]:
    def ask(self: _Watched, *args: Any, **options: Any) -> Any:
        return getattr(self._stream, name)(*args, **options)

    return ask


for _name in (
    *("get_read_buffer_limits", "set_read_chunk_size", "exception", "on_eof", "is_eof", "at_eof", "unread_data"),
    *("feed_data", "feed_eof", "begin_http_chunk_receiving", "end_http_chunk_receiving", "__repr__"),
):
    setattr(_Watched, _name, _of_the_stream(_name))
