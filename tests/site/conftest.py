"""The site as `./x docs` builds it, for all tests, and a browser to look at it."""

from __future__ import annotations

import functools
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser import Page, chromium

ROOT = Path(__file__).resolve().parent.parent.parent


def building(folder: Path) -> subprocess.Popen[str]:
    command: list[str | Path] = [sys.executable, ROOT / "docs/site/build.py", folder]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The site, and at the same time once more in another folder."""
    folders = [ROOT / "build/site", tmp_path_factory.mktemp("site") / "again"]
    for process in [building(folder) for folder in folders]:
        said, _ = process.communicate()
        assert process.returncode == 0, said
    return folders


@pytest.fixture(scope="session")
def site(built: list[Path]) -> Path:
    return built[0]


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """What is not there the browser tells."""


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    serve = functools.partial(Handler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def tab() -> Iterator[Page]:
    with chromium() as page:
        yield page
