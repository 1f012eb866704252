"""The ways to read a body that each library has beside the usual one, and what else only one of them does."""

from __future__ import annotations

import asyncio
import copy
import errno
import gzip
import pickle
from collections.abc import Awaitable, Iterator
from typing import Any, Callable

import aiohttp
import httpx
import httpx2
import pytest
import requests
import urllib3
from aiohttp import web

import trip
import trip.aiohttp
import trip.httpx
import trip.httpx2
import trip.requests
import trip.urllib3
from completions import stream
from wire import EVENTS, Answer, Then, Wire, listening

LINES = [b"one\n", b"two\n", b"three\n"]


@pytest.fixture
def wire() -> Iterator[Wire]:
    with listening() as wire:
        wire.otherwise = lambda request: Answer(200, LINES)
        yield wire


@pytest.fixture
def circuit(tracker: trip.Tracker, wire: Wire) -> trip.Circuit:
    return tracker.circuit("", wire.host)


def settled(circuit: trip.Circuit) -> tuple[int, int, int]:
    info = circuit.inspect()
    assert info.permits == info.successes + info.failures_total + info.cancels
    return info.successes, info.failures_total, info.cancels


READ_ALL: dict[str, Callable[[urllib3.BaseHTTPResponse], object]] = {
    "read": lambda response: response.read(),
    "read some": lambda response: list(iter(lambda: response.read(3), b"")),
    "read1": lambda response: list(iter(lambda: response.read1(3), b"")),
    "stream": lambda response: list(response.stream(3)),
    "chunked": lambda response: list(response.read_chunked()) if response.chunked else response.read(),
    "into": lambda response: response.readinto(bytearray(100)) and response.read(),
    "data": lambda response: response.data,
    "iterated": lambda response: list(response),
    "drained": lambda response: response.drain_conn(),
}


class TestUrllib3:
    @pytest.fixture
    def manager(self, tracker: trip.Tracker) -> Iterator[urllib3.PoolManager]:
        with trip.urllib3.PoolManager(tracker, retries=False) as manager:
            yield manager

    @pytest.mark.parametrize("body", [LINES, b"".join(LINES)], ids=["chunked", "whole"])
    @pytest.mark.parametrize("read", READ_ALL)
    def test_a_body_may_be_read_in_any_way(
        self, manager: urllib3.PoolManager, wire: Wire, circuit: trip.Circuit, body: Any, read: str
    ) -> None:
        wire.answer(Answer(200, body))
        before = wire.connections
        response = manager.request("GET", wire.url, preload_content=False)
        assert isinstance(response, urllib3.HTTPResponse)
        READ_ALL[read](response)
        response.release_conn()
        assert settled(circuit) == (1, 0, 0)
        manager.request("GET", wire.url)
        assert wire.connections == before + 1

    def test_a_body_of_which_the_last_byte_was_read_is_whole(
        self, manager: urllib3.PoolManager, wire: Wire, circuit: trip.Circuit
    ) -> None:
        """Though nobody has asked whether there is more; packed, so that its length does not tell."""
        packed = Answer(200, gzip.compress(b"x" * 1000), {"Content-Encoding": "gzip"})
        wire.answer(packed, packed)
        streamed = manager.request("GET", wire.url, preload_content=False)
        assert [len(piece) for piece in streamed.stream(500)] == [500, 500]
        assert settled(circuit) == (1, 0, 0)
        read = manager.request("GET", wire.url, preload_content=False)
        assert len(read.read1()) == 1000
        read.close()
        assert settled(circuit) == (2, 0, 0)

    @pytest.mark.parametrize("body", [LINES, b"".join(LINES)], ids=["chunked", "whole"])
    def test_a_body_that_is_read_at_once_is_kept(
        self, manager: urllib3.PoolManager, wire: Wire, circuit: trip.Circuit, body: Any
    ) -> None:
        wire.answer(Answer(200, body))
        response = manager.request("GET", wire.url)
        assert response.data == response.data == b"one\ntwo\nthree\n"
        assert response.read() == b""
        assert settled(circuit) == (1, 0, 0)

    def test_each_of_its_retries_has_a_permit(self, wire: Wire) -> None:
        with trip.Tracker() as tracker, trip.urllib3.PoolManager(tracker) as manager:
            wire.answer(Answer(503), Answer(body=None), Answer(200))
            retries = urllib3.Retry(5, status_forcelist=[503], backoff_factor=0)
            assert manager.request("GET", wire.url, retries=retries).status == 200
            assert settled(tracker.circuit("", wire.host)) == (1, 2, 0)

    def test_a_refusal_is_not_tried_again(self, tracker: trip.Tracker, wire: Wire, circuit: trip.Circuit) -> None:
        circuit.trip()
        with trip.urllib3.PoolManager(tracker, retries=urllib3.Retry(5)) as manager, pytest.raises(trip.CircuitOpen):
            manager.request("GET", wire.url)
        assert circuit.inspect().rejections == 1

    def test_a_pool_that_is_exhausted_tells_nothing(
        self, tracker: trip.Tracker, wire: Wire, circuit: trip.Circuit
    ) -> None:
        with trip.urllib3.PoolManager(tracker, maxsize=1, block=True, retries=False) as manager:
            first = manager.request("GET", wire.url, preload_content=False)
            with pytest.raises(urllib3.exceptions.EmptyPoolError):
                manager.request("GET", wire.url, pool_timeout=0.001)
            first.close()
        assert settled(circuit) == (0, 0, 1)

    def test_a_manager_is_protected_though_it_has_connections(
        self, tracker: trip.Tracker, wire: Wire, circuit: trip.Circuit
    ) -> None:
        with urllib3.PoolManager() as manager:
            manager.request("GET", wire.url)
            trip.urllib3.protect(manager, tracker)
            manager.request("GET", wire.url)
        assert settled(circuit) == (1, 0, 0)

    @pytest.mark.parametrize("wrong", [None, "manager", requests.Session()])
    def test_what_is_no_manager_is_refused_at_once(self, tracker: trip.Tracker, wrong: Any) -> None:
        with pytest.raises(TypeError, match="PoolManager"):
            trip.urllib3.protect(wrong, tracker)

    def test_behind_a_proxy_the_circuit_is_the_provider_s(self, tracker: trip.Tracker, wire: Wire) -> None:
        manager = urllib3.ProxyManager(wire.url)
        trip.urllib3.protect(manager, tracker)
        manager.request("GET", "http://provider.example:8080/there")
        manager.clear()
        assert settled(tracker.circuit("", "provider.example:8080")) == (1, 0, 0)
        assert wire.requests[0].path == "http://provider.example:8080/there"


class TestRequests:
    def test_each_of_its_retries_has_a_permit(self, wire: Wire) -> None:
        retries = urllib3.Retry(5, status_forcelist=[503], backoff_factor=0)
        with trip.Tracker() as tracker, requests.Session() as session:
            session.mount("http://", trip.requests.HTTPAdapter(tracker, max_retries=retries))
            wire.answer(Answer(503), Answer(503), Answer(200))
            assert session.get(wire.url).status_code == 200
            assert settled(tracker.circuit("", wire.host)) == (1, 2, 0)

    def test_behind_a_proxy_the_circuit_is_the_provider_s(self, tracker: trip.Tracker, wire: Wire) -> None:
        with requests.Session() as session:
            session.mount("http://", trip.requests.HTTPAdapter(tracker))
            for _ in range(2):
                session.get("http://provider.example/there", proxies={"http": wire.url})
        assert settled(tracker.circuit("", "provider.example")) == (2, 0, 0)

    def test_cookies_and_lines_are_there(self, tracker: trip.Tracker, wire: Wire, circuit: trip.Circuit) -> None:
        with requests.Session() as session:
            session.mount("http://", trip.requests.HTTPAdapter(tracker))
            wire.answer(Answer(200, LINES, {"Set-Cookie": "name=value"}))
            with session.get(wire.url, stream=True) as response:
                assert list(response.iter_lines()) == [b"one", b"two", b"three"]
            assert session.cookies.get_dict() == {"name": "value"}
        assert settled(circuit) == (1, 0, 0)

    @pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
    def test_an_adapter_cannot_be_copied(self, tracker: trip.Tracker, copied: Callable[[object], object]) -> None:
        with pytest.raises(TypeError, match="cannot be copied or pickled"):
            copied(trip.requests.HTTPAdapter(tracker))


async def chunks(content: aiohttp.StreamReader) -> list[Any]:
    return [chunk async for chunk in content.iter_chunked(3)]


async def lines(content: aiohttp.StreamReader) -> list[Any]:
    return [line async for line in content]


async def http_chunks(content: aiohttp.StreamReader) -> list[Any]:
    return [chunk async for chunk in content.iter_chunks()]


async def exactly(content: aiohttp.StreamReader) -> bytes:
    return await content.readexactly(8) + await content.readexactly(6)


async def at_once(content: aiohttp.StreamReader) -> bytes:
    await content.wait_eof()
    return content.read_nowait()


async def until(content: aiohttp.StreamReader) -> bytes:
    return await content.readuntil(b"three\n")


def joined(said: Any) -> Any:
    """All of it, whatever the pieces are."""
    if isinstance(said, bytes):
        return said
    return b"".join(piece[0] if isinstance(piece, tuple) else piece for piece in said)


AWAIT_ALL: dict[str, Callable[[aiohttp.StreamReader], Awaitable[Any]]] = {
    "read": lambda content: content.read(),
    "chunks": chunks,
    "lines": lines,
    "http chunks": http_chunks,
    "exactly": exactly,
    "at once": at_once,
    "until": until,
}


class TestAiohttp:
    @pytest.mark.parametrize("read", AWAIT_ALL)
    def test_a_body_may_be_read_in_any_way(
        self, tracker: trip.Tracker, wire: Wire, circuit: trip.Circuit, read: str
    ) -> None:
        before = wire.connections

        async def ask() -> None:
            async with aiohttp.ClientSession(middlewares=[trip.aiohttp.Middleware(tracker)]) as session:
                for _ in range(2):
                    response = await session.get(wire.url)
                    assert isinstance(response.content, aiohttp.StreamReader)
                    assert joined(await AWAIT_ALL[read](response.content)) == b"one\ntwo\nthree\n"
                    assert await response.content.read() == b""
                    assert response.content.at_eof()

        asyncio.run(ask())
        assert settled(circuit) == (2, 0, 0)
        assert wire.connections == before + 1

    def test_a_response_may_be_read_as_json_or_text(
        self, tracker: trip.Tracker, wire: Wire, circuit: trip.Circuit
    ) -> None:
        async def ask() -> None:
            async with aiohttp.ClientSession(middlewares=[trip.aiohttp.Middleware(tracker)]) as session:
                wire.answer(Answer(200, [b"{}"], {"Content-Type": "application/json"}))
                async with session.get(wire.url) as response:
                    assert await response.json() == {}
                async with session.get(wire.url) as response:
                    assert await response.text() == "one\ntwo\nthree\n"

        asyncio.run(ask())
        assert settled(circuit) == (2, 0, 0)

    def test_a_body_that_has_come_whole_need_not_be_read(
        self, tracker: trip.Tracker, wire: Wire, circuit: trip.Circuit
    ) -> None:
        async def leave() -> None:
            async with aiohttp.ClientSession(middlewares=[trip.aiohttp.Middleware(tracker)]) as session:
                for body in LINES, []:
                    wire.answer(Answer(200, body))
                    async with session.get(wire.url) as response:
                        while not response.content.is_eof():
                            await asyncio.sleep(0.001)

        asyncio.run(leave())
        assert settled(circuit) == (2, 0, 0)

    @pytest.mark.parametrize("answer", [Answer(body=None, then=Then.HANGS), Answer(200, LINES, then=Then.HANGS)])
    def test_a_total_time_that_is_over_is_a_timeout(
        self, tracker: trip.Tracker, wire: Wire, circuit: trip.Circuit, answer: Answer
    ) -> None:
        async def ask() -> None:
            timeout = aiohttp.ClientTimeout(total=0.1)
            async with aiohttp.ClientSession(
                middlewares=[trip.aiohttp.Middleware(tracker)], timeout=timeout
            ) as session:
                wire.answer(answer)
                with pytest.raises(asyncio.TimeoutError):
                    async with session.get(wire.url) as response:
                        await response.read()

        asyncio.run(ask())
        assert settled(circuit) == (0, 1, 0)

    def test_a_total_time_that_is_over_while_it_connects_is_a_timeout(self, tracker: trip.Tracker) -> None:
        class Never(aiohttp.abc.AbstractResolver):
            async def resolve(self, *_: object, **__: object) -> Any:
                await asyncio.Event().wait()

            async def close(self) -> None: ...

        async def ask() -> None:
            connector = aiohttp.TCPConnector(resolver=Never())
            timeout = aiohttp.ClientTimeout(total=0.05)
            async with aiohttp.ClientSession(
                middlewares=[trip.aiohttp.Middleware(tracker)], timeout=timeout, connector=connector
            ) as session:
                with pytest.raises(asyncio.TimeoutError):
                    await session.get("http://provider.example")

        asyncio.run(ask())
        assert settled(tracker.circuit("", "provider.example")) == (0, 1, 0)

    @pytest.mark.parametrize("answer", [Answer(body=None, then=Then.HANGS), Answer(200, LINES, then=Then.HANGS)])
    def test_a_task_that_is_cancelled_leaves_nothing_behind(
        self, tracker: trip.Tracker, wire: Wire, circuit: trip.Circuit, answer: Answer
    ) -> None:
        async def ask(session: aiohttp.ClientSession) -> None:
            async with session.get(wire.url) as response:
                await response.read()

        async def cancel() -> None:
            async with aiohttp.ClientSession(middlewares=[trip.aiohttp.Middleware(tracker)]) as session:
                wire.answer(answer)
                task = asyncio.ensure_future(ask(session))
                while not wire.requests:
                    await asyncio.sleep(0.001)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

        asyncio.run(cancel())
        assert settled(circuit) == (0, 0, 1)

    def test_a_websocket_is_let_go_once_it_is_one(self, tracker: trip.Tracker) -> None:
        async def talk() -> None:
            async def echo(request: web.BaseRequest) -> web.WebSocketResponse:
                socket = web.WebSocketResponse()
                await socket.prepare(request)
                await socket.send_str("hello")
                await socket.close()
                return socket

            server = web.Server(echo)
            runner = web.ServerRunner(server)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0]
            middlewares = [trip.aiohttp.Middleware(tracker, provider="socket")]
            async with (
                aiohttp.ClientSession(middlewares=middlewares) as session,
                session.ws_connect(f"ws://{host}:{port}") as connection,
            ):
                assert settled(tracker.circuit("", "socket")) == (1, 0, 0)
                assert await connection.receive_str() == "hello"
            await runner.cleanup()

        asyncio.run(talk())


@pytest.mark.parametrize(("library", "ours"), [(httpx, trip.httpx), (httpx2, trip.httpx2)])
class TestHttpx:
    @pytest.mark.parametrize("status", [200, 500])
    def test_a_response_that_came_from_no_wire_is_settled_at_once(
        self, tracker: trip.Tracker, library: Any, ours: Any, status: int
    ) -> None:
        within = library.MockTransport(lambda _: library.Response(status, text="hello"))
        with library.Client(transport=ours.Transport(tracker, within)) as client:
            assert client.get("https://provider.example").text == "hello"
        assert settled(tracker.circuit("", "provider.example")) == ((1, 0, 0) if status == 200 else (0, 1, 0))

    def test_an_error_of_the_caller_s_own_machine_tells_nothing(
        self, tracker: trip.Tracker, library: Any, ours: Any
    ) -> None:
        def refuse(_: object) -> Any:
            raise library.ConnectError("no descriptors left") from OSError(errno.EMFILE, "Too many open files")

        client = library.Client(transport=ours.Transport(tracker, library.MockTransport(refuse)))
        with client, pytest.raises(library.ConnectError):
            client.get("https://provider.example")
        assert tracker.circuit("", "provider.example").inspect().state is trip.State.CLOSED

    @pytest.mark.parametrize(
        ("url", "host"),
        [
            ("https://user:secret@Provider.Example/", "provider.example"),
            ("https://provider.example:443/", "provider.example"),
            ("http://provider.example:443/", "provider.example:443"),
            ("https://[::1]:8080/", "[::1]:8080"),
            ("https://bücher.example/", "xn--bcher-kva.example"),
        ],
    )
    def test_the_provider_is_the_host(
        self, tracker: trip.Tracker, library: Any, ours: Any, url: str, host: str
    ) -> None:
        within = library.MockTransport(lambda _: library.Response(200))
        with library.Client(transport=ours.Transport(tracker, within)) as client:
            client.get(url)
        assert [circuit.provider for circuit, _ in tracker.circuits()] == [host]

    def test_a_transport_within_a_transport_asks_once_for_each(
        self, tracker: trip.Tracker, library: Any, ours: Any, wire: Wire, circuit: trip.Circuit
    ) -> None:
        within = ours.Transport(tracker, provider="within")
        with library.Client(transport=ours.Transport(tracker, within)) as client:
            client.get(wire.url)
            tracker.circuit("", "within").trip()
            with pytest.raises(trip.CircuitOpen, match="within"):
                client.get(wire.url)
        assert settled(circuit) == (1, 0, 1)

    def test_what_is_no_transport_is_refused_at_once(self, tracker: trip.Tracker, library: Any, ours: Any) -> None:
        for wrong in "transport", 0, library.Client, library.AsyncHTTPTransport():
            with pytest.raises(TypeError, match="handle_request"):
                ours.Transport(tracker, wrong)
        for wrong in "transport", library.HTTPTransport():
            with pytest.raises(TypeError, match="handle_async_request"):
                ours.AsyncTransport(tracker, wrong)

    def test_it_is_closed_with_its_client(self, tracker: trip.Tracker, library: Any, ours: Any) -> None:
        steps = []

        class Within(library.BaseTransport):  # type: ignore[misc]
            def __enter__(self) -> Any:
                steps.append("entered")
                return self

            def close(self) -> None:
                steps.append("closed")

        transport = ours.Transport(tracker, Within())
        assert "Within" in repr(transport)
        with library.Client(transport=transport):
            pass
        library.Client(transport=transport).close()
        assert steps == ["entered", "closed", "closed"]

    def test_a_stream_left_by_its_loop_is_closed(
        self, tracker: trip.Tracker, library: Any, ours: Any, wire: Wire, circuit: trip.Circuit
    ) -> None:
        async def leave() -> None:
            async with library.AsyncClient(transport=ours.AsyncTransport(tracker)) as client:
                wire.answer(stream("openai", Then.HANGS))
                async with client.stream("GET", wire.url) as response:
                    async for _ in response.aiter_lines():
                        break
                assert settled(circuit) == (0, 0, 1)

        asyncio.run(leave())

    def test_a_pool_that_is_exhausted_tells_nothing(
        self, tracker: trip.Tracker, library: Any, ours: Any, wire: Wire, circuit: trip.Circuit
    ) -> None:
        within = library.HTTPTransport(limits=library.Limits(max_connections=1))
        with library.Client(transport=ours.Transport(tracker, within)) as client, client.stream("GET", wire.url):
            with pytest.raises(library.PoolTimeout):
                client.get(wire.url, timeout=library.Timeout(60, pool=0.001))
            info = circuit.inspect()
            assert (info.permits, info.failures_total, info.state) == (2, 0, trip.State.CLOSED)

    def test_a_timeout_is_one_and_no_broken_connection(self, library: Any, ours: Any, wire: Wire) -> None:
        with trip.Tracker(on_network=trip.Effect.NOTHING) as tracker:
            with library.Client(transport=ours.Transport(tracker), timeout=0.05) as client:
                wire.answer(Answer(200, [b"data: 1\n\n"], EVENTS, Then.HANGS))
                with pytest.raises(library.ReadTimeout):
                    client.get(wire.url)
            assert settled(tracker.circuit("", wire.host)) == (0, 1, 0)
