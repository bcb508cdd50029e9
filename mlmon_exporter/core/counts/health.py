"""Counts about ourselves: data given up, bodies that could not be read, caps hit, faults."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
OVERFLOWS = ("route", "method", "version", "feature", "category", "segment", "kpi")
"""Labels whose values are capped."""

COUNTERS: dict[str, tuple[Labels, Labels]] = {
    "mlmon_dropped_total": (("reason",), DROP_REASONS),
    "mlmon_parse_errors_total": (("format", "reason"), ()),
    "mlmon_not_predictions_total": (("route", "reason"), ()),
    "mlmon_internal_errors_total": (("where",), INTERNAL),
    "mlmon_state_write_failures_total": (("reason",), ()),
    "mlmon_label_overflow_total": (("label",), OVERFLOWS),
}
"""Counter -> its labels, and the values of its only label that exist at 0 from the start."""


class Health(CountTables):
    """Counts about ourselves. Thread-safe.

    Label values come from our code, never from a request, so nothing here is capped; the caller
    that counts a route caps it.
    """

    def __init__(
        self, parse_errors: Iterable[tuple[str, str]] = (), *, has_state: bool = False
    ) -> None:
        """Start at 0.

        Args:
            parse_errors: Pairs of format and reason that exist at 0 from the start, so that
                `rate()` sees the first error.
            has_state: There is a store, on disk or on a server, whose failures exist at 0 likewise.
        """
        self._parse_errors = tuple(parse_errors)
        self._has_state = has_state
        self.counters = {name: CounterTable(labels) for name, (labels, _) in COUNTERS.items()}
        for name, (_, known) in COUNTERS.items():
            self.counters[name].declare((value,) for value in known)
        self.counters["mlmon_parse_errors_total"].declare(self._parse_errors)
        failures = WRITE_FAILURES if has_state else ()
        self.counters["mlmon_state_write_failures_total"].declare((each,) for each in failures)
        super().__init__(**self.counters)

    def like(self) -> Self:
        return type(self)(self._parse_errors, has_state=self._has_state)

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
        """Count label values that became `other`, for one of `OVERFLOWS`."""
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
