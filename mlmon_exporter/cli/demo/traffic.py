"""The demo's traffic: real rows that no model was trained on, sent over HTTP.

Time is compressed: a season of three months passes in half a minute. Rows are drawn at random from
the season's days, so there is no daily cycle: a window of 60 s stands for some weeks. In winter the
rentals' traffic is like the reference, which holds other days of the same winters. Then the weather
changes as it did in 2011 and 2012; no value was altered. Incomes are drawn at random and do not
change. `ground_truth` sends the outcomes later.
"""

from __future__ import annotations

import http.client
import json
import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .datasets import SEASONS, Labelled

REQUESTS_PER_SECOND = 40.0
"""Of each model, at most."""
MOST_ROWS = 7
"""Of a request; at least one."""
OTHERS_SHARE = 0.1
"""Share of a model's requests that go to its further routes."""
SEASON_SECONDS = 30.0
RECENT_SECONDS = 10.0
TIMEOUT_SECONDS = 5.0

Answered = Callable[[str, Sequence[Any]], None]
"""Takes a prediction's id and the ground truth of its rows."""


class Calendar(NamedTuple):
    """The seasons of compressed time."""

    season_seconds: float
    is_one_year: bool = False
    """The last season stays, instead of a new year."""

    def season(self, elapsed: float) -> str:
        """Return the season so many seconds after the start, which is in winter."""
        number = int(elapsed / self.season_seconds)
        if self.is_one_year:
            number = min(number, len(SEASONS) - 1)
        return SEASONS[number % len(SEASONS)]


class Speed(NamedTuple):
    """Rate and latencies of the last seconds."""

    requests_per_second: float
    p50_seconds: float
    p99_seconds: float
    failures: int
    """Requests that failed since the start."""


class Latencies:
    """Answered requests of the last seconds. Thread-safe."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, float]] = deque()
        self._failures = 0
        self._started = time.monotonic()
        self._lock = threading.Lock()

    def record(self, seconds: float) -> None:
        """Add an answer that just came."""
        with self._lock:
            self._recent.append((time.monotonic(), seconds))

    def record_failure(self) -> None:
        """Add a request that failed."""
        with self._lock:
            self._failures += 1

    def speed(self) -> Speed:
        """Return rate and latencies of the last seconds; NaN without requests."""
        now = time.monotonic()
        with self._lock:
            while self._recent and self._recent[0][0] < now - RECENT_SECONDS:
                self._recent.popleft()
            ordered = sorted(seconds for _, seconds in self._recent)
        span = max(0.1, min(RECENT_SECONDS, now - self._started))
        p50, p99 = (
            ordered[int(share * len(ordered))] if ordered else math.nan for share in (0.5, 0.99)
        )
        return Speed(len(ordered) / span, p50, p99, self._failures)


class Replay:
    """Sends one model's traffic from a thread, until it is stopped."""

    def __init__(
        self,
        port: int,
        paths: Sequence[str],
        rows: Callable[[], Labelled],
        latencies: Latencies,
        answered: Answered = lambda *_: None,
    ) -> None:
        """Prepare to send.

        Args:
            port: Of the server on this machine.
            paths: Routes, such as `/bike/predict`: of several, the first has the most requests.
            rows: Gives the rows to draw from now, at least `MOST_ROWS`.
            latencies: Records latencies and failures.
            answered: Called with the id and the ground truth of each prediction.
        """
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        self._paths = paths
        self._rows = rows
        self._latencies = latencies
        self._answered = answered
        self._random = random.Random(paths[0])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"replay {paths[0]}", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def close(self) -> None:
        """Send no more, and wait for the last answer."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(2 * TIMEOUT_SECONDS)
        self._connection.close()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            self.send()
            # A slow server gets fewer requests, not a burst later.
            due = max(due + 1.0 / REQUESTS_PER_SECOND, time.monotonic())
            self._stop.wait(due - time.monotonic())

    def send(self) -> None:
        """Send one request, and record its latency or failure."""
        labelled = self._rows()
        count = self._random.randint(1, MOST_ROWS)
        chosen = self._random.sample(range(len(labelled.rows)), count)
        body = json.dumps({"instances": [labelled.rows[i] for i in chosen]})
        started = time.perf_counter()
        try:
            status, prediction_id = self._post(body)
        except (OSError, http.client.HTTPException):
            self._connection.close()  # the next request opens it again
            status, prediction_id = 0, ""
        if status == 200:
            self._latencies.record(time.perf_counter() - started)
            self._answered(prediction_id, [labelled.outcomes[i] for i in chosen])
        elif not self._stop.is_set():
            self._latencies.record_failure()

    def _post(self, body: str) -> tuple[int, str]:
        """Return the status, and the id of the prediction."""
        others = self._paths[1:]
        is_other = others and self._random.random() < OTHERS_SHARE
        path = self._random.choice(others) if is_other else self._paths[0]
        self._connection.request("POST", path, body, {"content-type": "application/json"})
        response = self._connection.getresponse()
        response.read()
        return response.status, response.headers.get("x-prediction-id", "")
