"""The text of a tracker's metrics, and a process that makes calls and serves it: what Prometheus scrapes.

    python scraped.py LABELS MAX_SERIES MAX_CIRCUITS

prints the port that it serves on, then does what it is told, a line of JSON for each thing, and answers each with the
number of calls that it made. It ends with its input.
"""

from __future__ import annotations

import ctypes
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import trip
from trip import _abi
from trip._library import library

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def told(tracker: trip.Tracker, labels: int = _abi.TRIP_LABELS_PROVIDER, max_series: int = 0) -> bytes:
    """What the tracker tells now, in a buffer that grows until it has room."""
    length = ctypes.c_size_t(4096)
    while True:
        text = ctypes.create_string_buffer(length.value + 1024)
        status = library.trip_tracker_metrics(tracker.handle, labels, max_series, text, len(text), ctypes.byref(length))
        if status != _abi.TRIP_E_CAPACITY:
            break
    assert status == _abi.TRIP_OK, status
    return text.raw[: length.value]


def call(tracker: trip.Tracker, tenant: bytes, provider: bytes, successes: int = 1, failures: int = 0) -> int:
    """Calls of a tenant, the failures last; how many were admitted."""
    circuit = tracker.circuit(tenant, provider)
    for number in range(successes + failures):
        try:
            permit = circuit.permit()
        except trip.CircuitOpen:
            return number
        if number < successes:
            permit.record_success()
        else:
            permit.record_failure()
    return successes + failures


def serve(tracker: trip.Tracker, labels: int, max_series: int) -> int:
    """Serve /metrics on a port of the system's choice until the process ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = told(tracker, labels, max_series)
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Nothing: what this process prints is read by a program."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def main() -> None:
    labels, max_series, max_circuits = map(int, sys.argv[1:])
    tracker = trip.Tracker(failure_threshold=3, max_circuits=max_circuits)
    print(serve(tracker, labels, max_series), flush=True)
    for line in sys.stdin:
        made = 0
        for tenant, provider, successes, failures in json.loads(line):
            made += call(tracker, bytes.fromhex(tenant), bytes.fromhex(provider), successes, failures)
        print(made, flush=True)


if __name__ == "__main__":
    main()
