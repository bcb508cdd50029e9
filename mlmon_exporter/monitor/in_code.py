"""Reports of rows, ground truths and KPIs by code, without HTTP."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from mlmon_exporter.core.counts.feedback import Status
from mlmon_exporter.core.keys import row_ids
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.pending import GroundTruth
from mlmon_exporter.endpoints.desk import FeedbackDesk, kpi_event
from mlmon_exporter.intake.consumer import Consumer, batch_of
from mlmon_exporter.intake.queue import Intake
from mlmon_exporter.runtime.once import Once
from mlmon_exporter.sources.ids import PredictionIds
from mlmon_exporter.sources.python.prediction import ROUTE, PredictionCall
from mlmon_exporter.sources.sink import Sink
from mlmon_exporter.state.upkeep import Upkeep

logger = logging.getLogger(__name__)


class InCode:
    """The methods of a Monitor by which code reports predictions, outcomes and KPIs."""

    models: Mapping[str, Model]
    _consumer: Consumer
    _desk: FeedbackDesk
    _ids: PredictionIds
    _intake: Intake
    _is_first_unread: Once
    _sink: Sink
    _upkeep: Upkeep

    def observe(
        self,
        features: Mapping[str, Any] | Any,
        predictions: Mapping[str, Any] | Sequence[Any] | float | str | Any = None,
        *,
        model: str | None = None,
        version: str | None = None,
        prediction_ids: Sequence[str] | None = None,
        now: float | None = None,
    ) -> None:
        """Take in rows without HTTP.

        Args:
            features: Name -> one value, or a 1-D array or list of n rows; or a frame of pandas,
                Polars or Arrow, or a NumPy record array. None, NaN and "" are missing values.
            predictions: The same of the outputs; a bare value or array is the only output.
            model: The model's name, where several are configured.
            version: The model's version, if it is not the configured one.
            prediction_ids: An id for each row, to join its outcome by.
            now: Unix seconds of the rows; the clock by default.

        Raises:
            ValueError: Columns differ in length, a frame holds what cannot be read, or `model` is
                missing where there are several.
        """
        name = self._named(model)
        batch = batch_of(self.models[name], features, predictions, version, prediction_ids)
        self._consumer.add(name, batch, time.time() if now is None else now)
        self._upkeep.ensure_running()

    def prediction(
        self, route: str = ROUTE, *, model: str | None = None, prediction_id: str | None = None
    ) -> PredictionCall:
        """Return a block that makes predictions: `with monitor.prediction("celery") as p:`.

        Args:
            route: The label `route` of its metrics, such as the name of the queue or the job.
            model: The model's name, where several are configured.
            prediction_id: For the outcome to find the prediction by; a new one by default.

        Raises:
            ValueError: `model` is missing where there are several, or is none of them.
        """
        name = self._named(model)
        labels = (name, self.models[name].settings.version, route)
        return PredictionCall(self._sink, labels, self._take_in, prediction_id or self._ids.new())

    def _take_in(self, call: PredictionCall) -> None:
        """Take in the rows of a block; unusable ones are counted."""
        name = call.model
        try:
            ids = call.prediction_ids
            batch = batch_of(self.models[name], call.features, call.output, call.version, ids)
        except ValueError as problem:
            self._sink.health.parse_error("python", "malformed")
            if self._is_first_unread():
                logger.warning(
                    "mlmon: model %s: features or output of a prediction cannot be read: %s "
                    "(later ones are only counted, in mlmon_parse_errors_total)",
                    *(name, problem),
                )
            return
        if ids is None:
            batch = batch._replace(prediction_ids=row_ids(call.prediction_id, batch.rows))
        self._consumer.add(name, batch, call.arrived)

    def observe_ground_truth(
        self,
        prediction_id: str,
        value: float | str,
        *,
        timestamp: float | None = None,
        now: float | None = None,
    ) -> Status:
        """Take in the outcome of a prediction.

        Args:
            prediction_id: As in the header `X-Prediction-Id`, or as given to `observe`.
            value: A number, or the class that came true.
            timestamp: Unix seconds when it became known; `now` by default.
            now: Unix seconds; the clock by default.

        Returns:
            `matched`, `late`, `unknown`, `duplicate` or `invalid`.

        Raises:
            StoreError: It was not taken, since the state cannot be written now.
        """
        moment = self._intake.catch_up() if now is None else now
        truth = GroundTruth(prediction_id, value, timestamp)
        return self._desk.ground_truths([truth], moment).statuses[0]

    def observe_kpi(
        self,
        name: str,
        value: float = 1.0,
        prediction_id: str | None = None,
        *,
        model: str | None = None,
        now: float | None = None,
    ) -> None:
        """Count one event of a business number.

        Args:
            name: At most `max_kpis` different ones; the rest becomes `other`.
            value: A finite number, added to the sum.
            prediction_id: Counts it for the model and version that made the prediction.
            model: The model's name, where several are configured and there is no id.
            now: Unix seconds; the clock by default.

        Raises:
            ValueError: The value is not finite, or there is no such model.
            StoreError: It was not counted, since the state cannot be written now.
        """
        if model is not None:
            self._named(model)
        moment = self._intake.catch_up() if now is None else now
        self._desk.kpi_events([kpi_event(name, value, prediction_id, model)], moment)

    def _named(self, model: str | None) -> str:
        if model is None and len(self.models) == 1:
            return next(iter(self.models))
        if model is None or model not in self.models:
            names = ", ".join(self.models)
            raise ValueError(f"model: expected one of {names}, got {model!r}")
        return model
