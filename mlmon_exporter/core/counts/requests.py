"""Requests counted by route and outcome, and how long and how large they were."""

from __future__ import annotations

import operator
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from mlmon_exporter.core.labels import clean_label, read_labels
from mlmon_exporter.core.records import Exemplar, Histograms, Readings

from .exemplars import EXEMPLAR_SECONDS, Exemplars
from .histograms import Both, Bounds, Family, HistogramTable
from .tokens import BY_STREAM, TokenTimes
from .version_uses import OTHER_VERSION, VersionName

OTHER = "other"
"""The label of what no route handled, of methods that HTTP does not know, of what is over a cap."""

METHODS = frozenset(
    ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY")
)
FAULT = (500, "server_error")
"""Status and outcome that each route and method has from the start, at 0."""
MODEL_FAULTS = (FAULT, *((s, "server_error") for s in (502, 503, 504)), (200, "interrupted"))
"""Those of a model's: `rate()` passes over what a series begins with, and alerts watch models."""
BATCH = 64
"""So many requests are counted together, which costs half of what it would one by one."""

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

What is not known is NaN.
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


class Traffic:
    """What the routes were asked and what they answered. Thread-safe.

    Routes and methods come from requests, so both are bounded: at most `max_routes` routes, and
    the methods of HTTP; all others become `other`, and `on_overflow` is called with the label's
    name (holding the lock: it must not call back). Model and version are bounded by the caller.

    `requests`, `exemplars` and the tables' cells are plain data for whoever stores what `take`
    returned; here, up to `BATCH` requests are not in them yet.
    """

    def __init__(
        self, *, max_routes: int = 200, on_overflow: Callable[[str], None] | None = None
    ) -> None:
        if max_routes < 1:
            raise ValueError(f"max_routes: expected 1 or more, got {max_routes}")
        self.max_routes = max_routes
        self._on_overflow = on_overflow
        self._lock = threading.Lock()
        self._waiting: deque[tuple[RequestLabels, Measures, Exemplar | None]] = deque()
        self._waiting_decided: deque[RequestLabels] = deque()
        self._waiting_rows: deque[tuple[tuple[str, str], int]] = deque()
        self._waiting_tokens: deque[tuple[tuple[str, str, str], TokenTimes]] = deque()
        self._routes = {OTHER}
        self._reset()

    def _reset(self) -> None:
        self._request_rows: tuple[tuple[str, ...], ...] = ()
        self.requests: dict[RequestLabels, int] = {}
        self.by_route = HistogramTable(BY_ROUTE)
        self.by_model = HistogramTable(BY_MODEL)
        self.by_stream = HistogramTable(BY_STREAM)
        self.exemplars = Exemplars(LATENCY_BOUNDS)

    def record(
        self, request: RequestLabels, measures: Measures, exemplar: Exemplar | None = None
    ) -> None:
        """Count a request that has ended; waits for nobody.

        Args:
            request: What it is counted under; not yet where its outcome is `UNDECIDED`.
            measures: What was measured; NaN and negative values count in no histogram.
            exemplar: The trace that it belongs to; its value is the duration.
        """
        self._waiting.append((request, measures, exemplar))
        if len(self._waiting) >= BATCH:
            self._settle_now_or_later()

    def _settle_now_or_later(self) -> None:
        # Who holds the lock is reading, and has counted what waited or will next time.
        if self._lock.acquire(blocking=False):
            try:
                self._settle()
            finally:
                self._lock.release()

    def _settle(self) -> None:
        """Count what waits."""
        models: defaultdict[tuple[str, str], list[tuple[int]]] = defaultdict(list)
        for _ in range(len(self._waiting_rows)):
            labels, rows_of_one = self._waiting_rows.popleft()
            models[labels].append((rows_of_one,))
        for labels, counts in models.items():
            self.by_model.observe(labels, counts)
        requests: defaultdict[RequestLabels, list[tuple[Measures, Exemplar | None]]]
        requests = defaultdict(list)
        for _ in range(len(self._waiting)):
            request, measures, exemplar = self._waiting.popleft()
            requests[request].append((measures, exemplar))
        for request, rows in requests.items():
            bounded = self._counted(request, len(rows))
            measured, marks = zip(*rows, strict=True)
            self.by_route.observe(bounded, measured)
            for mark in filter(None, marks):
                self.exemplars.mark(bounded, mark)
        for _ in range(len(self._waiting_decided)):
            self._counted(self._waiting_decided.popleft(), 1)
        for _ in range(len(self._waiting_tokens)):
            (model, version, route), tokens = self._waiting_tokens.popleft()
            # Its request has been counted, and with it the label that did not fit.
            streamed = (model, version, self.route_label(route))
            self.by_stream.merge(streamed, tokens.cells())

    def _counted(self, request: RequestLabels, times: int) -> tuple[str, str, str]:
        """Count requests, if it is known how they ended; return their bounded labels."""
        if request[5] == UNDECIDED:
            return (*request[:2], self._route(request[2]))
        admitted = request if request in self.requests else self._admit(request)
        self.requests[admitted] += times
        return admitted[:3]

    def decide(self, request: RequestLabels) -> None:
        """Count a request that `record` was told of as undecided; waits for nobody."""
        self._waiting_decided.append(request)

    def record_rows(self, model: str, version: str, rows: int) -> None:
        """Count the rows that one request had predicted; waits for nobody."""
        self._waiting_rows.append(((model, version), rows))
        if len(self._waiting_rows) >= BATCH:
            self._settle_now_or_later()

    def record_tokens(self, model: str, version: str, route: str, tokens: TokenTimes) -> None:
        """Count the tokens of a request that `record` was told of before; waits for nobody."""
        self._waiting_tokens.append(((model, version, route), tokens))

    def declare(self, model: str, version: str, route: str, method: str) -> None:
        """Have the error counts and histograms of a route at 0 before its first request."""
        with self._lock:
            self._declare((model, version, self._route(route), self._method(method)))

    def declare_rows(self, model: str, version: str) -> None:
        """Have a model's rows at 0 before its first: `rate()` passes over what is there first."""
        with self._lock:
            self.by_model.add((model, version))

    def route_label(self, route: str) -> str:
        """Return the label that a route's requests would get now; it admits nothing."""
        is_known = route in self._routes or len(self._routes) <= self.max_routes
        return clean_label(route) if is_known else OTHER

    def routes(self) -> list[tuple[str, ...]]:
        """Return model, version and route of all that were counted or declared."""
        with self._lock:
            self._settle()
            return list(self.by_route.cells)

    def _admit(self, request: RequestLabels) -> RequestLabels:
        """Return the bounded labels of a request that was not counted under its own."""
        model, version, route, method, status, outcome = request
        labels = (model, version, self._route(route), self._method(method))
        self._declare(labels)
        admitted = (*labels, int(status) if 100 <= status <= 599 else 0, outcome)
        self.requests.setdefault(admitted, 0)
        return admitted

    def _declare(self, labels: tuple[str, str, str, str]) -> None:
        for status, outcome in MODEL_FAULTS if labels[0] else (FAULT,):
            self.requests.setdefault((*labels, status, outcome), 0)
        self.by_route.add(labels[:3])

    def _route(self, route: str) -> str:
        route = clean_label(route)
        if route not in self._routes:
            if len(self._routes) > self.max_routes:  # `other` is one of them
                return self._overflow("route")
            self._routes.add(route)
        return route

    def _method(self, method: str) -> str:
        return method if method in METHODS or method == OTHER else self._overflow("method")

    def _overflow(self, label: str) -> str:
        if self._on_overflow is not None:
            self._on_overflow(label)
        return OTHER

    def take(self) -> Traffic:
        """Return what was counted since the last call and start again at nothing.

        Which routes are known stays, so that their number is bounded over all calls.
        """
        taken = Traffic(max_routes=self.max_routes)
        with self._lock:
            self._settle()
            taken._routes = set(self._routes)
            taken.requests, taken.exemplars = self.requests, self.exemplars
            taken.by_route, taken.by_model = self.by_route, self.by_model
            taken.by_stream = self.by_stream
            self._reset()
        return taken

    def merge(self, other: Traffic) -> None:
        """Add what another has counted, such as another worker; it stays as it is."""
        self._combine(other, operator.add)

    def merge_max(self, other: Traffic) -> None:
        """Raise each count to another's where that is greater."""
        self._combine(other, max)

    def _combine(self, other: Traffic, both: Both) -> None:
        theirs = other._copy()
        with self._lock:
            self._settle()
            for request, count in theirs.requests.items():
                admitted = self._admit(request)
                self.requests[admitted] = both(self.requests[admitted], count)
            for (model, version, route), cells in theirs.by_route.cells.items():
                self.by_route.merge((model, version, self._route(route)), cells, both)
            for labels, cells in theirs.by_model.cells.items():
                self.by_model.merge(labels, cells, both)
            for (model, version, route), cells in theirs.by_stream.cells.items():
                self.by_stream.merge((model, version, self._route(route)), cells, both)
            for (model, version, route), marks in theirs.exemplars.marks.items():
                self.exemplars.merge((model, version, self._route(route)), marks)

    def named(self) -> set[VersionName]:
        """Return model and version of all that were counted or declared."""
        with self._lock:
            self._settle()
            tables = [table.cells for _, table in self._tables()]
            of_requests = {(model, version) for model, version, *_ in self.requests}
            return of_requests | {(row[0], row[1]) for cells in tables for row in cells}

    def drop(self, versions: Collection[VersionName]) -> None:
        """Drop what was counted for these versions."""
        with self._lock:
            self._settle()
            self._request_rows = ()
            self.requests = {
                k: count for k, count in self.requests.items() if k[:2] not in versions
            }
            for _, table in self._tables():
                table.drop(versions)
            marks = self.exemplars.marks
            for labels in [k for k in marks if k[:2] in versions]:
                del marks[labels]

    def as_other(self, versions: Collection[VersionName]) -> Traffic:
        """Return the same with what was counted for these versions counted for `other`."""

        def renamed(labels: tuple[Any, ...]) -> tuple[Any, ...]:
            return (labels[0], OTHER_VERSION, *labels[2:]) if labels[:2] in versions else labels

        copy = Traffic(max_routes=self.max_routes)
        with self._lock:
            self._settle()
            copy._routes = set(self._routes)
            for labels, count in self.requests.items():
                model, version, route, method, status, outcome = renamed(labels)
                key = (model, version, route, method, status, outcome)
                copy.requests[key] = copy.requests.get(key, 0) + count
            for (_, ours), (_, table) in zip(self._tables(), copy._tables(), strict=True):
                for row, cells in ours.cells.items():
                    table.merge(renamed(row), cells)
            for row, marks in self.exemplars.marks.items():
                copy.exemplars.merge(renamed(row), marks)
        return copy

    def to_dict(self) -> dict[str, Any]:
        """Return all counts as plain lists, for the state on disk."""
        with self._lock:
            self._settle()
            return {
                "requests": [[list(labels), count] for labels, count in self.requests.items()],
                **{
                    name: [[list(labels), list(cells)] for labels, cells in table.cells.items()]
                    for name, table in self._tables()
                },
                "exemplars": self.exemplars.to_list(),
            }

    @classmethod
    def from_dict(cls, form: Mapping[str, Any], max_routes: int = 200) -> Traffic:
        """Read that form; raises ValueError, KeyError or TypeError where it is damaged."""
        traffic = cls(max_routes=max_routes)
        for (*labels, status, outcome), count in form["requests"]:
            model, version, route, method, ending = read_labels([*labels, outcome], 5)
            traffic._routes.add(route)
            request = (model, version, route, method, int(status), ending)
            traffic.requests[request] = int(count)
        for name, table in traffic._tables():
            table.read(form.get(name, ()))  # an older version knew fewer tables
        traffic.exemplars.read(form["exemplars"])
        return traffic

    def _tables(self) -> tuple[tuple[str, HistogramTable], ...]:
        return (
            ("by_route", self.by_route),
            ("by_model", self.by_model),
            ("by_stream", self.by_stream),
        )

    def is_empty(self) -> bool:
        """Return whether nothing was counted or declared."""
        with self._lock:
            self._settle()
            return not (self.requests or any(table.cells for _, table in self._tables()))

    def _copy(self) -> Traffic:
        copy = Traffic(max_routes=self.max_routes)
        with self._lock:
            self._settle()
            copy.requests = dict(self.requests)
            for (_, ours), (_, table) in zip(self._tables(), copy._tables(), strict=True):
                for labels, cells in ours.cells.items():
                    table.merge(labels, cells)
            for labels, marks in self.exemplars.marks.items():
                copy.exemplars.merge(labels, marks)
        return copy

    def readings(self, now: float | None = None) -> Iterator[Readings | Histograms]:
        """Give all numbers; exemplars over `EXEMPLAR_SECONDS` old at `now`, Unix seconds, are not.

        Without `now`, exemplars of any age are given.
        """
        oldest = -1.0 if now is None else now - EXEMPLAR_SECONDS
        with self._lock:
            self._settle()
            readings: list[Readings | Histograms] = [*self._counters(), *self._histograms(oldest)]
        yield from readings

    def _counters(self) -> Iterator[Readings]:
        if len(self._request_rows) != len(self.requests):
            self._request_rows = tuple(
                (*labels[:4], str(labels[4]), labels[5]) for labels in self.requests
            )
        counts = [*self.requests.values()]
        yield Readings("mlmon_requests_total", REQUEST_LABELS, self._request_rows, counts)
        rows = [cells[0][-1] for cells in self.by_model.cells.values()]
        yield Readings(
            "mlmon_prediction_rows_total",
            BY_MODEL.label_names,
            self.by_model.label_rows(),
            rows,
        )

    def _histograms(self, oldest: float) -> Iterator[Histograms]:
        yield from self.by_route.histograms(self.exemplars.since(self.by_route.cells, oldest))
        yield from self.by_model.histograms(())
        if self.by_stream.cells:  # most servers stream nothing
            yield from self.by_stream.histograms(())
