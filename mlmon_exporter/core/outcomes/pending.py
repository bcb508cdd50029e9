"""Predictions that wait for their ground truth, and what a ground truth finds there."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple

from mlmon_exporter.core.counts.feedback import Status
from mlmon_exporter.core.records import Prediction

FULL, DUPLICATE = "pending_full", "pending_duplicate"
"""Why a prediction does not wait: there are too many, or its id is another's."""


class GroundTruth(NamedTuple):
    """The outcome that arrived for a prediction."""

    prediction_id: str
    value: Any
    at: float | None = None
    """Unix seconds when it became known; when it arrived, if None."""


class Found(NamedTuple):
    """What is known of a prediction."""

    model: str
    version: str
    at: float
    prediction: Prediction | None
    """None once it was matched: of the rest nothing is kept."""


def pack(model: str, prediction: Prediction) -> bytes:
    """Return a waiting prediction as bytes, without its id."""
    _, at, version, values, segments = prediction
    return _dumped(model, version, at, values, segments)


def unpack(prediction_id: str, data: bytes) -> Found:
    """Return what `pack` or `spent` was given; raises ValueError where it is damaged."""
    with _as_written("prediction"):
        model, version, at, *rest = json.loads(data)
        values, segments = rest or ((), ())
        is_ours = math.isfinite(at) and all(isinstance(v, float | int | str | None) for v in values)
        if not is_ours or not all(isinstance(text, str) for text in (model, version, *segments)):
            raise ValueError("prediction: expected what was written, got other JSON")
        if not rest:
            return Found(model, version, at, None)
        prediction = Prediction(prediction_id, at, version, tuple(values), tuple(segments))
        return Found(model, version, at, prediction)


def spent(found: Found) -> bytes:
    """Return what is kept of a prediction that was matched, to know a duplicate."""
    return _dumped(found.model, found.version, found.at)


def pack_truth(truth: GroundTruth) -> bytes:
    """Return a ground truth as bytes, without its id."""
    return _dumped(truth.value, truth.at)


def unpack_truth(prediction_id: str, data: bytes) -> GroundTruth:
    """Return what `pack_truth` was given; raises ValueError where it is damaged."""
    with _as_written("ground truth"):
        value, at = json.loads(data)
        if not isinstance(value, float | int | str) or not math.isfinite(at or 0.0):
            raise ValueError("ground truth: expected what was written, got other JSON")
        return GroundTruth(prediction_id, value, at)


@contextmanager
def _as_written(what: str) -> Iterator[None]:
    """Turn whatever other JSON leads to into ValueError."""
    try:
        yield
    except (OverflowError, RecursionError, TypeError) as error:
        raise ValueError(f"{what}: damaged: {error}") from error


def _dumped(*values: Any) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode()


class PendingPredictions:
    """Predictions that wait in memory. Not thread-safe: whoever holds it locks.

    The oldest go when there are over `max_rows`, and all that are over `max_seconds` old; of the
    former, and of those whose id is taken, `on_drop` is told. A prediction takes about 300 bytes.
    """

    def __init__(
        self,
        max_rows: int,
        max_seconds: float,
        on_drop: Callable[[str, int], None] = lambda reason, count: None,
    ) -> None:
        self._max_rows = max_rows
        self._max_seconds = max_seconds
        self._on_drop = on_drop
        self._rows: dict[str, bytes] = {}  # in the order in which they came
        self.waiting: dict[str, int] = {}
        """Model -> predictions without ground truth."""

    def add(self, predictions: Iterable[tuple[str, Prediction]], now: float) -> None:
        """Keep predictions, each with its model; an id that is there already stays as it was."""
        duplicates = 0
        for model, prediction in predictions:
            if prediction.id in self._rows:
                duplicates += 1
            else:
                self._rows[prediction.id] = pack(model, prediction)
                self.waiting[model] = self.waiting.get(model, 0) + 1
        if duplicates:
            self._on_drop(DUPLICATE, duplicates)
        self.forget(now)

    def find(self, ids: Collection[str]) -> dict[str, Found]:
        """Return what is known of these ids."""
        return {i: unpack(i, data) for i in ids if (data := self._rows.get(i)) is not None}

    def settle(self, found: Mapping[str, Found]) -> None:
        """Keep of predictions that were matched only that they were."""
        for prediction_id, known in found.items():
            self._rows[prediction_id] = spent(known)
            self.waiting[known.model] -= 1

    def forget(self, now: float) -> None:
        """Forget what is too old, and the oldest of what is too much."""
        over = [*islice(self._rows, max(0, len(self._rows) - self._max_rows))]
        for prediction_id in over:
            self._drop(prediction_id)
        if over:
            self._on_drop(FULL, len(over))
        while self._rows:
            oldest = next(iter(self._rows))
            if unpack(oldest, self._rows[oldest]).at >= now - self._max_seconds:
                break
            self._drop(oldest)

    def _drop(self, prediction_id: str) -> None:
        found = unpack(prediction_id, self._rows.pop(prediction_id))
        if found.prediction is not None:
            self.waiting[found.model] -= 1


class Sorted(NamedTuple):
    """What became of some ground truths."""

    statuses: list[Status]
    """One for each. `matched` may still turn out to be invalid: the model says so."""
    matched: dict[str, list[int]]
    """Model -> which of them go with its predictions, in the order they came."""


def sort_out(
    truths: Sequence[GroundTruth], found: Mapping[str, Found], now: float, longest_seconds: float
) -> Sorted:
    """Tell what becomes of ground truths, given what is known of their predictions.

    Args:
        truths: In the order they came: the second for one prediction is a duplicate.
        found: Prediction id -> what is known.
        now: Unix seconds.
        longest_seconds: Length of the longest window: what is older is late.
    """
    result = Sorted([], {})
    seen = set[str]()
    for i, truth in enumerate(truths):
        known = found.get(truth.prediction_id)
        if known is None:
            result.statuses.append("unknown")
        elif known.prediction is None or truth.prediction_id in seen:
            result.statuses.append("duplicate")
        else:
            seen.add(truth.prediction_id)
            is_late = known.at < now - longest_seconds
            result.statuses.append("late" if is_late else "matched")
            if not is_late:
                result.matched.setdefault(known.model, []).append(i)
    return result
