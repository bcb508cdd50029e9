"""Clients of a model server that do what clients do, good and bad, and count what came of it."""

from __future__ import annotations

import http.client
import itertools
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Self

import numpy as np

TOKEN = "endurance"
JSON = {"content-type": "application/json"}
WRITER = JSON | {"authorization": f"Bearer {TOKEN}"}
MANY = 64
SHARES = {
    "one": 0.55,  # row
    "many": 0.1,  # rows
    "empty": 0.05,  # answered, but no row to count
    "not_json": 0.05,
    "failing": 0.05,
    "leaving": 0.05,  # half of the body, then gone
    "outcome": 0.15,  # ground truth of the last prediction
}
PAUSE_SECONDS = 0.004
RENEWED = 20
"""After so many requests a client connects anew, maybe to another worker."""


class Clients:
    """Threads that send one request after another until the block ends."""

    def __init__(self, port: int, clients: int = 4) -> None:
        self._port = port
        self._stopped = threading.Event()
        self._locks = [threading.Lock() for _ in range(clients)]
        self._threads = [
            threading.Thread(target=self._run, args=(number, lock))
            for number, lock in enumerate(self._locks)
        ]
        self._counts = [Counter[str]() for _ in range(clients)]

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

    @property
    def sent(self) -> Counter[str]:
        """What certainly happened: requests by outcome, rows, ground truths.

        `unsure` are requests that broke off: only the server knows whether it took them.
        """
        return sum(self._counts, Counter[str]())

    @contextmanager
    def held(self) -> Iterator[None]:
        """Have no request under way while the block runs."""
        with ExitStack() as stack:
            for lock in self._locks:
                stack.enter_context(lock)
            yield

    def _run(self, number: int, lock: threading.Lock) -> None:
        rng = np.random.default_rng(number)
        client = _Client(self._port, f"c{number}", rng)
        while not self._stopped.wait(PAUSE_SECONDS):
            with lock:
                self._counts[number].update(client.send())
        client.close()


class _Client:
    def __init__(self, port: int, name: str, rng: np.random.Generator) -> None:
        self._address = "127.0.0.1", port
        self._connection = http.client.HTTPConnection(*self._address, timeout=30)
        self._name, self._rng = name, rng
        self._numbers = itertools.count()
        self._predicted: str | None = None

    def close(self) -> None:
        self._connection.close()

    def send(self) -> Counter[str]:
        """Send one request of some kind; return what is to be counted."""
        number = next(self._numbers)
        if number % RENEWED == 0:
            self.close()
        kind = str(self._rng.choice(list(SHARES), p=list(SHARES.values())))
        try:
            if kind == "leaving":
                return self._leave()
            if kind == "outcome":
                return self._give_back()
            return self._predict(kind, f"{self._name}-{number}")
        except (OSError, http.client.HTTPException):
            self.close()
            return Counter({"unsure": 1})

    def _predict(self, kind: str, name: str) -> Counter[str]:
        status, _ = self._post("/predict", self._body(kind), JSON | {"x-prediction-id": name})
        rows = {"one": 1, "many": MANY}.get(kind, 0) if status == 200 else 0
        self._predicted = name if kind == "one" else None
        outcome = "ok" if status < 400 else "client_error" if status < 500 else "server_error"
        return Counter({outcome: 1, "rows": rows, "empty": int(kind == "empty")})

    def _body(self, kind: str) -> str:
        if kind == "not_json":
            return '{"instances": [{"x": 0.1'
        if kind == "failing":
            return '{"fail": true}'
        count = {"one": 1, "many": MANY}.get(kind, 0)
        values = zip(self._rng.normal(size=count), self._rng.choice(["a", "b"], count), strict=True)
        return json.dumps({"instances": [{"x": float(x), "c": str(c)} for x, c in values]})

    def _give_back(self) -> Counter[str]:
        if self._predicted is None:
            return Counter()
        name, self._predicted = self._predicted, None
        truth = {"prediction_id": name, "ground_truth": 0.2}
        status, answer = self._post("/ground-truth", json.dumps(truth), WRITER)
        if status != 200:
            return Counter({"unsure": 1})
        # An outcome that came before its prediction is called unknown, and may match after all.
        counts = json.loads(answer)
        return Counter({"outcome": counts["matched"] + counts["unknown"]})

    def _leave(self) -> Counter[str]:
        head = "POST /predict HTTP/1.1\r\nhost: m\r\ncontent-type: application/json\r\n"
        with socket.create_connection(self._address, timeout=30) as connection:
            connection.sendall(f"{head}content-length: 1000\r\n\r\n{{".encode())
        return Counter({"disconnected": 1, "unread": 1})

    def _post(self, path: str, body: str, headers: dict[str, Any]) -> tuple[int, bytes]:
        self._connection.request("POST", path, body, headers)
        answer = self._connection.getresponse()
        status, content = answer.status, answer.read()
        if status >= 500:  # after which uvicorn hangs up
            self.close()
        return status, content
