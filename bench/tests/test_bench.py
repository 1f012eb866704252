"""What the bench promises: true arithmetic, nothing hidden, and every field of its results. No time is asserted."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import fields, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import agreement
import chart
import document
import profiling
import report
import run
import stands
import targets
import timing
from figures import CONTROL_ONE, CONTROL_TWO, Key, Spread, against_empty_calls, against_libtrip, scaling, waited_share
from measured import Measured, Weight
from protocol import Missing, Peer, Stand, StandError

LATER = math.inf
OWN, PEER = Key("rust", "libtrip", "pair"), Key("rust", "failsafe", "pair")


def test_a_spread_is_median_and_quartiles_and_where_nine_of_ten_lie() -> None:
    assert Spread.of([5.0, 1.0, 4.0, 2.0, 3.0]) == Spread(median=3.0, lower=2.0, upper=4.0, p05=1.2, p95=4.8)
    assert Spread.of([1.0, 2.0, 3.0, 4.0]) == Spread(median=2.5, lower=1.75, upper=3.25, p05=1.15, p95=3.85)
    assert Spread.of([float(n) for n in range(21)]) == Spread(median=10.0, lower=5.0, upper=15.0, p05=1.0, p95=19.0)
    assert Spread.of([7.0]) == Spread(7.0, 7.0, 7.0, 7.0, 7.0)
    assert Spread.of([5.0, 1.0, 4.0, 2.0, 3.0]).share == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="nothing"):
        Spread.of([])


def test_a_ratio_is_taken_within_each_round() -> None:
    """In the second round the machine was ten times slower: the medians of the two columns would say 20."""
    samples = {OWN: [1.0, 10.0, 1.0], PEER: [2.0, 20.0, 20.0]}
    assert against_libtrip(samples, PEER) == Spread.of([2.0, 2.0, 20.0])
    assert against_libtrip(samples, OWN) == Spread.of([1.0])


def test_ratios_stay_within_a_language() -> None:
    samples = {
        PEER: [30.0],
        Key("rust", "two_empty_calls", "pair"): [3.0],
        Key("go", "two_empty_calls", "pair"): [60.0],
        Key("go", "libtrip", "pair"): [100.0],
    }
    empty = against_empty_calls(samples, PEER)
    assert empty is not None
    assert empty.median == pytest.approx(10.0)
    assert against_libtrip(samples, PEER) is None


def test_two_threads_are_compared_with_one_and_with_what_the_machine_gives() -> None:
    """On two threads a call takes three times as long, and a loop that shares nothing one and a half times."""
    key = Key("rust", "failsafe", "pair_2t_one")
    samples = {key: [30.0], PEER: [10.0], CONTROL_ONE: [2.0], CONTROL_TWO: [3.0]}
    told = scaling(samples, key)
    assert told is not None
    assert told.median == pytest.approx(2.0)
    assert scaling(samples, PEER) is None
    assert scaling({key: [30.0], PEER: [10.0]}, key) is None


def test_a_peer_without_two_steps_is_compared_with_its_own_call() -> None:
    key = Key("rust", "recloser", "pair_2t_one")
    samples = {key: [30.0], Key("rust", "recloser", "call"): [15.0], CONTROL_ONE: [1.0], CONTROL_TWO: [1.0]}
    told = scaling(samples, key)
    assert told is not None
    assert told.median == pytest.approx(2.0)


def test_the_time_that_was_waited_is_that_of_the_threads_that_are_still_there() -> None:
    before = {"1": (100, 10), "2": (50, 1000)}
    assert waited_share(before, {"1": (400, 110), "3": (9, 9)}) == 100 / 400
    assert waited_share(before, before) == 0.0


class Disturbed(Stand):
    """Waits for these shares of its runs, which take 1, 2, 3 ... ns per call."""

    def __init__(self, *shares: float) -> None:
        self._shares, self._runs, self._looks = shares, 0, 0

    def scheduled(self) -> dict[str, tuple[int, int]]:
        self._looks += 1
        share = self._shares[self._runs - 1]
        return {"1": (0, 0) if self._looks % 2 else (round(1000 * (1 - share)), round(1000 * share))}

    def ns_per_call(self, *_: object) -> float:
        self._runs += 1
        return float(self._runs)


@pytest.mark.parametrize(
    ("shares", "kept"),
    [((0.0, 0.5), 1.0), ((0.5, 0.01, 0.0), 2.0), ((0.5, 0.2, 0.3, 0.4, 0.0), 2.0)],
)
def test_the_least_disturbed_run_counts(shares: tuple[float, ...], kept: float) -> None:
    measured = Measured(samples={OWN: []}, calls={OWN: 10})
    timing.time_once(Disturbed(*shares), OWN, timing.Patience(60), measured)
    assert measured.samples[OWN] == [kept]


def test_patience_ends_and_then_every_run_counts() -> None:
    measured, patience = Measured(samples={OWN: []}, calls={OWN: 10}), timing.Patience(0)
    timing.time_once(Disturbed(0.5, 0.0), OWN, patience, measured)
    assert measured.samples[OWN] == [1.0]
    assert measured.waited_shares == [0.5]


def test_what_two_threads_take_is_a_median_of_three_runs() -> None:
    """They take 1, 2 and 3 ns; on one thread only the first would have been made."""
    key = Key("rust", "failsafe", "pair_2t_one")
    measured = Measured(samples={key: []}, calls={key: 10})
    timing.time_once(Disturbed(0.0, 0.0, 0.0), key, timing.Patience(60), measured)
    assert measured.samples[key] == [2.0]
    assert measured.waited_shares == []


PEERS = '[{"name": "a", "version": "1", "licence": "MIT", "configuration": "", "columns": %s}]'
HELLO = f'{{"language": "c", "peers": {PEERS}}}'


def scripted(*lines: str) -> list[str]:
    """A stand that says these lines, each when it is asked for one."""
    program = "import sys\nfor line in sys.argv[1:]:\n    print(line, flush=True)\n    sys.stdin.readline()"
    return [sys.executable, "-c", program, *lines]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ('{"error": "3 calls were refused"}', "3 calls were refused"),
        ('{"ns_per_call": 0}', "answered"),
        ('{"ns_per_call": "7"}', "answered"),
        ('{"ns_per_call": true}', "answered"),
        ('{"ns_per_call": NaN}', "answered"),
        ('{"bytes_per_circuit": 7}', "answered"),
        ("[7]", "answered"),
        ("what?", "answered 'what\\?'"),
    ],
)
def test_what_is_no_figure_is_an_error_that_names_the_question(answer: str, error: str) -> None:
    with Stand("the stand", scripted(HELLO % "[]", answer), stands.environment()) as stand:
        stand.introduce()
        with pytest.raises(StandError, match=error) as raised:
            stand.ns_per_call("a", "pair", 10)
    assert "the stand" in str(raised.value)
    assert "a pair 10" in str(raised.value)


def test_a_stand_that_ends_or_is_silent_or_is_not_there_is_an_error() -> None:
    with Stand("brief", scripted(HELLO % "[]"), stands.environment()) as stand:
        stand.introduce()
        with pytest.raises(StandError, match="ended"):
            stand.ns_per_call("a", "pair", 10)
    with Stand("mute", ["cat"], stands.environment()) as stand, pytest.raises(StandError, match="silent"):
        stand.introduce(timeout_s=0)
    with pytest.raises(StandError, match="does not start"):
        Stand("absent", ["/nowhere/at/all"], stands.environment())


def recipe(name: str, command: Sequence[str], tool: str = "cc", error: str | None = None) -> stands.Recipe:
    def build() -> None:
        if error:
            raise stands.BuildError(error)

    return stands.Recipe(name, "c", tool, (name,), build, tuple(command))


def test_whoever_cannot_be_built_or_started_is_missing_with_the_reason() -> None:
    measured = Measured()
    recipes = [
        recipe("broken", ["true"], error="error: no such crate"),
        recipe("toolless", ["true"], tool="no-such-compiler"),
        recipe("silent", ["true"]),
    ]
    built = run.build(recipes, measured)
    with ExitStack() as stack:
        assert timing.start(built, stack, measured) == {}
    assert measured.missing[:2] == [
        Missing("c", "broken", "does not build: error: no such crate"),
        Missing("c", "toolless", "does not build: there is no no-such-compiler on this machine"),
    ]
    assert measured.missing[2].name == "silent"
    assert "ended with status 0" in measured.missing[2].reason


TIRED = """
import sys
print(sys.argv[1], flush=True)
asked = 0
for line in sys.stdin:
    asked += " call " in line
    print('{"ns_per_call": 1e9}' if asked < 2 or " pair " in line else '{"error": "tired"}', flush=True)
"""


def test_a_column_that_fails_once_has_no_figure() -> None:
    """The column call can be prepared, and fails in the first round."""
    measured = Measured()
    with ExitStack() as stack:
        columns = timing.start(
            [recipe("a", [sys.executable, "-c", TIRED, HELLO % '["pair", "call"]'])], stack, measured
        )
        timing.prepare(columns, replace(timing.QUICK, run_ns=1e6), measured)
        for _ in range(2):
            timing.go_round(columns, random.Random(1), timing.Patience(60), measured)
    assert measured.samples == {Key("c", "a", "pair"): [1e9, 1e9]}
    assert measured.failed.keys() == {Key("c", "a", "call")}


def test_when_the_time_is_up_a_round_is_the_last() -> None:
    """Every column has the rounds that were made."""
    for until, made in ((LATER, 3), (0.0, 1)):
        measured = Measured()
        a = recipe("a", [sys.executable, "-c", TIRED, HELLO % '["pair"]'])
        timing.sit([a], 3, timing.QUICK, until, random.Random(1), timing.Patience(60), measured)
        assert measured.rounds == made
        assert len(measured.samples[Key("c", "a", "pair")]) == made


def test_a_sitting_that_would_end_too_late_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes 30 s by this clock, of 60 for all, and one more second is a harness's, which is not counted."""
    sat, now = [], [0.0]

    def sit(*given: object) -> None:
        sat.append(now[0])
        now[0] += 31
        measured = given[-1]
        assert isinstance(measured, Measured)
        measured.harness_s += 1

    monkeypatch.setattr(timing, "sit", sit)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    timing.measure([], replace(timing.QUICK, seconds=60, sittings=3), 1, Measured())
    assert sat == [0.0, 31.0]
    timing.measure([], replace(timing.QUICK, seconds=None, sittings=3), 1, Measured())
    assert len(sat) == 5


def test_the_java_stand_is_the_program_that_is_there() -> None:
    java = next(one for one in stands.RECIPES if one.language == "java")
    assert (stands.BENCH / "java" / "src" / f"{java.command[-1].replace('.', '/')}.java").exists()


def test_a_stand_that_does_not_start_again_has_no_figures() -> None:
    measured = Measured(samples={OWN: [1.0]})
    timing.sit([], 1, timing.QUICK, LATER, random.Random(1), timing.Patience(60), measured)
    assert measured.samples == {}
    assert "did not start again" in measured.failed[OWN]


HARNESS = '{"language": "java", "harness": "JMH 1", "peers": %s}'
TOLD = '{"peer": "a", "column": "%s", "ns_per_call": [1.5, 2.5]}'


def sitting_of(*lines: str) -> Measured:
    """Two rounds with a stand that times itself and says these lines."""
    measured = Measured()
    java = replace(recipe("a", scripted(*lines)), language="java")
    timing.sit([java], 2, timing.QUICK, LATER, random.Random(1), timing.Patience(60), measured)
    return measured


def test_a_stand_with_a_harness_gives_all_rounds_at_once() -> None:
    measured = sitting_of(HARNESS % (PEERS % '["pair"]'), f'{{"samples": [{TOLD % "pair"}]}}')
    assert measured.samples == {Key("java", "a", "pair"): [1.5, 2.5]}
    assert measured.peers["java", "a"].harness == "JMH 1"
    assert measured.failed == {}


@pytest.mark.parametrize(
    "answer",
    [
        f'{{"samples": [{TOLD % "call"}]}}',
        '{"samples": [{"peer": "a", "column": "pair", "ns_per_call": [1.5]}]}',
        '{"samples": [{"peer": "a", "column": "pair", "ns_per_call": [1.5, 0]}]}',
        '{"samples": [{"peer": "a"}]}',
        '{"error": "no virtual machine"}',
    ],
)
def test_what_a_harness_does_not_tell_has_no_figure(answer: str) -> None:
    measured = sitting_of(HARNESS % (PEERS % '["pair"]'), answer)
    assert measured.samples == {}
    assert measured.failed.keys() == {Key("java", "a", "pair")}


def test_a_quick_run_says_what_it_leaves_out() -> None:
    measured = Measured()
    hello = HELLO % '["lookup_100k", "lookup_1M", "pair_busy"]'
    timing.sit([recipe("a", scripted(hello))], 0, timing.QUICK, LATER, random.Random(1), timing.Patience(60), measured)
    assert measured.left_out == {Key("c", "a", column) for column in ("lookup_100k", "lookup_1M", "pair_busy")}
    measured.samples[Key("c", "libtrip", "pair_busy")] = [1.0]
    told = report._left_out_line(report._left_out(measured))
    assert told == "Left out to be quick: lookup_100k in C; lookup_1M in C; pair_busy in C but for libtrip's."


NOTES = """
import sys
print(sys.argv[1], flush=True)
for line in sys.stdin:
    with open(sys.argv[2], "a") as asked:
        asked.write(line.split()[2] + " ")
    print('{"ns_per_call": 1e9}', flush=True)
"""


def test_a_later_sitting_makes_as_many_calls_again(tmp_path: Path) -> None:
    """The first one finds out how many take five seconds."""
    measured, asked = Measured(), tmp_path / "asked"
    a = recipe("a", [sys.executable, "-c", NOTES, HELLO % '["pair"]', str(asked)])
    for _ in range(2):
        with ExitStack() as stack:
            columns = timing.start([a], stack, measured)
            timing.prepare(columns, replace(timing.QUICK, run_ns=5e9), measured)
    assert asked.read_text() == "64 " + 8 * "64 " + "5 "
    assert measured.samples == {Key("c", "a", "pair"): []}


# ---- Targets -----------------------------------------------------------------------------------------------------


def judged(measured: Measured) -> dict[str, dict[str, Any]]:
    return {target["target"]: target for target in targets.judge(measured)}


def test_a_target_is_judged_by_its_median() -> None:
    own, empty = Key("c", "libtrip", "pair"), targets.EMPTY
    for ns, verdict in ((6.0, "met"), (6.1, "missed")):
        told = judged(Measured(samples={own: [ns, ns, 60.0], empty: [1.0, 1.0, 1.0]}))
        target = told["C, permit + success: to two empty calls"]
        assert target["verdict"] == verdict
        assert target["measured"]["median"] == pytest.approx(ns)
        assert told["Rust, a permit by the express lane"]["verdict"] == "not measured"


def test_a_target_that_is_a_least_is_missed_below_it() -> None:
    heartbit, own = Key("rust", "heartbit-core", "pair"), Key("c", "libtrip", "pair")
    for ns, verdict in ((24.9, "missed"), (25.0, "met")):
        told = judged(Measured(samples={heartbit: [ns], own: [10.0]}))
        assert told["heartbit-core: to C, permit + success"]["verdict"] == verdict


def test_whoever_is_ahead_of_libtrip_is_named() -> None:
    measured = Measured(
        samples={
            Key("go", "libtrip", "pair"): [10.0],
            Key("go", "libtrip", "refusal"): [10.0],
            Key("go", "failsafe-go", "pair"): [9.0],
            Key("go", "failsafe-go", "refusal"): [11.0],
            Key("go", "two_empty_calls", "pair"): [1.0],
            Key("rust", "failsafe", "pair"): [1.0],
        }
    )
    told = judged(measured)["Go, every time column: the next peer to libtrip"]
    assert told["verdict"] == "missed"
    assert told["measured"]["median"] == pytest.approx(0.9)
    assert told["behind"] == ["pair of failsafe-go 0.90"]
    measured.samples[Key("go", "failsafe-go", "pair")] = [12.0]
    told = judged(measured)["Go, every time column: the next peer to libtrip"]
    assert told["verdict"] == "met"
    assert told["behind"] == []


def test_memory_and_the_time_of_a_quick_run_are_targets_too() -> None:
    measured = Measured(memory={("c", "libtrip"): Weight(257.0, 1_000_000)})
    assert judged(measured)["C, memory of a circuit with its name"]["verdict"] == "missed"
    assert targets.judge(measured, seconds_of_quick=59.0)[-1]["verdict"] == "met"
    assert len(targets.judge(measured)) == len(targets.TARGETS)


def test_every_target_can_be_measured() -> None:
    """A misspelt peer or column would be 'not measured' for ever: these are the names that the stands use."""
    bench = Path(run.__file__).parent
    sources = "\n".join(
        path.read_text()
        for path in bench.rglob("*")
        if path.suffix in {".c", ".rs", ".go", ".py", ".java"}
        if path.name not in {"targets.py", "figures.py", "test_bench.py", "report.py", "timing.py", "chart.py"}
    )
    samples = Recorded()
    for target in targets.TARGETS:
        target.measure(Measured(samples=samples))
    asked = samples.asked
    assert {key.language for key in asked} == {"c", "rust", "go", "python"}
    for key in asked:
        assert f'"{key.peer}"' in sources
        assert f'"{key.column}"' in sources


class Recorded(dict[Key, list[float]]):
    """Has every column that it is asked for, and remembers which these were."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[Key] = set()

    def __contains__(self, key: object) -> bool:
        assert isinstance(key, Key)
        self.asked.add(key)
        return True

    def __getitem__(self, key: Key) -> list[float]:
        return [1.0]


# ---- Agreement ---------------------------------------------------------------------------------------------------


def results_of(path: Path, p05: float, p95: float, **more: object) -> Path:
    median = (p05 + p95) / 2
    spread = Spread(median, lower=median, upper=median, p05=p05, p95=p95).told()
    peer = {"language": "go", "name": "failsafe-go", "columns": {"pair": {"ns": spread, "of_libtrip": spread}, **more}}
    path.write_text(json.dumps({"peers": [peer]}))
    return path


def test_runs_agree_whose_rounds_enclose_a_common_point(tmp_path: Path) -> None:
    paths = [results_of(tmp_path / f"{i}.json", i, i + 2) for i in range(3)]
    figure = agreement.Figure("go", "failsafe-go", "pair", "of_libtrip")
    assert agreement.compare(agreement.load(paths)).agreeing.keys() == {figure}
    paths[2] = results_of(tmp_path / "2.json", 2.1, 4)
    comparison = agreement.compare(agreement.load(paths))
    assert comparison.agreeing == {}
    assert comparison.differing.keys() == {figure}
    assert "0 of 1 figures agree" in str(comparison)
    assert "3.05 (2.1 to 4)" in str(comparison)


def test_what_is_not_in_all_runs_is_told_and_is_no_disagreement(tmp_path: Path) -> None:
    spread = {"of_libtrip": Spread.of([1.0]).told()}
    paths = [results_of(tmp_path / "0.json", 1, 2), results_of(tmp_path / "1.json", 1, 2, call=spread)]
    for order in (paths, paths[::-1]):
        comparison = agreement.compare(agreement.load(order))
        assert comparison.lacking == [agreement.Figure("go", "failsafe-go", "call", "of_libtrip")]
        assert comparison.differing == {}


def test_a_disagreement_is_an_answer(tmp_path: Path) -> None:
    paths = [results_of(tmp_path / f"{i}.json", 3 * i, 3 * i + 2) for i in range(2)]
    asked = [sys.executable, run.__file__, "--agree", *map(str, paths)]
    assert subprocess.run(asked, stdout=subprocess.PIPE).returncode == 1
    assert subprocess.run([*asked[:-1], str(paths[0])], stdout=subprocess.PIPE).returncode == 0
    assert subprocess.run(asked[:-1], stderr=subprocess.PIPE).returncode == 2


# ---- Output ------------------------------------------------------------------------------------------------------


def test_what_is_missing_is_in_the_table() -> None:
    measured = Measured(missing=[Missing("go", "somebody", "does not build: no network")])
    measured.peers["c", "libtrip"] = Peer("libtrip", "1.0.0", "MIT", "as it comes", ("pair",))
    measured.samples[Key("c", "libtrip", "pair")], measured.calls[Key("c", "libtrip", "pair")] = [12.5], 1
    measured.failed[Key("c", "libtrip", "refusal")] = "2 calls were granted"
    machine = {"cpu": "a CPU", "cores": 2, "kernel": "6", "load_at_start": [0.0, 0.0, 0.0]}
    library = report.library(Spread.of([1.0]), {"file_bytes": 1, "loaded_bytes": 1})
    told = {"rounds": 1, "seconds": 1.0, "plan": {"rounds": 2, "is_quick": False}}
    table = report.table(report.results(measured, told, machine, library))
    assert "Not measured" in table
    assert "Of 2 rounds 1 were made: then the time was up." in table
    assert "somebody: does not build: no network" in table
    assert "libtrip refusal: 2 calls were granted" in table
    assert "12.5 ±0%" in table
    assert "as it comes" in table


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C stand alone, one round."""
    out = tmp_path_factory.mktemp("bench")
    command = [sys.executable, run.__file__, "--quick", "--only", "c", "--rounds", "1", "--out", str(out)]
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=300, check=True)
    (out / "table.txt").write_text(finished.stdout)
    return out


def test_a_run_writes_every_promised_field(quick: Path) -> None:
    results = json.loads((quick / "results.json").read_text())
    assert results["run"].keys() == {"command", "plan", "rounds", "seed", "seconds", "waited_share"}
    assert results["run"]["plan"].keys() == {field.name for field in fields(timing.Plan)}
    assert results["run"]["rounds"] == 1
    assert results["run"]["command"] == "./x bench --quick --only c --rounds 1"
    assert {"cpu", "cores", "kernel", "load_at_start"} <= results["machine"].keys()
    assert results["library"].keys() == {"load_ns", "file_bytes", "loaded_bytes"}
    assert results["missing"] == []
    assert results["failed"] == []
    assert results["left_out"] == [
        {"language": "c", "column": column, "ours_too": True} for column in ("lookup_100k", "lookup_1M")
    ]
    verdicts = {target["target"]: target["verdict"] for target in results["targets"]}
    assert verdicts.pop("C, look-up of 1M + pair: to uthash under a rwlock") == "not measured"
    assert {verdict for name, verdict in verdicts.items() if name.startswith("C,")} <= {"met", "missed"}
    assert {verdict for name, verdict in verdicts.items() if name.startswith("Go,")} == {"not measured"}
    peers = {peer["name"]: peer for peer in results["peers"]}
    assert peers.keys() == {"libtrip", "uthash_rwlock", "two_empty_calls", "single_steps", "independent_loops"}
    for peer in peers.values():
        assert peer["version"]
        assert peer["licence"]
        assert peer["configuration"]
        for column in peer["columns"].values():
            assert column["rounds"] == len(column["samples_ns"]) == 1
            assert column["ns"].keys() == {"median", "lower", "upper", "p05", "p95", "spread"}
            assert column["calls_per_run"] >= 1
            assert column["ns"]["median"] > 0


def test_libtrip_has_every_column_with_its_ratios(quick: Path) -> None:
    results = json.loads((quick / "results.json").read_text())
    own = next(peer for peer in results["peers"] if peer["name"] == "libtrip")
    windows = {"time_window", "count_window", "count_mixed"}
    two_threads = {"lookup_1k_2t", "pair_2t_one", "pair_2t_many", "express_2t_one", *(f"{one}_2t" for one in windows)}
    one_thread = {*windows, "pair", "express", "failure", "refusal", "lookup_8", "lookup_1k", "create_evict"}
    one_thread |= {"cycle", "cycle_full", "pair_full", "gate", "gate_full", "gate_gradient", "dedup_new", "dedup_hit"}
    one_thread |= {"route", "route_session", "retry"}
    two_threads |= {"gate_2t"}
    assert own["columns"].keys() == one_thread | two_threads
    assert own["bytes_per_circuit"] > 0
    assert own["circuits"] == 1_000_000
    for name, column in own["columns"].items():
        assert column["of_libtrip"]["median"] == 1.0
        assert column["of_two_empty_calls"]["median"] > 0
        assert ("scaling" in column) == (name in two_threads)


def test_a_run_prints_its_table_and_draws_its_chart(quick: Path) -> None:
    table = (quick / "table.txt").read_text()
    for peer in ("libtrip", "uthash_rwlock", "two_empty_calls", "single_steps", "independent_loops"):
        assert table.count(peer) >= 2  # its figures, and its configuration
    assert "Left out to be quick: lookup_100k in C; lookup_1M in C." in table
    assert "C, express lane" in table
    assert "µs" in table.split("libtrip.so: ")[1].splitlines()[0]
    chart = ElementTree.parse(quick / "chart.svg").getroot()
    texts = "".join(chart.itertext())
    assert "libtrip, express lane" in texts
    assert "./x bench --quick --only c" in texts
    assert "prefers-color-scheme: dark" in texts
    assert "http" not in texts


def test_every_language_is_in_the_chart_on_one_axis() -> None:
    """A tenth of the nanoseconds is as far to the left everywhere."""
    spread = {"lower": 10.0, "median": 10.0, "upper": 10.0}
    peers = [
        {
            "language": language,
            "name": "a",
            "version": "1",
            "configuration": "",
            "harness": "",
            "columns": {"async" if language == "node" else "pair": {"ns": spread}},
        }
        for language in report.LANGUAGES
    ]
    machine = {"cpu": "a <CPU>", "cores": 2, "kernel": "6"}
    drawn = ElementTree.fromstring(
        chart.draw({"peers": peers, "machine": machine, "run": {"command": "./x bench --all", "rounds": 1}})
    )
    texts = list(drawn.itertext())
    assert set(report.LANGUAGES.values()) <= set(texts)
    assert any("a <CPU>" in text and "./x bench --all" in text for text in texts)
    axis = chart.Axis(1.0, 1000.0)
    assert axis.x(10.0) - axis.x(1.0) == pytest.approx(axis.x(1000.0) - axis.x(100.0))
    assert list(axis.decades()) == [1.0, 10.0, 100.0, 1000.0]


def test_an_unknown_language_is_refused() -> None:
    finished = subprocess.run([sys.executable, run.__file__, "--only", "cobol"], stderr=subprocess.PIPE, text=True)
    assert finished.returncode != 0
    assert "cobol" in finished.stderr


def test_the_figures_of_a_run_replace_those_of_the_last_one_in_the_page(quick: Path, tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"# Before\n{document.begin('figures')}\nold\n{document.END}\nafter\n")
    written = document.write(quick / "results.json", tmp_path)
    once = page.read_text()
    document.write(quick / "results.json", tmp_path)
    assert page.read_text() == once
    assert written == [page, tmp_path / "chart.svg"]
    assert once.startswith("# Before\n") and once.endswith("\nafter\n") and "old" not in once
    results = json.loads((quick / "results.json").read_text())
    (own,) = (peer for peer in results["peers"] if peer["name"] == "libtrip")
    assert f"| libtrip {own['version']} | {report.number(own['columns']['pair']['ns']['median'])} |" in once
    assert all(f"| {target['target']} |" in once for target in results["targets"])
    ElementTree.fromstring((tmp_path / "chart.svg").read_text())


REPORTED = """
    41.20%|libtrip.so.1.1.0|[.] trip_circuit_permit
     7.00%|stand-go        |[.] main.libtrip.func3.executions.repeat|of[...]
     1.99%|libc.so.6       |[.] memcpy

"""


def test_what_perf_reports_is_told_in_nanoseconds_and_put_into_the_page(tmp_path: Path) -> None:
    shares = list(profiling._shares(REPORTED))
    assert [share.share for share in shares] == pytest.approx([0.412, 0.07])  # the third is too small to tell
    assert shares[0] == ("trip_circuit_permit", "libtrip.so.1.1.0", shares[0].share)
    assert shares[1].function == "main.libtrip.func3.executions.repeat|of[...]"
    results = profiling.results([profiling.Profile("c", "libtrip", "pair", 10.0, shares)], {})
    (tmp_path / "profile.json").write_text(json.dumps(results))
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{document.begin('profile')}\nold\n{document.END}\nafter\n")
    assert document.write(tmp_path / "profile.json", tmp_path) == [page]
    assert "C, pair: 10.0 ns\n    4.12 ns  41%  trip_circuit_permit  (libtrip.so.1.1.0)\n" in page.read_text()
    assert page.read_text().startswith("before\n") and page.read_text().endswith("\nafter\n")


def test_a_profile_is_of_columns_that_a_stand_is_built_for() -> None:
    for key in profiling.SUBJECTS:
        assert [recipe for recipe in profiling.recipes() if profiling._has(recipe, key)] != []


def test_a_page_without_a_place_for_figures_is_left_alone(quick: Path, tmp_path: Path) -> None:
    (tmp_path / "performance.md").write_text("no marks")
    with pytest.raises(SystemExit, match="no one place"):
        document.write(quick / "results.json", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["performance.md"]
