"""Predictions that wait in this process alone."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from mlmon_exporter.core.counts.feedback import Feedback
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.pending import Found, GroundTruth, PendingPredictions
from mlmon_exporter.core.records import Prediction

from .joiner import Parts


class MemoryStore:
    """A PendingStore in memory, which is also its only session. Thread-safe."""

    def __init__(
        self, pending: PendingPredictions, models: Mapping[str, Model], counts: Feedback
    ) -> None:
        self._pending = pending
        self._models = models
        self._counts = counts
        self._lock = threading.RLock()

    def keep(self, predictions: Iterable[tuple[str, Prediction]], now: float) -> None:
        with self._lock:
            self._pending.add(predictions, now)

    @contextmanager
    def session(self, _now: float, /) -> Iterator[MemoryStore]:
        with self._lock:
            yield self

    def find(self, ids: Collection[str]) -> Mapping[str, Found]:
        return self._pending.find(ids)

    def settle(self, found: Mapping[str, Found]) -> None:
        self._pending.settle(found)

    def keep_early(self, _truths: Sequence[GroundTruth], _now: float, /) -> bool:
        # Whoever predicts here has put the prediction here before the answer was sent.
        return False

    def merge(self, parts: Parts, counts: Feedback) -> None:
        self._counts.merge(counts)
        for name, added in parts.items():
            self._models[name].versions.restore(added)

    def waiting(self, now: float) -> Mapping[str, int]:
        with self._lock:
            self._pending.forget(now)
            return dict(self._pending.waiting)

    def flush(self, _now: float, /) -> None:
        """Nothing to put away."""

    def forget(self) -> None:
        """Keep all: who forks without a shared state counts for itself."""

    def close(self) -> None:
        """Nothing is open."""
