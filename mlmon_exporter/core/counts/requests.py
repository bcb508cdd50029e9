"""Requests counted by route and outcome, and how long and how large they were."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby, repeat
from operator import itemgetter
from typing import Any, Self

from mlmon_exporter.core.labels import OTHER
from mlmon_exporter.core.records import Exemplar, Histograms, Readings

from .exemplars import EXEMPLAR_SECONDS, Exemplars
from .histograms import Bounds, Family, HistogramTable
from .names import BoundedNames
from .table import CounterTable, CountTables, Labels
from .tokens import BY_STREAM, TokenTimes

METHODS = frozenset(
    ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY")
)
FAULT = (500, "server_error")
"""Status and outcome that each route and method has from the start, at 0."""
MODEL_FAULTS = (FAULT, *((s, "server_error") for s in (502, 503, 504)), (200, "interrupted"))
"""Those of a model's routes: alerts need `rate()`, which misses the first value of a series."""
BATCH = 256
"""Requests that are counted together, at a tenth of the cost of one by one."""
MOST_WAITING = 8 * BATCH
"""So many are counted by the next request, if the intake has had no time for it."""

LATENCY_BOUNDS: Bounds = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
SIZE_BOUNDS: Bounds = tuple(64 * 4**i for i in range(10))  # 64 B to 16 MiB
ROW_BOUNDS: Bounds = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

REQUEST_LABELS = ("model", "version", "route", "method", "status", "outcome")
RequestLabels = tuple[str, str, str, str, int, str]
"""Model, version, route, method, status, outcome; model and version are "" where no model is."""
Measures = tuple[float, float, float, float]
"""Duration and time to the first byte in seconds, size of request and of response in bytes.

An unknown one is NaN.
"""
PLACES = 6
"""A request's places in the deque: labels, each measure, exemplar.

A tuple of them would be tracked by the garbage collector for as long as it waits.
"""
UNDECIDED = ""
"""Outcome of a request that is measured now; `decide` counts it later."""


BY_ROUTE = Family(
    ("model", "version", "route"),
    {
        "mlmon_request_duration_seconds": LATENCY_BOUNDS,
        "mlmon_request_first_byte_seconds": LATENCY_BOUNDS,
        "mlmon_request_size_bytes": SIZE_BOUNDS,
        "mlmon_response_size_bytes": SIZE_BOUNDS,
    },
)
"""In the order of `Measures`."""
BY_MODEL = Family(("model", "version"), {"mlmon_request_rows": ROW_BOUNDS})


class RequestCounts(CountTables):
    """Counts and measures of requests. Thread-safe.

    Routes and methods come from requests, so both are bounded: at most `max_routes` routes, and
    the methods of HTTP; all others become `other`, and `on_overflow` is called with the label's
    name (holding the lock: it must not call back). Model and version are bounded by the caller.

    Requests wait in deques until there are `BATCH` of them and `count_waiting` is called, or the
    counts are read, so that `record` costs the request path an append.
    """

    def __init__(
        self, *, max_routes: int = 200, on_overflow: Callable[[str], None] = lambda _: None
    ) -> None:
        if max_routes < 1:
            raise ValueError(f"max_routes: expected 1 or more, got {max_routes}")
        self._on_overflow = on_overflow
        self._routes = BoundedNames(max_routes, lambda: on_overflow("route"))
        self._waiting: deque[Any] = deque()
        """`PLACES` for each request."""
        self._waiting_decided: deque[RequestLabels] = deque()
        self._waiting_rows: deque[tuple[tuple[str, str], int, int]] = deque()
        self._waiting_tokens: deque[tuple[tuple[str, str, str], TokenTimes]] = deque()
        self.requests = CounterTable(REQUEST_LABELS)
        self.by_route = HistogramTable(BY_ROUTE)
        self.by_model = HistogramTable(BY_MODEL)
        self.by_stream = HistogramTable(BY_STREAM)
        self.exemplars = Exemplars(BY_ROUTE.label_names, LATENCY_BOUNDS)
        super().__init__(
            requests=self.requests,
            by_route=self.by_route,
            by_model=self.by_model,
            by_stream=self.by_stream,
            exemplars=self.exemplars,
        )

    def like(self) -> Self:
        return type(self)(max_routes=self._routes.most)

    def record(
        self, request: RequestLabels, measures: Measures, exemplar: Exemplar | None = None
    ) -> None:
        """Count a request that has ended; never blocks.

        Args:
            request: Its labels; not counted yet where its outcome is `UNDECIDED`.
            measures: NaN and negative values count in no histogram.
            exemplar: The trace that it belongs to; its value is the duration.
        """
        self._waiting.extend((request, *measures, exemplar))
        if len(self._waiting) >= PLACES * MOST_WAITING:
            self.count_waiting()

    def decide(self, request: RequestLabels) -> None:
        """Count a request that `record` was given as undecided; never blocks."""
        self._waiting_decided.append(request)

    def record_rows(self, model: str, version: str, rows: int, requests: int = 1) -> None:
        """Count the rows that each of some requests had predicted; never blocks."""
        self._waiting_rows.append(((model, version), rows, requests))
        self.count_waiting()

    def record_tokens(self, model: str, version: str, route: str, tokens: TokenTimes) -> None:
        """Count the tokens of a request that was recorded before; never blocks."""
        self._waiting_tokens.append(((model, version, route), tokens))

    def count_waiting(self) -> None:
        """Count the requests that wait, off their path, if they are many; never blocks."""
        if len(self._waiting) < PLACES * BATCH and len(self._waiting_rows) < BATCH:
            return
        # Another thread that holds the lock has drained the deques, or will next time.
        if self._lock.acquire(blocking=False):
            try:
                self._drain()
            finally:
                self._lock.release()

    def _drain(self) -> None:
        """Count the requests, rows and tokens that wait."""
        self._drain_rows()
        self._count(len(self._waiting) // PLACES)
        for _ in range(len(self._waiting_decided)):
            self._counted(self._waiting_decided.popleft(), 1)
        for _ in range(len(self._waiting_tokens)):
            (model, version, route), tokens = self._waiting_tokens.popleft()
            # Its request has been counted, and with it the label that did not fit.
            self.by_stream.merge((model, version, self._routes.label(route)), tokens.cells())

    def _drain_rows(self) -> None:
        for _ in range(len(self._waiting_rows)):
            name, rows, times = self._waiting_rows.popleft()
            self.by_model.observe_times(name, (rows,), times)

    def _count(self, most: int) -> None:
        """Count the oldest requests that wait."""
        places = [*map(deque.popleft, repeat(self._waiting, PLACES * most))]
        columns = [places[i::PLACES] for i in range(PLACES)]
        for labels, (_, *measured, marks) in _by_labels(columns):
            bounded = self._counted(labels, len(marks))
            self.by_route.observe(bounded, measured)
            for mark in filter(None, marks):
                self.exemplars.mark(bounded, mark)

    def _counted(self, request: RequestLabels, times: int) -> Labels:
        """Count requests, if their outcome is known; return their bounded labels."""
        model, version, route, method, status, outcome = request
        if outcome == UNDECIDED:
            return (model, version, self._routes.admit(route))
        counts = self.requests.cells
        labels: Labels = (model, version, route, method, str(int(status)), outcome)
        if labels not in counts:
            labels = self._admit(labels)
        counts[labels] += times
        return labels[:3]

    def _admit(self, labels: Labels) -> Labels:
        """Return the bounded labels of a request that was not counted under its own."""
        model, version, route, method, status, outcome = labels
        kept = self._declared((model, version, route, method))
        is_status = status.isdecimal() and 100 <= int(status) <= 599
        admitted = (*kept, status if is_status else "0", outcome)
        self.requests.declare([admitted])
        return admitted

    def _declared(self, labels: Labels) -> Labels:
        """Start the faults and histograms of a route and method at 0; return bounded labels."""
        model, version, route, method = labels
        route = self._routes.admit(route)
        if method not in METHODS and method != OTHER:
            self._on_overflow("method")
            method = OTHER
        bounded = (model, version, route, method)
        faults = MODEL_FAULTS if model else (FAULT,)
        self.requests.declare((*bounded, str(status), outcome) for status, outcome in faults)
        self.by_route.declare(bounded[:3])
        return bounded

    def declare(self, model: str, version: str, route: str, method: str) -> None:
        """Start the error counts and histograms of a route at 0 before its first request."""
        with self._lock:
            self._declared((model, version, route, method))

    def declare_rows(self, model: str, version: str) -> None:
        """Start a model's rows at 0: `rate()` passes over the first value of a series."""
        with self._lock:
            self.by_model.declare((model, version))

    def route_label(self, route: str) -> str:
        """Return the label that a route's requests would get now; it admits nothing."""
        return self._routes.label(route)

    def routes(self) -> list[Labels]:
        """Return model, version and route of all that were counted or declared."""
        with self._lock:
            self._drain()
            return list(self.by_route.cells)

    def _bounded(self, table: str, labels: Labels) -> Labels:
        if table == "requests":
            return labels if labels in self.requests.cells else self._admit(labels)
        if table == "by_model":
            return labels
        return (*labels[:2], self._routes.admit(labels[2]))

    def read(self, form: Mapping[str, Any]) -> None:
        requests = [  # the status was stored as a number before
            ([*labels, str(int(status)), outcome], count)
            for (*labels, status, outcome), count in form["requests"]
        ]
        super().read({**form, "requests": requests})

    def learn(self) -> None:
        self._routes.add(labels[2] for labels in self.requests.cells)

    def readings(self, now: float | None = None) -> Iterator[Readings | Histograms]:
        """Give all numbers; exemplars over `EXEMPLAR_SECONDS` old at `now`, Unix seconds, are not.

        Without `now`, exemplars of any age are given.
        """
        oldest = -1.0 if now is None else now - EXEMPLAR_SECONDS
        with self._lock:
            self._drain()
            readings: list[Readings | Histograms] = [*self._counters(), *self._histograms(oldest)]
        yield from readings

    def _counters(self) -> Iterator[Readings]:
        yield self.requests.readings("mlmon_requests_total")
        labels = self.by_model.label_rows()
        rows = [cells[0][-1] for cells in self.by_model.cells.values()]
        yield Readings("mlmon_prediction_rows_total", BY_MODEL.label_names, labels, rows)

    def _histograms(self, oldest: float) -> Iterator[Histograms]:
        yield from self.by_route.histograms(self.exemplars.since(self.by_route.cells, oldest))
        yield from self.by_model.histograms()
        if self.by_stream.cells:  # most servers stream nothing
            yield from self.by_stream.histograms()


def _by_labels(
    columns: Sequence[Sequence[Any]],
) -> Iterator[tuple[RequestLabels, Sequence[Sequence[Any]]]]:
    """Give the requests of the same labels, the first column, together."""
    names = columns[0]
    if names and names.count(names[0]) == len(names):  # the usual case, at a tenth of the cost
        yield names[0], columns
        return
    groups: defaultdict[RequestLabels, list[tuple[Any, ...]]] = defaultdict(list)
    for labels, alike in groupby(zip(*columns, strict=True), itemgetter(0)):
        groups[labels] += alike
    for labels, group in groups.items():
        yield labels, [*zip(*group, strict=True)]
