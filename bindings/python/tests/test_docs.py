"""The examples of README.md run, one after another as they stand; the docstrings promise what there is."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

import trip

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_examples_of_the_readme_run(capsys: pytest.CaptureFixture[str]) -> None:
    examples = re.findall(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    assert len(examples) == 11
    names: dict[str, Any] = {}
    for example in examples:
        exec(compile(example, "README.md", "exec"), names)
    assert asyncio.run(names["embed"]("hello")) == [0.1, 0.2]
    assert capsys.readouterr().out == "an answer to hello\n"


@pytest.mark.parametrize("name", trip.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    public = getattr(trip, name)
    assert public.__doc__
    assert not public.__doc__.startswith(f"{name}(")  # what dataclass writes where nobody wrote anything
    for member, value in vars(public).items() if isinstance(public, type) else ():
        if callable(value) and not member.startswith("_") and value.__module__.startswith("trip"):
            assert value.__doc__, f"{name}.{member}"


def test_the_version_is_the_library_s() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", trip.library_version())
