"""A stand: times breakers in Python, one run per line of its input. README.md of the bench has the protocol.

This file owns the protocol and the clock; it knows no peer.
"""

from __future__ import annotations

import gc
import importlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from peer import Peer, Run

FIRST_CALLS = 64
# Who has the interpreter in turn, 5 ms each, beside a busy thread: half of the time that passes is the other's by
# right, and no cost of the call. All else is, above all the waiting of who lets go of the interpreter in a call and
# gets it back late. The processor time of the calling thread would not show that: it sleeps while it waits.
SHARERS = 2
# Each module has its own way with one peer, which may not be installed.
MODULES = {
    "libtrip": "libtrip",
    "pybreakers": "pybreaker",
    "circuitbreakers": "circuitbreaker",
    "purgatories": "purgatory",
    "aiobreakers": "aiobreaker",
}


class Asked(Exception):
    """A line that cannot be answered."""


class Stand:
    def __init__(self, peers: list[Peer]) -> None:
        self._peers = {peer.name: peer for peer in peers}
        self._prepared: dict[tuple[str, str], list[Run]] = {}

    def answer(self, line: str) -> dict[str, float]:
        words = line.split()
        if len(words) != 3 or not words[2].isdecimal() or int(words[2]) < 1:
            raise Asked("a line is: peer column calls, and calls are above 0")
        name, column, calls = words[0], words[1], int(words[2])
        peer = self._peers.get(name)
        if peer is None:
            raise Asked("no such peer")
        if column == "memory" and peer.fill is not None:
            return {"bytes_per_circuit": weigh(peer.fill, calls)}
        if column not in peer.columns:
            raise Asked("no such column")
        made = peer.columns[column]
        if (name, column) not in self._prepared:
            self._prepared[name, column] = [made.prepare(thread) for thread in range(made.threads)]
            gc.collect()
            gc.freeze()  # what is there to stay is no work for the collections of what is timed
        with busy_thread() if made.is_beside_busy else nullcontext():
            ns, wrong = clock(self._prepared[name, column], calls)
        if wrong:
            raise Asked(f"{wrong} calls were not answered as they should be")
        return {"ns_per_call": ns / SHARERS if made.is_beside_busy else ns}


@contextmanager
def busy_thread() -> Iterator[None]:
    """A thread that runs Python, and lets go of the interpreter only when that takes it away."""
    runs, ends = threading.Event(), False

    def loop() -> None:
        runs.set()
        while not ends:
            pass

    thread = threading.Thread(target=loop)
    thread.start()
    runs.wait()
    try:
        yield
    finally:
        ends = True
        thread.join()


def clock(runs: list[Run], calls: int) -> tuple[float, int]:
    """Nanoseconds of a call, from the first thread's start to the last one's end, and how many went wrong."""
    together = threading.Barrier(len(runs))
    lanes: list[tuple[int, int, int]] = []
    failed: list[BaseException] = []

    def lane(run: Run) -> None:
        try:
            wrong = run(FIRST_CALLS)
            together.wait()
            start = time.perf_counter_ns()
            wrong += run(calls)
            lanes.append((start, time.perf_counter_ns(), wrong))
        except BaseException as error:
            together.abort()
            failed.append(error)

    others = [threading.Thread(target=lane, args=(run,)) for run in runs[1:]]
    for other in others:
        other.start()
    lane(runs[0])
    for other in others:
        other.join()
    if failed:
        raise Asked(f"{type(failed[0]).__name__}: {failed[0]}")
    ns = max(end for _, end, _ in lanes) - min(start for start, _, _ in lanes)
    return ns / calls, sum(wrong for _, _, wrong in lanes)


def weigh(fill: Callable[[int], object], circuits: int) -> float:
    before = resident_bytes()
    kept = fill(circuits)
    after = resident_bytes()
    del kept
    return (after - before) / circuits


def resident_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def main() -> None:
    peers: list[Peer] = []
    missing = []
    for module, name in MODULES.items():
        try:
            peers += importlib.import_module(module).peers()
        except ImportError as error:
            missing.append({"name": name, "reason": str(error)})
    columns = {peer.name: [*peer.columns, *(["memory"] if peer.fill else [])] for peer in peers}
    told = [
        {
            "name": peer.name,
            "version": peer.version,
            "licence": peer.licence,
            "configuration": peer.configuration,
            "columns": columns[peer.name],
        }
        for peer in peers
    ]
    say({"language": "python", "peers": told, "missing": missing})
    stand = Stand(peers)
    for line in sys.stdin:
        try:
            say(stand.answer(line))
        except Asked as error:
            say({"error": str(error)})


def say(told: object) -> None:
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
