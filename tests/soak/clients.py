"""A client of a model server that does what clients do, good and bad, and counts the outcomes."""

from __future__ import annotations

import itertools
import json
import socket
from collections import Counter

import numpy as np

from tests.e2e.load import JSON, Client

TOKEN = "endurance"
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
UNSURE = Counter({"unsure": 1})
"""A request that broke off: only the server knows whether it took it."""


class MixedClient(Client):
    """Counts what certainly happened: requests by outcome, rows, ground truths; else `unsure`."""

    def __init__(self, port: int, number: int) -> None:
        super().__init__(port)
        self._port, self._name = port, f"c{number}"
        self._rng = np.random.default_rng(number)
        self._numbers = itertools.count()
        self._predicted: str | None = None

    def send(self) -> Counter[str]:
        """Send one request of some kind; return what is to be counted."""
        kind = str(self._rng.choice(list(SHARES), p=list(SHARES.values())))
        if kind == "leaving":
            return self._leave()
        if kind == "outcome":
            return self._give_back()
        return self._predict(kind, f"{self._name}-{next(self._numbers)}")

    def _predict(self, kind: str, name: str) -> Counter[str]:
        status, _ = self.post("/predict", self._body(kind), JSON | {"x-prediction-id": name})
        self._predicted = name if kind == "one" else None
        if status == "200":
            rows = {"one": 1, "many": MANY}.get(kind, 0)
            return Counter({"ok": 1, "rows": rows, "empty": int(kind == "empty")})
        outcome = {"4": "client_error", "5": "server_error"}.get(status[0])
        return UNSURE if outcome is None else Counter({outcome: 1})

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
        status, answer = self.post("/ground-truth", json.dumps(truth), WRITER)
        if status != "200":
            return UNSURE
        # An outcome that came before its prediction is called unknown, and may match after all.
        counts = json.loads(answer)
        return Counter({"outcome": counts["matched"] + counts["unknown"]})

    def _leave(self) -> Counter[str]:
        head = "POST /predict HTTP/1.1\r\nhost: m\r\ncontent-type: application/json\r\n"
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=60) as connection:
                connection.sendall(f"{head}content-length: 1000\r\n\r\n{{".encode())
        except OSError:
            return UNSURE
        return Counter({"disconnected": 1})
