"""Owns a provider on a loopback socket, which answers as it is told and counts the requests that have reached it."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import trip


class Provider:
    """The status of its next answers, and what has come."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.status = 200
        self.requests = 0
        self.counting = threading.Lock()

    def ask(self, path: str = "/") -> bytes:
        """One request, as a client makes it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise Refused(response.status, body)
        return body


class Refused(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


def classify(error: Exception) -> trip.Outcome | None:
    return trip.classify_http(error.status, error.body) if isinstance(error, Refused) else None


@contextmanager
def serving() -> Iterator[Provider]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with provider.counting:
                provider.requests += 1
            body = f"answer to {self.path}".encode()
            self.send_response(provider.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Handler) as server:
        provider = Provider(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join(60)
