"""Numbers of this process, as the operating system tells them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from mlmon_exporter.core.counts.processes import Process

from .table import METRICS

if TYPE_CHECKING:
    from prometheus_client import ProcessCollector


@cache
def _collector() -> ProcessCollector:
    # On first use: it takes a tenth of all that `instrument` imports.
    from prometheus_client import ProcessCollector

    return ProcessCollector(registry=None)


def this_process(in_progress: Mapping[tuple[str, ...], int]) -> Process:
    """Return the numbers of the calling process; those that the system lacks are left out."""
    samples = (sample for metric in _collector().collect() for sample in metric.samples)
    numbers = {sample.name: float(sample.value) for sample in samples if sample.name in METRICS}
    return Process(numbers, [(list(labels), count) for labels, count in in_progress.items()])
