"""A program that knows nothing of libtrip stops calling a provider that is down, once its one pointer is swapped."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from replayed import DEMO

from curl_host import AS_IT_IS, CALLS, GUARDED, PROGRAMS, call, told

THRESHOLD = 5
FINE, COULDNT_CONNECT, HTTP_ERROR = "0", "7", "22"


@pytest.mark.parametrize("program", [AS_IT_IS, GUARDED])
def test_a_healthy_provider_gets_every_call(tmp_path: Path, program: str) -> None:
    assert call(tmp_path, program, "healthy") == ([FINE] * CALLS, CALLS)


def test_without_a_guard_a_provider_that_is_down_gets_every_call(tmp_path: Path) -> None:
    assert call(tmp_path, AS_IT_IS, "500") == ([HTTP_ERROR] * CALLS, CALLS)


def test_with_one_it_gets_no_call_while_the_circuit_is_open(tmp_path: Path) -> None:
    refused = CALLS - THRESHOLD
    assert call(tmp_path, GUARDED, "500") == (
        [HTTP_ERROR] * THRESHOLD + [COULDNT_CONNECT] * refused,
        THRESHOLD,
    )


def test_the_demo_tells_how_many_calls_reach_it(tmp_path: Path) -> None:
    assert f"{CALLS} reach it." in told(tmp_path)
    assert f"{THRESHOLD} do." in told(tmp_path)


def test_the_host_knows_nothing_of_libtrip() -> None:
    assert "trip" not in (DEMO / "clients" / "curl-host" / "host.c").read_text(encoding="utf-8")
    command = ["readelf", "-d", str(PROGRAMS / AS_IT_IS)]
    needed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "libcurl" in needed and "libtrip" not in needed
