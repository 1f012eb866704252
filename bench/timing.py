"""How a run of the bench goes: sittings of rounds, each round once through all columns in an order drawn anew.

This file decides what is timed when, for how long, and which run counts; it builds nothing and prints no result.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from figures import TWO_THREADS, Key, waited_share
from measured import Measured, Weight
from protocol import Missing, Stand, StandError
from stands import Recipe, environment

# A failure column must not reach its threshold within a run: libtrip's highest is 8388607.
MOST_CALLS = {"failure": 8_000_000}
TRIES, UNDISTURBED = 4, 0.02
# Two threads meet, or miss one another, as luck will have it: a round of theirs is the median of so many runs.
TWO_THREADS_RUNS = 3
# What is timed is a circuit that has been in use: a binding may make itself at home only after some successes.
FIRST_CALLS, SHORT_RUNS = 64, 8
# How many times as long as others a run takes: beside a busy thread, Python gives and takes its lock every 5 ms.
LENGTHS = {**dict.fromkeys(TWO_THREADS, 2), "pair_busy": 25, "call_busy": 25}
# How much later than that a sitting may end that takes as long as the one before: each makes at least one round.
GRACE_S = 8
# Left out when there is little time: they take longest to prepare, or to run.
NOT_QUICK = {"lookup_100k", "lookup_1M"}
ONLY_OURS_WHEN_QUICK = {"pair_busy", "call_busy"}


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    seconds: float | None  # for all sittings: where they are up, what is left of them is not made
    sittings: int  # in each the stands are started anew: where code and data come to lie makes a difference
    rounds: int  # of all sittings together
    run_ns: float  # how long a run is to take
    harness_ns: int  # how long a round takes of a stand that times itself
    patience_s: float  # for how long disturbed runs are made again, altogether
    circuits: int  # for the memory of one
    circuits_in_c: int
    loads: int
    is_quick: bool

    @classmethod
    def of(cls, options: argparse.Namespace) -> Plan:
        plan = QUICK if options.quick else FULL
        rounds = options.rounds or plan.rounds
        return replace(plan, rounds=rounds, sittings=min(plan.sittings, rounds))

    def leaves_out(self, key: Key) -> bool:
        is_others = key.column in ONLY_OURS_WHEN_QUICK and key.peer != "libtrip"
        return self.is_quick and (key.column in NOT_QUICK or is_others)

    def weighs(self, language: str) -> int:
        return self.circuits_in_c if language == "c" else self.circuits

    def rounds_of(self, sitting: int) -> int:
        return self.rounds // self.sittings + (sitting < self.rounds % self.sittings)


QUICK = Plan(
    seconds=44,
    sittings=5,
    rounds=15,
    run_ns=4e6,
    harness_ns=50_000_000,
    patience_s=8,
    circuits=100_000,
    circuits_in_c=1_000_000,
    loads=11,
    is_quick=True,
)
FULL = Plan(
    seconds=None,
    sittings=5,
    rounds=40,
    run_ns=20e6,
    harness_ns=100_000_000,
    patience_s=300,
    circuits=1_000_000,
    circuits_in_c=1_000_000,
    loads=51,
    is_quick=False,
)


def measure(recipes: Sequence[Recipe], plan: Plan, seed: int, measured: Measured) -> None:
    order, patience = random.Random(seed), Patience(plan.patience_s)
    began, took = time.monotonic(), 0.0
    for sitting in range(plan.sittings):
        began += measured.harness_s  # what a harness takes is no part of it: only who asks for all has one
        start_s, measured.harness_s = time.monotonic(), 0.0
        if plan.seconds is not None and start_s + took > began + plan.seconds + GRACE_S:
            break
        until = math.inf if plan.seconds is None else began + plan.seconds * (sitting + 1) / plan.sittings
        sit(recipes, plan.rounds_of(sitting), plan, until, order, patience, measured)
        took = time.monotonic() - start_s - measured.harness_s
    weigh(recipes, plan, measured)


@dataclass
class Patience:
    """How long runs may still be made again that had to wait for a processor."""

    seconds: float

    def is_out(self) -> bool:
        return self.seconds <= 0


def sit(
    recipes: Sequence[Recipe],
    rounds: int,
    plan: Plan,
    until: float,
    order: random.Random,
    patience: Patience,
    measured: Measured,
) -> None:
    """Some rounds with stands that are started for them."""
    with ExitStack() as stack:
        columns = start(recipes, stack, measured)
        for key in measured.samples.keys() - columns.keys():
            measured.fail(key, StandError("its stand did not start again"))
        wanted = {key: stand for key, stand in columns.items() if key.column != "memory" and key not in measured.failed}
        measured.left_out |= {key for key in wanted if plan.leaves_out(key)}
        timed = {key: stand for key, stand in wanted.items() if key not in measured.left_out}
        prepare({key: stand for key, stand in timed.items() if not stand.harness}, plan, measured)
        made, took = 0, 0.0
        while made < rounds and (made == 0 or time.monotonic() + took < until):
            began = time.monotonic()
            tell(f"round {made + 1} of {rounds} in this sitting")
            go_round(timed, order, patience, measured)
            made, took = made + 1, time.monotonic() - began
        measured.rounds += made
        for stand in {stand for stand in timed.values() if stand.harness}:
            let_time(stand, [key for key in timed if timed[key] is stand], made, plan.harness_ns, measured)


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


def prepare(columns: Mapping[Key, Stand], plan: Plan, measured: Measured) -> None:
    """What is asked for the first time is prepared; and only a warm run says how many calls make a long one. Later
    sittings make the same number again after some short runs, so that they too begin warm."""
    for position, (key, stand) in enumerate(columns.items(), 1):
        tell(f"preparing {position} of {len(columns)}: {key.peer} {key.column}")
        try:
            if key in measured.calls:
                for calls in (*[FIRST_CALLS] * SHORT_RUNS, measured.calls[key]):
                    stand.ns_per_call(key.peer, key.column, calls)
            else:
                measured.calls[key] = calibrate(stand, key, plan.run_ns * LENGTHS.get(key.column, 1))
                measured.samples[key] = []
        except StandError as error:
            measured.fail(key, error)


def calibrate(stand: Stand, key: Key, run_ns: float) -> int:
    """How many calls take about `run_ns`, once all is warm: a compiler that learns makes the same calls ever faster."""
    calls = FIRST_CALLS
    while True:
        ns = stand.ns_per_call(key.peer, key.column, calls)
        wanted = max(1, round(min(run_ns / ns, MOST_CALLS.get(key.column, run_ns / ns))))
        if calls > 0.7 * wanted:
            return wanted
        calls = min(wanted, calls * 8)


def go_round(columns: Mapping[Key, Stand], order: random.Random, patience: Patience, measured: Measured) -> None:
    keys = [key for key in measured.samples if key in columns and not columns[key].harness]
    for key in order.sample(keys, len(keys)):
        try:
            time_once(columns[key], key, patience, measured)
        except StandError as error:
            measured.fail(key, error)


def time_once(stand: Stand, key: Key, patience: Patience, measured: Measured) -> None:
    """A column's figure of a round."""
    runs = TWO_THREADS_RUNS if key.column in TWO_THREADS else 1
    told = [least_disturbed(stand, key, measured.calls[key], patience) for _ in range(runs)]
    measured.samples[key].append(statistics.median(ns for ns, _ in told))
    if key.column not in TWO_THREADS:  # two may wait for one another
        measured.waited_shares += [share for _, share in told]


def least_disturbed(stand: Stand, key: Key, calls: int, patience: Patience) -> tuple[float, float]:
    """A run's nanoseconds per call, and the share of its time for which it waited. One that had to wait for a processor
    is made again, a few times: what chooses among them is how long they waited, never what they measured."""
    runs: list[tuple[float, float]] = []
    while True:
        begin, before = time.monotonic(), stand.scheduled()
        ns = stand.ns_per_call(key.peer, key.column, calls)
        runs.append((ns, waited_share(before, stand.scheduled())))
        if len(runs) > 1:
            patience.seconds -= time.monotonic() - begin
        if runs[-1][1] <= UNDISTURBED or len(runs) == TRIES or patience.is_out():
            return min(runs, key=lambda run: run[1])


def let_time(stand: Stand, keys: Sequence[Key], rounds: int, round_ns: int, measured: Measured) -> None:
    """The rounds of a stand whose own harness times it, one after another, while all others wait."""
    tell(f"{stand.harness} measures {rounds} rounds of {len(keys)} columns")
    began = time.monotonic()
    try:
        told = stand.rounds(rounds, round_ns)
    except StandError as error:
        for key in keys:
            measured.fail(key, error)
        return
    finally:
        measured.harness_s += time.monotonic() - began
    for key in keys:
        samples = told.get((key.peer, key.column), [])
        if len(samples) == rounds:
            measured.samples.setdefault(key, []).extend(samples)
            measured.calls[key] = round(round_ns / statistics.median(samples))
        else:
            measured.fail(key, StandError(f"{stand.harness} has no figure of it: a call was not answered as it should"))


def weigh(recipes: Sequence[Recipe], plan: Plan, measured: Measured) -> None:
    """The memory of a circuit, each peer's in a process of its own: what another has freed would be used again."""
    for recipe in recipes:
        for (language, name), peer in measured.peers.items():
            if language == recipe.language and name in recipe.peers and "memory" in peer.columns:
                tell(f"weighing {name}")
                circuits = plan.weighs(language)
                try:
                    with Stand(recipe.name, recipe.command, environment()) as stand:
                        stand.introduce()
                        bytes_each = stand.bytes_per_circuit(name, circuits)
                        measured.memory[language, name] = Weight(bytes_each, circuits)
                except StandError as error:
                    measured.failed[Key(language, name, "memory")] = str(error)


def tell(line: str) -> None:
    """Progress, on one line of a terminal that is watched."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
