"""The site as a reader sees it: every page in a real browser, on a telephone and on a screen, in light and in dark."""

from __future__ import annotations

from pathlib import Path

import pytest

from browser import Message, Page
from conftest import ROOT

SCREENS = ROOT / "build/site-screens"
PHONE = (390, 844)
SCREEN = (1280, 900)
PICTURED = ("index", "python", "readme", "guides/thresholds", "mistakes", "reference")


def pages(site: Path) -> list[str]:
    """All pages, and of those that show source files, which are alike, one."""
    found = sorted(page.relative_to(site).as_posix() for page in site.rglob("*.html"))
    sources = [page for page in found if page.startswith("source/")]
    return [page for page in found if page not in sources[1:]]


def complaints(events: list[Message], address: str) -> list[str]:
    """What the browser says against a page: errors, failed requests, and requests to anybody else."""
    found = []
    for event in events:
        method, told = event.get("method"), event.get("params", {})
        if method in ("Runtime.exceptionThrown", "Network.loadingFailed"):
            found.append(str(told))
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            found.append(str(told["args"]))
        elif method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            found.append(told["entry"]["text"])
        elif method == "Network.responseReceived" and told["response"]["status"] >= 400:
            found.append(told["response"]["url"])
        elif method == "Network.requestWillBeSent" and not told["request"]["url"].startswith((address, "data:")):
            found.append(told["request"]["url"])
    return found


def wide(tab: Page) -> list[str]:
    """What sticks out of the page to the right, where the page scrolls sideways."""
    sticking: list[str] = tab.run(
        "document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll('body *')]"
        ".filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName + '.' + e.className)"
        ".concat('page')"
    )
    return sticking


def test_every_page_renders_without_complaint_and_fits(tab: Page, site: Path, address: str) -> None:
    tab.prefer("light")
    for page in pages(site):
        tab.size(*SCREEN)
        assert complaints(tab.load(f"{address}/{page}"), address) == [], page
        assert tab.run("document.querySelectorAll('h1, #search-results').length") == 1, page
        assert wide(tab) == [], f"{page} on a screen"
        tab.size(*PHONE)
        assert wide(tab) == [], f"{page} on a telephone"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(tab: Page, address: str, scheme: str) -> None:
    """WCAG 2.2's contrast ratio of 4.5 for text, code and links, on the ground that each really has."""
    tab.size(*SCREEN)
    tab.prefer(scheme)
    tab.load(f"{address}/readme.html")
    lightness = tab.run(f"{GROUND}; luminance(ground(document.querySelector('article')))")
    assert lightness < 0.1 if scheme == "dark" else lightness > 0.9
    assert tab.run(f"{GROUND}; unreadable()") == []


@pytest.mark.parametrize(("scheme", "size"), [("light", SCREEN), ("dark", PHONE)])
def test_pictures_are_taken_for_people(tab: Page, address: str, scheme: str, size: tuple[int, int]) -> None:
    tab.prefer(scheme)
    tab.size(*size)
    for page in PICTURED:
        tab.load(f"{address}/{page}.html")
        picture = SCREENS / f"{page.replace('/', '-')}-{size[0]}-{scheme}.png"
        picture.unlink(missing_ok=True)
        tab.screenshot(picture)
        assert picture.stat().st_size > 10_000


def test_the_reader_switches_the_theme(tab: Page, address: str) -> None:
    tab.size(*SCREEN)
    tab.prefer("light")
    tab.load(f"{address}/index.html")
    seen = set()
    for _ in range(3):  # as the system has it, light, dark
        tab.click(".content-icon-container .theme-toggle")
        seen.add(tab.run(f"{GROUND}; luminance(ground(document.body)) > 0.5"))
    assert seen == {True, False}


def test_the_search_finds_a_word(tab: Page, address: str) -> None:
    tab.size(*SCREEN)
    tab.load(f"{address}/index.html")
    tab.click(".sidebar-search")
    tab.events.clear()
    tab.type("prefork")
    tab.until("Page.loadEventFired")
    found = tab.run(RESULTS)
    assert "guides/prefork.html" in {link.partition("?")[0].partition("#")[0] for link in found}
    tab.follow("#search-results li a")
    assert "prefork" in tab.run("document.querySelector('article').textContent.toLowerCase()")


def test_the_search_finds_nothing_where_there_is_nothing(tab: Page, address: str) -> None:
    tab.load(f"{address}/search.html?q=xyzzyplugh")
    assert tab.run(RESULTS) == []


def test_the_list_of_pages_leads_to_them(tab: Page, address: str) -> None:
    tab.size(*SCREEN)
    tab.load(f"{address}/index.html")
    tab.follow(".sidebar-tree a[href='outcomes.html']")
    assert tab.run("location.pathname") == "/outcomes.html"
    assert tab.run("document.querySelector('.sidebar-tree .current-page > a').getAttribute('href')") == "#"


def test_a_telephone_opens_the_list_of_pages(tab: Page, address: str) -> None:
    tab.size(*PHONE)
    tab.load(f"{address}/index.html")
    left = "document.querySelector('.sidebar-drawer').getBoundingClientRect().left"
    assert tab.run(left) < 0
    tab.click(".mobile-header .nav-overlay-icon")
    assert tab.run(f"{MOVED}; moved(() => {left} >= 0)")


def test_a_link_in_the_page_scrolls_to_its_heading(tab: Page, address: str) -> None:
    tab.size(*SCREEN)
    tab.load(f"{address}/outcomes.html#recovery")
    assert tab.run(f"{MOVED}; moved(() => document.getElementById('recovery').getBoundingClientRect().top < 200)")


MOVED = """const moved = there => new Promise(done => {
    const look = () => there() ? done(true) : requestAnimationFrame(look); look() })"""

RESULTS = """new Promise(done => {
    const look = () => /finished|did not match/.test(document.querySelector('#search-results').textContent)
        ? done([...document.querySelectorAll('#search-results li a')].map(a => a.getAttribute('href')))
        : requestAnimationFrame(look);
    look() })"""

GROUND = """
var parsed = text => text.match(/[\\d.]+/g).map(Number);
var ground = element => {
    for (let e = element; e; e = e.parentElement) {
        const c = parsed(getComputedStyle(e).backgroundColor);
        if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
};
var luminance = colour => {
    const [r, g, b] = colour.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
var texts = 'article p, article a, article code, article pre span, article td';
var unreadable = () => [...document.querySelectorAll(texts)]
    .filter(e => e.textContent.trim() && ![...e.children].length)
    .map(e => {
        const [a, b] = [luminance(parsed(getComputedStyle(e).color)), luminance(ground(e))].sort((x, y) => y - x);
        return [e.className, e.textContent, ((a + 0.05) / (b + 0.05)).toFixed(2)];
    })
    .filter(([, , ratio]) => ratio < 4.5)"""
