"""Readings as families of `prometheus_client`, for a registry of the user's."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric
from prometheus_client.samples import Exemplar

from mlmon_exporter.core.records import Block, Histograms
from mlmon_exporter.runtime.pace import Pace

from .table import METRICS, Table
from .text import OnFault, Source, bound_label, exemplar_labels, families, has_sum


class MlmonCollector:
    """Readings for a `prometheus_client` registry: `registry.register(monitor.collector())`."""

    def __init__(self, source: Source, on_fault: OnFault, metrics: Table = METRICS) -> None:
        """Wire it up.

        Args:
            source: Gives all readings; where it fails, none are given.
            on_fault: Called with that failure.
            metrics: The metrics that are shown, by name.
        """
        self._shown = metrics
        self._source = source
        self._on_fault = on_fault

    def describe(self) -> Iterator[Metric]:
        """Give all families, empty: nothing is computed when the collector is registered."""
        for name, (kind, help_text) in self._shown.items():
            if name.startswith("mlmon_"):
                yield _family(name, kind, help_text)

    def collect(self) -> Iterator[Metric]:
        """Give all families of ours; `process_*` is left to the registry's own collector."""
        try:
            found = [*self._metrics()]
        except Exception as error:  # noqa: BLE001 - the registry's other collectors are asked all the same
            self._on_fault(error)
            return
        yield from found

    def _metrics(self) -> Iterator[Metric]:
        for name, kind, help_text, blocks in families(self._source(Pace()), self._shown):
            if name.startswith("mlmon_"):
                metric = _family(name, kind, help_text)
                for block in blocks:
                    _add_samples(metric, block)
                yield metric


def _family(name: str, kind: str, help_text: str) -> Metric:
    # The registry may render OpenMetrics, which has no summary of values that may be negative.
    known = "gauge" if kind == "summary" else kind
    return Metric(name.removesuffix("_total"), help_text, known)


def _add_samples(metric: Metric, block: Block) -> None:
    if isinstance(block, Histograms):
        _add_buckets(metric, block)
        return
    for labels, value in zip(block.labels, block.values, strict=True):
        if value == value:
            names = dict(zip(block.label_names, labels, strict=True))
            metric.add_sample(block.name, names, float(value))


def _add_buckets(metric: Metric, block: Histograms) -> None:
    exemplars = block.exemplars or [None] * len(block.labels)
    rows = zip(block.labels, block.bounds, block.counts, block.sums, exemplars, strict=True)
    for labels, bounds, counts, total, marks in rows:
        names = dict(zip(block.label_names, labels, strict=True))
        below = 0
        for i, (le, count) in enumerate(
            zip([*map(bound_label, bounds), "+Inf"], counts, strict=True)
        ):
            below += int(count)
            mark = (marks or {}).get(i)
            exemplar = mark and Exemplar(dict(exemplar_labels(mark)), mark.value, mark.timestamp)
            sample = {**names, "le": le}
            metric.add_sample(f"{block.name}_bucket", sample, below, exemplar=exemplar or None)
        if has_sum(bounds):
            metric.add_sample(f"{block.name}_count", names, below)
            metric.add_sample(f"{block.name}_sum", names, total)
