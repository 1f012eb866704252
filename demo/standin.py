"""A stand-in for one provider, on a loopback socket, that fails when and how the scenario says.

    python standin.py SCENARIO SIDE PROVIDER LOG

It prints its port, reads the start of the replay (Unix time in nanoseconds) as one line from its input, and serves
until its input ends. Every request that reached it is one line of its log, whatever became of the request. It knows
nothing of clients but what they send.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from endpoints import ENDPOINTS, Answer, Request

HEALTHY = {"mode": "healthy"}


class Standin:
    def __init__(self, scenario: dict[str, Any], side: str, provider: str, log: TextIO) -> None:
        self._endpoint = ENDPOINTS[provider]
        self._tenants = scenario["keys"][provider]
        self._spells = [spell for spell in scenario["spells"] if spell["provider"] == provider]
        self._scenario = scenario
        self._side, self._provider, self._log = side, provider, log
        self._start = float("inf")
        self._serial = 0
        self._idle: set[asyncio.StreamWriter] = set()
        # The port stays ours while nobody listens on it: a bound socket that does not listen refuses connections.
        self._place = _bound(0)
        self.port: int = self._place.getsockname()[1]

    async def listen(self) -> None:
        listener = _bound(self.port)
        self._server = await asyncio.start_server(self._converse, sock=listener, backlog=512)

    async def keep_hours(self, start_unix_ns: int) -> None:
        """Close and open the listening socket when the scenario says so."""
        self._start = time.monotonic() + (start_unix_ns - time.time_ns()) / 1e9
        for spell in self._spells:
            if spell["mode"] == "refuses":
                await self._sleep_until(spell["from_us"])
                self._server.close()
                # Only our half of an idle connection is shut: a request that is already on its way is still read and
                # logged, so that client and log agree on what arrived.
                for writer in self._idle:
                    if writer.can_write_eof():
                        writer.write_eof()
                await self._sleep_until(spell["until_us"])
                await self.listen()

    async def _sleep_until(self, at_us: int) -> None:
        await asyncio.sleep(max(0.0, self._start + at_us / 1e6 - time.monotonic()))

    def _now_us(self) -> int:
        return max(0, int((time.monotonic() - self._start) * 1e6)) if self._start != float("inf") else 0

    def _spell(self, tenant: str | None, now_us: int) -> dict[str, Any]:
        for spell in self._spells:
            if spell["from_us"] <= now_us < spell["until_us"] and spell["tenant"] in (None, tenant):
                return dict(spell)
        return HEALTHY

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                self._idle.add(writer)
                request = await _read_request(reader)
                self._idle.discard(writer)
                if not await self._answer(request, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone: it timed out, or has no more calls to make
        finally:
            self._idle.discard(writer)
            writer.close()

    async def _answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answers one request; false when the connection is of no more use."""
        now_us, self._serial = self._now_us(), self._serial + 1
        tenant = self._tenants.get(self._endpoint.key(request))
        spell = self._spell(tenant, now_us)
        mode: str = spell["mode"]
        call = request.headers.get("x-client-request-id", "")
        answer = None if mode in ("hangs", "refuses") else self._reply(request, tenant, spell)
        body = b"" if answer is None else answer.body
        sent = body[: len(body) // 2] if mode == "cuts" else body
        self._write(now_us, call, tenant, mode, answer, sent)
        if mode == "refuses":
            return False
        if answer is None:
            await reader.read()  # until the client gives up
            return False
        await self._take_time(call, "answer_ms" if answer.status == 200 else "error_ms")
        writer.write(answer.head() + sent)
        await writer.drain()
        return mode != "cuts"

    def _reply(self, request: Request, tenant: str | None, spell: dict[str, Any]) -> Answer:
        endpoint, serial = self._endpoint, self._serial
        if (request.method, request.path) != ("POST", endpoint.path):
            return endpoint.error(404, serial)
        if tenant is None:
            return endpoint.error(401, serial)
        if spell["mode"].isdigit():
            return endpoint.error(int(spell["mode"]), serial, wait_ms=spell["asks_wait_ms"])
        try:
            asked = dict(json.loads(request.body))
        except (TypeError, ValueError):
            return endpoint.error(400, serial)
        for name in endpoint.required:
            if name not in asked:
                return endpoint.error(400, serial, missing=name)
        return endpoint.completion(serial, asked)

    async def _take_time(self, call: str, what: str) -> None:
        """The same call takes the same time on either side, so that the sides can be compared call by call."""
        shortest, longest, most = self._scenario[what]
        dice = random.Random(f"{self._scenario['seed']}/{call}")
        await asyncio.sleep(dice.triangular(shortest, longest, most) / 1e3)

    def _write(self, at_us: int, call: str, tenant: str | None, mode: str, answer: Answer | None, sent: bytes) -> None:
        entry = {"side": self._side, "provider": self._provider, "tenant": tenant, "call": call, "at_us": at_us}
        said = {"status": answer and answer.status, "body": answer and sent.decode()}
        wait = {"asks_wait_ms": answer.wait_ms} if answer and answer.wait_ms else {}
        print(json.dumps(entry | {"mode": mode} | said | wait), file=self._log)


def _bound(port: int) -> socket.socket:
    place = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    place.bind(("127.0.0.1", port))
    return place


async def _read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body)


async def main(scenario_path: str, side: str, provider: str, log_path: str) -> None:
    scenario = json.loads(Path(scenario_path).read_text(encoding="utf-8"))
    loop = asyncio.get_running_loop()
    with open(log_path, "w", encoding="utf-8") as log:
        standin = Standin(scenario, side, provider, log)
        await standin.listen()
        print(standin.port, flush=True)
        start = await loop.run_in_executor(None, sys.stdin.readline)
        if start:
            hours = asyncio.create_task(standin.keep_hours(int(start)))
            await loop.run_in_executor(None, sys.stdin.read)
            hours.cancel()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
