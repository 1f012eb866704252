"""Classification and hints as Python sees them: types, errors and what is no text. What is told is the contract's."""

from __future__ import annotations

import email.utils
import pickle
import random
import socket
import time
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from http import HTTPStatus
from typing import Any

import pytest

import trip

NOW = 1795284253  # 2026-11-21 18:04:13 UTC
YEAR_S = 365 * 86400


def test_a_response_is_classified_by_status_and_body() -> None:
    body = '{"error": {"message": "Please try again in 20s.", "code": "rate_limit_exceeded"}}'
    outcome = trip.classify_http(429, body)
    assert outcome == trip.Outcome(trip.StatusClass.RATE_LIMITED, http_status=429, retry_after_ns=20 * 10**9)
    assert (outcome.retry_after, outcome.duration) == (20.0, 0.0)
    assert trip.classify_http(429, body.encode()) == outcome
    assert pickle.loads(pickle.dumps(outcome)) == outcome


def test_a_status_may_come_without_a_body_and_as_an_enum() -> None:
    assert trip.classify_http(HTTPStatus.GATEWAY_TIMEOUT).status_class is trip.StatusClass.TIMEOUT
    assert trip.classify_http(504, None) == trip.classify_http(504, "") == trip.classify_http(504)


def test_an_error_of_the_system_is_classified_by_its_errno() -> None:
    with socket.socket() as unbound, pytest.raises(OSError, match="not connected") as raised:
        unbound.getpeername()
    assert raised.value.errno is not None
    assert trip.classify_errno(raised.value.errno).status_class is trip.StatusClass.NETWORK
    outcome = trip.classify_errno(111)
    assert (outcome.status_class, outcome.sys_errno) == (trip.StatusClass.NETWORK, 111)
    assert trip.classify_errno(-2).status_class is trip.StatusClass.NETWORK


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"\xff\xfe{", trip.StatusClass.RATE_LIMITED),
        (b'{"error":{"message":"\xff\xff","code":"insufficient_quota"}}', trip.StatusClass.QUOTA),
        ('{"error":{"message":"\udcff","code":"insufficient_quota"}}', trip.StatusClass.QUOTA),
        ('{"error":{"code":"insufficient_quota","message":"a\0b"}}', trip.StatusClass.QUOTA),
        ("x" * 10_000_000, trip.StatusClass.RATE_LIMITED),
        (b"[" * 10_000_000, trip.StatusClass.RATE_LIMITED),
        ("\u20ac" * 10_000_000, trip.StatusClass.RATE_LIMITED),
    ],
    ids=["no-text", "half-a-text", "surrogate", "nul", "huge", "deep", "wide"],
)
def test_any_body_is_read(body: str | bytes, expected: trip.StatusClass) -> None:
    assert trip.classify_http(429, body).status_class is expected
    trip.classify_text(body)


WRONG: Any = [None, 1.5, "429", b"429", True, [429], object()]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_what_is_no_int_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="http_status must be an int"):
        trip.classify_http(wrong)
    with pytest.raises(TypeError, match="sys_errno must be an int"):
        trip.classify_errno(wrong)
    with pytest.raises(TypeError, match="now_unix_ns must be an int"):
        trip.parse_retry_hint_ns("Retry-After", "5", wrong)


@pytest.mark.parametrize("wrong", [1, 1.5, [b"x"], {}, bytearray(b"x"), object()], ids=repr)
def test_what_is_no_text_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="body must be str or bytes"):
        trip.classify_http(429, wrong)
    with pytest.raises(TypeError, match="text must be str or bytes"):
        trip.classify_text(wrong)
    with pytest.raises(TypeError, match="name must be str or bytes"):
        trip.parse_retry_hint(wrong, "5")
    with pytest.raises(TypeError, match="value must be str or bytes"):
        trip.parse_retry_hint("Retry-After", wrong)


def test_a_text_must_be_given() -> None:
    nothing: Any = None
    for call in (
        lambda: trip.classify_text(nothing),
        lambda: trip.parse_retry_hint(nothing, "5"),
        lambda: trip.parse_retry_hint("Retry-After", nothing),
    ):
        with pytest.raises(TypeError):
            call()


@pytest.mark.parametrize("status", [-1, 2**32, 10**30])
def test_a_status_that_32_bits_cannot_hold_is_refused(status: int) -> None:
    with pytest.raises(ValueError, match="http_status"):
        trip.classify_http(status)


@pytest.mark.parametrize("number", [-(2**31) - 1, 2**31, 10**30])
def test_an_errno_that_32_bits_cannot_hold_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="sys_errno"):
        trip.classify_errno(number)


def test_a_class_of_a_newer_library_is_kept() -> None:
    assert trip.StatusClass(99).name == "UNKNOWN_99"


# ---- Hints ----


def test_a_hint_is_seconds() -> None:
    assert trip.parse_retry_hint("retry-after-ms", "1500") == 1.5
    assert trip.parse_retry_hint(b"Retry-After", b"120") == 120.0
    assert trip.parse_retry_hint("", "Please try again in 6m0s.") == 360.0
    assert trip.parse_retry_hint("Date", "5") is None


def test_dates_are_counted_from_now() -> None:
    soon = email.utils.formatdate(time.time() + 3600, usegmt=True)
    wait = trip.parse_retry_hint("Retry-After", soon)
    assert wait is not None
    assert 3000 < wait <= 3600
    assert trip.parse_retry_hint("Retry-After", "Sat, 21 Nov 2026 18:04:14 GMT", now=NOW) == 1.0
    assert trip.parse_retry_hint("Retry-After", "Sat, 21 Nov 2026 18:04:14 GMT", now=NOW + 0.5) == 0.5


@pytest.mark.parametrize(
    "value", ["Infinity", "-1", "1e99", "NaN", "", "Fri, 31 Dec 9999 23:59:59 GMT", "5\0", b"\xff"]
)
def test_a_wrong_hint_is_an_error_of_its_own(value: str | bytes) -> None:
    with pytest.raises(trip.InvalidHint) as raised:
        trip.parse_retry_hint("Retry-After", value, now=NOW)
    assert isinstance(raised.value, (trip.Error, ValueError))
    assert raised.value.name == "TRIP_E_INVALID"
    again = pickle.loads(pickle.dumps(raised.value))
    assert str(again) == str(raised.value)


def test_a_time_of_day_that_is_none_is_refused() -> None:
    for now in (-1, float("nan"), float("inf"), 1e30):
        with pytest.raises(ValueError, match="now"):
            trip.parse_retry_hint("Retry-After", "5", now=now)
    with pytest.raises(ValueError, match="now_unix_ns"):
        trip.parse_retry_hint_ns("Retry-After", "5", 2**64)


# ---- Against other implementations ----

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def expected_wait(then: int, now: int) -> int | None:
    return (then - now) * 10**9 if 0 <= then - now <= YEAR_S else None


def wait_or_none(name: str, value: str, now: int) -> int | None:
    try:
        return trip.parse_retry_hint_ns(name, value, now * 10**9)
    except trip.InvalidHint:
        return None


def test_http_dates_agree_with_email_utils() -> None:
    chance = random.Random(20261121)
    for _ in range(20_000):
        then = chance.randrange(0, 2**34)  # the year 2514
        now = max(then - chance.randrange(-1000, 2 * YEAR_S), 0)
        written = email.utils.formatdate(then, usegmt=True)
        assert email.utils.parsedate_to_datetime(written) == EPOCH + timedelta(seconds=then)
        assert wait_or_none("Retry-After", written, now) == expected_wait(then, now), (written, now)


def test_timestamps_agree_with_datetime() -> None:
    chance = random.Random(20261122)
    for _ in range(20_000):
        then = chance.randrange(86400, 2**34)
        now = max(then - chance.randrange(-1000, 2 * YEAR_S), 0)
        zone = timezone(timedelta(minutes=chance.randrange(-23 * 60, 23 * 60)))
        written = (EPOCH + timedelta(seconds=then)).astimezone(zone).isoformat()
        assert wait_or_none("anthropic-ratelimit-tokens-reset", written, now) == expected_wait(then, now), written


UNITS = {
    "ns": Fraction(1),
    "us": Fraction(10**3),
    "ms": Fraction(10**6),
    "s": Fraction(10**9),
    "m": Fraction(60 * 10**9),
    "h": Fraction(3600 * 10**9),
    "d": Fraction(86400 * 10**9),
}


def test_durations_agree_with_fractions() -> None:
    """Each part is rounded up by itself, of nine digits and a rest behind the point."""
    chance = random.Random(20261123)
    for _ in range(20_000):
        total, written = Fraction(0), ""
        for unit in chance.sample(sorted(UNITS), chance.randrange(1, 4)):
            number = str(chance.randrange(0, 10 ** chance.randrange(1, 8)))
            if chance.random() < 0.5:
                number += "." + "".join(chance.choice("0123456789") for _ in range(chance.randrange(1, 14)))
            billionths = -(-Fraction(number) * 10**9 // 1)
            part = -(-(billionths * UNITS[unit] / 10**9) // 1)
            total, written = total + part, written + number + unit
        expected = int(total) if total <= YEAR_S * 10**9 else None
        assert wait_or_none("x-ratelimit-reset-requests", written, NOW) == expected, written


def test_random_bytes_never_break_anything() -> None:
    chance = random.Random(20261124)
    words = [
        "retry after ",
        "try again in ",
        "429",
        "{",
        '"error":',
        "[",
        "5",
        "s",
        "\\",
        "\xb5s",
        ".",
        "-",
        "1e9",
        " ",
    ]
    for _ in range(5_000):
        said = "".join(chance.choice(words) for _ in range(chance.randrange(12))).encode("latin-1")
        for name in ("", "Retry-After", "x-ratelimit-reset"):
            try:
                wait = trip.parse_retry_hint_ns(name, said, NOW * 10**9)
            except trip.InvalidHint:
                continue
            assert wait is None or 0 <= wait <= YEAR_S * 10**9
        assert trip.classify_http(429, said).status_class in (trip.StatusClass.RATE_LIMITED, trip.StatusClass.QUOTA)
