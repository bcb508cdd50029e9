"""Exchanges as they wait in the queue."""

from __future__ import annotations

from collections.abc import Iterable

from mlmon_exporter.core.records import Exchange
from mlmon_exporter.intake.waiting import Waiting


def waiting(exchanges: Iterable[Exchange]) -> Waiting:
    fields, asked, told, sizes = zip(*(exchange.waiting for exchange in exchanges), strict=True)
    return Waiting(fields, asked, told, sizes)
