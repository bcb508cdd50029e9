"""Counts about ourselves: data given up, bodies that could not be read, caps hit, faults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from mlmon_exporter.core.records import Readings

from .table import CounterTable, CountTables, Labels

DROP_REASONS = (
    "queue_full",
    "body_too_large",
    "compressed_too_large",
    "request_unread",
    "response_unread",
    "unreadable",
    "unreadable_route",
    "unknown_route",
    "unheard",
    "too_many_rows",
    "too_many_features",
    "unknown_outputs",
    "pending_full",
    "pending_duplicate",
    "event_unanswered",
    "event_unasked",
    "event_duplicate",
    "event_unknown",
    "events_full",
)
"""Reasons to give up an exchange, or a part of one."""
INTERNAL = ("middleware", "intake", "scrape", "store")
"""Places where a fault of ours is caught."""
WRITE_FAILURES = (
    "full",
    "read_only",
    "permission",
    "locked",
    "damaged",
    "unreachable",
    "other",
)
"""Reasons why the state cannot be written, on disk or on its server."""

COUNTERS: dict[str, Labels] = {
    "mlmon_dropped_total": ("reason",),
    "mlmon_parse_errors_total": ("format", "reason"),
    "mlmon_not_predictions_total": ("route", "reason"),
    "mlmon_internal_errors_total": ("where",),
    "mlmon_state_write_failures_total": ("reason",),
    "mlmon_label_overflow_total": ("label",),
}
"""Counter -> its labels."""
AT_0: dict[str, tuple[str, ...]] = {
    "mlmon_dropped_total": (
        "queue_full",
        "body_too_large",
        "compressed_too_large",
        "response_unread",
        "unreadable",
        "unreadable_route",
        "unknown_route",
        "too_many_rows",
        "too_many_features",
        "unknown_outputs",
    ),
    "mlmon_internal_errors_total": INTERNAL,
}
"""Counter -> values of its label that exist at 0 from the start; all others when they happen.

`increase()` passes over the first value of a series, so alerts that a single burst of events may
raise need them. Parse errors do without: a burst of nothing else drops its route's bodies, too.
"""


class Health(CountTables):
    """Counts about ourselves. Thread-safe.

    Label values come from our code, never from a request, so nothing here is capped; the caller
    that counts a route caps it.
    """

    def __init__(self) -> None:
        self.counters = {name: CounterTable(labels) for name, labels in COUNTERS.items()}
        for name, values in AT_0.items():
            self.counters[name].declare((value,) for value in values)
        super().__init__(**self.counters)

    def like(self) -> Self:
        return type(self)()

    def drop(self, reason: str, count: int = 1) -> None:
        """Count data that were given up, for one of `DROP_REASONS`."""
        self._add("mlmon_dropped_total", (reason,), count)

    def parse_error(self, format: str, reason: str) -> None:
        """Count a body that could not be read as its format, or a part of it."""
        self._add("mlmon_parse_errors_total", (format, reason))

    def no_prediction(self, route: str, reason: str) -> None:
        """Count a POST that could be read and is no prediction."""
        self._add("mlmon_not_predictions_total", (route, reason))

    def internal_error(self, where: str) -> None:
        """Count a fault of ours that was caught, at one of `INTERNAL`."""
        self._add("mlmon_internal_errors_total", (where,))

    def write_failed(self, reason: str) -> None:
        """Count a failure to write the state, for one of `WRITE_FAILURES`."""
        self._add("mlmon_state_write_failures_total", (reason,))

    def overflow(self, label: str, count: int = 1) -> None:
        """Count values of a capped label, such as `route`, that became `other`."""
        self._add("mlmon_label_overflow_total", (label,), count)

    def _add(self, name: str, labels: Labels, count: int = 1) -> None:
        with self._lock:
            self.counters[name].merge(labels, count)

    def is_empty(self) -> bool:
        """Return whether all counts are 0."""
        with self._lock:
            return not any(any(table.cells.values()) for table in self.counters.values())

    def readings(self) -> Iterator[Readings]:
        """Give the counters; those without a label set yet are left out."""
        with self._lock:
            readings = [
                table.readings(name) for name, table in self.counters.items() if table.cells
            ]
        yield from readings
