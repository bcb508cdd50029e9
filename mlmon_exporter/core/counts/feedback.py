"""What came back about predictions: ground truths, how late they were, and business numbers."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from mlmon_exporter.core.labels import clean_label, read_labels
from mlmon_exporter.core.records import Histograms, Readings

from .histograms import Family, HistogramTable
from .requests import OTHER
from .version_uses import OTHER_VERSION, VersionName

Status = Literal["matched", "late", "unknown", "duplicate", "invalid"]
STATUSES: tuple[Status, ...] = ("matched", "late", "unknown", "duplicate", "invalid")
"""What became of a ground truth.

`late`: its prediction is known, but older than the longest window. `unknown`: there is no such
prediction, or it was forgotten.
"""
OF_NO_MODEL: tuple[Status, ...] = ("unknown", "invalid")
"""What may become of a ground truth of which nobody knows the prediction, nor so the model."""
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
"""Sums stop here: what is infinite could be neither kept as JSON nor added to."""
KPI_LABELS = ("model", "version", "kpi")

Labels = tuple[str, ...]


def _is_of_version(labels: Labels) -> bool:
    return labels[1] != ""


class Feedback:
    """Counts of what came back. Thread-safe.

    Names of KPIs come from outside: beyond `max_kpis` they become `other`, and `on_overflow` is
    called (holding the lock: it must not call back). Model and version are bounded by the caller.
    """

    def __init__(
        self, *, max_kpis: int = 50, on_overflow: Callable[[], None] = lambda: None
    ) -> None:
        self._max_kpis = max_kpis
        self._on_overflow = on_overflow
        self._lock = threading.Lock()
        self._names = {OTHER}
        self._reset()

    def _reset(self) -> None:
        self.statuses: dict[Labels, int] = {}
        self.delays = HistogramTable(DELAYS)
        self.kpis: dict[Labels, list[float]] = {}
        """Model, version, name -> events, sum of values, least value."""

    def declare(self, model: str, version: str) -> None:
        """Have a model's counts, and those of no model, at 0 before the first ground truth."""
        with self._lock:
            for status in STATUSES:
                self.statuses.setdefault((model, version, status), 0)
            for status in OF_NO_MODEL:
                self.statuses.setdefault(("", "", status), 0)

    def ground_truths(self, counts: Mapping[tuple[str, str, Status], int]) -> None:
        """Count what became of some: model, version and status -> how many."""
        with self._lock:
            for labels, count in counts.items():
                self.statuses[labels] = self.statuses.get(labels, 0) + count

    def delayed(self, model: str, version: str, seconds: Iterable[float]) -> None:
        """Count how long after their predictions some came; NaN and negative ones are left out."""
        with self._lock:
            self.delays.observe((model, version), [(delay,) for delay in seconds])

    def kpi(self, model: str, version: str, name: str, value: float) -> None:
        """Count one event of a KPI and its value, a finite number."""
        with self._lock:
            self._add((model, version, self._name(name)), (1.0, value, value))

    def _name(self, name: str) -> str:
        name = clean_label(name)
        if name not in self._names:
            if len(self._names) > self._max_kpis:  # `other` is one of them
                self._on_overflow()
                return OTHER
            self._names.add(name)
        return name

    def _add(self, labels: Labels, more: Sequence[float]) -> None:
        events, value, least = self.kpis.get(labels, (0.0, 0.0, 0.0))
        total = min(max(value + more[1], -GREATEST), GREATEST)
        self.kpis[labels] = [events + more[0], total, min(least, more[2])]

    def take(self) -> Feedback:
        """Return what was counted since the last call and start again at nothing."""
        taken = Feedback(max_kpis=self._max_kpis, on_overflow=self._on_overflow)
        with self._lock:
            taken._names = set(self._names)
            taken.statuses, taken.delays, taken.kpis = self.statuses, self.delays, self.kpis
            self._reset()
        return taken

    def merge(self, other: Feedback) -> None:
        """Add what another has counted, such as another worker; it stays as it is."""
        form = other.to_dict()
        with self._lock:
            # Whoever adds names says how many there may be, and is told of one too many.
            if form["kpis"]:
                self._max_kpis = max(self._max_kpis, other._max_kpis)
                self._on_overflow = other._on_overflow
            self._merge(form)

    def _merge(self, form: Mapping[str, Any]) -> None:
        for labels, count in form["statuses"]:
            key = read_labels(labels, 3)
            self.statuses[key] = self.statuses.get(key, 0) + int(count)
        self.delays.read(form["delays"])
        for labels, sums in form["kpis"]:
            model, version, name = read_labels(labels, 3)
            self._add((model, version, self._name(name)), sums)

    def merge_max(self, other: Feedback) -> None:
        """Raise each count to that of another, where that is more."""
        theirs = other.to_dict()
        with self._lock:
            for labels, count in theirs["statuses"]:
                key = tuple(labels)
                self.statuses[key] = max(self.statuses.get(key, 0), int(count))
            for labels, cells in theirs["delays"]:
                for ours, cell in zip(self.delays.add(tuple(labels)), cells, strict=True):
                    ours[:] = map(max, ours, cell)
            for labels, sums in theirs["kpis"]:
                # Sums may fall: those of more events are the later ones.
                ours = self.kpis.get(tuple(labels), [0.0])
                self.kpis[tuple(labels)] = list(sums) if sums[0] > ours[0] else ours

    def is_empty(self) -> bool:
        """Return whether nothing was counted, nor declared."""
        with self._lock:
            return not (self.statuses or self.delays.cells or self.kpis)

    def named(self) -> set[VersionName]:
        """Return model and version of all that were counted or declared.

        A KPI without a prediction is of no version.
        """
        with self._lock:
            labels = [*self.statuses, *self.delays.cells, *filter(_is_of_version, self.kpis)]
        return {(row[0], row[1]) for row in labels}

    def drop(self, versions: Collection[VersionName]) -> None:
        """Drop what was counted for these versions."""
        with self._lock:
            self.statuses = {k: n for k, n in self.statuses.items() if k[:2] not in versions}
            self.delays.drop(versions)
            self.kpis = {
                k: sums
                for k, sums in self.kpis.items()
                if k[:2] not in versions or not _is_of_version(k)
            }

    def as_other(self, versions: Collection[VersionName]) -> Feedback:
        """Return the same with what was counted for these versions counted for `other`."""
        copy = Feedback(max_kpis=self._max_kpis, on_overflow=self._on_overflow)
        copy._names, form = set(self._names), self.to_dict()
        for table in form.values():
            for labels, _ in table:
                if tuple(labels[:2]) in versions:
                    labels[1] = OTHER_VERSION
        copy._merge(form)
        return copy

    def to_dict(self) -> dict[str, Any]:
        """Return all counts as plain lists, for the state on disk."""
        with self._lock:
            return {
                "statuses": [[list(labels), count] for labels, count in self.statuses.items()],
                "delays": [
                    [list(k), [*map(list, cells)]] for k, cells in self.delays.cells.items()
                ],
                "kpis": [[list(labels), list(sums)] for labels, sums in self.kpis.items()],
            }

    @classmethod
    def from_dict(cls, form: Mapping[str, Any]) -> Feedback:
        """Read that form; raises ValueError, KeyError or TypeError where it is damaged."""
        feedback = cls(max_kpis=len(form["kpis"]))
        feedback._merge(form)
        return feedback

    def like(self) -> Feedback:
        """Return an empty one with the same bounds, for a transaction of its own."""
        return Feedback(max_kpis=self._max_kpis, on_overflow=self._on_overflow)

    def total(self) -> float:
        """Return how much was counted."""
        with self._lock:
            events = sum(sums[0] for sums in self.kpis.values())
            return sum(self.statuses.values()) + events

    def readings(self) -> Iterator[Readings | Histograms]:
        """Give all numbers.

        The values of a KPI add up to a counter as long as none was negative, else to a gauge:
        `rate()` would take a counter that falls for one that began anew.
        """
        with self._lock:
            readings: list[Readings | Histograms] = []
            if self.statuses:
                readings.append(
                    Readings(
                        "mlmon_ground_truth_total",
                        ("model", "version", "outcome"),
                        tuple(self.statuses),
                        [*self.statuses.values()],
                    )
                )
            if self.delays.cells:
                readings += self.delays.histograms(())
            readings += self._kpi_readings()
        yield from readings

    def _kpi_readings(self) -> Iterator[Readings]:
        if not self.kpis:
            return
        events = [sums[0] for sums in self.kpis.values()]
        yield Readings("mlmon_kpi_events_total", KPI_LABELS, tuple(self.kpis), events)
        for name, is_signed in (("mlmon_kpi_value_total", False), ("mlmon_kpi_value_sum", True)):
            rows = [(k, sums[1]) for k, sums in self.kpis.items() if (sums[2] < 0) == is_signed]
            if rows:
                labels, values = zip(*rows, strict=True)
                yield Readings(name, KPI_LABELS, labels, values)
