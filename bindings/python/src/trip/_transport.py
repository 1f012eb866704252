"""Owns the two transports in the shape that httpx and its successor httpx2 share; both give them their own classes.

Imports neither, and passes on whatever it does not need to know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ._exchange import Exchange, Exchanges, Naming
from ._http_error import Errors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from types import TracebackType

    from typing_extensions import Self

    from ._tracker import Tracker


def errors_of(library: Any) -> Errors:
    """The exceptions of httpx or httpx2. A pool of the caller's that is exhausted says nothing of the provider."""
    return Errors(
        (library.UnsupportedProtocol, library.LocalProtocolError, library.PoolTimeout),
        (library.TimeoutException,),
        (library.TransportError,),
    )


class SyncWatched:
    """The stream of a body, watched as it passes."""

    def __init__(self, stream: Any, exchange: Exchange) -> None:
        self._stream = stream
        self._exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        exchange = self._exchange
        try:
            for chunk in self._stream:
                exchange.heard(chunk)
                yield chunk
        except BaseException as error:
            exchange.failed(error)
            raise
        exchange.ended()

    def close(self) -> None:
        """Give the connection back. Before the end of the body, that is its caller's leaving."""
        self._exchange.left()
        self._stream.close()


class AsyncWatched:
    """The same for what is awaited."""

    def __init__(self, stream: Any, exchange: Exchange) -> None:
        self._stream = stream
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        exchange = self._exchange
        chunks = self._stream.__aiter__()
        try:
            async for chunk in chunks:
                exchange.heard(chunk)
                yield chunk
        except BaseException as error:
            exchange.failed(error)
            raise
        finally:
            if hasattr(chunks, "aclose"):  # a generator: it ends here, and not when it is collected
                await chunks.aclose()
        exchange.ended()

    async def aclose(self) -> None:
        """Give the connection back. Before the end of the body, that is its caller's leaving."""
        self._exchange.left()
        await self._stream.aclose()


class Wrapping:
    """What both kinds of transport are: a transport behind another one."""

    errors: ClassVar[Errors]
    watched: ClassVar[Any]
    sends: ClassVar[str]  # the method that sends a request
    default: ClassVar[Any]  # makes the transport behind, where none is given

    def __init__(
        self,
        tracker: Tracker,
        transport: Any = None,
        *,
        provider: Naming[Any] | None = None,
        tenant: Naming[Any] = "",
    ) -> None:
        self._exchanges = Exchanges[Any](tracker, provider, tenant, self.errors)
        if transport is not None and not callable(getattr(transport, self.sends, None)):
            raise TypeError(f"a transport to go before has {self.sends}, which {type(transport).__name__} has not")
        self._transport = self.default() if transport is None else transport

    def _begin(self, request: Any) -> Exchange:
        return self._exchanges.begin(request, request.url.netloc.decode("ascii"))

    def _watch(self, request: Any, response: Any, exchange: Exchange) -> Any:
        if not exchange.answered(request.method, response.status_code, response.headers.get):
            return response
        if response.is_closed:  # it came in one piece, from a transport that has no wire
            exchange.heard(response.content)
            exchange.ended()
        else:
            response.stream = self.watched(response.stream, exchange)
        return response

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__} {self._transport!r}>"


class SyncTransport(Wrapping):
    """Sends requests on a thread."""

    sends = "handle_request"

    def handle_request(self, request: Any) -> Any:
        """Send one request, if its circuit admits it. Raises CircuitOpen."""
        exchange = self._begin(request)
        try:
            response = self._transport.handle_request(request)
        except BaseException as error:
            exchange.failed(error)
            raise
        return self._watch(request, response, exchange)

    def close(self) -> None:
        """Close the transport behind this one."""
        self._transport.close()

    def __enter__(self) -> Self:
        self._transport.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self._transport.__exit__(kind, error, traceback)


class AsyncTransport(Wrapping):
    """Sends requests on a loop. A task that is cancelled, wherever it waits, leaves nothing behind."""

    sends = "handle_async_request"

    async def handle_async_request(self, request: Any) -> Any:
        """Send one request, if its circuit admits it. Raises CircuitOpen."""
        exchange = self._begin(request)
        try:
            response = await self._transport.handle_async_request(request)
        except BaseException as error:
            exchange.failed(error)
            raise
        return self._watch(request, response, exchange)

    async def aclose(self) -> None:
        """Close the transport behind this one."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self._transport.__aexit__(kind, error, traceback)
