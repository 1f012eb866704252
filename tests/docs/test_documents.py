"""What README.md, ABI.md and docs/ show in code works: every block is run, each as one test named after its line."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from blocks import Block, blocks
from languages import LANGUAGES, NOT_RUN, ROOT, holds_only_the_two_commands, run

DOCUMENTS = [ROOT / "README.md", ROOT / "ABI.md", *sorted((ROOT / "docs").glob("**/*.md"))]
BLOCKS = [block for document in DOCUMENTS for block in blocks(document, ROOT)]
LINK = re.compile(r'\]\((?!https?://|#)([^)\s#]+)[^)\s]*(?: "([^"]+)")?\)')
LINKS = [
    (document, *found.groups())
    for document in DOCUMENTS
    for found in LINK.finditer(re.sub(r"(?ms)^```.*?^```", "", document.read_text()))
]
Running = dict[Block, "Future[subprocess.CompletedProcess[str]]"]
RUN = [b for b in BLOCKS if b.language not in NOT_RUN and not holds_only_the_two_commands(b.text)]


@pytest.fixture(scope="session")
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The blocks that are to be tested, as many at once as there are processors. They share nothing but the library."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        chosen = [item.callspec.params.get("block") for item in request.session.items if hasattr(item, "callspec")]
        yield {block: pool.submit(start, block, tmp_path_factory.mktemp("block")) for block in chosen if block}
        pool.shutdown(cancel_futures=True)


def start(block: Block, folder: Path) -> subprocess.CompletedProcess[str]:
    return run(block.language, block.program(), folder)


@pytest.mark.parametrize("block", RUN, ids=lambda b: f"{b.path.relative_to(ROOT)}:{b.line}")
def test_block(block: Block, running: Running) -> None:
    ran = running[block].result()
    assert ran.returncode == 0, f"{block.path.relative_to(ROOT)}:{block.line} failed:\n{ran.stdout}"


@pytest.mark.parametrize("language", ["c", "python", "rust", "go"])
def test_the_readme_shows_every_language(language: str) -> None:
    assert language in LANGUAGES
    assert language in {block.language for block in RUN if block.path.name == "README.md"}


def test_the_readme_shows_the_two_commands() -> None:
    assert any(holds_only_the_two_commands(b.text) for b in BLOCKS if b.path.name == "README.md")


@pytest.mark.parametrize(("document", "target", "name"), LINKS, ids=lambda value: str(value).removeprefix(f"{ROOT}/"))
def test_a_link_leads_somewhere(document: Path, target: str, name: str | None) -> None:
    """To a file that is there; and where the link has a title, to a test of that name in it."""
    there = document.parent / target
    assert there.exists(), f"{document.relative_to(ROOT)} links to {target}"
    assert name is None or re.search(rf"\b{re.escape(name)}\b", there.read_text()), f"{target} has no {name}"


def test_the_comparison_shows_a_test_in_every_row_that_claims_a_behaviour() -> None:
    rows = re.findall(r"(?m)^\| (?!---)([^|]+) \| ([^|]+) \|", (ROOT / "README.md").read_text())
    facts = {"Languages", "Failure rates, slow calls", "Licence"}
    claims = [(row, ours) for row, ours in rows if row.strip() not in facts]
    assert len(claims) >= 10
    assert [row for row, ours in claims if not LINK.search(ours)] == []
