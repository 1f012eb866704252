"""The incidents that docs/guides/thresholds.md quotes are those of the data set, where it is at hand, and outage.py
plays them at their length."""

from __future__ import annotations

import csv
import re
from datetime import datetime

import pytest

from languages import ROOT

PAGE = (ROOT / "docs/guides/thresholds.md").read_text()
PROGRAM = (ROOT / "docs/guides/outage.py").read_text()
RECORDED = ROOT.parent / "shared/data/llm_incidents.csv"
QUOTED = re.findall(r"(?m)^\| (\d{4}-\d\d-\d\d \d\d:\d\d) \| OpenAI's [^|]+ \| (\d+) minutes \| `(\w+)` \|$", PAGE)


def test_three_incidents_are_quoted_and_played() -> None:
    assert len(QUOTED) == 3
    for _, minutes, _ in QUOTED:
        assert f'"{minutes} min": {minutes} * 60.0' in PROGRAM


@pytest.mark.skipif(not RECORDED.exists(), reason="the data set of incidents is not at hand")
@pytest.mark.parametrize(("began", "minutes", "incident"), QUOTED)
def test_an_incident_is_as_it_was_recorded(began: str, minutes: str, incident: str) -> None:
    with RECORDED.open(newline="") as file:
        (row,) = [row for row in csv.DictReader(file) if row["incident_id"] == incident]
    start, end = (datetime.fromisoformat(row[name].replace("Z", "+00:00")) for name in ("start_utc", "end_utc"))
    assert f"{start:%Y-%m-%d %H:%M}" == began
    assert (end - start).total_seconds() == int(minutes) * 60
    assert (row["provider"], "API" in row["services"]) == ("openai", True)
