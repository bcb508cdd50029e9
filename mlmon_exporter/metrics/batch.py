"""Numbers of a batch job, which no one scrapes: as a text file, or pushed to a Pushgateway."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, push_to_gateway

from mlmon_exporter.core.records import Block

from .collector import MlmonCollector
from .table import METRICS
from .text import Exposition, families

JOB = "mlmon-compare"
"""The job of pushed numbers."""


def lasting(blocks: Iterable[Block]) -> Iterator[Block]:
    """Give the numbers that are true of one run: gauges. Counters would begin again each time."""
    return (block for block in blocks if METRICS[block.name].type == "gauge")


def textfile(blocks: Iterable[Block]) -> bytes:
    """Return these numbers as node_exporter's textfile collector reads them."""
    return Exposition(is_open_metrics=False).render(families(lasting(blocks)))


def push(gateway: str, blocks: Iterable[Block], grouping: Mapping[str, str]) -> None:
    """Push these numbers to a Pushgateway; they replace those pushed before by this grouping.

    Args:
        gateway: Its address, such as `http://localhost:9091`.
        blocks: Numbers.
        grouping: Labels that tell jobs apart, beside the job's name.

    Raises:
        OSError: It cannot be reached, or refuses them.
    """
    kept = [*lasting(blocks)]
    registry = CollectorRegistry()
    registry.register(MlmonCollector(lambda pause: kept, _raise))
    push_to_gateway(gateway, JOB, registry, dict(grouping))


def _raise(error: Exception) -> None:
    raise error
