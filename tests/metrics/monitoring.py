"""A Prometheus of one's own, and the process that it scrapes: started on loopback for one test, ended with it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PATIENCE = 60.0  # seconds; a scrape takes one or two

Call = tuple[bytes, bytes, int, int]


def program(name: str) -> str:
    """A program of Debian's Prometheus: on PATH, or where tools/toolchain.sh unpacks it."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:{ROOT / '.prometheus/usr/bin'}")
    assert found, f"{name} is missing: run ./x install"
    return found


class Scraped:
    """A process with a tracker that serves its metrics."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.port = int(self._answer())

    def _answer(self) -> str:
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, f"the scraped process has ended with {self.process.wait()}"
        return line

    def make(self, calls: list[Call]) -> int:
        assert self.process.stdin
        lines = [(tenant.hex(), provider.hex(), wins, losses) for tenant, provider, wins, losses in calls]
        print(json.dumps(lines), file=self.process.stdin, flush=True)
        return int(self._answer())


@contextmanager
def scraped(labels: int, max_series: int, max_circuits: int) -> Iterator[Scraped]:
    command = [sys.executable, str(HERE / "scraped.py"), str(labels), str(max_series), str(max_circuits)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Scraped(process)
        finally:
            process.kill()


def labels_of(metric: dict[str, str]) -> frozenset[tuple[str, str]]:
    """Those that were scraped."""
    return frozenset((name, value) for name, value in metric.items() if name not in ("__name__", "instance", "job"))


class Prometheus:
    """Its HTTP API, as far as it is needed."""

    def __init__(self, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
        self.port, self.process, self.log = port, process, log

    def ask(self, path: str, **parameters: str) -> Any:
        assert self.process.poll() is None, f"Prometheus has ended:\n{self.log.read_text()}"
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            said = json.load(answer)
        assert said["status"] == "success", said
        return said["data"]

    def samples(self, query: str) -> dict[frozenset[tuple[str, str]], float]:
        """What a query comes to now: values by labels."""
        found = self.ask("query", query=query)["result"]
        return {labels_of(sample["metric"]): float(sample["value"][1]) for sample in found}

    def value(self, query: str) -> float | None:
        found = self.samples(query)
        assert len(found) <= 1, found
        return next(iter(found.values()), None)

    def wait_for(self, query: str, expected: float) -> None:
        """Until a query has a value; fails when it has another after a time in which there are many scrapes."""
        deadline = time.monotonic() + PATIENCE
        while (found := self._value_if_up(query)) != expected:
            assert time.monotonic() < deadline, f"{query} is {found}, not {expected}\n{self.targets()}"
            time.sleep(0.1)

    def _value_if_up(self, query: str) -> float | None:
        try:
            return self.value(query)
        except OSError:  # it is not listening yet, or not ready
            return None

    def targets(self) -> Any:
        """Whom it scrapes, and what went wrong there."""
        try:
            return self.ask("targets")["activeTargets"]
        except OSError as error:
            return f"{error}\n{self.log.read_text()}"


CONFIG = """\
global:
  scrape_interval: 1s
  scrape_timeout: 1s
scrape_configs:
  - job_name: trip
    static_configs:
      - targets: ["127.0.0.1:{port}"]
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def prometheus(scraped_port: int, folder: Path) -> Iterator[Prometheus]:
    """One that scrapes this port every second, and keeps everything in this folder."""
    (folder / "prometheus.yml").write_text(CONFIG.format(port=scraped_port))
    port, log = free_port(), folder / "log"
    command = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'series'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with log.open("wb") as output, subprocess.Popen(command, cwd=folder, stdout=output, stderr=output) as process:
        try:
            yield Prometheus(port, process, log)
        finally:
            process.kill()
