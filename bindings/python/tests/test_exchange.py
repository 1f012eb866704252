"""One request on the wire: its permit is settled once, whoever tells what, in whatever order, on whatever thread."""

from __future__ import annotations

import errno
import gc
import itertools
import logging
import socket
import ssl
import threading
from typing import Any, Callable

import pytest

import trip
from trip._exchange import Exchange, Exchanges
from trip._http_error import Errors, outcome_of

ERRORS = Errors((KeyError,), (IndexError,), (LookupError,))
EVENTS = {"content-type": "text/event-stream"}
NO_HEADERS: dict[str, str] = {}


@pytest.fixture
def exchange(tracker: trip.Tracker) -> Exchange:
    return Exchanges[None](tracker, None, "acme", ERRORS).begin(None, "openai")


def said_of(headers: dict[str, str]) -> Callable[[str], str | None]:
    return lambda name: headers.get(name)


def settled(circuit: trip.Circuit) -> tuple[int, int, int]:
    info = circuit.inspect()
    assert info.permits == info.successes + info.failures_total + info.cancels
    return info.successes, info.failures_total, info.cancels


ENDS: dict[str, Callable[[Exchange], object]] = {
    "ended": lambda exchange: exchange.ended(),
    "left": lambda exchange: exchange.left(),
    "whole": lambda exchange: exchange.left(is_whole=True),
    "failed": lambda exchange: exchange.failed(ConnectionResetError(errno.ECONNRESET, "")),
    "cancelled": lambda exchange: exchange.failed(KeyboardInterrupt()),
}
COUNTS = {"ended": (1, 0, 0), "left": (0, 0, 1), "whole": (1, 0, 0), "failed": (0, 1, 0), "cancelled": (0, 0, 1)}


@pytest.mark.parametrize(("first", "then"), list(itertools.product(ENDS, ENDS)))
def test_what_is_told_first_counts(exchange: Exchange, circuit: trip.Circuit, first: str, then: str) -> None:
    assert exchange.answered("GET", 200, said_of(NO_HEADERS))
    exchange.heard(b"hello")
    ENDS[first](exchange)
    ENDS[then](exchange)
    exchange.heard(b"more")
    assert not exchange.answered("GET", 500, said_of(NO_HEADERS))
    exchange.ended()
    assert settled(circuit) == COUNTS[first]


@pytest.mark.parametrize("end", ENDS)
def test_an_end_without_an_answer_is_no_success(exchange: Exchange, circuit: trip.Circuit, end: str) -> None:
    exchange.heard(b"nothing was answered")
    ENDS[end](exchange)
    assert settled(circuit) == ((0, 1, 0) if end == "failed" else (0, 0, 1))


def test_one_that_nobody_ends_is_cancelled_when_it_is_collected(tracker: trip.Tracker, circuit: trip.Circuit) -> None:
    Exchanges[None](tracker, None, "acme", ERRORS).begin(None, "openai")
    gc.collect()
    assert settled(circuit) == (0, 0, 1)


@pytest.mark.parametrize(
    ("method", "status", "length"),
    [("HEAD", 200, "5"), ("GET", 204, ""), ("GET", 304, "5"), ("GET", 101, ""), ("POST", 200, "0")],
)
def test_a_head_without_a_body_ends_it(
    exchange: Exchange, circuit: trip.Circuit, method: str, status: int, length: str
) -> None:
    """Nobody need read what does not come."""
    assert not exchange.answered(method, status, said_of({"content-length": length}))
    assert settled(circuit) == (1, 0, 0)


@pytest.mark.parametrize("length", ["5", "05"])
def test_the_last_byte_that_was_promised_ends_it(exchange: Exchange, circuit: trip.Circuit, length: str) -> None:
    exchange.answered("GET", 200, said_of({"content-length": length}))
    exchange.heard(b"hel")
    assert circuit.inspect().successes == 0
    exchange.heard(b"lo")
    assert settled(circuit) == (1, 0, 0)


@pytest.mark.parametrize("length", ["", "-5", "five", "\u0665", "9" * 5000, "5, 5"])
def test_a_length_that_is_none_is_not_waited_for(exchange: Exchange, circuit: trip.Circuit, length: str) -> None:
    exchange.answered("GET", 200, said_of({"content-length": length}))
    exchange.heard(b"hello")
    exchange.ended()
    assert settled(circuit) == (1, 0, 0)


def test_threads_that_end_it_at_once_end_it_once(
    tracker: trip.Tracker, circuit: trip.Circuit, switching_often: None, caplog: pytest.LogCaptureFixture
) -> None:
    exchanges = Exchanges[None](tracker, None, "acme", ERRORS)
    for _ in range(200):
        exchange, barrier = exchanges.begin(None, "openai"), threading.Barrier(3)
        exchange.answered("GET", 200, said_of(NO_HEADERS))

        def end(exchange: Exchange = exchange, barrier: threading.Barrier = barrier) -> None:
            barrier.wait(60)
            exchange.heard(b"x")
            exchange.ended()

        threads = [threading.Thread(target=end) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert settled(circuit) == (200, 0, 0)
    assert caplog.records == []


def test_a_permit_that_was_settled_by_somebody_else_is_nothing_to_report(
    exchange: Exchange, circuit: trip.Circuit, caplog: pytest.LogCaptureFixture
) -> None:
    exchange.answered("GET", 200, said_of(EVENTS))
    permit = exchange._permit
    assert permit is not None
    permit.cancel()
    exchange.ended()
    assert caplog.records == []
    assert settled(circuit) == (0, 0, 1)


def test_a_stream_is_slow_when_it_is_slow_to_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it goes on: that is for how long its answer is. A body that is no stream is slow as a whole."""
    now = [0]
    monkeypatch.setattr("trip._exchange.time.monotonic_ns", lambda: now[0])
    for headers, waits, is_slow in (EVENTS, (9, 1), True), (EVENTS, (1, 9), False), (NO_HEADERS, (1, 9), True):
        with trip.Tracker(
            count_window=1, count_minimum=1, count_slow_ratio=1.0, slow_call=5.0, clock=trip.Clock.MANUAL
        ) as tracker:
            exchange = Exchanges[None](tracker, None, "acme", ERRORS).begin(None, "openai")
            exchange.answered("GET", 200, said_of(headers))
            for seconds in waits:
                now[0] += seconds * 10**9
                tracker.advance(seconds)
                exchange.heard(b"data: 1\n\n")
            exchange.ended()
            assert (tracker.circuit("acme", "openai").inspect().state is trip.State.OPEN) is is_slow


def test_what_the_library_cannot_record_is_logged(
    exchange: Exchange, tracker: trip.Tracker, caplog: pytest.LogCaptureFixture
) -> None:
    exchange.answered("GET", 200, said_of(EVENTS))
    tracker.close()
    with caplog.at_level(logging.WARNING, "trip"):
        exchange.heard(b"data: 1\n\n")
        exchange.failed(ConnectionResetError(errno.ECONNRESET, ""))
    assert "could not be recorded" in caplog.text


def raised(outer: Exception, inner: BaseException) -> Exception:
    try:
        raise outer from inner
    except Exception as error:
        return error


CASES: list[tuple[Any, trip.StatusClass]] = [
    (KeyError(), trip.StatusClass.UNKNOWN),
    (IndexError(), trip.StatusClass.TIMEOUT),
    (TimeoutError(), trip.StatusClass.TIMEOUT),
    (LookupError(), trip.StatusClass.NETWORK),
    (ConnectionRefusedError(errno.ECONNREFUSED, ""), trip.StatusClass.NETWORK),
    (raised(LookupError(), ConnectionResetError(errno.ECONNRESET, "")), trip.StatusClass.NETWORK),
    (raised(LookupError(), OSError(errno.EMFILE, "")), trip.StatusClass.UNKNOWN),
    (raised(LookupError(), OSError(errno.ETIMEDOUT, "")), trip.StatusClass.TIMEOUT),
    (raised(LookupError(), OSError("without a number")), trip.StatusClass.NETWORK),
    (raised(LookupError(), socket.gaierror(socket.EAI_NONAME, "")), trip.StatusClass.NETWORK),
    (raised(LookupError(), ssl.SSLError(1, "certificate verify failed")), trip.StatusClass.NETWORK),
    (ValueError("a mistake of whoever makes the body"), trip.StatusClass.UNKNOWN),
    (ValueError("HTTP 503 Service Unavailable"), trip.StatusClass.SERVER_ERROR),
]


@pytest.mark.parametrize(("error", "expected"), CASES, ids=lambda case: repr(case)[:40])
def test_what_an_exception_tells(error: Exception, expected: trip.StatusClass) -> None:
    assert outcome_of(error, ERRORS).status_class is expected


def test_a_chain_of_causes_that_leads_back_to_itself_is_followed_once() -> None:
    one, other = LookupError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert outcome_of(one, ERRORS).status_class is trip.StatusClass.NETWORK


def test_a_refusal_of_a_transport_within_tells_nothing(exchange: Exchange, circuit: trip.Circuit) -> None:
    exchange.failed(trip.CircuitOpen("acme", "another", (1, bytes(64))))
    assert settled(circuit) == (0, 0, 1)


def test_headers_that_cannot_be_read_reach_nobody(
    exchange: Exchange, circuit: trip.Circuit, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(name: str) -> str | None:
        raise UnicodeDecodeError("ascii", b"\xff", 0, 1, name)

    assert not exchange.answered("GET", 200, broken)
    exchange.heard(b"the caller has it all the same")
    exchange.ended()
    assert settled(circuit) == (0, 0, 1)
    assert "could not be judged" in caplog.text


def test_a_body_that_cannot_be_understood_reaches_nobody(
    exchange: Exchange, circuit: trip.Circuit, caplog: pytest.LogCaptureFixture
) -> None:
    assert exchange.answered("GET", 200, said_of(EVENTS))
    not_bytes: Any = "data: text\n\n"
    exchange.heard(not_bytes)
    exchange.ended()
    assert settled(circuit) == (0, 0, 1)
    assert "could not be judged" in caplog.text
