"""Where a monitor's predictions wait, as the configuration has it."""

from __future__ import annotations

from collections.abc import Mapping

from mlmon_exporter.config.keys import Config
from mlmon_exporter.core.counts.feedback import Feedback
from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.pending import PendingPredictions

from .joiner import Parts, PendingStore
from .pending import Limits, SharedPending
from .pending_memory import MemoryStore
from .pending_table import POSTGRESQL, SQLITE
from .postgresql import PostgresqlTransactions
from .shared import SharedState

FLUSHES = 3
"""So many flush intervals a ground truth waits for its prediction."""


def open_store(
    config: Config,
    models: Mapping[str, Model],
    counts: Feedback,
    health: Health,
    shared: SharedState | None,
) -> PendingStore:
    """Return where predictions wait: on a server, in the state directory, or in memory.

    Raises:
        ConfigError: There is no driver for the server.
    """
    waiting = PendingPredictions(config.pending_rows, config.pending_age.seconds, health.drop)
    memory = MemoryStore(waiting, models, counts)
    if config.ground_truth_store is None and shared is None:
        return memory
    limits = Limits(
        rows=config.pending_rows,
        seconds=config.pending_age.seconds,
        early_seconds=FLUSHES * config.flush_seconds,
        window_seconds=max(window.seconds for window in config.windows),
    )
    if config.ground_truth_store is None and shared is not None:
        return SharedPending(shared.transaction, SQLITE, models, limits, health.drop)

    def merge(parts: Parts, added: Feedback) -> None:
        if shared is None:
            memory.merge(parts, added)
        else:
            shared.add(parts, added)

    url = config.ground_truth_store
    address = url.get_secret_value() if url is not None else ""
    transactions = PostgresqlTransactions(address, merge, lambda: health.internal_error("store"))
    return SharedPending(transactions, POSTGRESQL, models, limits, health.drop, transactions.close)
