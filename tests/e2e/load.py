"""Steady load on a server, and a watch on its counters, while a test does harm to it."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Self

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.servers import wait_until

BODY = json.dumps({"instances": [{"x": 0.5, "c": "a"}]})
HEADERS = {"content-type": "application/json"}
Series = tuple[str, tuple[tuple[str, str], ...]]


class Load:
    """Clients that send requests one after another until the block ends, each counted."""

    def __init__(self, port: int, clients: int = 4, pause_seconds: float = 0.01) -> None:
        self._port, self._pause = port, pause_seconds
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]
        self._began = time.monotonic()
        self.per_second = 0.0
        self.outcomes: list[str] = []
        """`200`, another status, or the exception's name; one a request, in any order."""

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        self.per_second = len(self.outcomes) / (time.monotonic() - self._began)

    @property
    def answered(self) -> int:
        return self.outcomes.count("200")

    @property
    def failures(self) -> Counter[str]:
        return Counter(outcome for outcome in self.outcomes if outcome != "200")

    def wait_for_more(self, count: int) -> None:
        goal = self.answered + count
        wait_until(lambda: self.answered >= goal, what=f"{count} more answers")

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        sent = 0
        while not self._stopped.wait(self._pause):
            try:
                connection.request("POST", "/predict", BODY, HEADERS)
                answer = connection.getresponse()
                answer.read()
                self.outcomes.append(str(answer.status))
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self.outcomes.append(type(error).__name__)
            sent += 1
            if sent % 20 == 0:  # another connection, maybe another worker
                connection.close()
        connection.close()


def counters(text: str) -> dict[Series, float]:
    """Return all that must never go back: counters, and what histograms have counted."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        if family.type in ("counter", "histogram")
        for sample in family.samples
    }


def total(found: dict[Series, float], name: str, **labels: str) -> float:
    """Return the sum of the series of a counter with these labels."""
    return sum(
        value
        for (series, pairs), value in found.items()
        if series == name and labels.items() <= dict(pairs).items()
    )


class Watch:
    """Scrapes whichever worker answers until the block ends, and notes what went back."""

    def __init__(self, port: int, pause_seconds: float = 0.2) -> None:
        self._port, self._pause = port, pause_seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._highest: dict[Series, float] = {}
        self.latest: dict[Series, float] = {}
        self.went_back: list[str] = []
        self.failed: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def first(self) -> dict[Series, float]:
        """Return the first scrape."""
        wait_until(lambda: self.latest, what="a scrape")
        return self.latest

    def wait_for(self, goal: float, name: str, **labels: str) -> None:
        """Wait until a counter shows so much."""
        what = f"{name} {labels} at {goal}"
        wait_until(lambda: total(self.latest, name, **labels) >= goal, what=what)

    def _run(self) -> None:
        while not self._stopped.wait(self._pause):
            try:
                self._look()
            except httpx.HTTPError as error:
                self.failed.append(repr(error))

    def _look(self) -> None:
        found = counters(httpx.get(f"http://127.0.0.1:{self._port}/metrics", timeout=30).text)
        for series, value in found.items():
            if value < self._highest.get(series, 0.0):
                self.went_back.append(f"{series}: {self._highest[series]} -> {value}")
        self._highest |= found
        # For a moment after the state was lost, a scrape has no counters.
        self.latest = found or self.latest
