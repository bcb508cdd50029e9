"""Facts about predictions that are held until they are put into a table."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.pending import GroundTruth
from mlmon_exporter.core.records import Prediction
from mlmon_exporter.core.settings import ModelSettings
from mlmon_exporter.state.errors import StoreError
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


def test_over_the_limit_the_oldest_go_and_are_counted() -> None:
    pending, dropped = in_memory()
    pending.keep(some(*"abcdefghijkl"), NOW)
    assert pending.flush(NOW) == {"m": 10}
    assert dropped == [("pending_full", 2)]
    pending.keep(some("m", at=NOW + 1), NOW)
    assert pending.flush(NOW) == {"m": 10}
    assert dropped == [("pending_full", 2), ("pending_full", 1)]


def test_predictions_are_forgotten_when_they_are_too_old() -> None:
    pending, _ = in_memory()
    pending.keep(some("a", at=NOW) + some("b", at=NOW + 10), NOW)
    assert pending.flush(NOW + DAY + 5) == {"m": 1}
    assert pending.join([GroundTruth("a", 1.0)], NOW).statuses == ["unknown"]


def test_the_first_prediction_of_an_id_stays_and_others_are_counted() -> None:
    pending, dropped = in_memory()
    pending.keep(some("a", at=NOW), NOW)
    pending.keep(some("a", at=NOW + 5), NOW)
    with pending.transaction(NOW) as transaction:
        assert transaction.table.find(["a"])["a"].at == NOW
    assert dropped == [("pending_duplicate", 1)]


def test_in_memory_predictions_are_put_away_in_batches() -> None:
    pending, _ = in_memory(LIMITS._replace(held_rows=2))
    for i, held in enumerate([1, 0, 1, 0]):
        pending.keep(some(str(i)), NOW)
        assert len(pending._held) == held
    assert pending.flush(NOW) == {"m": 4}


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_none_of_its_parents_predictions() -> None:
    pending, _ = in_memory()
    pending.keep(some("a"), NOW)
    pending.flush(NOW)
    pending.keep(some("b"), NOW)
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        before = pending.flush(NOW)
        pending.keep(some("c"), NOW)
        os._exit(0 if (before, pending.flush(NOW)) == ({}, {"m": 1}) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert pending.flush(NOW) == {"m": 2}


def test_a_transaction_that_fails_leaves_nothing_and_holds_on() -> None:
    added: list[Any] = []
    pending = Pending(
        MemoryTransactions(lambda *merged: added.append(merged)), {}, LIMITS, lambda *_: None
    )
    pending.keep(some("a"), NOW)

    def fail() -> None:
        with pending.transaction(NOW) as transaction:
            transaction.table.mark_matched(transaction.table.find(["a"]))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert added == []
    assert pending.flush(NOW) == {"m": 1}
