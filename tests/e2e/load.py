"""Load on a server, and a watch on its counters, while a test does harm to it."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Self

import httpx
from prometheus_client.parser import text_string_to_metric_families

from .servers import wait_until

BODY = json.dumps({"instances": [{"x": 0.5, "c": "a"}]})
JSON = {"content-type": "application/json"}
RENEWED = 20
"""After so many requests a client connects anew, maybe to another worker."""
Series = tuple[str, tuple[tuple[str, str], ...]]


class Client:
    """Has one row predicted with each request, over a connection that is renewed now and then."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._posts = 0

    def post(self, path: str, body: str, headers: Mapping[str, str] = JSON) -> tuple[str, bytes]:
        """Return the answer's status, or the exception's name, and the answer's body."""
        if self._posts % RENEWED == 0:
            self.close()
        self._posts += 1
        try:
            self._connection.request("POST", path, body, headers)
            answer = self._connection.getresponse()
            status, content = answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return type(error).__name__, b""
        if status >= 500:  # after which uvicorn hangs up
            self.close()
        return str(status), content

    def send(self) -> Counter[str]:
        """Send one request; return what is to be counted: here, its status."""
        return Counter({self.post("/predict", BODY)[0]: 1})

    def close(self) -> None:
        self._connection.close()


class Load:
    """Clients that send one request after another until the block ends."""

    def __init__(self, clients: Sequence[Client], pause_seconds: float = 0.01) -> None:
        self._pause = pause_seconds
        self._stopped = threading.Event()
        self._locks = [threading.Lock() for _ in clients]
        self._counts = [Counter[str]() for _ in clients]
        self._threads = [
            threading.Thread(target=self._run, args=parts)
            for parts in zip(clients, self._locks, self._counts, strict=True)
        ]
        self._began = time.monotonic()
        self.per_second = 0.0

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
        self.per_second = self.sent.total() / (time.monotonic() - self._began)

    @property
    def sent(self) -> Counter[str]:
        """The sum of what the clients returned."""
        # Copies, which are made at once: the clients go on counting.
        return sum(map(Counter, self._counts), Counter[str]())

    @property
    def answered(self) -> int:
        return self.sent["200"]

    @property
    def failures(self) -> Counter[str]:
        return Counter({what: count for what, count in self.sent.items() if what != "200"})

    def wait_for_more(self, count: int) -> None:
        goal = self.answered + count
        wait_until(lambda: self.answered >= goal, what=f"{count} more answers")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Have no request under way while the block runs."""
        with ExitStack() as stack:
            for lock in self._locks:
                stack.enter_context(lock)
            yield

    def _run(self, client: Client, lock: threading.Lock, counts: Counter[str]) -> None:
        while not self._stopped.wait(self._pause):
            with lock:
                counts.update(client.send())
        client.close()


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
        found = counters(httpx.get(f"http://127.0.0.1:{self._port}/metrics", timeout=60).text)
        for series, value in found.items():
            if value < self._highest.get(series, 0.0):
                self.went_back.append(f"{series}: {self._highest[series]} -> {value}")
        self._highest |= found
        # For a moment after the state was lost, a scrape has no counters.
        self.latest = found or self.latest
