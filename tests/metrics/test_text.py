"""The text is OpenMetrics: prometheus_client's parser reads all of it, and promtool has nothing against the names."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable

import pytest
import trip
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from trip import _abi

from monitoring import ROOT, program
from scraped import call, told

COUNTERS = ("trip_permits", "trip_calls", "trip_rejections", "trip_late_settlements", "trip_opens")
GAUGES = ("trip_circuits", "trip_circuits_steered", "trip_permits_out", "trip_probes_out")
OF_THE_TRACKER = {
    "trip_circuits_evicted": "counter",
    "trip_events_lost": "counter",
    "trip_max_circuits": "gauge",
    "trip_build": "info",
}
LABELS = {"provider": _abi.TRIP_LABELS_PROVIDER, "tenant": _abi.TRIP_LABELS_TENANT}

NAMES = (b"acme", b"", b'"', b"\\", b"\n", b"\\n", b"\\xFF", b"\xff", b"a\x00b\r\x1b", "é€🔥".encode(), b"\xed\xa0\x80")


@pytest.fixture
def tracker() -> trip.Tracker:
    """With circuits of all states, and names of all bytes."""
    tracker = trip.Tracker(failure_threshold=1)
    for number, name in enumerate(NAMES):
        call(tracker, name, b"openai", successes=number)
        call(tracker, b"acme", name, successes=1, failures=1)
    tracker.circuit("acme", "mistral").permit()
    return tracker


def families(text: bytes) -> dict[str, Metric]:
    found: list[Metric] = list(text_string_to_metric_families(text.decode()))  # type: ignore[no-untyped-call]
    assert len({family.name for family in found}) == len(found)
    return {family.name: family for family in found}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS.keys())
@pytest.mark.parametrize("max_series", [0, 1, 3])
def test_the_parser_reads_all_of_it(tracker: trip.Tracker, labels: int, max_series: int) -> None:
    text = told(tracker, labels, max_series)
    found = families(text)
    types = {name: family.type for name, family in found.items()}
    assert types == {**dict.fromkeys(COUNTERS, "counter"), **dict.fromkeys(GAUGES, "gauge"), **OF_THE_TRACKER}
    assert all(family.documentation for family in found.values())
    samples = [sample for family in found.values() for sample in family.samples]
    assert len(samples) == sum(not line.startswith(b"#") for line in text.splitlines())
    assert len({(sample.name, frozenset(sample.labels.items())) for sample in samples}) == len(samples)


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS.keys())
@pytest.mark.parametrize("max_series", [0, 1, 3])
def test_no_two_series_are_one_to_prometheus(tracker: trip.Tracker, labels: int, max_series: int) -> None:
    """Which takes an empty label for none."""
    for family in families(told(tracker, labels, max_series)).values():
        series = [
            (sample.name, frozenset((name, value) for name, value in sample.labels.items() if value))
            for sample in family.samples
        ]
        assert len(set(series)) == len(series)


def test_every_name_is_told_and_can_be_told_from_the_others(tracker: trip.Tracker) -> None:
    samples = families(told(tracker, _abi.TRIP_LABELS_TENANT))["trip_permits"].samples
    permits = {s.labels["tenant"]: s.value for s in samples if s.labels["provider"] == "openai"}
    assert len(permits) == len(NAMES)
    assert permits["é€🔥"] == NAMES.index("é€🔥".encode())
    assert permits["\n"] == NAMES.index(b"\n")
    assert permits["\\"] == NAMES.index(b"\\")
    assert permits["\\xFF"] == NAMES.index(b"\xff")
    assert permits["\\x5CxFF"] == NAMES.index(b"\\xFF")


def test_the_build_is_told(tracker: trip.Tracker) -> None:
    (sample,) = families(told(tracker))["trip_build"].samples
    assert sample.name == "trip_build_info"
    assert sample.labels == {"version": trip.library_version()}


PAGE = (ROOT / "docs/operating.md").read_text()


def test_the_page_has_every_metric(tracker: trip.Tracker) -> None:
    """With its type and the values of its own label; and the alerts on it ask for nothing else."""
    rows = re.findall(r"^\| `(trip_\w+)` \| (\w+) \| (?:`(\w+)`(?:: ([\w, ]+?))?)? ?\|", PAGE, re.MULTILINE)
    on_the_page = {name: (kind, label, sorted(values.split(", "))) for name, kind, label, values in rows}
    found = {}
    for family in families(told(tracker)).values():
        own = {n: v for sample in family.samples for n, v in sample.labels.items() if n not in ("provider", "overflow")}
        label = next(iter(own), "")
        values = sorted({sample.labels.get(label, "") for sample in family.samples})
        found[family.samples[0].name] = (family.type, label, [""] if family.type == "info" else values)
    assert on_the_page == found
    alerts = PAGE[PAGE.index("### Alerts") : PAGE.index("## Snapshots")]
    assert set(re.findall(r"\btrip_\w+", alerts)) < set(found)


class Collector:
    def __init__(self, found: Iterable[Metric]) -> None:
        self.found = list(found)

    def collect(self) -> Iterable[Metric]:
        return self.found


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS.keys())
def test_promtool_has_nothing_against_the_names(tracker: trip.Tracker, labels: int) -> None:
    """It reads Prometheus' older format alone: the same samples, written by prometheus_client."""
    registry = CollectorRegistry()
    registry.register(Collector(families(told(tracker, labels)).values()))
    checked = subprocess.run(
        [program("promtool"), "check", "metrics"], input=generate_latest(registry), capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
