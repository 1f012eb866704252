"""What is understood of a body while it passes, in whatever pieces it comes, and how little of it is kept."""

from __future__ import annotations

import gzip
import sys
import zlib

import pytest

import trip
from completions import overloaded_midway, stream
from trip._listening import Body, EventStream, Listening, listening
from wire import event

ERROR = event({"error": {"type": "server_error", "message": "no"}})
TOKEN = event({"choices": [{"delta": {"content": "error"}}]})


def heard(listener: Listening, *pieces: bytes) -> list[trip.Outcome]:
    return [said for piece in pieces if (said := listener.hear(piece)) is not None]


def events(body: object) -> bytes:
    assert isinstance(body, list)
    return b"".join(body)


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize(
    "said", [ERROR, event(b"[DONE]"), event(b"{}", "message_stop"), event(b"{}", "response.completed")]
)
def test_an_event_is_understood_wherever_it_is_cut(newline: bytes, said: bytes) -> None:
    """With the piece that completes it, and not again."""
    text = (TOKEN + said).replace(b"\n", newline)
    expected = trip.StatusClass.SERVER_ERROR if said is ERROR else trip.StatusClass.SUCCESS
    for cut in range(len(text) + 1):
        told = heard(EventStream(200, None), text[:cut], text[cut:])
        assert [outcome.status_class for outcome in told] == [expected], cut
    told = heard(EventStream(200, None), *(text[at : at + 1] for at in range(len(text))))
    assert [outcome.status_class for outcome in told] == [expected]


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_tokens_that_speak_of_errors_are_none(provider: str) -> None:
    said = events(stream(provider).body)
    last = said.rindex(b"\n\n", 0, -2) + 2
    listener = EventStream(200, None)
    assert heard(listener, said[:last]) == []
    assert [outcome.status_class for outcome in heard(listener, said[last:])] == [trip.StatusClass.SUCCESS]


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_an_error_among_tokens_is_one(provider: str) -> None:
    told = heard(EventStream(200, None), events(overloaded_midway(provider).body))
    assert [outcome.status_class for outcome in told] == [trip.StatusClass.OVERLOADED]


def test_an_event_that_no_boundary_ends_is_understood_at_the_end() -> None:
    listener = EventStream(200, None)
    assert heard(listener, ERROR.rstrip()) == []
    assert listener.told().status_class is trip.StatusClass.SERVER_ERROR


@pytest.mark.parametrize("size", [1000, 65536, 200000])
def test_an_event_behind_a_long_one_is_understood(size: int) -> None:
    listener = EventStream(200, None)
    long = event(b"x" * size)
    pieces = [long[at : at + 999] for at in range(0, len(long), 999)]
    assert heard(listener, *pieces) == []
    assert [said.status_class for said in heard(listener, ERROR)] == [trip.StatusClass.SERVER_ERROR]


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_the_end_of_a_long_event_is_found_wherever_it_is_cut(newline: bytes, cut: int) -> None:
    listener = EventStream(200, None)
    long = event(b"x" * 100000).replace(b"\n", newline)
    told = heard(listener, long[:-cut], long[-cut:] + ERROR)
    assert [outcome.status_class for outcome in told] == [trip.StatusClass.SERVER_ERROR]


def test_no_more_is_kept_than_is_read() -> None:
    body, events = Body(500, None), EventStream(200, None)
    for _ in range(20):
        body.hear(b"x" * 65536)
        events.hear(b"x" * 65536)
    assert len(body._begun) == 65536
    assert len(events._pending) <= 65536
    bomb, packed = listening(500, "", "gzip"), gzip.compress(bytes(10**8))
    bomb.hear(packed)
    assert isinstance(bomb, Body)
    assert sys.getsizeof(bomb._begun) < 2 * 65536


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress), (" GZIP ", gzip.compress)],
)
@pytest.mark.parametrize("content_type", ["text/event-stream; charset=utf-8", "Application/JSON", ""])
def test_a_packed_body_is_unpacked(encoding: str, pack: object, content_type: str) -> None:
    assert callable(pack)
    body = pack(ERROR if "event" in content_type else b'{"error": {"type": "server_error"}}')
    listener = listening(200, content_type, encoding)
    pieces = heard(listener, *(body[at : at + 7] for at in range(0, len(body), 7)))
    assert [*pieces, listener.told()][0].status_class is trip.StatusClass.SERVER_ERROR


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, br", "no such thing"])
@pytest.mark.parametrize("content_type", ["text/event-stream", "application/json"])
def test_what_cannot_be_unpacked_leaves_the_status_to_decide(encoding: str, content_type: str) -> None:
    for status, expected in (200, trip.StatusClass.SUCCESS), (529, trip.StatusClass.OVERLOADED):
        listener = listening(status, content_type, encoding)
        assert heard(listener, b'{"error": {"code": "insufficient_quota"}}\n\n', b"\x1f\x8b no gzip") == []
        assert listener.told().status_class is expected


@pytest.mark.parametrize("status", [101, 301, 302, 304, 307])
def test_a_redirect_is_an_answer(status: int) -> None:
    listener = listening(status, "text/html", "")
    listener.hear(b"error")
    assert listener.told().status_class is trip.StatusClass.SUCCESS
