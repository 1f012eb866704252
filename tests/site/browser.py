"""Drives a headless Chromium by its DevTools protocol, over the two pipes that it reads and writes: no port, no driver,
and no wait that is not for an answer or an event. Knows nothing of the site."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LIMIT = 120  # seconds for any answer; it only ends a hang
OPTIONS = [
    "--headless=new",
    "--no-sandbox",  # which root may not have; the pages are our own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-pipe",
]

Message = dict[str, Any]


class Lost(Exception):
    """The browser is gone, says nothing, or calls an order wrong."""


class Page:
    """A tab. What it says of itself unasked is in `events`."""

    def __init__(self, reads: int, writes: int) -> None:
        self.reads = reads
        self.writes = writes
        self.events: list[Message] = []
        self.session: str | None = None
        self.last = 0
        self.rest = b""

    def open(self) -> None:
        target = self.order("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.order("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.order(f"{domain}.enable")

    def order(self, method: str, **parameters: Any) -> Message:
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        os.write(self.writes, json.dumps(message).encode() + b"\0")
        while True:
            said = self.message()
            if said.get("id") == self.last:
                if "error" in said:
                    raise Lost(f"{method}: {said['error']}")
                answer: Message = said["result"]
                return answer
            self.events.append(said)

    def message(self) -> Message:
        deadline = time.monotonic() + LIMIT
        while b"\0" not in self.rest:
            if not select.select([self.reads], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise Lost("the browser says nothing")
            said = os.read(self.reads, 1 << 20)
            if not said:
                raise Lost("the browser is gone")
            self.rest += said
        first, _, self.rest = self.rest.partition(b"\0")
        message: Message = json.loads(first)
        return message

    def load(self, url: str) -> list[Message]:
        """Goes there, and returns the events until everything is there."""
        self.events.clear()
        self.order("Page.navigate", url=url)
        return self.until("Page.loadEventFired")

    def until(self, method: str) -> list[Message]:
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.message())
        return list(self.events)

    def run(self, script: str) -> Any:
        """The value of an expression; of a promise, what it comes to."""
        answer = self.order("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise Lost(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def click(self, selector: str) -> None:
        """Where the element is seen, as a finger or a mouse would."""
        x, y = self.run(
            f"(e => {{ e.scrollIntoView({{block: 'center', behavior: 'instant'}}); const r = e.getBoundingClientRect();"
            f"const at = [r.x + r.width / 2, r.y + r.height / 2]; const hit = document.elementFromPoint(...at);"
            f"return e.contains(hit) ? at : [-1, -1] }})(document.querySelector({json.dumps(selector)}))"
        )
        if x < 0:
            raise Lost(f"{selector} is not to be seen")
        for what in ("mousePressed", "mouseReleased"):
            self.order("Input.dispatchMouseEvent", type=what, x=x, y=y, button="left", clickCount=1)

    def type(self, text: str) -> None:
        """Into what has the focus, and Enter."""
        self.order("Input.insertText", text=text)
        for what in ("keyDown", "keyUp"):
            self.order(
                "Input.dispatchKeyEvent", type=what, key="Enter", code="Enter", text="\r", windowsVirtualKeyCode=13
            )

    def follow(self, selector: str) -> list[Message]:
        """Clicks on a link, and waits until the browser is there."""
        self.events.clear()
        self.click(selector)
        return self.until("Page.loadEventFired")

    def size(self, width: int, height: int) -> None:
        phone = width < 600
        self.order("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def prefer(self, scheme: str) -> None:
        self.order("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.order("Page.captureScreenshot", format="png")["data"]))


@contextlib.contextmanager
def chromium() -> Iterator[Page]:
    """One tab of a browser of its own, that ends with it."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = ["chromium", *OPTIONS, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "bash", *command],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            page = Page(ours_in, ours_out)
            page.open()
            yield page
        finally:
            process.terminate()
            process.wait()
            os.close(ours_in)
            os.close(ours_out)
