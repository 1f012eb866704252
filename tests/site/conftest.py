"""The site as `./x docs` builds it, once for all tests, and a browser to look at it."""

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


def build(folder: Path) -> Path:
    ran = subprocess.run([sys.executable, ROOT / "docs/site/build.py", folder], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


@pytest.fixture(scope="session")
def site() -> Path:
    return build(ROOT / "build/site")


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
