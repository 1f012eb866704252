"""The tables of docs/classification.md are those of the library: no symptom is missing there, and none is invented."""

from __future__ import annotations

import re

import pytest

from languages import ROOT

PAGE = (ROOT / "docs/classification.md").read_text()
SOURCE = (ROOT / "lib/symptom.c").read_text()


def in_the_library(table: str) -> dict[str, str]:
    body = re.search(rf"static const symptom {table}\[\] = \{{(.*?)^\}};", SOURCE, re.DOTALL | re.MULTILINE)
    assert body
    return dict(re.findall(r'\{"([^"]+)", TRIP_CLASS_(\w+)\}', body[1]))


def on_the_page(heading: str) -> dict[str, str]:
    rows = re.search(rf"^\*\*{heading}\*\*.*?\n\n((?:\|[^\n]*\n)+)", PAGE, re.DOTALL | re.MULTILINE)
    assert rows
    classes = re.findall(r"^\| `([A-Z_]+)` \| (.*) \|$", rows[1], re.MULTILINE)
    return {symptom: name for name, cell in classes for symptom in re.findall(r"`([^`]+)`", cell)}


@pytest.mark.parametrize(("table", "heading"), [("codes", "Codes and types"), ("phrases", "Phrases")])
def test_the_page_has_every_symptom_with_its_class(table: str, heading: str) -> None:
    expected = in_the_library(table)
    assert len(expected) > 80
    assert on_the_page(heading) == expected


def test_no_symptom_stands_twice() -> None:
    found = re.findall(r'\{"([^"]+)", TRIP_CLASS_\w+\}', SOURCE)
    assert len(found) == len(set(found)) + len(BOTH)


BOTH = {"unauthorized", "overloaded"}  # codes that are words, and say the same as such
