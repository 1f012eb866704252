"""Every HTTP client that is protected: a permit per request, settled once by what becomes of the response."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Callable

import aiohttp
import httpx
import httpx2
import pytest
import requests
import urllib3

import trip
from clients import CLIENTS, Aiohttp, Client, Looping
from completions import error, overloaded_midway, stream
from wire import EVENTS, Answer, Then, Wire, event, listening

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

# What a client raises when its connection breaks, or its time is over.
BROKEN = (
    *(httpx.TransportError, httpx2.TransportError, requests.RequestException, urllib3.exceptions.HTTPError),
    *(aiohttp.ClientError, asyncio.TimeoutError),
)
GZIP = {"Content-Encoding": "gzip", "Content-Type": "application/json"}


@pytest.fixture
def wire() -> Iterator[Wire]:
    with listening() as wire:
        yield wire


@pytest.fixture(params=CLIENTS)
def make(request: pytest.FixtureRequest) -> Callable[..., Client]:
    return CLIENTS[request.param]


@pytest.fixture
def client(make: Callable[..., Client], tracker: trip.Tracker) -> Iterator[Client]:
    client = make(tracker)
    yield client
    client.close()


@pytest.fixture
def circuit(tracker: trip.Tracker, wire: Wire) -> trip.Circuit:
    """Of the server: a client names it so when nobody says otherwise."""
    return tracker.circuit("", wire.host)


def counted(circuit: trip.Circuit) -> dict[str, int]:
    """What the permits of a circuit have become, as far as there are any; all of them are settled."""
    info = circuit.inspect()
    kinds = ("successes", "failures_total", "cancels", "drops")
    assert info.permits == sum(getattr(info, kind) for kind in kinds)
    return {kind: getattr(info, kind) for kind in kinds if getattr(info, kind)}


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"hello"),
        Answer(200, [b"hel", b"lo"]),
        Answer(200, b""),
        Answer(204, b""),
        Answer(200, gzip.compress(b"hello"), GZIP),
        Answer(200, b'{"error": null}'),
        Answer(304, b""),
        Answer(400, b"your mistake"),
        Answer(401, b""),
        Answer(404, b"no such model"),
    ],
    ids=["whole", "chunked", "empty", "204", "gzip", "error-null", "304", "400", "401", "404"],
)
def test_an_answer_that_is_no_fault_of_the_provider_is_a_success(
    client: Client, wire: Wire, circuit: trip.Circuit, answer: Answer
) -> None:
    wire.answer(answer)
    status, body = client.ask("GET", wire.url)
    assert status == answer.status
    assert body in (b"hello", b"", answer.body)
    assert counted(circuit) == {"successes": 1}


def test_head_has_no_body_to_wait_for(client: Client, wire: Wire, circuit: trip.Circuit) -> None:
    wire.answer(Answer(200, b"not sent"))
    assert client.ask("HEAD", wire.url) == (200, b"")
    assert counted(circuit) == {"successes": 1}


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
def test_an_answer_that_is_the_provider_s_fault_is_a_failure(
    client: Client, wire: Wire, circuit: trip.Circuit, status: int
) -> None:
    wire.answer(Answer(status, b"{}"))
    assert client.ask("GET", wire.url) == (status, b"{}")
    assert counted(circuit) == {"failures_total": 1}
    assert circuit.inspect().state is trip.State.OPEN


@pytest.mark.parametrize("headers", [{}, GZIP], ids=["plain", "gzip"])
def test_the_body_of_an_error_is_read_and_left_to_the_caller(
    client: Client, wire: Wire, circuit: trip.Circuit, headers: dict[str, str]
) -> None:
    """A quota that is used up opens for ten minutes: the status alone would say thirty seconds."""
    body = json.dumps({"error": {"code": "insufficient_quota", "message": "x" * 2000}}).encode()
    wire.answer(Answer(429, gzip.compress(body) if headers else body, headers))
    assert client.ask("GET", wire.url) == (429, body)
    assert circuit.inspect().retry_after == 600


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "9", "retry-after-ms": "7500"}, 7.5),
        ({"Retry-After": "soon"}, 1),
        ({"retry-after-ms": "-1", "Retry-After": "7"}, 7),
    ],
)
def test_the_circuit_opens_for_as_long_as_the_provider_asks(
    make: Callable[..., Client], wire: Wire, headers: dict[str, str], wait: float
) -> None:
    with trip.Tracker(failure_threshold=1, initial_open=1, clock=trip.Clock.MANUAL) as tracker:
        client = make(tracker)
        circuit = tracker.circuit("", wire.host)
        wire.answer(Answer(529, b"{}", headers))
        client.ask("GET", wire.url)
        assert circuit.inspect().retry_after == wait
        tracker.advance(wait - 0.001)
        with pytest.raises(trip.CircuitOpen):
            client.ask("GET", wire.url)
        tracker.advance(0.001)
        assert client.ask("GET", wire.url)[0] == 200
        assert circuit.inspect().state is trip.State.CLOSED
        client.close()


def test_a_refused_request_never_reaches_the_server(client: Client, wire: Wire, circuit: trip.Circuit) -> None:
    circuit.trip()
    with pytest.raises(trip.CircuitOpen) as refused:
        client.ask("GET", wire.url)
    assert (refused.value.provider, refused.value.retry_after) == (wire.host, 30)
    assert wire.requests == []
    assert circuit.inspect().rejections == 1


@pytest.mark.parametrize(
    "answer", [Answer(200, b"half", then=Then.BREAKS), Answer(200, [b"hal", b"f"], then=Then.BREAKS), Answer(body=None)]
)
def test_a_connection_that_breaks_is_one_failure(
    client: Client, wire: Wire, circuit: trip.Circuit, answer: Answer
) -> None:
    wire.answer(answer, answer)  # aiohttp asks again where no byte of an answer came
    with pytest.raises(BROKEN):
        client.ask("POST", wire.url)
    assert counted(circuit) == {"failures_total": 1}


def test_an_error_whose_body_breaks_is_what_its_status_says(client: Client, wire: Wire, circuit: trip.Circuit) -> None:
    wire.answer(Answer(400, b"your mist", then=Then.BREAKS))
    with pytest.raises(BROKEN):
        client.ask("GET", wire.url)
    assert counted(circuit) == {"successes": 1}


def test_nobody_listens(client: Client, tracker: trip.Tracker) -> None:
    with socket.socket() as place:  # bound, and not listening: it refuses connections
        place.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{place.getsockname()[1]}"
        with pytest.raises(BROKEN):
            client.ask("GET", f"http://{host}")
        assert counted(tracker.circuit("", host)) == {"failures_total": 1}


@pytest.mark.parametrize("answer", [Answer(body=None, then=Then.HANGS), Answer(200, [b"a"], then=Then.HANGS)])
def test_a_timeout_is_a_failure(client: Client, wire: Wire, circuit: trip.Circuit, answer: Answer) -> None:
    wire.answer(answer)
    with pytest.raises(BROKEN):
        client.ask("GET", wire.url, timeout=0.05)
    assert counted(circuit) == {"failures_total": 1}


def test_a_request_that_cannot_be_made_tells_nothing(client: Client, tracker: trip.Tracker) -> None:
    with pytest.raises(Exception, match=r"."):
        client.ask("GET", "gopher://127.0.0.1")
    assert all("failures_total" not in counted(circuit) for circuit, _ in tracker.circuits())


def test_each_redirect_is_a_request_of_its_own(client: Client, wire: Wire, circuit: trip.Circuit) -> None:
    wire.answer(Answer(302, b"there", {"Location": "/there"}), Answer(200, b"hello"))
    assert client.ask("GET", wire.url) == (200, b"hello")
    assert [request.path for request in wire.requests] == ["/", "/there"]
    assert counted(circuit) == {"successes": 2}


def test_connections_are_used_again(client: Client, wire: Wire) -> None:
    before = wire.connections
    for answer in Answer(200, b"whole"), Answer(200, [b"chunk", b"ed"]), Answer(400, b"mistake"), Answer(204, b""):
        wire.answer(answer)
        client.ask("GET", wire.url)
    assert wire.connections == before + 1


class TestStreams:
    def test_one_that_ends_is_a_success(self, client: Client, wire: Wire, circuit: trip.Circuit) -> None:
        wire.answer(Answer(200, [b"data: 1\n\n", b"data: 2\n\n"], EVENTS))
        reading = client.begin(wire.url)
        assert circuit.inspect().permits - circuit.inspect().successes == 1  # it is out
        said = b"".join(iter(reading.piece, b""))
        reading.close()
        assert said == b"data: 1\n\ndata: 2\n\n"
        assert counted(circuit) == {"successes": 1}

    @pytest.mark.parametrize("headers", [EVENTS, {}], ids=["events", "bytes"])
    def test_one_that_breaks_is_one_failure(
        self, client: Client, wire: Wire, circuit: trip.Circuit, headers: dict[str, str]
    ) -> None:
        wire.answer(Answer(200, [b"data: 1\n\n"], headers, Then.BREAKS))
        reading = client.begin(wire.url)
        with pytest.raises(BROKEN):
            b"".join(iter(reading.piece, b""))
        reading.close()
        assert counted(circuit) == {"failures_total": 1}

    @pytest.mark.parametrize("headers", [EVENTS, {}], ids=["events", "bytes"])
    def test_one_that_is_closed_early_is_cancelled(
        self, client: Client, wire: Wire, circuit: trip.Circuit, headers: dict[str, str]
    ) -> None:
        wire.answer(Answer(200, [b"data: 1\n\n"], headers, Then.HANGS))
        reading = client.begin(wire.url)
        assert reading.piece() == b"data: 1\n\n"
        reading.close()
        reading.close()
        assert counted(circuit) == {"cancels": 1}

    def test_one_that_is_closed_unread_is_cancelled(self, client: Client, wire: Wire, circuit: trip.Circuit) -> None:
        wire.answer(Answer(200, [b"data: 1\n\n"], EVENTS, Then.HANGS))
        client.begin(wire.url).close()
        assert counted(circuit) == {"cancels": 1}

    def test_an_error_that_is_closed_unread_is_what_its_status_says(
        self, client: Client, wire: Wire, circuit: trip.Circuit
    ) -> None:
        """So do the SDKs with an answer after which they ask again."""
        wire.answer(Answer(529, [b"{"], {"Retry-After": "70"}, Then.HANGS))
        client.begin(wire.url).close()
        assert counted(circuit) == {"failures_total": 1}
        assert circuit.inspect().retry_after == 70

    def test_one_that_is_forgotten_is_cancelled(
        self, make: Callable[..., Client], tracker: trip.Tracker, wire: Wire, circuit: trip.Circuit
    ) -> None:
        """aiohttp keeps it as long as its connection lives."""
        client = make(tracker)
        wire.answer(Answer(200, [b"data: 1\n\n"], EVENTS, Then.HANGS))
        reading = client.begin(wire.url)
        reading.piece()
        del reading
        gc.collect()
        if isinstance(client, Looping):
            client.turn()
        if isinstance(client, Aiohttp):
            client.close()
        gc.collect()
        assert counted(circuit) == {"cancels": 1}
        if not isinstance(client, Aiohttp):
            client.close()

    @pytest.mark.parametrize("provider", ["openai", "anthropic"])
    def test_one_that_says_that_it_is_complete_is_a_success_though_nobody_reads_its_end(
        self, client: Client, wire: Wire, circuit: trip.Circuit, provider: str
    ) -> None:
        answer = stream(provider)
        assert isinstance(answer.body, list)
        wire.answer(Answer(200, answer.body, EVENTS, Then.HANGS))
        reading = client.begin(wire.url)
        said, last = b"", answer.body[-1]
        while not said.endswith(last):
            said += reading.piece()
        reading.close()
        assert counted(circuit) == {"successes": 1}

    @pytest.mark.parametrize("provider", ["openai", "anthropic"])
    def test_one_that_carries_an_error_is_one_failure(
        self, client: Client, wire: Wire, circuit: trip.Circuit, provider: str
    ) -> None:
        wire.answer(overloaded_midway(provider))
        status, _ = client.ask("GET", wire.url)
        assert status == 200
        assert counted(circuit) == {"failures_total": 1}

    def test_a_gzipped_one_is_understood(self, client: Client, wire: Wire, circuit: trip.Circuit) -> None:
        body = event({"error": {"type": "server_error", "message": "The server had an error"}})
        wire.answer(Answer(200, gzip.compress(body), EVENTS | {"Content-Encoding": "gzip"}))
        assert client.ask("GET", wire.url) == (200, body)
        assert counted(circuit) == {"failures_total": 1}

    def test_a_probe_has_succeeded_with_its_first_piece(
        self, client: Client, tracker: trip.Tracker, wire: Wire, circuit: trip.Circuit
    ) -> None:
        circuit.trip()
        tracker.advance(30)
        wire.answer(Answer(200, [b"data: 1\n\n"], EVENTS, Then.HANGS))
        reading = client.begin(wire.url)
        assert circuit.inspect().state is trip.State.HALF_OPEN
        reading.piece()
        assert circuit.inspect().state is trip.State.CLOSED
        reading.close()

    def test_a_probe_whose_body_goes_on_keeps_its_lease(self, make: Callable[..., Client], wire: Wire) -> None:
        with trip.Tracker(failure_threshold=1, probe_lease=10, clock=trip.Clock.MANUAL) as tracker:
            client, circuit = make(tracker), tracker.circuit("", wire.host)
            circuit.trip()
            tracker.advance(30)
            wire.answer(Answer(200, [b"a", b"b", b"c"], {}, Then.HANGS))
            reading, said = client.begin(wire.url), b""
            while said != b"abc":
                tracker.advance(6)
                said += reading.piece()
                assert circuit.inspect().probes_out == 1
            tracker.advance(9)
            with pytest.raises(trip.CircuitOpen) as refused:
                client.ask("GET", wire.url)
            assert refused.value.reason is trip.Reason.PROBING
            reading.close()
            client.close()


class TestNames:
    def test_a_provider_and_a_tenant_can_be_named(self, make: Callable[..., Client], wire: Wire) -> None:
        with trip.Tracker() as tracker:
            client = make(tracker, provider="openai", tenant=lambda request: request.headers.get("Accept", "*/*"))
            client.ask("GET", wire.url)
            client.close()
            assert [(c.tenant, c.provider) for c, _ in tracker.circuits()] == [("*/*", "openai")]

    def test_a_function_may_name_the_provider(self, make: Callable[..., Client], wire: Wire) -> None:
        with trip.Tracker() as tracker:
            client = make(tracker, provider=lambda request: str(request.method), tenant="acme")
            client.ask("GET", wire.url)
            client.close()
            assert [(c.tenant, c.provider) for c, _ in tracker.circuits()] == [("acme", "GET")]

    @pytest.mark.parametrize("named", [lambda _: 7, lambda _: 1 / 0, lambda _: "x" * 256, lambda _: None])
    def test_a_name_that_cannot_be_told_stops_no_request(
        self, make: Callable[..., Client], wire: Wire, named: Callable[..., str], caplog: pytest.LogCaptureFixture
    ) -> None:
        with trip.Tracker() as tracker, caplog.at_level(logging.WARNING, "trip"):
            client = make(tracker, provider=named)
            assert client.ask("GET", wire.url)[0] == client.ask("GET", wire.url)[0] == 200
            client.close()
            assert len([r for r in caplog.records if "unguarded" in r.message]) == 1
            assert list(tracker.circuits()) == []

    @pytest.mark.parametrize("wrong", [{"provider": 7}, {"tenant": None}, {"provider": b"x"}])
    def test_what_is_no_name_is_refused_at_once(
        self, make: Callable[..., Client], tracker: trip.Tracker, wrong: dict[str, object]
    ) -> None:
        with pytest.raises(TypeError, match="must be a str or a function"):
            make(tracker, **wrong)

    @pytest.mark.parametrize("tracker", [None, "tracker", 0])
    def test_what_is_no_tracker_is_refused_at_once(self, make: Callable[..., Client], tracker: object) -> None:
        with pytest.raises(TypeError, match=r"must be a trip\.Tracker"):
            make(tracker)


def test_a_closed_tracker_stops_no_request(
    make: Callable[..., Client], wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = trip.Tracker()
    client = make(tracker)
    tracker.close()
    with caplog.at_level(logging.WARNING, "trip"):
        assert client.ask("GET", wire.url) == client.ask("GET", wire.url) == (200, b"{}")
    client.close()
    assert len([record for record in caplog.records if "unguarded" in record.message]) == 1


def test_a_tracker_that_is_closed_while_a_response_comes_breaks_nothing(
    make: Callable[..., Client], wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = trip.Tracker()
    client = make(tracker)
    wire.answer(Answer(200, [b"data: 1\n\n", b"data: 2\n\n"], EVENTS))
    reading = client.begin(wire.url)
    tracker.close()
    with caplog.at_level(logging.WARNING, "trip"):
        assert b"".join(iter(reading.piece, b"")) == b"data: 1\n\ndata: 2\n\n"
    reading.close()
    client.close()
    assert "could not be recorded" in caplog.text


@pytest.mark.parametrize("kind", ["httpx", "httpx2", "requests", "urllib3"])
def test_threads_share_a_client(kind: str, wire: Wire) -> None:
    wire.otherwise = lambda request: Answer(200, [b"data: 1\n\n", b"data: [DONE]\n\n"], EVENTS)
    with trip.Tracker() as tracker:
        client, barrier = CLIENTS[kind](tracker), threading.Barrier(8)

        def ask() -> None:
            barrier.wait(60)
            for _ in range(25):
                client.ask("GET", wire.url)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        client.close()
        assert counted(tracker.circuit("", wire.host)) == {"successes": 200}


def test_who_imports_trip_imports_none_of_them() -> None:
    names = ["asyncio", "httpx", "httpx2", "requests", "urllib3", "aiohttp", "openai", "anthropic"]
    program = f"import sys, trip; print([name for name in {names} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=ENVIRONMENT)
    assert ran.stdout == "[]\n"


def test_an_error_midway_is_not_what_a_caller_repeats(client: Client, wire: Wire, circuit: trip.Circuit) -> None:
    """Tokens that speak of errors are tokens."""
    for provider in "openai", "anthropic":
        wire.answer(stream(provider, tokens=200))
        client.ask("GET", wire.url)
    wire.answer(error("openai", 400))
    client.ask("GET", wire.url)
    assert counted(circuit) == {"successes": 3}
