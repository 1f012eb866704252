"""How a replay is run, and what it leaves behind."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

DEMO = Path(__file__).resolve().parents[1]
Record = dict[str, Any]

sys.path.insert(0, str(DEMO))


@dataclass(frozen=True)
class Replay:
    folder: Path
    printed: str

    @cached_property
    def scenario(self) -> Record:
        return dict(json.loads((self.folder / "scenario.json").read_text(encoding="utf-8")))

    @cached_property
    def calls(self) -> list[Record]:
        return _lines(self.folder / "calls.jsonl")

    @cached_property
    def page(self) -> str:
        return (self.folder / "demo.html").read_text(encoding="utf-8")

    @cached_property
    def embedded(self) -> Record:
        """What the page draws."""
        found = re.search(r'<script type="application/json" id="replay">(.*?)</script>', self.page, re.DOTALL)
        assert found
        return dict(json.loads(found[1]))

    def log(self, side: str, provider: str) -> list[Record]:
        return _lines(self.folder / f"standin-{side}-{provider}.jsonl")

    def side(self, side: str) -> list[Record]:
        return [call for call in self.calls if call["side"] == side]

    def spells(self, provider: str, tenant: str) -> list[Record]:
        spells = [spell for spell in self.scenario["spells"] if spell["provider"] == provider]
        return [spell for spell in spells if spell["tenant"] is None or spell["tenant"] == tenant]

    def outage(self) -> tuple[int, int]:
        down = [spell for spell in self.scenario["spells"] if spell["tenant"] is None]
        return min(spell["from_us"] for spell in down), max(spell["until_us"] for spell in down)


def _lines(path: Path) -> list[Record]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def run_command(*arguments: str) -> list[str]:
    return [sys.executable, str(DEMO / "run.py"), *arguments]
