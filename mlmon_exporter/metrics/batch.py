"""Numbers that are not scraped: as a text file, pushed to a Pushgateway, or of the past."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

from prometheus_client import CollectorRegistry, push_to_gateway

from mlmon_exporter.core.records import Block

from .collector import MlmonCollector
from .table import METRICS
from .text import Exposition

JOB = "mlmon-compare"
"""The job of pushed numbers."""
PAST_JOB = "mlmon-backtest"
"""The job and the instance of scrapes of the past."""
PAST_PLACE = f'job="{PAST_JOB}",instance="{PAST_JOB}"'


def lasting(blocks: Iterable[Block]) -> Iterator[Block]:
    """Give the numbers that are true of one run: gauges. Counters would begin again each time."""
    return (block for block in blocks if METRICS[block.name].type == "gauge")


def textfile(blocks: Iterable[Block]) -> bytes:
    """Return these numbers as node_exporter's textfile collector reads them."""
    return Exposition(is_open_metrics=False).render(lasting(blocks))


class PastScrapes:
    """Scrapes of the past in one OpenMetrics file, which Prometheus makes blocks of."""

    def __init__(self, file: BinaryIO) -> None:
        """Write to a file that can be sought."""
        self._file = file
        self._text = Exposition(is_open_metrics=False)

    def add(self, now: float, blocks: Iterable[Block]) -> None:
        """Add what a scrape at `now`, Unix seconds, would have shown."""
        labels, at = f"{{{PAST_PLACE},", f" {now:.3f}\n"
        for line in self._text.render(blocks).decode().splitlines():
            if not line.startswith("#"):
                self._file.write((line.replace("{", labels, 1) + at).encode())

    def restart(self) -> None:
        """Forget what was added."""
        self._file.seek(0)
        self._file.truncate()

    def end(self) -> None:
        """Write the end that the format asks for."""
        self._file.write(b"# EOF\n")


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
