"""Pending predictions as bytes, and the status of the ground truths that arrive for them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from mlmon_exporter.core.counts.feedback import Status
from mlmon_exporter.core.records import Prediction

FULL, DUPLICATE = "pending_full", "pending_duplicate"
"""Reasons that a prediction does not wait: there are too many, or its id is taken."""


class GroundTruth(NamedTuple):
    """The outcome that arrived for a prediction."""

    prediction_id: str
    value: Any
    at: float | None = None
    """Unix seconds when it became known; when it arrived, if None."""


class Found(NamedTuple):
    """Facts kept about a prediction."""

    model: str
    version: str
    at: float
    prediction: Prediction | None
    """None once it was matched: nothing else of it is kept."""


def pack(model: str, prediction: Prediction) -> bytes:
    """Return a waiting prediction as bytes, without its id."""
    _, at, version, values, segments = prediction
    return _dumped(model, version, at, values, segments)


def unpack(prediction_id: str, data: bytes) -> Found:
    """Read the bytes of `pack` or `spent`; raises ValueError where they are damaged."""
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
    """Return the bytes kept of a matched prediction, by which a duplicate is known."""
    return _dumped(found.model, found.version, found.at)


def pack_truth(truth: GroundTruth) -> bytes:
    """Return a ground truth as bytes, without its id."""
    return _dumped(truth.value, truth.at)


def unpack_truth(prediction_id: str, data: bytes) -> GroundTruth:
    """Read the bytes of `pack_truth`; raises ValueError where they are damaged."""
    with _as_written("ground truth"):
        value, at = json.loads(data)
        if not isinstance(value, float | int | str) or not math.isfinite(at or 0.0):
            raise ValueError("ground truth: expected what was written, got other JSON")
        return GroundTruth(prediction_id, value, at)


@contextmanager
def _as_written(what: str) -> Iterator[None]:
    """Turn the errors that other JSON leads to into ValueError."""
    try:
        yield
    except (OverflowError, RecursionError, TypeError) as error:
        raise ValueError(f"{what}: damaged: {error}") from error


def _dumped(*values: Any) -> bytes:
    return json.dumps(values, separators=(",", ":")).encode()


class Sorted(NamedTuple):
    """Statuses of ground truths."""

    statuses: list[Status]
    """One for each. `matched` may still turn out to be invalid: the model says so."""
    matched: dict[str, list[int]]
    """Model -> indexes of those that match its predictions, in the order they came."""


def sort_out(
    truths: Sequence[GroundTruth], found: Mapping[str, Found], now: float, longest_seconds: float
) -> Sorted:
    """Return the statuses of ground truths, given the facts about their predictions.

    Args:
        truths: In the order they came: the second for one prediction is a duplicate.
        found: Prediction id -> its facts.
        now: Unix seconds.
        longest_seconds: Length of the longest window: older predictions make truths late.
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
