"""Predictions that wait."""

from __future__ import annotations

from mlmon_exporter.core.records import Prediction
from mlmon_exporter.state.joiner import Limits
from mlmon_exporter.state.memory import MemoryTransactions
from mlmon_exporter.state.pending import Pending

NOW = 1_800_000_000.0


DAY = 86400.0


LIMITS = Limits(rows=10, seconds=DAY, early_seconds=0.0, window_seconds=DAY)


def in_memory(limits: Limits = LIMITS) -> tuple[Pending, list[tuple[str, int]]]:
    """Return pending predictions in memory, and the reasons and numbers of those dropped."""
    dropped: list[tuple[str, int]] = []
    transactions = MemoryTransactions(lambda *_: None)
    return Pending(transactions, {}, limits, lambda *gone: dropped.append(gone)), dropped


def some(*names: str, at: float = NOW) -> list[tuple[str, Prediction]]:
    return [("m", Prediction(name, at, "1", (0.5,), ())) for name in names]
