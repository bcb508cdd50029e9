"""A real Chromium, driven through its DevTools protocol over a pair of pipes.

Debian's Chromium and the standard library are all that this needs: no driver, no web sockets.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Browser:
    """One page of a browser."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands = commands
        self._answers = answers
        self._rest = b""
        self._number = 0
        self._session: str | None = None
        self._events: list[dict[str, Any]] = []
        page = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=page, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)

    def call(self, method: str, **parameters: Any) -> Any:
        """Return what a method of the protocol answers."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self._events.append(answer)

    def close(self) -> None:
        """End the browser."""
        self._session = None
        self.call("Browser.close")

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            part = os.read(self._answers, 1 << 20)
            if not part:
                raise RuntimeError("Chromium has ended")
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        parsed: dict[str, Any] = json.loads(message)
        return parsed

    def _await_load(self, loader: str) -> None:
        """Wait for the load event of a document, and not of one that refreshes itself meanwhile."""
        wanted = {"loaderId": loader, "name": "load"}.items()
        while not any(
            event.get("method") == "Page.lifecycleEvent" and wanted <= event["params"].items()
            for event in self._events
        ):
            self._events.append(self._read())

    def events(self, method: str) -> list[dict[str, Any]]:
        """Return what has happened of one kind since the page was opened."""
        self.call("Runtime.evaluate", expression="0")
        return [event["params"] for event in self._events if event.get("method") == method]

    def open(self, url: str) -> float:
        """Load a page; return the milliseconds from its request to its load event's end."""
        self._events.clear()
        self._await_load(self.call("Page.navigate", url=url)["loaderId"])
        timing = "performance.getEntriesByType('navigation')[0].loadEventEnd"
        while not (ended := float(self.evaluate(timing))):
            pass
        return ended

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression, which may be a promise, as JSON has it."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def resize(self, width: int, height: int = 900) -> None:
        """Take a width in CSS pixels, as a phone has if it is small."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def theme(self, name: str) -> None:
        """Prefer the theme `light` or `dark`."""
        feature = {"name": "prefers-color-scheme", "value": name}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def picture(self, path: Path) -> None:
        """Write what the whole page looks like, as PNG."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def chromium(program: str, profile: Path) -> Iterator[Browser]:
    """Run a headless Chromium until the block ends."""
    # Chromium reads commands from descriptor 3 and writes answers to 4.
    command = [
        *("sh", "-c", 'exec "$0" "$@" 3<&0 4>&1 1>&2', program),
        *("--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu"),
        *("--no-first-run", "--disable-extensions", "--disable-background-networking"),
        *("--disable-dev-shm-usage", "--hide-scrollbars", f"--user-data-dir={profile}"),
    ]
    with (
        (profile.parent / "chromium.log").open("wb") as log,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, bufsize=0
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        browser = Browser(process.stdin.fileno(), process.stdout.fileno())
        try:
            yield browser
        finally:
            browser.close()
