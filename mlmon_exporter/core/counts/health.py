"""Counts about ourselves: what was given up, could not be read, hit a cap, or went wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import add
from typing import Any

from mlmon_exporter.core.labels import read_labels
from mlmon_exporter.core.records import Readings

DROP_REASONS = (
    "queue_full",
    "body_too_large",
    "compressed_too_large",
    "request_unread",
    "response_unread",
    "unreadable",
    "unreadable_route",
    "unknown_route",
    "too_many_rows",
    "too_many_features",
    "pending_full",
    "pending_duplicate",
)
"""Why an exchange, or a part of one, was given up."""
INTERNAL = ("middleware", "intake", "scrape", "store")
"""Where a fault of ours was caught."""
OVERFLOWS = ("route", "method", "version", "feature", "category", "segment", "kpi")
"""Labels whose values are capped."""

COUNTERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "mlmon_dropped_total": (("reason",), DROP_REASONS),
    "mlmon_parse_errors_total": (("format", "reason"), ()),
    "mlmon_internal_errors_total": (("where",), INTERNAL),
    "mlmon_label_overflow_total": (("label",), OVERFLOWS),
}
"""Counter -> its labels, and the values of its only label that exist at 0 from the start."""

Counts = dict[str, dict[tuple[str, ...], int]]


class Health:
    """Counts about ourselves. Thread-safe.

    `counts` is plain data for whoever stores it: counter -> label values -> count. Values come
    from our own code, never from a request, so nothing here is capped.
    """

    def __init__(self, parse_errors: Iterable[tuple[str, str]] = ()) -> None:
        """Start at 0.

        Args:
            parse_errors: Pairs of format and reason that exist at 0 from the start, so that
                `rate()` sees the first error.
        """
        self._lock = threading.Lock()
        self._parse_errors = tuple(parse_errors)
        self._labels: dict[str, tuple[tuple[str, ...], ...]] = {}
        self.counts = self._zeros()

    def _zeros(self) -> Counts:
        counts: Counts = {
            name: {(value,): 0 for value in known} for name, (_, known) in COUNTERS.items()
        }
        counts["mlmon_parse_errors_total"].update(dict.fromkeys(self._parse_errors, 0))
        return counts

    def drop(self, reason: str, count: int = 1) -> None:
        """Count something that was given up, for one of `DROP_REASONS`."""
        self._add("mlmon_dropped_total", (reason,), count)

    def parse_error(self, format: str, reason: str) -> None:
        """Count a body that could not be read as its format, or a part of it."""
        self._add("mlmon_parse_errors_total", (format, reason), 1)

    def internal_error(self, where: str) -> None:
        """Count a fault of ours that was caught, at one of `INTERNAL`."""
        self._add("mlmon_internal_errors_total", (where,), 1)

    def overflow(self, label: str) -> None:
        """Count a label value that became `other`, for one of `OVERFLOWS`."""
        self._add("mlmon_label_overflow_total", (label,), 1)

    def _add(self, name: str, labels: tuple[str, ...], count: int) -> None:
        with self._lock:
            rows = self.counts[name]
            rows[labels] = rows.get(labels, 0) + count

    def merge(self, other: Health) -> None:
        """Add the counts of another, such as another worker's; it stays as it is."""
        self._combine(other, add)

    def merge_max(self, other: Health) -> None:
        """Raise each count to another's where that is greater."""
        self._combine(other, max)

    def _combine(self, other: Health, both: Callable[[int, int], int]) -> None:
        with other._lock:
            theirs = {name: dict(rows) for name, rows in other.counts.items()}
        with self._lock:
            for name, rows in theirs.items():
                ours = self.counts[name]
                for labels, count in rows.items():
                    ours[labels] = both(ours.get(labels, 0), count)

    def to_dict(self) -> dict[str, list[list[Any]]]:
        """Return all counts as plain lists, for the state on disk."""
        with self._lock:
            return {
                name: [[list(labels), count] for labels, count in rows.items()]
                for name, rows in self.counts.items()
            }

    @classmethod
    def from_dict(cls, form: Mapping[str, Any]) -> Health:
        """Read that form; raises ValueError or TypeError where it is damaged."""
        health = cls()
        for name, rows in form.items():
            if name in health.counts:
                names, _ = COUNTERS[name]
                health.counts[name].update(
                    {read_labels(labels, len(names)): int(count) for labels, count in rows}
                )
        return health

    def is_empty(self) -> bool:
        """Return whether all counts are 0."""
        with self._lock:
            return not any(any(rows.values()) for rows in self.counts.values())

    def take(self) -> Health:
        """Return the counts since the last call and start again at 0."""
        taken = Health()
        with self._lock:
            taken.counts, self.counts = self.counts, self._zeros()
            self._labels = {}
        return taken

    def readings(self) -> Iterator[Readings]:
        """Give the four counters; those without a label set yet are left out."""
        with self._lock:
            readings = [
                Readings(name, COUNTERS[name][0], self._label_rows(name), [*rows.values()])
                for name, rows in self.counts.items()
                if rows
            ]
        yield from readings

    def _label_rows(self, name: str) -> tuple[tuple[str, ...], ...]:
        # Label sets are only ever added: as many as before are the same as before.
        rows = self.counts[name]
        kept = self._labels.get(name, ())
        if len(kept) != len(rows):
            kept = self._labels[name] = tuple(rows)
        return kept
