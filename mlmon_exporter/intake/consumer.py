"""The last step of the intake: rows are added to windows, counts and pending predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlmon_exporter.core.coerce import scalar
from mlmon_exporter.core.counts.requests import RequestCounts
from mlmon_exporter.core.keys import row_ids
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.records import Batch, Exchange, SingleRows
from mlmon_exporter.formats.frames import columns_of, is_frame
from mlmon_exporter.runtime.garbage import uncollected
from mlmon_exporter.runtime.pace import Pace

from .bodies import BodyReader
from .predictions import Predictions
from .waiting import Waiting

Keep = Callable[[str, Batch | SingleRows, float], None]
"""Keeps the predictions of rows that have ids: the model, the rows, Unix seconds."""


class Consumer:
    """Reads exchanges and adds their rows. `add` is thread-safe; the rest is the intake's."""

    def __init__(
        self,
        reader: BodyReader,
        predictions: Predictions,
        models: Mapping[str, Model],
        requests: RequestCounts,
        keep: Keep,
    ) -> None:
        self._reader = reader
        self._predictions = predictions
        self._models = models
        self._requests = requests
        self._keep = keep

    def __call__(self, waiting: Waiting, pace: Pace) -> Sequence[int]:
        """Take in the first exchange, and with it those next on its route that are alike.

        Returns:
            Numbers of those that were taken in, in ascending order. The counts are the same as
            one by one.
        """
        self._requests.count_waiting()
        read = uncollected(self._reader.read_alike, waiting, self._predictions.are_plain)
        if read is None:
            self.take(waiting.exchange(), pace)
            return (0,)
        name, numbers, rows = read
        model = self._models[name]
        version = model.observe_many(rows, pace)
        self._requests.record_rows(name, version, 1, len(numbers))
        if model.has_task and any(rows.prediction_ids):
            self._keep(name, rows, rows.moments[-1])
        return numbers

    def take(self, exchange: Exchange, pace: Pace) -> None:
        """Take in an exchange by itself; only answers of status 2xx count as predictions."""
        if not 200 <= exchange.status < 300:
            return
        read = uncollected(self._reader.read, exchange, pace)
        if read is None:
            return
        name, batch = read
        if not self._predictions.has(exchange, name, batch):
            return
        model = self._models[name]
        version = model.observe(batch, exchange.arrived, pace, request_bytes=exchange.size)
        self._requests.record_rows(name, version, batch.rows)
        if model.has_task and (batch.prediction_ids or exchange.prediction_id):
            ids = batch.prediction_ids or row_ids(exchange.prediction_id, batch.rows)
            self._keep(name, batch._replace(prediction_ids=ids), exchange.arrived)

    def add(self, name: str, batch: Batch, now: float) -> None:
        """Take in rows of a model that were seen at `now`, Unix seconds."""
        version = self._models[name].observe(batch, now)
        self._requests.record_rows(name, version, batch.rows)
        if batch.prediction_ids is not None:
            self._keep(name, batch, now)


def batch_of(
    model: Model,
    features: Any,
    predictions: Any,
    version: str | None,
    prediction_ids: Sequence[str] | None,
) -> Batch:
    """Return rows that were given in code as a batch; see `Monitor.observe`.

    Raises:
        ValueError: Columns differ in length, or a frame holds what cannot be read.
    """
    features, predictions = (
        columns_of(data, "observe", model.vector_names()) if is_frame(data) else data
        for data in (features, predictions)
    )
    if features is None:
        features = {}
    if not isinstance(features, Mapping):
        kind = type(features).__name__
        raise ValueError(f"features: expected a mapping of names, or a frame, got {kind}")
    if predictions is None:
        outputs: Mapping[str, Any] = {}
    elif isinstance(predictions, Mapping):
        outputs = predictions
    else:
        outputs = {(model.output_names() or ("prediction",))[0]: predictions}
    lengths = {_length(values) for columns in (features, outputs) for values in columns.values()}
    if len(lengths) > 1:
        raise ValueError(f"observe: expected columns of one length, got {sorted(lengths)}")
    rows = lengths.pop() if lengths else 0
    if prediction_ids is not None and len(prediction_ids) != rows:
        given = len(prediction_ids)
        raise ValueError(f"prediction_ids: expected one for each of {rows} rows, got {given}")
    if rows == 1:
        features, outputs = _scalars(features), _scalars(outputs)
    return Batch(features, outputs, rows, version, prediction_ids)


def _scalars(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {name: scalar(values) for name, values in columns.items()}


def _length(values: Any) -> int:
    if isinstance(values, str | bytes | Mapping) or not hasattr(values, "__len__"):
        return 1
    # NumPy would read all of a list to tell its dimensions.
    return len(values) if getattr(values, "ndim", 1) else 1
