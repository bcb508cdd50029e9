"""Readings through the OpenTelemetry meter API, for servers that push by OTLP."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from weakref import WeakMethod

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from mlmon_exporter.core.records import Block, Readings

from .table import METRICS

Source = Callable[[float], Iterable[Block]]
"""Gives all readings at a time, Unix seconds."""
KEPT_SECONDS = 1.0
"""Exporters ask instrument by instrument: one computation answers all of one export."""


class Meters:
    """The instruments of a process, and the objects whose readings they give."""

    def __init__(self, meter: metrics.Meter) -> None:
        """Make an observable instrument of every gauge and counter."""
        self._sources: list[WeakMethod[Source]] = []
        self._taken = 0.0
        self._by_name: dict[str, list[Readings]] = {}
        for name, (kind, text) in METRICS.items():
            if kind == "histogram" or not name.startswith("mlmon_"):
                continue
            create = (
                meter.create_observable_counter
                if kind == "counter"
                else meter.create_observable_gauge
            )
            create(name, callbacks=[partial(self._observe, name)], description=text)

    def add(self, source: Source) -> None:
        """Give the readings of one more object, for as long as it lives."""
        self._sources = [weak for weak in self._sources if weak() not in (None, source)]
        self._sources.append(WeakMethod(source))

    def _observe(self, name: str, _: CallbackOptions) -> Iterable[Observation]:
        """Give the current values of a metric."""
        now = time.monotonic()
        if now - self._taken > KEPT_SECONDS or not self._by_name:
            self._by_name = {}
            for block in self._blocks(time.time()):
                if isinstance(block, Readings):
                    self._by_name.setdefault(block.name, []).append(block)
            self._taken = now
        for block in self._by_name.get(name, ()):
            for labels, value in zip(block.labels, block.values, strict=True):
                if value == value:
                    names = dict(zip(block.label_names, labels, strict=True))
                    yield Observation(float(value), names)

    def _blocks(self, now: float) -> Iterator[Block]:
        for weak in self._sources:
            source = weak()
            if source is not None:
                yield from source(now)


@lru_cache(maxsize=1)
def _meters(_provider: metrics.MeterProvider) -> Meters:
    # One set of instruments a process: meters cannot be taken back when an app is gone.
    return Meters(metrics.get_meter("mlmon_exporter"))


def observe_readings(source: Source) -> None:
    """Offer readings to the process's meter provider; histograms stay with Prometheus.

    Nothing is computed until an exporter asks.

    Args:
        source: A bound method; its object is not kept alive.
    """
    _meters(metrics.get_meter_provider()).add(source)
