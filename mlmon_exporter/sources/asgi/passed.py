"""Plain requests that have ended, kept as plain values: many are worked out at once."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import compress, repeat
from operator import add, and_, sub
from time import perf_counter, time
from typing import Any

from mlmon_exporter.core.counts.requests import RequestCounts
from mlmon_exporter.core.records import ExchangeFields, HeaderPairs
from mlmon_exporter.runtime.forks import after_fork
from mlmon_exporter.sources.endings import request_labels
from mlmon_exporter.sources.model_routes import ModelRoutes

SubmitMany = Callable[
    [Sequence[ExchangeFields], Sequence[HeaderPairs], Sequence[HeaderPairs], Sequence[int]], None
]
PLACES = 12
"""A request's places in the deque. A tuple of them would be tracked by the garbage collector."""
MOST = 1024 * PLACES
"""The request that fills so many works them out itself, if the intake is late."""
LARGE_BYTES = 16 * 1024
"""A request whose bodies are longer works out all that wait, which bounds their memory."""
_ANSWERED = (repeat(True), repeat(False), repeat("none"))
"""End of a plain request, as `request_labels` has it."""


class Passed:
    """Plain requests that have ended and are not counted yet. Thread-safe.

    A request leaves its values in `places`: model, version and route as `Labels`; method, status;
    its begin by `perf_counter`, seconds to the first byte, its end; path, the prediction's id, both
    bodies, both headers. The intake works them out when it comes by, and a scrape before it reads
    the counts. While the intake sleeps, a request does so itself.
    """

    def __init__(
        self,
        requests: RequestCounts,
        routes: ModelRoutes,
        fail: Callable[[Exception], None],
        submit_many: SubmitMany,
    ) -> None:
        """Wire it up.

        Args:
            requests: Counts them.
            routes: Hears of POSTs on no route of a model.
            fail: Counts a fault.
            submit_many: Takes exchanges, column-wise, as `Sink.submit` takes one.
        """
        self._requests = requests
        self._routes = routes
        self._fail = fail
        self._submit_many = submit_many
        self._reset()
        requests.before_reading = self.settle
        after_fork(self._reset)

    def _reset(self) -> None:
        # After a fork, those that wait are the parent's.
        self.places: deque[Any] = deque()
        self.is_asleep = True
        """True while the intake sleeps, and so does not come by."""
        self._lock = threading.Lock()

    def settle(self, *, waits: bool = True) -> None:
        """Count all that have ended and hand their exchanges over.

        Args:
            waits: For another thread that does so at this moment.
        """
        if self._lock.acquire(blocking=waits):
            try:
                count = len(self.places) // PLACES
                if count:
                    self._work_out([*map(deque.popleft, repeat(self.places, PLACES * count))])
            except Exception as fault:  # noqa: BLE001 - the app goes on
                self._fail(fault)
            finally:
                self._lock.release()

    def _work_out(self, places: Sequence[Any]) -> None:
        """Count requests, column by column, and hand the exchanges among them over."""
        (
            labels, methods, statuses, began, first_bytes, ended,
            paths, ids, asked, told, asked_headers, told_headers,
        ) = (places[i::PLACES] for i in range(PLACES))  # fmt: skip
        sizes = [*map(len, asked)], [*map(len, told)]
        requests = map(request_labels, labels, methods, statuses, *_ANSWERED)
        self._requests.record_many(requests, map(sub, ended, began), first_bytes, *sizes)
        models, _, routes = zip(*labels, strict=True)
        arrived = map(add, began, repeat(time() - perf_counter()))
        texts = map(bytes.decode, ids)
        fields = [
            *zip(
                arrived, models, routes, paths, statuses, texts, zip(asked), zip(told), strict=True
            )
        ]
        waiting: Iterable[Sequence[Any]]
        waiting = fields, asked_headers, told_headers, [*map(add, *sizes)]
        are_good = [200 <= status < 300 for status in statuses]
        if not (all(are_good) and all(ids)):
            self._tell_missed(compress(zip(methods, ids, routes, strict=True), are_good))
            are_exchanges = [*map(and_, are_good, map(bool, ids))]
            waiting = ([*compress(column, are_exchanges)] for column in waiting)
        self._submit_many(*waiting)

    def _tell_missed(self, answered: Iterable[tuple[str, bytes, str]]) -> None:
        for method, prediction_id, route in answered:
            if method == "POST" and not prediction_id:
                self._routes.missed(route)
