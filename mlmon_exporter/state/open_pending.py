"""Opens the pending predictions of a monitor, as configured."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from mlmon_exporter.config.keys import Config
from mlmon_exporter.core.counts.counts import Counts
from mlmon_exporter.core.counts.feedback import Feedback
from mlmon_exporter.core.model import Model

from .joiner import Limits, Tallies
from .memory import MemoryTransactions
from .outage import Outage
from .pending import Pending
from .postgresql import PostgresqlTransactions
from .shared import SharedState

FLUSHES = 3
"""Flush intervals that a ground truth waits for its prediction."""
HELD_ROWS = 64
"""Predictions that are put into memory together, at half the cost of one by one."""


def open_pending(
    config: Config, models: Mapping[str, Model], counts: Counts, shared: SharedState | None
) -> Pending:
    """Open the pending predictions: on a server, in the state directory, or in memory.

    Raises:
        ConfigError: There is no driver for the server.
    """
    limits = Limits(
        rows=config.pending_rows,
        seconds=config.pending_age.seconds,
        early_seconds=FLUSHES * config.flush_seconds,
        sample_ratio=config.sample_ratio,
        window_seconds=max(window.seconds for window in config.windows),
    )
    health, url = counts.health, config.ground_truth_store
    add = shared.add if shared is not None else partial(_add_here, models, counts.feedback)
    if url is not None:
        outage = Outage("ground_truth_store", health)
        server = PostgresqlTransactions(url.get_secret_value(), add, outage)
        return Pending(server, models, limits, health.drop, server.close, lambda: outage.trouble)
    if shared is not None:
        return Pending(shared.transaction, models, limits, health.drop)
    # Predictions are there before their answer is sent, and so before their ground truth.
    limits = limits._replace(early_seconds=0.0, held_rows=HELD_ROWS)
    return Pending(MemoryTransactions(add), models, limits, health.drop)


def _add_here(
    models: Mapping[str, Model], counts: Feedback, tallies: Tallies, more: Feedback
) -> None:
    """Add outcomes to the counts of this process."""
    counts.merge(more)
    for name, added in tallies.items():
        models[name].versions.restore(added)
