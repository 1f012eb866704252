"""What README.md, ABI.md and docs/ show in code works: every block is run, each as one test named after its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks import Block, blocks
from languages import LANGUAGES, NOT_RUN, ROOT, holds_only_the_two_commands, run

DOCUMENTS = [ROOT / "README.md", ROOT / "ABI.md", *sorted((ROOT / "docs").glob("**/*.md"))]
BLOCKS = [block for document in DOCUMENTS for block in blocks(document, ROOT)]
RUN = [b for b in BLOCKS if b.language not in NOT_RUN and not holds_only_the_two_commands(b.text)]


@pytest.mark.parametrize("block", RUN, ids=lambda b: f"{b.path.relative_to(ROOT)}:{b.line}")
def test_block(block: Block, tmp_path: Path) -> None:
    ran = run(block.language, block.program(), tmp_path)
    assert ran.returncode == 0, f"{block.path.relative_to(ROOT)}:{block.line} failed:\n{ran.stdout}"


@pytest.mark.parametrize("language", ["c", "python", "rust", "go"])
def test_the_readme_shows_every_language(language: str) -> None:
    assert language in LANGUAGES
    assert language in {block.language for block in RUN if block.path.name == "README.md"}


def test_the_readme_shows_the_two_commands() -> None:
    assert any(holds_only_the_two_commands(b.text) for b in BLOCKS if b.path.name == "README.md")
