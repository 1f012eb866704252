"""The Python client of the demo: httpx, with or without libtrip.

    python client.py SCENARIO SIDE OPENAI_URL ANTHROPIC_URL

It prints `ready`, reads the start of the replay (Unix time in nanoseconds) as one line, makes its calls when their time
has come, and prints a JSON line about each. With libtrip it then does what an operator would, and prints a line about
that.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import trip

LANGUAGE = "python"
# Enough for every call that can hang at once, and a bound on file descriptors.
LIMITS = httpx.Limits(max_connections=128, max_keepalive_connections=32)


@dataclass(frozen=True)
class Course:
    """How a call went: the response, or the error in its place."""

    response: httpx.Response | None = None
    error: httpx.TransportError | None = None

    @property
    def status(self) -> int | None:
        return None if self.response is None else self.response.status_code

    @property
    def is_timeout(self) -> bool:
        return isinstance(self.error, httpx.TimeoutException)

    @property
    def outcome(self) -> str:
        """What both sides are counted by; libtrip has no part in it."""
        if self.is_timeout:
            return "timeout"
        if self.response is None:
            return "unreachable" if isinstance(self.error, httpx.ConnectError) else "broken"
        if self.response.status_code >= 500 or self.response.status_code == 429:
            return "failed"
        return "mistaken" if self.response.status_code >= 400 else "answered"

    def classified(self) -> trip.Outcome:
        """The same for the circuit, in the library's classes."""
        if self.response is None:
            return trip.Outcome(trip.StatusClass.TIMEOUT if self.is_timeout else trip.StatusClass.NETWORK)
        outcome = trip.classify_http(self.response.status_code, self.response.content)
        wait_ns = asked_wait_ns(self.response.headers)
        return outcome if wait_ns is None else replace(outcome, retry_after_ns=wait_ns)


def asked_wait_ns(headers: httpx.Headers) -> int | None:
    """How long the provider asks to stay away. The finer header first: the other knows nothing below a second."""
    for name in ("retry-after-ms", "retry-after"):
        if name in headers:
            return trip.parse_retry_hint_ns(name, headers[name], time.time_ns())
    return None


Send = Callable[[], Awaitable[Course]]


class Clock:
    """Microseconds of the replay."""

    def __init__(self, start_unix_ns: int) -> None:
        self._start = time.monotonic_ns() + start_unix_ns - time.time_ns()

    def now(self) -> int:
        return (time.monotonic_ns() - self._start) // 1000

    def sleep_until(self, at_us: int) -> None:
        time.sleep(max(0, at_us - self.now()) / 1e6)


async def send(http: httpx.AsyncClient, url: str, request: dict[str, Any], call: str) -> Course:
    """One call to the provider."""
    headers = request["headers"] | {"x-client-request-id": call}
    try:
        return Course(response=await http.post(url, headers=headers, content=request["body"]))
    except httpx.TransportError as error:
        return Course(error=error)


async def unguarded(send: Send, clock: Clock) -> tuple[Course, dict[str, Any]]:
    sent_us = clock.now()
    course = await send()
    return course, {"sent_us": sent_us, "outcome": course.outcome, "status": course.status}


async def guarded(send: Send, clock: Clock, circuit: trip.Circuit) -> dict[str, Any]:
    try:
        permit = circuit.permit()
    except trip.CircuitOpen as refusal:
        return {"outcome": "refused", "retry_after_us": round(refusal.retry_after * 1e6)}
    with permit:
        seen = permit.inspect()  # None when the circuit has moved on already, which it does not with a probe out
        course, call = await unguarded(send, clock)
        learned = course.classified()
        permit.record(learned)
    call |= {"probe": seen is not None and seen.is_probe, "class": kebab(learned.status_class)}
    return call | ({"asked_wait_us": learned.retry_after_ns // 1000} if learned.retry_after_ns else {})


def kebab(member: trip.State | trip.StatusClass | trip.Reason) -> str:
    return member.name.lower().replace("_", "-")


def circuits(scenario: dict[str, Any]) -> trip.Tracker:
    policy = scenario["circuit"]
    return trip.Tracker(
        failure_threshold=policy["failure_threshold"],
        initial_open=timedelta(microseconds=policy["initial_open_us"]),
        max_open=timedelta(microseconds=policy["max_open_us"]),
        backoff_multiplier=policy["backoff_multiplier"],
        backoff=trip.Backoff.COMPOUND,
    )


async def make_calls(
    lane: dict[str, Any], url: str, side: str, tracker: trip.Tracker, http: httpx.AsyncClient, clock: Clock
) -> None:
    """The calls of one lane, each begun at its time whatever became of the one before."""
    key = (lane["tenant"], lane["provider"])
    circuit = tracker.circuit(*key) if side == "with" else None

    async def one(place: int, intended_us: int) -> None:
        call = "/".join((LANGUAGE, *key, str(place)))
        request = [request for request in lane["requests"] if request["from_us"] <= intended_us][-1]
        asked_us = clock.now()

        def once() -> Awaitable[Course]:
            return send(http, url + lane["path"], request, call)

        record = await guarded(once, clock, circuit) if circuit else (await unguarded(once, clock))[1]
        end_us = clock.now()
        state = kebab(circuit.inspect().state) if circuit else None
        identity = {"side": side, "language": LANGUAGE, "tenant": key[0], "provider": key[1], "call": call}
        times = {"intended_us": intended_us, "asked_us": asked_us, "end_us": end_us}
        print(json.dumps(identity | times | record | {"state": state}), flush=True)

    loop = asyncio.get_running_loop()

    def begin() -> list[Future[None]]:
        calls = []
        for place, at_us in enumerate(lane["at_us"]):
            clock.sleep_until(at_us)
            calls.append(asyncio.run_coroutine_threadsafe(one(place, at_us), loop))
        return calls

    # A thread sleeps and the event loop does not: its timers are up to a millisecond late, which callers would seem to
    # wait.
    await asyncio.gather(*map(asyncio.wrap_future, await asyncio.to_thread(begin)))


async def operate(order: dict[str, Any], url: str, tracker: trip.Tracker, http: httpx.AsyncClient) -> dict[str, Any]:
    """An operator takes a provider out of service for a tenant, whose next call is refused; and asks what goes on."""
    circuit = tracker.circuit(order["tenant"], order["provider"])
    circuit.set_mode(trip.Mode.FORCED_OPEN, ttl=timedelta(microseconds=order["ttl_us"]), reason=order["reason"])
    explained, sent = circuit.explain(), 0
    try:
        with circuit.permit():
            sent = 1
            await http.post(url, content=order["body"])
    except trip.CircuitOpen as refusal:
        answer = {"refused": kebab(refusal.reason), "retry_after_us": round(refusal.retry_after * 1e6)}
    else:
        answer = {"refused": None, "retry_after_us": 0}
    circuit.set_mode(trip.Mode.AUTO, reason="the new key works")
    with circuit.permit() as permit:
        permit.cancel()
    return {"operator": order | answer | {"sent": sent, "explained": explained}}


async def main(scenario_path: str, side: str, openai_url: str, anthropic_url: str) -> None:
    scenario = json.loads(Path(scenario_path).read_text(encoding="utf-8"))
    urls = {"openai": openai_url, "anthropic": anthropic_url}
    # The stand-ins are on this machine, so a proxy from the environment is not asked.
    async with httpx.AsyncClient(timeout=scenario["timeout_us"] / 1e6, limits=LIMITS, trust_env=False) as http:
        tracker = circuits(scenario)
        print("ready", flush=True)
        clock = Clock(int(sys.stdin.readline()))
        async with asyncio.TaskGroup() as lanes:
            for lane in scenario["lanes"]:
                if lane["language"] == LANGUAGE:
                    lanes.create_task(make_calls(lane, urls[lane["provider"]], side, tracker, http, clock))
        if side == "with":
            order = scenario["order"]
            print(json.dumps(await operate(order, urls[order["provider"]], tracker, http)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
