"""A stand, seen from the conductor: a process that answers one line of JSON for each line it is given.

README.md has the protocol. Whatever a stand does wrong becomes a StandError that says which stand and what.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

Scheduled = dict[str, tuple[int, int]]


class StandError(Exception):
    """A stand that did not start, did not answer, or answered that it cannot."""


@dataclass(frozen=True)
class Peer:
    name: str
    version: str
    licence: str
    configuration: str
    columns: tuple[str, ...]
    harness: str = ""


class Missing(NamedTuple):
    """A peer that is not measured."""

    language: str
    name: str
    reason: str


class Stand:
    """A running stand. Use it in `with`: its process never outlives the block."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], cwd: Path | None = None
    ) -> None:
        self.name = name
        self._unread = b""
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=cwd
            )
        except OSError as error:
            raise StandError(f"{name} does not start: {error}") from None
        self.language = ""
        self.harness = ""  # of a stand that times itself: what it uses
        self.peers: tuple[Peer, ...] = ()
        self.missing: tuple[Missing, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    def introduce(self, timeout_s: float = 60) -> None:
        """Read the stand's first line: who is there."""
        told = self._read(timeout_s)
        try:
            self.language = str(told["language"])
            self.harness = str(told.get("harness", ""))
            self.peers = tuple(
                Peer(
                    str(peer["name"]),
                    str(peer["version"]),
                    str(peer["licence"]),
                    str(peer["configuration"]),
                    tuple(map(str, peer["columns"])),
                    self.harness,
                )
                for peer in told["peers"]
            )
            self.missing = tuple(
                Missing(self.language, str(peer["name"]), str(peer["reason"])) for peer in told.get("missing", ())
            )
        except (KeyError, TypeError) as error:
            raise StandError(f"{self.name} introduces itself without {error}") from None

    def ns_per_call(self, peer: str, column: str, calls: int, timeout_s: float = 120) -> float:
        return self._figure("ns_per_call", peer, column, calls, timeout_s)

    def bytes_per_circuit(self, peer: str, circuits: int, timeout_s: float = 120) -> float:
        return self._figure("bytes_per_circuit", peer, "memory", circuits, timeout_s)

    def rounds(self, rounds: int, round_ns: int, timeout_s: float = 1800) -> dict[tuple[str, str], list[float]]:
        """Of a stand with a harness: ns per call in each round, by peer and column."""
        asked = f"{rounds} {round_ns}"
        told = self._ask(asked, timeout_s)
        try:
            return {
                (str(one["peer"]), str(one["column"])): [self._positive(ns) for ns in one["ns_per_call"]]
                for one in told["samples"]
            }
        except (KeyError, TypeError, ValueError):
            raise StandError(f"{self.name}, asked '{asked}', answered {json.dumps(told)}") from None

    @property
    def pid(self) -> int:
        return self._process.pid

    def scheduled(self) -> Scheduled:
        """For how long each of its threads has run, and has waited for a processor that others had: ns."""
        told: Scheduled = {}
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            with suppress(OSError):  # a thread that has just ended
                ran, waited, _ = map(int, (task / "schedstat").read_text().split())
                told[task.name] = ran, waited
        return told

    def _figure(self, figure: str, peer: str, column: str, calls: int, timeout_s: float) -> float:
        asked = f"{peer} {column} {calls}"
        told = self._ask(asked, timeout_s)
        try:
            return self._positive(told.get(figure))
        except ValueError:
            raise StandError(f"{self.name}, asked '{asked}', answered {json.dumps(told)}") from None

    @staticmethod
    def _positive(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            raise ValueError("no figure")
        return float(value)

    def _ask(self, asked: str, timeout_s: float) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{asked}\n".encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            raise StandError(f"{self.name} has ended before '{asked}'") from None
        told = self._read(timeout_s, asked)
        if "error" in told:
            raise StandError(f"{self.name}, asked '{asked}': {told['error']}")
        return told

    def _read(self, timeout_s: float, asked: str = "who is there") -> dict[str, Any]:
        assert self._process.stdout is not None
        until = time.monotonic() + timeout_s
        while b"\n" not in self._unread:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise StandError(f"{self.name}, asked '{asked}', was silent for {timeout_s:g} s")
            more = os.read(self._process.stdout.fileno(), 65536)
            if not more:
                raise StandError(f"{self.name}, asked '{asked}', ended with status {self._process.wait()}")
            self._unread += more
        line, self._unread = self._unread.split(b"\n", 1)
        try:
            told = json.loads(line)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise StandError(f"{self.name}, asked '{asked}', answered {line.decode(errors='replace')!r}")
        return told
