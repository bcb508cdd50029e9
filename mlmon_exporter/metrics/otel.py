"""Readings through the OpenTelemetry meter API, for servers that push by OTLP."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from weakref import WeakMethod

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from mlmon_exporter.core.records import Block, Readings

from .table import METRICS

Source = Callable[[float], Iterable[Block]]
"""Gives all readings at a time, Unix seconds."""
KEPT_SECONDS = 1.0
"""Exporters ask instrument by instrument: one computation answers all of one export."""


class Snapshot:
    """The readings of one export, by name."""

    def __init__(self, source: Source) -> None:
        # Meters live as long as the process; the object that gives readings need not.
        self._source = WeakMethod(source)
        self._taken = 0.0
        self._by_name: dict[str, list[Readings]] = {}

    def observe(self, name: str, _: CallbackOptions) -> Iterable[Observation]:
        """Give the current values of a metric."""
        now = time.monotonic()
        if now - self._taken > KEPT_SECONDS or not self._by_name:
            self._by_name = {}
            source = self._source()
            for block in source(time.time()) if source is not None else ():
                if isinstance(block, Readings):
                    self._by_name.setdefault(block.name, []).append(block)
            self._taken = now
        for block in self._by_name.get(name, ()):
            for labels, value in zip(block.labels, block.values, strict=True):
                if value == value:
                    names = dict(zip(block.label_names, labels, strict=True))
                    yield Observation(float(value), names)


def observe_readings(source: Source) -> None:
    """Make an observable instrument of every gauge and counter; histograms stay with Prometheus.

    Nothing is computed until an exporter of the process's meter provider asks.

    Args:
        source: A bound method; its object is not kept alive.
    """
    meter = metrics.get_meter("mlmon_exporter")
    snapshot = Snapshot(source)
    for name, (kind, text) in METRICS.items():
        if kind == "histogram" or not name.startswith("mlmon_"):
            continue
        create = (
            meter.create_observable_counter if kind == "counter" else meter.create_observable_gauge
        )
        create(name, callbacks=[partial(snapshot.observe, name)], description=text)
