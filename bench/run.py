"""`./x bench`: libtrip and its peers side by side, in one run, each in its own language.

    python run.py [--quick] [--rounds N] [--only LANGUAGE,...] [--all] [--seed N] [--out FOLDER]

One stand per language, or per peer that is heavy to build, waits for the next line while another is timed. A round goes
once through all columns of all peers, in an order drawn anew, so that noise hits all alike, and now and then all
stands are started anew. A peer that cannot be measured is reported, and no figure stands for it. Nothing here fails
because of a time.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import chart
import machine
import report
from figures import TWO_THREADS, Key, waited_share
from measured import Measured
from protocol import Missing, Stand, StandError
from stands import BUILT, RECIPES, BuildError, C, Recipe, environment

# A failure column must not reach its threshold within a run: libtrip's highest is 8388607.
MOST_CALLS = 8_000_000
TRIES, UNDISTURBED = 4, 0.02
# Left out when there is little time: they take longest to prepare, and say little that the others do not.
NOT_QUICK = {"c": {"lookup_100k"}, "": {"lookup_100k", "lookup_1M"}}


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    sittings: int  # in each the stands are started anew: where code and data come to lie makes a difference
    rounds: int  # of all sittings together
    run_ns: float  # how long a run is to take
    circuits: int  # for the memory of one
    loads: int
    is_quick: bool

    @classmethod
    def of(cls, options: argparse.Namespace) -> Plan:
        plan = QUICK if options.quick else FULL
        rounds = options.rounds or plan.rounds
        return replace(plan, rounds=rounds, sittings=min(plan.sittings, rounds))

    def leaves_out(self, key: Key) -> bool:
        return self.is_quick and key.column in NOT_QUICK.get(key.language, NOT_QUICK[""])


QUICK = Plan(sittings=3, rounds=12, run_ns=4e6, circuits=100_000, loads=11, is_quick=True)
FULL = Plan(sittings=5, rounds=40, run_ns=20e6, circuits=1_000_000, loads=51, is_quick=False)


def build(recipes: Sequence[Recipe], measured: Measured) -> list[Recipe]:
    """Those that could be built; of the others it says why."""
    built = []
    for recipe in recipes:
        _tell(f"building {recipe.name}")
        try:
            if shutil.which(recipe.tool) is None:
                raise BuildError(f"there is no {recipe.tool} on this machine")
            recipe.build()
            built.append(recipe)
        except BuildError as error:
            measured.miss(Missing(recipe.language, peer, f"does not build: {error}") for peer in recipe.peers)
    return built


def start(recipes: Sequence[Recipe], stack: ExitStack, measured: Measured) -> dict[Key, Stand]:
    """All columns, each with the stand that has it."""
    columns = {}
    for recipe in recipes:
        try:
            stand = stack.enter_context(Stand(recipe.name, recipe.command, environment()))
            stand.introduce()
        except StandError as error:
            measured.miss(Missing(recipe.language, peer, str(error)) for peer in recipe.peers)
            continue
        measured.miss(stand.missing)
        for peer in stand.peers:
            measured.peers[stand.language, peer.name] = peer
            columns.update({Key(stand.language, peer.name, column): stand for column in peer.columns})
    return columns


def calibrate(stand: Stand, key: Key, run_ns: float) -> int:
    """How many calls take about `run_ns`, once all is warm: a compiler that learns makes the same calls ever faster."""
    calls = 64
    while True:
        ns = stand.ns_per_call(key.peer, key.column, calls)
        wanted = max(1, min(MOST_CALLS, round(run_ns / ns)))
        if calls > 0.7 * wanted:
            return wanted
        calls = min(wanted, calls * 8)


def sit(recipes: Sequence[Recipe], rounds: int, plan: Plan, order: random.Random, measured: Measured) -> None:
    """Some rounds with stands that are started for them."""
    with ExitStack() as stack:
        columns = start(recipes, stack, measured)
        for key in measured.samples.keys() - columns.keys():
            measured.fail(key, StandError("its stand did not start again"))
        timed = {
            key: stand
            for key, stand in columns.items()
            if key.column != "memory" and key not in measured.failed and not plan.leaves_out(key)
        }
        measure(timed, rounds, plan, order, measured)


def measure(columns: dict[Key, Stand], rounds: int, plan: Plan, order: random.Random, measured: Measured) -> None:
    for position, (key, stand) in enumerate(columns.items(), 1):
        _tell(f"preparing {position} of {len(columns)}: {key.peer} {key.column}")
        try:
            measured.calls[key] = calibrate(stand, key, plan.run_ns)
            measured.samples.setdefault(key, [])
        except StandError as error:
            measured.fail(key, error)
    for number in range(1, rounds + 1):
        _tell(f"round {number} of {rounds} in this sitting")
        for key in order.sample(list(measured.samples), len(measured.samples)):
            try:
                time_once(columns[key], key, measured)
            except StandError as error:
                measured.fail(key, error)


def time_once(stand: Stand, key: Key, measured: Measured) -> None:
    """A run. One that had to wait for a processor is made again, a few times, and the least disturbed one counts: what
    chooses it is how long it waited, never what it measured."""
    runs = []
    for _ in range(TRIES):
        before = stand.scheduled()
        ns = stand.ns_per_call(key.peer, key.column, measured.calls[key])
        runs.append((waited_share(before, stand.scheduled()), ns))
        if runs[-1][0] <= UNDISTURBED:
            break
    share, ns = min(runs, key=lambda run: run[0])
    measured.samples[key].append(ns)
    if key.column not in TWO_THREADS:  # two may wait for one another
        measured.waited_shares.append(share)


def weigh(recipes: Sequence[Recipe], plan: Plan, measured: Measured) -> None:
    """The memory of a circuit, each peer's in a process of its own: what another has freed would be used again."""
    for recipe in recipes:
        for (language, name), peer in measured.peers.items():
            if language == recipe.language and name in recipe.peers and "memory" in peer.columns:
                _tell(f"weighing {name}")
                try:
                    with Stand(recipe.name, recipe.command, environment()) as stand:
                        stand.introduce()
                        measured.memory[language, name] = stand.bytes_per_circuit(name, plan.circuits)
                except StandError as error:
                    measured.failed[Key(language, name, "memory")] = str(error)


def choose(options: argparse.Namespace) -> list[Recipe]:
    """The C stand is always there: its loops are the yardstick of all."""
    languages = {recipe.language for recipe in RECIPES}
    wanted = set(options.only.split(",")) if options.only else languages
    if not wanted <= languages:
        raise SystemExit(f"--only: there is no stand in {', '.join(sorted(wanted - languages))}")
    return [
        recipe
        for recipe in RECIPES
        if recipe is C or (recipe.language in wanted and (options.all or options.only or not recipe.only_with_all))
    ]


def main(arguments: Sequence[str]) -> None:
    options = _options(arguments)
    plan, described, measured = Plan.of(options), machine.describe(), Measured()
    recipes = build(choose(options), measured)
    began, order = time.monotonic(), random.Random(options.seed)
    for sitting in range(plan.sittings):
        rounds = plan.rounds // plan.sittings + (sitting < plan.rounds % plan.sittings)
        sit(recipes, rounds, plan, order, measured)
    weigh(recipes, plan, measured)
    library = report.library(machine.load_time(plan.loads), machine.library_size())
    _tell("")

    run = {**asdict(plan), "seed": options.seed, "seconds": round(time.monotonic() - began, 1)}
    results = report.results(measured, run, described, library)
    options.out.mkdir(parents=True, exist_ok=True)
    report.write(results, options.out / "results.json")
    (options.out / "chart.svg").write_text(chart.draw(results), encoding="utf-8")
    print(report.table(results))
    print(f"\n{_shown(options.out / 'results.json')}\n{_shown(options.out / 'chart.svg')}")


def _tell(line: str) -> None:
    """Progress, on one line of a terminal that is watched."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./x bench", description="libtrip and its peers side by side")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: under a minute, once built")
    parser.add_argument("--rounds", type=int, metavar="N", help=f"rounds ({FULL.rounds}; --quick {QUICK.rounds})")
    parser.add_argument("--only", metavar="LANGUAGE,...", help="only the stands in these languages")
    parser.add_argument("--all", action="store_true", help="also the peers in Java and Node")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the order within the rounds (1)")
    parser.add_argument("--out", type=Path, default=BUILT, metavar="FOLDER", help="where the results go")
    options = parser.parse_args(arguments)
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds: at least 1")
    return options


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
