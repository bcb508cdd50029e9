"""Facts about pending predictions as they are configured."""

from __future__ import annotations

from typing import Any

import pytest

from mlmon_exporter.core.model import Model
from mlmon_exporter.core.settings import ModelSettings
from mlmon_exporter.state.errors import StoreError
from mlmon_exporter.state.joiner import Limits
from mlmon_exporter.state.pending import Pending
from tests.state.waiting import DAY, LIMITS, NOW, in_memory, some


def test_without_a_task_neither_flush_nor_scrape_opens_a_transaction_for_outcomes() -> None:
    opened: list[float] = []

    def transaction(now: float) -> Any:
        opened.append(now)
        raise StoreError("away")

    limits = Limits(rows=10, seconds=DAY, early_seconds=1.0, window_seconds=DAY)
    model = Model(ModelSettings("m"), None)
    pending = Pending(transaction, {"m": model}, limits, lambda *_: None)
    assert (pending.flush(NOW), opened) == ({}, [])
    with pytest.raises(StoreError), pending.transaction(NOW):
        pass
    assert (pending.flush(NOW), opened) == ({}, [NOW, NOW])


def test_in_memory_predictions_are_put_away_in_batches() -> None:
    pending, _ = in_memory(LIMITS._replace(held_rows=2))
    for i, held in enumerate([1, 0, 1, 0]):
        pending.keep(some(str(i)), NOW)
        assert len(pending._held) == held
    assert pending.flush(NOW) == {"m": 4}
