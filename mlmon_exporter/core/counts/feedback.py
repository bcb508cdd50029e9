"""Counts of feedback: ground truths, how late they arrived, and business numbers (KPIs)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, Self

from mlmon_exporter.core.records import Histograms, Readings

from .histograms import Family, HistogramTable
from .names import BoundedNames
from .table import CounterTable, CountTables, Labels, Table
from .version_uses import VersionName

Status = Literal["matched", "late", "unknown", "duplicate", "invalid"]
STATUSES: tuple[Status, ...] = ("matched", "late", "unknown", "duplicate", "invalid")
"""Outcomes of a ground truth.

`late`: its prediction is known, but older than the longest window. `unknown`: there is no such
prediction, or it was forgotten.
"""
OF_NO_MODEL: tuple[Status, ...] = ("unknown", "invalid")
"""Outcomes of a ground truth whose prediction, and so model, is not known."""
HOUR, DAY = 3600.0, 86400.0
DELAYS = Family(
    ("model", "version"),
    {
        "mlmon_ground_truth_delay_seconds": (
            *(1.0, 10.0, 60.0, 600.0, HOUR, 6 * HOUR),
            *(DAY, 3 * DAY, 7 * DAY, 30 * DAY),
        )
    },
)
GREATEST = sys.float_info.max
"""Sums stop here: an infinite one could neither be kept as JSON nor added to."""

Sums = tuple[float, float, float]
"""Events of a KPI, the sum of their values, and 0 or the least value if that is negative."""


class KpiEvent(NamedTuple):
    """One event of a business number."""

    kpi: str
    value: float
    prediction_id: str | None
    model: str | None


class KpiTable(Table[Sums]):
    """KPIs by model, version and name. A KPI without a prediction has version "", which is none."""

    __slots__ = ()

    def _sum(self, ours: Sums | None, theirs: Sums) -> Sums:
        events, value, least = ours or (0.0, 0.0, 0.0)
        total = min(max(value + theirs[1], -GREATEST), GREATEST)
        return events + theirs[0], total, min(least, theirs[2])

    def _max(self, ours: Sums | None, theirs: Sums) -> Sums:
        # Sums may fall: those of more events are the later ones.
        return ours if ours is not None and ours[0] >= theirs[0] else theirs

    def _read(self, form: Any) -> Sums:
        events, value, least = form
        return events, value, least

    def version(self, labels: Labels) -> VersionName | None:
        """Return the model and version, None for events without a prediction."""
        return super().version(labels) if labels[1] else None

    def readings(self) -> Iterator[Readings]:
        """Give events and sums.

        The values of a KPI add up to a counter as long as none was negative, else to a gauge:
        `rate()` would take a counter that falls for one that began anew.
        """
        if not self.cells:
            return
        events = [sums[0] for sums in self.cells.values()]
        yield Readings("mlmon_kpi_events_total", self.label_names, tuple(self.cells), events)
        for name, is_signed in (("mlmon_kpi_value_total", False), ("mlmon_kpi_value_sum", True)):
            rows = [(k, sums[1]) for k, sums in self.cells.items() if (sums[2] < 0) == is_signed]
            if rows:
                labels, values = zip(*rows, strict=True)
                yield Readings(name, self.label_names, labels, values)


class Feedback(CountTables):
    """Counts of feedback. Thread-safe.

    Names of KPIs come from outside: beyond `max_kpis` they become `other`, and `on_overflow` is
    called (holding the lock: it must not call back). Model and version are bounded by the caller.
    """

    def __init__(
        self, *, max_kpis: int = 50, on_overflow: Callable[[], None] = lambda: None
    ) -> None:
        self._on_overflow = on_overflow
        self._names = BoundedNames(max_kpis, on_overflow)
        self.statuses = CounterTable(("model", "version", "outcome"))
        self.delays = HistogramTable(DELAYS)
        self.kpis = KpiTable(("model", "version", "kpi"))
        super().__init__(statuses=self.statuses, delays=self.delays, kpis=self.kpis)

    def like(self) -> Self:
        return type(self)(max_kpis=self._names.most, on_overflow=self._on_overflow)

    def declare(self, model: str, version: str) -> None:
        """Start a model's counts, and those of no model, at 0 before the first ground truth."""
        with self._lock:
            self.statuses.declare((model, version, status) for status in STATUSES)
            self.statuses.declare(("", "", status) for status in OF_NO_MODEL)

    def ground_truths(self, counts: Mapping[tuple[str, str, Status], int]) -> None:
        """Count ground truths: model, version and status -> rows."""
        with self._lock:
            for labels, count in counts.items():
                self.statuses.merge(labels, count)

    def delayed(self, model: str, version: str, seconds: Iterable[float]) -> None:
        """Count delays since the prediction, in seconds; NaN and negative ones are left out."""
        with self._lock:
            self.delays.observe((model, version), [[*seconds]])

    def kpi(self, model: str, version: str, name: str, value: float) -> None:
        """Count one event of a KPI and its value, a finite number."""
        with self._lock:
            labels = (model, version, self._names.admit(name))
            self.kpis.merge(labels, (1.0, value, min(value, 0.0)))

    def _bounded(self, table: str, labels: Labels) -> Labels:
        return (*labels[:2], self._names.admit(labels[2])) if table == "kpis" else labels

    def learn(self) -> None:
        self._names.add(name for _, _, name in self.kpis.cells)

    def readings(self) -> Iterator[Readings | Histograms]:
        """Give all numbers; metrics without a label set are left out."""
        with self._lock:
            readings: list[Readings | Histograms] = []
            if self.statuses.cells:
                readings.append(self.statuses.readings("mlmon_ground_truth_total"))
            if self.delays.cells:
                readings += self.delays.histograms()
            readings += self.kpis.readings()
        yield from readings
