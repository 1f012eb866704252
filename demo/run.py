"""Runs the replay: four stand-ins and six clients as processes of their own, a line a second, and the report.

    python run.py [--seconds N] [--out FOLDER]

With and without libtrip run at the same time, against stand-ins of their own, from the same instant. Whatever happens,
no process outlives this one: those that have not ended by then are killed, by their id.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import curl_host
import report
import scenario as script
from figures import Call, Scenario, seconds

DEMO = Path(__file__).resolve().parent
BUILT = DEMO.parent / "build" / "demo"
CLIENTS = {
    "python": [sys.executable, str(DEMO / "clients" / "python" / "client.py")],
    "rust": [str(BUILT / "rust" / "release" / "trip-demo-client")],
    "go": [str(BUILT / "client-go")],
}
HEAD_START_S = 0.5  # between the last client's "ready" and the first call


class Cast:
    """The processes of one replay."""

    def __init__(self) -> None:
        self._processes: list[Process] = []

    async def start(self, *command: str) -> Process:
        # In a session of its own, so that Ctrl-C reaches this process alone, which then ends the others in order.
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, start_new_session=True)
        self._processes.append(process)
        return process

    def tell_all(self, line: str) -> None:
        for process in self._processes:
            _stdin(process).write(line.encode())

    async def finish(self) -> None:
        """The end of a replay that went well: a process whose input ends finishes what it writes, and ends."""
        for process in self._processes:
            _stdin(process).close()
        async with asyncio.timeout(10):
            await asyncio.gather(*(process.wait() for process in self._processes))

    async def kill(self) -> None:
        """The end of all others."""
        for process in self._processes:
            if process.returncode is None:
                process.kill()
        await asyncio.gather(*(process.wait() for process in self._processes))


class Progress:
    """Prints the line of a second once all its calls are over, in order."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._calls: list[Call] = []
        self._out = [0] * len(seconds(scenario, [], "openai"))
        self._told = 0
        for lane in scenario["lanes"]:
            for at_us in lane["at_us"]:
                self._out[at_us // 1_000_000] += len(scenario["sides"])

    def hear(self, call: Call) -> None:
        self._calls.append(call)
        self._out[call.intended_us // 1_000_000] -= 1
        while self._told < len(self._out) and not self._out[self._told]:
            row = seconds(self._scenario, self._calls, "openai")[self._told]
            print(report.second_line(self._scenario, row), flush=True)
            self._told += 1


async def replay(scenario: Scenario, out: Path) -> tuple[list[Call], report.Operator]:
    """Every call, and what became of the operator's order."""
    cast = Cast()
    try:
        urls = {side: await _start_standins(cast, side, scenario, out) for side in scenario["sides"]}
        clients = {
            f"{language} {side}": await cast.start(*CLIENTS[language], str(out / "scenario.json"), side, *urls[side])
            for language in scenario["languages"]
            for side in scenario["sides"]
        }
        for name, client in clients.items():
            await _expect(client, f"the {name} client")
        cast.tell_all(f"{time.time_ns() + int(HEAD_START_S * 1e9)}\n")
        progress = Progress(scenario)
        async with asyncio.TaskGroup() as group:
            heard = [group.create_task(_hear(name, client, progress.hear)) for name, client in clients.items()]
        await cast.finish()
        calls = [call for lines in heard for call in lines.result().calls]
        return calls, next(lines.result().operator for lines in heard if lines.result().operator)
    finally:
        await cast.kill()


async def _start_standins(cast: Cast, side: str, scenario: Scenario, out: Path) -> list[str]:
    """Both providers of one side; their addresses in the scenario's order."""
    urls = []
    for provider in scenario["providers"]:
        log = str(out / f"standin-{side}-{provider}.jsonl")
        standin = await cast.start(
            sys.executable, str(DEMO / "standin.py"), str(out / "scenario.json"), side, provider, log
        )
        port = await _expect(standin, f"the stand-in for {provider}")
        urls.append(f"http://127.0.0.1:{port}")
    return urls


async def _expect(process: Process, name: str) -> str:
    line = await _stdout(process).readline()
    if not line:
        raise SystemExit(f"{name} did not start")
    return line.decode().strip()


@dataclass
class Heard:
    """What a client has told."""

    calls: list[Call] = field(default_factory=list)
    operator: report.Operator = field(default_factory=dict)


async def _hear(name: str, client: Process, hear: Callable[[Call], None]) -> Heard:
    heard = Heard()
    async for line in _stdout(client):
        if line.startswith(b'{"operator"'):
            heard.operator = json.loads(line)["operator"]
            continue
        heard.calls.append(Call.read(line))
        hear(heard.calls[-1])
    if await client.wait():
        raise SystemExit(f"the {name} client failed with status {client.returncode}")
    return heard


def _stdin(process: Process) -> asyncio.StreamWriter:
    assert process.stdin is not None
    return process.stdin


def _stdout(process: Process) -> asyncio.StreamReader:
    assert process.stdout is not None
    return process.stdout


async def main(arguments: Sequence[str]) -> None:
    options = _options(arguments)
    out: Path = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    scenario = script.build(options.seconds)
    (out / "scenario.json").write_text(json.dumps(scenario), encoding="utf-8")
    for language, command in CLIENTS.items():
        if not Path(command[-1]).exists():
            raise SystemExit(f"The {language} client is not built: {command[-1]} is missing.")
    task = asyncio.current_task()
    assert task is not None
    for ending in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell's background jobs begin with it ignored
        asyncio.get_running_loop().add_signal_handler(ending, task.cancel)

    print("\n".join(report.opening(scenario)), flush=True)
    calls, operator = await replay(scenario, out)
    calls.sort(key=lambda call: (call.intended_us, call.call, call.side))
    (out / "calls.jsonl").write_text("".join(call.line() + "\n" for call in calls), encoding="utf-8")
    (out / "operator.json").write_text(json.dumps(operator, indent=1), encoding="utf-8")
    told = report.write(out, scenario, calls)
    print("\n".join(report.ending(scenario, told, operator)))
    print(f"\n{curl_host.told(out)}", flush=True)
    print(f"\nEvery call: {_shown(out / 'calls.jsonl')}\nThe page:   {_shown(out / 'demo.html')}")


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./x demo", description="replays four hours of 8 November 2023")
    parser.add_argument("--seconds", type=_duration, default=script.SECONDS, help="how long it takes (24)")
    parser.add_argument("--out", type=Path, default=BUILT / "replay", help="where the calls and the page go")
    return parser.parse_args(arguments)


def _duration(text: str) -> float:
    value = float(text)
    if not value >= 4:  # or a circuit's five failures do not fit into globex's rate limit
        raise argparse.ArgumentTypeError("at least 4 seconds")
    return value


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1:]))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)
