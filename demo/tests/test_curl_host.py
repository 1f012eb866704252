"""A program that knows nothing of libtrip stops calling a provider that is down, once its one pointer is swapped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from replayed import DEMO

import scenario as script

PROGRAMS = DEMO.parent / "build" / "demo"
CALLS, THRESHOLD = 12, 5
FINE, COULDNT_CONNECT, HTTP_ERROR = "0", "7", "22"


def call(folder: Path, program: str, mode: str) -> tuple[list[str], int]:
    """What the host made of each of its calls, and how many of them reached the stand-in."""
    always = {"provider": "openai", "mode": mode, "from_us": 0, "until_us": 10**15, "tenant": None, "asks_wait_ms": 0}
    scenario, log = folder / "scenario.json", folder / "log.jsonl"
    scenario.write_text(json.dumps(script.build(24) | {"spells": [always]}), encoding="utf-8")
    standin = [sys.executable, str(DEMO / "standin.py"), str(scenario), "with", "openai", str(log)]
    request = script.REQUESTS["openai"]
    header = f"authorization: Bearer {script.api_key('acme', 'openai')}"
    with subprocess.Popen(standin, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        url = f"http://127.0.0.1:{running.stdout.readline().strip()}{request['path']}"
        host = [str(PROGRAMS / program), url, header, json.dumps(request["body"]), str(CALLS)]
        direct = os.environ | {"no_proxy": "127.0.0.1"}
        shown = subprocess.run(host, check=True, capture_output=True, text=True, timeout=60, env=direct)
    assert shown.stderr == ""
    return [line.split()[0] for line in shown.stdout.splitlines()], len(log.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("program", ["curl-host", "curl-host-guarded"])
def test_a_healthy_provider_gets_every_call(tmp_path: Path, program: str) -> None:
    assert call(tmp_path, program, "healthy") == ([FINE] * CALLS, CALLS)


def test_without_a_guard_a_provider_that_is_down_gets_every_call(tmp_path: Path) -> None:
    assert call(tmp_path, "curl-host", "500") == ([HTTP_ERROR] * CALLS, CALLS)


def test_with_one_it_gets_no_call_while_the_circuit_is_open(tmp_path: Path) -> None:
    refused = CALLS - THRESHOLD
    assert call(tmp_path, "curl-host-guarded", "500") == (
        [HTTP_ERROR] * THRESHOLD + [COULDNT_CONNECT] * refused,
        THRESHOLD,
    )


def test_the_host_knows_nothing_of_libtrip() -> None:
    assert "trip" not in (DEMO / "clients" / "curl-host" / "host.c").read_text(encoding="utf-8")
    command = ["readelf", "-d", str(PROGRAMS / "curl-host")]
    needed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "libcurl" in needed and "libtrip" not in needed
