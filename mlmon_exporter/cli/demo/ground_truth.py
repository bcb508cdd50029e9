"""Ground truth and business numbers of the demo's predictions: late, out of order, incomplete."""

from __future__ import annotations

import heapq
import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from mlmon_exporter.core.keys import row_ids
from mlmon_exporter.endpoints.desk import GROUND_TRUTH_PATH, KPI_PATH

KNOWN_SHARE = 0.7
"""Share of predictions whose ground truth arrives."""
DELAY_SECONDS = 2.0, 8.0
PAUSE_SECONDS = 0.5
TIMEOUT_SECONDS = 5.0
MOST_AT_ONCE = 5000


class LateTruths:
    """Sends ground truths from a thread, each some seconds after its prediction."""

    def __init__(
        self,
        port: int,
        token: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare to send.

        Args:
            port: Of the server on this machine.
            token: The token of the server.
            clock: Seconds.
        """
        self._port = port
        self._headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
        self._clock = clock
        self._random = random.Random(0)
        self._due: list[tuple[float, str, Any]] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ground truth", daemon=True)
        self.failures = 0
        """Messages that failed since the start."""

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def close(self) -> None:
        """Send no more."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(2 * TIMEOUT_SECONDS)

    def predicted(self, prediction_id: str, truths: Sequence[Any]) -> None:
        """Schedule the ground truth of a request that was just answered."""
        now = self._clock()
        with self._lock:
            for row_id, truth in zip(row_ids(prediction_id, len(truths)), truths, strict=True):
                if self._random.random() < KNOWN_SHARE:
                    delay = self._random.uniform(*DELAY_SECONDS)
                    heapq.heappush(self._due, (now + delay, row_id, truth))

    def _run(self) -> None:
        while not self._stop.wait(PAUSE_SECONDS):
            self.send()

    def send(self) -> None:
        """Send the ground truth that is due."""
        now = self._clock()
        records: list[dict[str, Any]] = []
        events: list[dict[str, Any]] = []
        with self._lock:
            while self._due and self._due[0][0] <= now and len(records) < MOST_AT_ONCE:
                _, row_id, truth = heapq.heappop(self._due)
                records.append({"prediction_id": row_id, "ground_truth": truth})
                events.append({"prediction_id": row_id, **_business(truth)})
        # Business numbers first: predictions wait until their ground truth has come.
        for path, sent in ((KPI_PATH, events), (GROUND_TRUTH_PATH, records)):
            if sent and not self._post(path, json.dumps(sent)):
                self.failures += 1

    def _post(self, path: str, body: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request("POST", path, body, self._headers)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _business(truth: Any) -> dict[str, Any]:
    """Return the business number of an outcome: what a rental or a person is worth, in euros."""
    if isinstance(truth, str):
        return {"kpi": "premium_euros", "value": 30.0 if truth == ">50K" else 10.0}
    return {"kpi": "rental_euros", "value": 2.5 * truth}
