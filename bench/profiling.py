"""Where the time of a call goes: `./x bench --profile`. Has perf watch a stand while it makes nothing but calls of one
column, and says how many nanoseconds of a call each function has, its callees apart. Needs Debian's linux-perf.

What it finds is no measurement of the bench: perf looks a few thousand times a second, and nothing runs interleaved.
The nanoseconds are those of runs that nobody watched, divided by the shares that perf saw.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from figures import Key
from protocol import Stand
from report import LANGUAGES, number
from stands import RECIPES, Recipe, environment
from timing import calibrate, tell

# What missed a target, or is near a peer.
SUBJECTS = (
    Key("c", "libtrip", "pair"),
    Key("c", "libtrip", "failure"),
    Key("c", "libtrip", "refusal"),
    Key("c", "libtrip", "lookup_100k"),
    Key("c", "libtrip", "time_window"),
    Key("c", "libtrip", "count_mixed"),
    Key("rust", "libtrip", "lookup_100k"),
    Key("go", "libtrip", "call"),
    Key("go", "libtrip", "failure"),
    Key("go", "libtrip", "refusal"),
    Key("python", "libtrip", "with"),
    Key("python", "libtrip", "lookup_100k"),
)
RUNS, RUN_NS = 9, 50e6
WATCHED_S, ASKED_S = 2.0, 3.0  # perf begins a little later than the calls and must end before them
PER_SECOND = 4999  # no divisor of a clock's tick
LEAST_SHARE = 0.02


class Share(NamedTuple):
    function: str
    place: str  # the program or library that it is in
    share: float


@dataclass(frozen=True)
class Profile:
    language: str
    peer: str
    column: str
    ns: float
    shares: list[Share]

    def told(self) -> dict[str, Any]:
        return {**asdict(self), "shares": [share._asdict() for share in self.shares]}


def profile(built: Sequence[Recipe]) -> list[Profile]:
    if shutil.which("perf") is None:
        raise SystemExit("--profile: there is no perf on this machine; Debian has it in linux-perf")
    return [_profile(recipe, key) for key in SUBJECTS for recipe in built if _has(recipe, key)]


def recipes() -> list[Recipe]:
    return [recipe for recipe in RECIPES if any(_has(recipe, key) for key in SUBJECTS)]


def _has(recipe: Recipe, key: Key) -> bool:
    return recipe.language == key.language and key.peer in recipe.peers


def _profile(recipe: Recipe, key: Key) -> Profile:
    tell(f"profiling {key.language} {key.column}")
    with Stand(recipe.name, recipe.command, environment()) as stand, tempfile.TemporaryDirectory() as folder:
        stand.introduce()
        calls = calibrate(stand, key, RUN_NS)
        ns = statistics.median(stand.ns_per_call(key.peer, key.column, calls) for _ in range(RUNS))
        seen = Path(folder) / "perf.data"
        watcher = _Watcher(stand.pid, seen)
        watcher.start()
        until = time.monotonic() + ASKED_S
        while time.monotonic() < until:
            stand.ns_per_call(key.peer, key.column, calls)
        watcher.join()
        return Profile(*key, ns, list(_shares(watcher.reported())))


class _Watcher(threading.Thread):
    """perf, beside the calls."""

    def __init__(self, pid: int, seen: Path) -> None:
        super().__init__()
        self._pid, self._seen, self._said = pid, seen, ""

    def run(self) -> None:
        asked = ["perf", "record", "-q", "-F", str(PER_SECOND), "-p", str(self._pid), "-o", str(self._seen)]
        finished = subprocess.run([*asked, "--", "sleep", str(WATCHED_S)], stderr=subprocess.PIPE, text=True)
        self._said = finished.stderr

    def reported(self) -> str:
        asked = ["perf", "report", "-q", "--stdio", "-F", "overhead,dso,sym", "-t", "|", "-i", str(self._seen)]
        finished = subprocess.run(asked, capture_output=True, text=True)
        if finished.returncode != 0 or not finished.stdout.strip():
            raise SystemExit(f"--profile: perf saw nothing: {self._said}{finished.stderr}")
        return finished.stdout


def _shares(reported: str) -> Iterator[Share]:
    """Of lines such as `  41.20%|libtrip.so.1.1.0|[.] trip_circuit_permit`."""
    for line in reported.splitlines():
        words = [word.strip() for word in line.split("|", 2)]
        if len(words) == 3 and words[0].endswith("%"):
            share = float(words[0].rstrip("%")) / 100
            if share >= LEAST_SHARE:
                yield Share(words[2].split("] ", 1)[-1], words[1], share)


def results(profiles: Sequence[Profile], machine: dict[str, Any]) -> dict[str, Any]:
    return {"format": 1, "machine": machine, "profiles": [profile.told() for profile in profiles]}


def table(results: dict[str, Any]) -> str:
    """For a terminal, and for the page."""
    lines = []
    for told in results["profiles"]:
        lines += ["", f"{LANGUAGES[told['language']]}, {told['column']}: {number(told['ns'])} ns"]
        for share in told["shares"]:
            lines.append(
                f"  {number(share['share'] * told['ns']):>6} ns {share['share']:>4.0%}  {share['function']}"
                f"  ({share['place']})"
            )
    return "\n".join(lines[1:])
