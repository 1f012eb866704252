"""A pool manager of urllib3 that asks a circuit before each request:

    http = trip.urllib3.PoolManager(tracker)
    http.request("GET", "https://api.example.com/v1/models")

Each of urllib3's own retries and redirects is a request of its own. Importing this imports urllib3, of which
`import trip` knows nothing.
"""

from __future__ import annotations

from functools import partial
from threading import get_ident
from typing import TYPE_CHECKING, Any, Callable, ClassVar, NamedTuple

import urllib3
from urllib3.connection import port_by_scheme
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, TimeoutError  # noqa: A004 - urllib3's
from urllib3.util import parse_url

from ._exchange import Exchange, Exchanges, Naming
from ._http_error import Errors

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from ._tracker import Tracker

__all__ = ["PoolManager", "Request", "protect"]

# A pool that is exhausted raises before a request is made of what it was asked.
_ERRORS = Errors((), (TimeoutError,), (HTTPError,))


class Request(NamedTuple):
    """What a function that names a circuit is asked about."""

    method: str
    url: str  # the path and the query; behind a proxy all of it
    headers: Mapping[str, str]
    host: str  # with its port where that is not the scheme's own


class PoolManager(urllib3.PoolManager):
    """Sends requests as urllib3.PoolManager does, each with a permit of its own. Share it among threads.

    `provider` names the circuit: by default the request's host, with its port where that is not the scheme's own; a
    str for all requests, or a function of the Request. `tenant` likewise, "" by default. A name that cannot be told
    lets the request through, and the logger "trip" says so, as when the library fails. The rest goes to
    urllib3.PoolManager.

    Raises trip.CircuitOpen in place of a request that must not be sent; urllib3 tries nothing again for that.
    """

    def __init__(
        self,
        tracker: Tracker,
        *args: Any,
        provider: Naming[Request] | None = None,
        tenant: Naming[Request] = "",
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        protect(self, tracker, provider=provider, tenant=tenant)


def protect(
    manager: urllib3.PoolManager,
    tracker: Tracker,
    *,
    provider: Naming[Request] | None = None,
    tenant: Naming[Request] = "",
) -> None:
    """The same for a manager that is there already, such as a urllib3.ProxyManager. It forgets its connections: those
    that are in use end as they would have.
    """
    if not isinstance(manager, urllib3.PoolManager):
        raise TypeError(f"manager must be a urllib3.PoolManager, not {type(manager).__name__}")
    exchanges = Exchanges[Request](tracker, provider, tenant, _ERRORS)
    manager.pool_classes_by_scheme = {
        scheme: type(pool.__name__, (pool,), {"exchanges": exchanges})
        for scheme, pool in (("http", _HTTPPool), ("https", _HTTPSPool))
    }
    manager.clear()


class _Guarded(HTTPConnectionPool):
    """Connections to one host. Its `_make_request` is what sends a request, once, whoever tries it again."""

    exchanges: ClassVar[Exchanges[Request]]

    def _make_request(self, conn: Any, method: str, url: str, *args: Any, **options: Any) -> Any:
        host = self._host_of(url)
        headers = options.get("headers") or self.headers
        exchange = self.exchanges.begin(Request(method, url, headers, host), host)
        is_read_at_once = options.get("preload_content", True)
        options["preload_content"] = False
        try:
            response: Any = super()._make_request(conn, method, url, *args, **options)
        except BaseException as error:
            exchange.failed(error)
            raise
        if exchange.answered(method, response.status, response.headers.get, is_unpacked=True):
            _watch(response, exchange)
        if is_read_at_once:
            response.data  # noqa: B018 - which keeps it
        return response

    def _host_of(self, url: str) -> str:
        """Whose it is: that of the URL where a proxy gets all of it, else the one that is connected to."""
        scheme: str | None = self.scheme
        host, port = self.host, self.port
        whole = None if url.startswith("/") else parse_url(url)
        if whole is not None and whole.host:
            scheme, host, port = whole.scheme, whole.host, whole.port
        host = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return host if port in (None, port_by_scheme.get(scheme or "")) else f"{host}:{port}"


class _HTTPPool(_Guarded):
    pass


class _HTTPSPool(_Guarded, HTTPSConnectionPool):
    pass


def _watch(response: Any, exchange: Exchange) -> None:
    """Watch the body of a response. urllib3 makes its responses itself and has no place to hear what is read; an object
    in front of one would be none of them for those who ask, such as requests. So it becomes one that watches itself.
    """
    kind: Any = type(response)
    if kind is urllib3.HTTPResponse and not response.closed:
        response.__class__ = _Watched
        response._exchange = exchange
        return
    exchange.heard(response.data or b"")  # HTTP/2, where urllib3 has read all of it
    exchange.ended()


class _Watched(urllib3.HTTPResponse):
    """A response that tells what is read of it. All ways to read lead through these."""

    _exchange: Exchange
    _reader = 0  # the thread that is reading, for which urllib3 closes a response that is broken

    def read(self, amt: int | None = None, *args: Any, **options: Any) -> bytes:
        return self._told(amt, partial(super().read, amt, *args, **options))

    def read1(self, amt: int | None = None, *args: Any, **options: Any) -> bytes:
        return self._told(1, partial(super().read1, amt, *args, **options))

    def stream(self, *args: Any, **options: Any) -> Generator[bytes, None, None]:
        yield from super().stream(*args, **options)
        self._exchange.ended()

    def read_chunked(self, *args: Any, **options: Any) -> Generator[bytes, None, None]:
        chunks = super().read_chunked(*args, **options)
        try:
            while chunk := self._watched(partial(next, chunks, b"")):
                self._exchange.heard(chunk)
                yield chunk
        except GeneratorExit:
            self._exchange.left()
            raise
        finally:
            chunks.close()
        self._exchange.ended()

    def drain_conn(self) -> None:
        super().drain_conn()
        self._exchange.left(is_whole=not self.length_remaining)

    def close(self) -> None:
        """Give the connection up; whoever collects the response does so, too."""
        if self._reader != get_ident():
            self._exchange.left(is_whole=self.closed)
        super().close()

    def _told(self, amt: int | None, read: Callable[[], bytes]) -> bytes:
        data = self._watched(read)
        self._exchange.heard(data)
        if self.closed and (not data or amt is None or amt < 0 or len(data) < amt):
            self._exchange.ended()
        return data

    def _watched(self, read: Callable[[], bytes]) -> bytes:
        self._reader = get_ident()
        try:
            return read()
        except BaseException as error:
            self._exchange.failed(error)
            raise
        finally:
            self._reader = 0
