"""Facts about pending predictions in memory; tests/state/test_pending.py has more."""

from __future__ import annotations

import gc
import sqlite3

import pytest

from mlmon_exporter.core.records import Prediction
from mlmon_exporter.state.memory import MemoryTransactions


def test_a_prediction_takes_about_200_bytes() -> None:
    transactions = MemoryTransactions(lambda *_: None)
    names = [f"{i * 0x9E3779B97F4A7C15 % 2**64:016x}{i:08x}" for i in range(10_000)]
    with transactions(0.0) as transaction:
        transaction.table.add(
            [
                ("income", Prediction(name, 1e9, "1", (0.25123, "yes"), ("female",)))
                for name in names
            ]
        )
    with transactions(0.0) as transaction:
        run = transaction.table._run
        [(pages,)] = run("SELECT page_count FROM pragma_page_count", ())
        [(size,)] = run("SELECT page_size FROM pragma_page_size", ())
    assert pages * size / 10_000 < 250


def test_the_database_goes_with_its_owner() -> None:
    transactions = MemoryTransactions(lambda *_: None)
    connection = transactions._connection
    del transactions
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
