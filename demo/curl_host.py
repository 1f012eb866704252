"""Runs the host that calls libcurl against a stand-in, as it is and with one pointer swapped (clients/curl-host)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import scenario as script

DEMO = Path(__file__).resolve().parent
PROGRAMS = DEMO.parent / "build" / "demo"
AS_IT_IS, GUARDED = "curl-host", "curl-host-guarded"
CALLS = 12


def call(folder: Path, program: str, mode: str) -> tuple[list[str], int]:
    """What the host made of each of its calls, and how many of them reached the stand-in, which is in this mode."""
    always = {"provider": "openai", "mode": mode, "from_us": 0, "until_us": 10**15, "tenant": None, "asks_wait_ms": 0}
    scenario, log = folder / f"{program}.json", folder / f"{program}.jsonl"
    scenario.write_text(json.dumps(script.build(script.SECONDS) | {"spells": [always]}), encoding="utf-8")
    standin = [sys.executable, str(DEMO / "standin.py"), str(scenario), "with", "openai", str(log)]
    request = script.REQUESTS["openai"]
    header = f"authorization: Bearer {script.api_key('acme', 'openai')}"
    with subprocess.Popen(standin, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        url = f"http://127.0.0.1:{running.stdout.readline().strip()}{request['path']}"
        host = [str(PROGRAMS / program), url, header, json.dumps(request["body"]), str(CALLS)]
        direct = os.environ | {"no_proxy": "127.0.0.1"}
        shown = subprocess.run(host, check=True, stdout=subprocess.PIPE, text=True, timeout=60, env=direct)
    return [line.split()[0] for line in shown.stdout.splitlines()], len(log.read_text(encoding="utf-8").splitlines())


def told(folder: Path) -> str:
    """How many calls reach a provider that is down."""
    _, reached = call(folder, AS_IT_IS, "500")
    _, reached_guarded = call(folder, GUARDED, "500")
    return (
        f"A program that calls libcurl and knows nothing of libtrip makes {CALLS} calls to a provider that is down:\n"
        f"{reached} reach it. With one pointer swapped (demo/clients/curl-host) {reached_guarded} do."
    )
