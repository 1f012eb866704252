"""What the bench promises: true arithmetic, nothing hidden, and every field of its results. No time is asserted."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

import report
import run
import stands
from figures import CONTROL_ONE, CONTROL_TWO, Key, Spread, against_empty_calls, against_libtrip, scaling, waited_share
from measured import Measured
from protocol import Missing, Peer, Stand, StandError

OWN, PEER = Key("rust", "libtrip", "pair"), Key("rust", "failsafe", "pair")


def test_a_spread_is_median_and_quartiles() -> None:
    assert Spread.of([5.0, 1.0, 4.0, 2.0, 3.0]) == Spread(median=3.0, lower=2.0, upper=4.0)
    assert Spread.of([1.0, 2.0, 3.0, 4.0]) == Spread(median=2.5, lower=1.75, upper=3.25)
    assert Spread.of([7.0]) == Spread(7.0, 7.0, 7.0)
    assert Spread.of([5.0, 1.0, 4.0, 2.0, 3.0]).share == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="nothing"):
        Spread.of([])


def test_a_ratio_is_taken_within_each_round() -> None:
    """In the second round the machine was ten times slower: the medians of the two columns would say 20."""
    samples = {OWN: [1.0, 10.0, 1.0], PEER: [2.0, 20.0, 20.0]}
    assert against_libtrip(samples, PEER) == Spread(median=2.0, lower=2.0, upper=11.0)
    assert against_libtrip(samples, OWN) == Spread(1.0, 1.0, 1.0)


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
    run.time_once(Disturbed(*shares), OWN, measured)
    assert measured.samples[OWN] == [kept]


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
        assert run.start(built, stack, measured) == {}
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
        columns = run.start([recipe("a", [sys.executable, "-c", TIRED, HELLO % '["pair", "call"]'])], stack, measured)
        run.measure(columns, 2, replace(run.QUICK, run_ns=1e6), random.Random(1), measured)
    assert measured.samples == {Key("c", "a", "pair"): [1e9, 1e9]}
    assert measured.failed.keys() == {Key("c", "a", "call")}


def test_a_stand_that_does_not_start_again_has_no_figures() -> None:
    measured = Measured(samples={OWN: [1.0]})
    run.sit([], 1, run.QUICK, random.Random(1), measured)
    assert measured.samples == {}
    assert "did not start again" in measured.failed[OWN]


def test_what_is_missing_is_in_the_table() -> None:
    measured = Measured(missing=[Missing("go", "somebody", "does not build: no network")])
    measured.peers["c", "libtrip"] = Peer("libtrip", "1.0.0", "MIT", "as it comes", ("pair",))
    measured.samples[Key("c", "libtrip", "pair")], measured.calls[Key("c", "libtrip", "pair")] = [12.5], 1
    measured.failed[Key("c", "libtrip", "refusal")] = "2 calls were granted"
    machine = {"cpu": "a CPU", "cores": 2, "kernel": "6", "load_at_start": [0.0, 0.0, 0.0]}
    library = report.library(Spread.of([1.0]), {"file_bytes": 1, "loaded_bytes": 1})
    table = report.table(report.results(measured, {"rounds": 1, "seconds": 1.0, "circuits": 1}, machine, library))
    assert "Not measured" in table
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
    plan = {"sittings", "rounds", "run_ns", "circuits", "loads", "is_quick"}
    assert results["run"].keys() == plan | {"seed", "seconds", "waited_share"}
    assert {"cpu", "cores", "kernel", "load_at_start"} <= results["machine"].keys()
    assert results["library"].keys() == {"load_ns", "file_bytes", "loaded_bytes"}
    assert results["missing"] == []
    assert results["failed"] == []
    peers = {peer["name"]: peer for peer in results["peers"]}
    assert peers.keys() == {"libtrip", "uthash_rwlock", "two_empty_calls", "independent_loops"}
    for peer in peers.values():
        assert peer["version"]
        assert peer["licence"]
        assert peer["configuration"]
        for column in peer["columns"].values():
            assert column["rounds"] == len(column["samples_ns"]) == 1
            assert column["ns"].keys() == {"median", "lower", "upper", "spread"}
            assert column["calls_per_run"] >= 1
            assert column["ns"]["median"] > 0


def test_libtrip_has_every_column_with_its_ratios(quick: Path) -> None:
    results = json.loads((quick / "results.json").read_text())
    own = next(peer for peer in results["peers"] if peer["name"] == "libtrip")
    two_threads = {"lookup_1k_2t", "pair_2t_one", "pair_2t_many"}
    one_thread = {"pair", "failure", "refusal", "lookup_8", "lookup_1k", "lookup_1M", "create_evict"}
    assert own["columns"].keys() == one_thread | two_threads
    assert own["bytes_per_circuit"] > 0
    for name, column in own["columns"].items():
        assert column["of_libtrip"]["median"] == 1.0
        assert column["of_two_empty_calls"]["median"] > 0
        assert ("scaling" in column) == (name in two_threads)


def test_a_run_prints_its_table_and_draws_its_chart(quick: Path) -> None:
    table = (quick / "table.txt").read_text()
    for peer in ("libtrip", "uthash_rwlock", "two_empty_calls", "independent_loops"):
        assert table.count(peer) >= 2  # its figures, and its configuration
    chart = ElementTree.parse(quick / "chart.svg").getroot()
    texts = "".join(chart.itertext())
    assert "libtrip" in texts
    assert "prefers-color-scheme: dark" in texts
    assert "http" not in texts


def test_an_unknown_language_is_refused() -> None:
    finished = subprocess.run([sys.executable, run.__file__, "--only", "cobol"], stderr=subprocess.PIPE, text=True)
    assert finished.returncode != 0
    assert "cobol" in finished.stderr
