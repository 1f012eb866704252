"""What the documents show in Python is typed: mypy --strict has nothing against any block, as it is run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from blocks import Block, blocks
from languages import ENVIRONMENT, ROOT
from test_documents import RUN

BLOCKS = [block for block in RUN if block.language == "python"]
BINDING = ROOT / "bindings/python"
WHERE = os.pathsep.join(str(ROOT / folder) for folder in ("bindings/python/src", "bindings/python/tests", "demo"))


def faults(programs: dict[str, str], folder: Path) -> dict[str, list[str]]:
    """What mypy has against each of these, in one run: it reads the libraries once."""
    for name, program in programs.items():
        (folder / f"{name}.py").write_text(program)
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", ROOT / ".mypy_cache", "."],
        cwd=folder,
        env={**ENVIRONMENT, "MYPYPATH": WHERE},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = [line for line in ran.stdout.splitlines() if ": note: " not in line]
    found = {name: [line for line in lines if line.startswith(f"{name}.py:")] for name in programs}
    assert sum(map(len, found.values())) == len(lines), f"mypy has not checked them:\n{ran.stdout}"
    assert ran.returncode == bool(lines), ran.stdout
    return found


def name_of(document: Path, line: int = 0) -> str:
    """As a module may be called."""
    return f"{document.relative_to(ROOT)}_{line}".replace("/", "_").replace(".", "_")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    programs = {name_of(block.path, block.line): block.program() for block in BLOCKS}
    readme = BINDING / "README.md"  # whose blocks are one program
    programs[name_of(readme)] = "".join(block.text for block in blocks(readme, ROOT) if block.language == "python")
    return faults(programs, tmp_path_factory.mktemp("blocks"))


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.path.relative_to(ROOT)}:{block.line}")
def test_block(block: Block, found: dict[str, list[str]]) -> None:
    assert found[name_of(block.path, block.line)] == []


def test_the_readme_of_the_binding(found: dict[str, list[str]]) -> None:
    assert found[name_of(BINDING / "README.md")] == []


def test_the_readme_shows_python() -> None:
    assert ROOT / "README.md" in {block.path for block in BLOCKS}


@pytest.mark.parametrize(
    "program", ["def f(x): pass\n", "import trip\n\ntrip.Tracker(no_such_option=1)\n", "x: int = ''\n"]
)
def test_a_block_that_is_not_typed_fails(program: str, tmp_path: Path) -> None:
    assert len(faults({"block": program}, tmp_path)["block"]) == 1
