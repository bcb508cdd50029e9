"""Ground truths in a log of their own, joined by id with the rows of others as a server joins."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from mlmon_exporter.core.coerce import is_missing, times
from mlmon_exporter.core.outcomes.pending import DUPLICATE, FULL, Found, GroundTruth, sort_out
from mlmon_exporter.core.records import Prediction

BATCH = 4096
"""Records whose times are read at once."""


def truths_of(records: Iterable[Mapping[str, Any]]) -> Iterator[GroundTruth]:
    """Give the ground truths of records as `/ground-truth` takes them, in their order.

    One without a time became known with the one before it.

    Raises:
        ValueError: A text is no time.
    """
    last, rest = -math.inf, iter(records)
    while some := [*islice(rest, BATCH)]:
        known = times([record["timestamp"] for record in some]).tolist()
        for record, at in zip(some, known, strict=True):
            last = at if at == at else last
            yield GroundTruth(str(record["prediction_id"]), record["ground_truth"], last)


class LaterTruths:
    """Predictions that wait for their ground truth, and the truths to come. Not thread-safe.

    Bounded as a server's: the oldest predictions are forgotten.
    """

    def __init__(self, truths: Iterable[GroundTruth], most_rows: int, seconds: float) -> None:
        """Start before the first row.

        Args:
            truths: In the order in which they became known; read as time goes by.
            most_rows: Predictions that are remembered, matched ones included.
            seconds: Age at which a prediction is forgotten.
        """
        self._truths = iter(truths)
        self._next: GroundTruth | None = None
        self._most_rows, self._seconds = most_rows, seconds
        self._found: OrderedDict[str, Found] = OrderedDict()
        self.counts: Counter[str] = Counter()
        """Status of a truth, or the reason why a prediction does not wait -> their number."""

    def keep(self, predictions: Iterable[Prediction]) -> None:
        """Remember predictions until their truth comes: of two of one id, the first."""
        for prediction in predictions:
            if prediction.id in self._found:
                self.counts[DUPLICATE] += 1
            elif prediction.id:
                self._found[prediction.id] = Found(
                    "", prediction.version, prediction.at, prediction
                )

    def known(self, now: float, longest_seconds: float) -> Iterator[tuple[Prediction, Any]]:
        """Give predictions whose truth became known before `now`, Unix seconds, with the truth.

        Those of rows older than `longest_seconds`, the longest window, are late.
        """
        while (truth := self._next or next(self._truths, None)) is not None:
            at = now if truth.at is None else truth.at
            if at >= now:
                self._next = truth
                break
            self._next = None
            if is_missing(truth.value):
                self.counts["invalid"] += 1
                continue
            (status,) = sort_out([truth], self._found, at, longest_seconds).statuses
            self.counts[status] += 1
            found = self._found.get(truth.prediction_id)
            if found is None or found.prediction is None:
                continue
            self._found[truth.prediction_id] = found._replace(prediction=None)
            if status == "matched":
                yield found.prediction, truth.value
        self._forget(now)

    def _forget(self, now: float) -> None:
        while self._found:
            oldest = next(iter(self._found.values()))
            is_over = len(self._found) > self._most_rows
            if not is_over and oldest.at >= now - self._seconds:
                break
            self._found.popitem(last=False)
            self.counts[FULL] += is_over
