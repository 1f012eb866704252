"""Lets Sphinx see the tree as its readers do: pages may stand outside docs/, and a link to a source file leads to a
page that shows the file, at the line of the test that the link's title names. Owns no text, and changes none."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes  # type: ignore[import-untyped]
from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexers import TextLexer, get_lexer_for_filename  # type: ignore[import-untyped]
from pygments.util import ClassNotFound  # type: ignore[import-untyped]
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.project import Project
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.osutil import relative_uri

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCES = "source"  # the folder of the site with the pages that show source files


class Tree(Project):
    """Sphinx' project, with pages that stand outside its folder."""

    def __init__(self, inside: Project, elsewhere: dict[str, str]) -> None:
        super().__init__(inside.srcdir, inside.source_suffix)
        self.elsewhere = {page: inside.srcdir.__class__(ROOT / path) for page, path in elsewhere.items()}
        self.pages = {path: page for page, path in self.elsewhere.items()}

    def discover(self, *patterns: Any) -> set[str]:
        super().discover(*patterns)
        self.docnames.update(self.elsewhere)
        return self.docnames

    def path2doc(self, filename: str | os.PathLike[str]) -> str | None:
        path = self.srcdir / filename
        if path in self.pages:
            return self.pages[path]
        return super().path2doc(filename) if path.is_relative_to(self.srcdir) else None

    def doc2path(self, docname: str, absolute: bool) -> Any:
        if docname not in self.elsewhere:
            return super().doc2path(docname, absolute)
        path = self.elsewhere[docname]
        return path if absolute else type(path)(os.path.relpath(path, self.srcdir))


class SourceLinks(SphinxTransform):
    """What MyST would copy to be downloaded is shown."""

    default_priority = 5

    def apply(self, **_: Any) -> None:
        for link in list(self.document.findall(addnodes.download_reference)):
            path = Path(self.env.relfn2path(link["reftarget"], self.env.docname)[1])
            page, anchor = self.shown(path, link.get("reftitle"), link)
            shown = nodes.reference("", "", *link.children, internal=True, classes=["source"])
            shown["refuri"] = relative_uri(f"{self.env.docname}.html", page) + anchor
            if "reftitle" in link:
                shown["reftitle"] = link["reftitle"]
            link.replace_self(shown)

    def shown(self, path: Path, name: str | None, link: nodes.Element) -> tuple[str, str]:
        """The page that shows a file, and where on it the name is."""
        page = f"{SOURCES}/{path.relative_to(ROOT).as_posix()}.html"
        lines = linked_sources(self.app).setdefault(path, set())
        if name is None:
            return page, ""
        line = line_of(name, path)
        if line is None:
            logging.getLogger(__name__).warning("%s has no %s", path.relative_to(ROOT), name, location=link)
            return page, ""
        lines.add(line)
        return page, f"#line-{line}"


def linked_sources(app: Sphinx) -> dict[Path, set[int]]:
    """Which files are linked, and which of their lines."""
    found: dict[Path, set[int]] = app.env.__dict__.setdefault("libtrip_sources", {})
    return found


def line_of(name: str, path: Path) -> int | None:
    word = re.compile(rf"\b{re.escape(name)}\b")
    return next((n for n, line in enumerate(path.read_text().splitlines(), 1) if word.search(line)), None)


def source_pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    for path, lines in sorted(linked_sources(app).items()):
        shown = path.relative_to(ROOT).as_posix()
        style = HtmlFormatter(linenos="inline", lineanchors="line", hl_lines=sorted(lines), wrapcode=True)
        body = highlight(path.read_text(), lexer_of(path), style)
        yield f"{SOURCES}/{shown}", {"title": shown, "body": f"<h1><code>{shown}</code></h1>{body}"}, "page.html"


def lexer_of(path: Path) -> Any:
    try:
        return get_lexer_for_filename(path.name, stripnl=False)
    except ClassNotFound:
        return TextLexer(stripnl=False)


def look_outside(app: Sphinx) -> None:
    app.project = app.env.project = Tree(app.project, app.config.pages_elsewhere)


def add_navigation(app: Sphinx, docname: str, source: list[str]) -> None:
    """The front page reads well without a list of all pages: the site alone has it, at the side."""
    if docname == app.config.root_doc:
        for heading, pages in app.config.navigation.items():
            there = "\n".join(page for page in pages if page.rpartition("<")[2].rstrip(">") in app.project.docnames)
            caption = f":caption: {heading}\n" if heading else ""
            source[0] += f"\n```{{toctree}}\n:hidden:\n{caption}\n{there}\n```\n"


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value("pages_elsewhere", {}, "env", dict)
    app.add_config_value("navigation", {}, "env", dict)
    app.add_transform(SourceLinks)
    app.connect("builder-inited", look_outside)
    app.connect("source-read", add_navigation)
    app.connect("html-collect-pages", source_pages)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
