"""The feedback of a monitor's models: pending predictions, ground truths, KPIs."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp

from mlmon_exporter.core.counts.feedback import STATUSES, Feedback, KpiEvent
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.pending import GroundTruth
from mlmon_exporter.core.records import Batch, Readings, SingleRows
from mlmon_exporter.state.joiner import Joined, Joiner
from mlmon_exporter.state.pending import Pending

if TYPE_CHECKING:
    from .records import Answer, Read

GROUND_TRUTH_PATH = "/ground-truth"
KPI_PATH = "/kpi"


class FeedbackDesk:
    """Keeps predictions for their ground truth, and counts feedback. Thread-safe."""

    def __init__(self, models: Mapping[str, Model], pending: Pending, counts: Feedback) -> None:
        self._models = models
        self._pending = pending
        self._counts = counts
        self._joiner = Joiner(pending.join)
        for name, model in models.items():
            if model.has_task:
                counts.declare(name, model.settings.version)

    def predicted(self, name: str, batch: Batch | SingleRows, now: float) -> None:
        """Keep the predictions of rows that have ids, seen at `now`, Unix seconds."""
        predictions = self._models[name].pending_of(batch, now)
        if predictions:
            self._pending.keep([(name, prediction) for prediction in predictions], now)

    def ground_truths(self, truths: Sequence[GroundTruth], now: float) -> Joined:
        """Join ground truths with their predictions; raises StoreError if that cannot be now."""
        return self._joiner.join(truths, now)

    def kpi_events(self, events: Sequence[KpiEvent], now: float) -> None:
        """Count events of these models; those of a known prediction under its model and version.

        Raises:
            StoreError: The predictions cannot be looked up now; nothing was counted.
        """
        ids = {event.prediction_id for event in events if event.prediction_id is not None}
        only = next(iter(self._models)) if len(self._models) == 1 else ""
        counts = self._counts.like()
        with self._pending.transaction(now) as transaction:
            found = transaction.table.find(ids)
            for event in events:
                known = found.get(event.prediction_id or "")
                model = event.model or only
                version = ""
                if known is not None:
                    model, version = known.model, known.version
                counts.kpi(model, version, event.kpi, event.value)
            transaction.merge({}, counts)

    def apps(self, tokens: Collection[str], clock: Callable[[], float]) -> Mapping[str, ASGIApp]:
        """Return path -> the app that takes records posted there."""
        from .feedback import FeedbackApp
        from .records import ground_truths_in, kpi_events_in

        def take_truths(records: Sequence[Any]) -> Answer:
            return self._take_truths(ground_truths_in(records), clock())

        def take_kpis(records: Sequence[Any]) -> Answer:
            read = kpi_events_in(records, self._models)
            self.kpi_events(read.usable, clock())
            return read.answer({"counted": len(read.usable)})

        return {
            GROUND_TRUTH_PATH: FeedbackApp(take_truths, tokens),
            KPI_PATH: FeedbackApp(take_kpis, tokens),
        }

    def _take_truths(self, read: Read, now: float) -> Answer:
        joined = self.ground_truths(read.usable, now)
        if read.errors:
            counts = self._counts.like()
            counts.ground_truths({("", "", "invalid"): len(read.errors)})
            with self._pending.transaction(now) as transaction:
                transaction.merge({}, counts)
        for place, reason in zip(read.places, joined.reasons, strict=True):
            if reason:
                read.errors.append((place, reason))
        return read.answer({status: joined.statuses.count(status) for status in STATUSES})

    def readings(self, now: float) -> Iterator[Readings]:
        """Give the predictions that wait, once those that wait for too long are forgotten."""
        waiting = self._pending.flush(now)
        rows = [(n, m.settings.version) for n, m in self._models.items() if n in waiting]
        if rows:
            counts = [waiting[name] for name, _ in rows]
            yield Readings("mlmon_pending_predictions", ("model", "version"), tuple(rows), counts)


def kpi_event(name: str, value: float, prediction_id: str | None, model: str | None) -> KpiEvent:
    """Return an event that was given in code; raises ValueError where it cannot be counted."""
    if not math.isfinite(value):
        raise ValueError(f"observe_kpi: value: expected a finite number, got {value!r}")
    return KpiEvent(name, float(value), prediction_id, model)
