"""Owns an HTTP server on a loopback socket that answers from a script, breaks off where the script says so, and keeps
every request that has reached it.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable

from endpoints import Request  # as the demo's stand-ins know it


class Then(Enum):
    """What becomes of the connection behind what is sent."""

    ENDS = "the body is over"
    BREAKS = "the connection is closed, and the body is not over"
    HANGS = "nothing more comes, until the client goes or the test ends"


@dataclass(frozen=True)
class Answer:
    """A body in one piece has a Content-Length, one of several pieces is chunked; None: not even a head comes."""

    status: int = 200
    body: bytes | list[bytes] | None = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    then: Then = Then.ENDS


class Wire:
    """What comes next, what has come, and over how many connections. Each test has its own, for a request that another
    test has given up may come late.
    """

    def __init__(self, port: int) -> None:
        self.host = f"127.0.0.1:{port}"
        self.url = f"http://{self.host}"
        self.answers: deque[Answer] = deque()
        self.otherwise: Callable[[Request], Answer] = lambda request: Answer()
        self.requests: list[Request] = []
        self.connections = 0
        self.over = threading.Event()
        self._turn = threading.Lock()

    def answer(self, *answers: Answer) -> None:
        self.answers.extend(answers)

    def taken(self, request: Request) -> Answer:
        with self._turn:
            self.requests.append(request)
            return self.answers.popleft() if self.answers else self.otherwise(request)

    def connected(self) -> None:
        with self._turn:
            self.connections += 1


@contextmanager
def listening() -> Iterator[Wire]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            wire.connected()

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = wire.taken(Request(self.command, self.path, headers, body))
            if answer.body is not None:
                self._send(answer)
            if answer.then is Then.HANGS:
                self.connection.settimeout(0.01)
                while not wire.over.is_set() and self._is_open():
                    pass
            if answer.then is not Then.ENDS or answer.body is None:
                self.close_connection = True

        def _send(self, answer: Answer) -> None:
            body = answer.body
            assert body is not None
            self.send_response(answer.status, "Answer")
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if isinstance(body, list):
                self.send_header("Transfer-Encoding", "chunked")
            elif answer.status != 204:
                length = len(body) * (1 if answer.then is Then.ENDS else 2)
                self.send_header("Content-Length", str(length))
            self.end_headers()
            if self.command == "HEAD":
                return
            for piece in body if isinstance(body, list) else [body]:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if isinstance(body, list) else piece)
            if isinstance(body, list) and answer.then is Then.ENDS:
                self.wfile.write(b"0\r\n\r\n")

        def _is_open(self) -> bool:
            try:
                return bool(self.connection.recv(1))
            except TimeoutError:
                return True
            except OSError:
                return False

        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.answer()

        def do_HEAD(self) -> None:
            self.answer()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 128

        def handle_error(self, *_: object) -> None:
            """The client has gone."""

    with Server(("127.0.0.1", 0), Handler) as server:
        wire = Wire(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.002,))
        thread.start()
        try:
            yield wire
        finally:
            wire.over.set()
            server.shutdown()
            thread.join(60)


EVENTS = {"Content-Type": "text/event-stream"}


def event(said: Any, name: str = "") -> bytes:
    """One event of a stream: its data, as JSON unless it is bytes already."""
    told = said if isinstance(said, bytes) else json.dumps(said).encode()
    return (b"event: %s\n" % name.encode() if name else b"") + b"data: %s\n\n" % told
