"""A real Prometheus scrapes a running process, and has what the library counted: no more series than were asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from trip import _abi

from monitoring import prometheus, scraped

SAMPLES_OF_A_ROW = 16  # one for each value of a label
SAMPLES_OF_A_TRACKER = 4


def test_prometheus_has_what_was_counted(tmp_path: Path) -> None:
    with scraped(_abi.TRIP_LABELS_PROVIDER, 0, 1000) as process, prometheus(process.port, tmp_path) as server:
        process.make([(b"acme", b"openai", 5, 2), (b"zeta", b"openai", 4, 0), (b"acme", b"mistral", 1, 3)])
        server.wait_for("sum(trip_permits_total)", 15)
        assert server.samples("trip_calls_total > 0") == {
            frozenset({("provider", "openai"), ("outcome", "success")}): 9,
            frozenset({("provider", "openai"), ("outcome", "failure")}): 2,
            frozenset({("provider", "mistral"), ("outcome", "success")}): 1,
            frozenset({("provider", "mistral"), ("outcome", "failure")}): 3,
        }
        assert server.value('trip_circuits{provider="mistral",state="open"}') == 1
        assert server.value('trip_circuits{provider="openai",state="closed"}') == 2
        assert server.value("trip_max_circuits") == 1000

        assert process.make([(b"acme", b"mistral", 1, 0)]) == 0
        server.wait_for('trip_rejections_total{provider="mistral"}', 1)
        types = server.ask("metadata", metric="trip_permits_total") or server.ask("metadata", metric="trip_permits")
        assert [kind["type"] for known in types.values() for kind in known] == ["counter"]


def test_a_counter_only_grows_though_its_circuits_go(tmp_path: Path) -> None:
    with scraped(_abi.TRIP_LABELS_PROVIDER, 0, 10) as process, prometheus(process.port, tmp_path) as server:
        server.wait_for("trip_max_circuits", 10)  # who goes before anybody asks is not counted
        total = 0
        for round_number in range(4):
            total += process.make([(b"tenant-%d-%d" % (round_number, i), b"openai", 2, 1) for i in range(50)])
            server.wait_for('trip_permits_total{provider="openai"}', total)
        assert total == 600
        assert server.value("resets(trip_permits_total[5m])") == 0
        assert server.value("sum(resets(trip_calls_total[5m]))") == 0
        assert server.value("sum(trip_circuits)") == 10


def test_any_bytes_arrive(tmp_path: Path) -> None:
    names = {
        b'"\\\n': '"\\\n',
        b"\xff": "\\xFF",
        b"\\xFF": "\\x5CxFF",
        "é€🔥".encode(): "é€🔥",
        b"\x00\r": "\\x00\\x0D",
    }
    with scraped(_abi.TRIP_LABELS_TENANT, 0, 1000) as process, prometheus(process.port, tmp_path) as server:
        process.make([(name, b"openai", number, 0) for number, name in enumerate(names, 1)])
        server.wait_for("sum(trip_permits_total)", sum(range(len(names) + 1)))
        assert server.samples("trip_permits_total") == {
            frozenset({("tenant", name), ("provider", "openai")}): number
            for number, name in enumerate(names.values(), 1)
        }


@pytest.mark.parametrize("max_series", [50, 200])
def test_a_hundred_thousand_tenants_are_as_many_series_as_were_asked_for(tmp_path: Path, max_series: int) -> None:
    """They come in four lots, and Prometheus scrapes all the time; not all of them fit into the tracker at once."""
    providers = [b"openai", b"mistral", b"anthropic"]
    with scraped(_abi.TRIP_LABELS_TENANT, max_series, 65536) as process, prometheus(process.port, tmp_path) as server:
        server.wait_for("trip_max_circuits", 65536)
        for first in range(0, 100_000, 25_000):
            process.make([(b"tenant-%d" % i, providers[i % 3], 1, 0) for i in range(first, first + 25_000)])
        server.wait_for("sum(trip_permits_total)", 100_000)
        assert server.value("count(trip_permits_total{tenant!=''})") == max_series
        assert server.value("count(trip_permits_total{overflow='true'})") == len(providers)
        assert server.value("trip_circuits_evicted_total") == 100_000 - 65536

        ever = server.ask("series", **{"match[]": '{__name__=~"trip_.+"}'})
        rows = max_series + len(providers)
        assert len(ever) == rows * SAMPLES_OF_A_ROW + SAMPLES_OF_A_TRACKER
