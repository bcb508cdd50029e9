"""One prediction made in Python: timed, counted and taken in when its block ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from time import perf_counter, time
from types import TracebackType
from typing import Any, Self

from mlmon_exporter.core.labels import OTHER
from mlmon_exporter.sources.endings import Labels, ended, error_of
from mlmon_exporter.sources.sink import Sink

ROUTE = "python"
METHOD = OTHER
"""Label of calls that are no HTTP."""


class PredictionCall:
    """A block that makes predictions: `with monitor.prediction() as p:`; `async with` as well.

    Set `features` and `output` within; they are read when the block ends, as `Monitor.observe`
    reads them. An exception passes unchanged and counts as a server error, without rows. Nothing
    of ours is raised. Used by one thread or task; each block has a call of its own.
    """

    __slots__ = (
        "_began",
        "_labels",
        "_sink",
        "_take",
        "arrived",
        "features",
        "output",
        "prediction_id",
        "prediction_ids",
        "version",
    )

    def __init__(
        self, sink: Sink, labels: Labels, take: Callable[[PredictionCall], None], prediction_id: str
    ) -> None:
        """Start one; the time runs from the begin of the block.

        Args:
            sink: A monitor's.
            labels: Model, version and route.
            take: Takes in the rows of a block that ended well.
            prediction_id: For the outcome to find the prediction by.
        """
        self._sink = sink
        self._labels = labels
        self._take = take
        self._began = self.arrived = math.nan
        self.features: Any = None
        """Name -> one value or a column of n rows, or a frame; None: no rows are counted."""
        self.output: Any = None
        """The prediction: one value or a column, or name -> such; None where there is none."""
        self.version: str | None = None
        """The model's version, if it is not the configured one."""
        self.prediction_id = prediction_id
        """Of several rows each has it with its number: `id:0`, `id:1`."""
        self.prediction_ids: Sequence[str] | None = None
        """In its place, one for each row."""

    @property
    def model(self) -> str:
        """The model's name."""
        return self._labels[0]

    def __enter__(self) -> Self:
        self.arrived, self._began = time(), perf_counter()
        self._sink.in_flight[id(self)] = self._served
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._end(error)
        except Exception as fault:  # noqa: BLE001 - the user's code goes on
            self._sink.fail(fault)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)

    def _served(self) -> Labels:
        return self._labels

    def _end(self, error: BaseException | None) -> None:
        duration = perf_counter() - self._began
        status, outcome = ended(200 * (error is None), error is None, False, error_of(error))
        sink, unknown = self._sink, math.nan
        sink.in_flight.pop(id(self), None)
        measures = (duration, unknown, unknown, unknown)
        sink.requests.record((*self._labels, METHOD, status, outcome), measures)
        sink.wake()
        if error is None and not (self.features is None and self.output is None):
            self._take(self)
