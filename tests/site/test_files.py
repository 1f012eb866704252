"""The site's files: whole, alone, the same each time, and leading nowhere that is not there."""

from __future__ import annotations

import re
import urllib.parse
from html.parser import HTMLParser
from pathlib import Path

import pytest

from conftest import ROOT

PAGES_OF_THE_TREE = [ROOT / "README.md", ROOT / "ABI.md", *sorted((ROOT / "docs").glob("**/*.md"))]
THEME = "https://github.com/pradyunsg/furo"  # credited at the foot of each page; followed by whoever likes
LOADED = {("link", "href"), ("script", "src"), ("img", "src"), ("source", "src"), ("iframe", "src"), ("use", "href")}


class Names(HTMLParser):
    """What a page refers to, and what in it can be referred to."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors = {""}
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if (tag, name) in LOADED or name in ("srcset", "poster", "action", "data"):
                self.loads.append(value or "")
            elif tag == "a" and name == "href":
                self.links.append(value or "")
            if name == "id" or (tag, name) == ("a", "name"):
                self.anchors.add(value or "")


@pytest.fixture(scope="session")
def pages(site: Path) -> dict[Path, Names]:
    return {page: Names(page) for page in sorted(site.rglob("*.html"))}


def test_every_page_of_the_tree_is_there(site: Path) -> None:
    named = {"README.md": "readme.html", "ABI.md": "abi.html"}
    for page in PAGES_OF_THE_TREE:
        shown = named.get(page.name) or page.relative_to(ROOT / "docs").as_posix().removesuffix(".md") + ".html"
        assert (site / shown).is_file(), f"{page} is not on the site"


def test_every_link_leads_somewhere(site: Path, pages: dict[Path, Names]) -> None:
    lost = []
    for page, names in pages.items():
        for link in {*names.loads, *names.links} - {THEME}:
            path, _, anchor = urllib.parse.unquote(link.partition("?")[0]).partition("#")
            there = (page.parent / path).resolve() if path else page
            if not there.is_file() or (there in pages and anchor not in pages[there].anchors):
                lost.append(f"{page.relative_to(site)}: {link}")
    assert lost == []


def test_no_page_loads_anything_from_elsewhere(pages: dict[Path, Names]) -> None:
    loads = {load for names in pages.values() for load in names.loads}
    assert len(loads) > 5
    assert [load for load in loads if re.match(r"[a-z]+:|//", load)] == []


def test_no_style_or_script_loads_anything_from_elsewhere(site: Path) -> None:
    styles = [*site.rglob("*.css"), *site.rglob("*.html")]
    for style in styles:
        loaded = re.findall(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)", style.read_text())
        assert [one for pair in loaded for one in pair if re.match(r"https?:|//", one)] == []
    for script in site.rglob("*.js"):
        assert not re.search(r"(fetch|open|import|src ?=)\(? ?['\"](https?:|//)", script.read_text()), script


def test_a_link_to_a_test_leads_to_its_line(site: Path) -> None:
    (line,) = re.findall(r'source/tests/unit/threads\.c\.html#line-(\d+)"', (site / "readme.html").read_text())
    source = (ROOT / "tests/unit/threads.c").read_text().splitlines()
    assert "of_fifty_threads_exactly_one_gets_the_probe" in source[int(line) - 1]
    shown = (site / "source/tests/unit/threads.c.html").read_text()
    assert f'id="line-{line}"' in shown


def test_the_same_tree_gives_the_same_bytes(built: list[Path]) -> None:
    ours, theirs = ({p.relative_to(top): p.read_bytes() for p in top.rglob("*") if p.is_file()} for top in built)
    assert len(ours) > 60
    assert [str(path) for path in ours.keys() | theirs.keys() if ours.get(path) != theirs.get(path)] == []
