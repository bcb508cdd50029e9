"""Facts about predictions that wait in a table, of SQLite and of a real PostgreSQL server."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.outcomes.pending import GroundTruth
from mlmon_exporter.core.records import Prediction
from mlmon_exporter.state.outage import Outage
from mlmon_exporter.state.pending_table import ALL, SQLITE, PendingTable, schema
from mlmon_exporter.state.postgresql import PostgresqlTransactions
from tests.e2e.postgresql import postgresql

Begin = Callable[[], AbstractContextManager[PendingTable]]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def begin(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Begin]:
    """Give what begins a transaction on an empty database."""
    if request.param == "sqlite":
        connection = sqlite3.connect(tmp_path / "pending.sqlite", isolation_level=None)
        for statement in schema(SQLITE):
            connection.execute(statement)

        @contextmanager
        def in_sqlite() -> Iterator[PendingTable]:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield PendingTable(connection, SQLITE)
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

        yield in_sqlite
        connection.close()
        return
    outage = Outage("ground_truth_store", Health())
    transactions = PostgresqlTransactions(
        request.getfixturevalue("server"), lambda *_: None, outage
    )

    @contextmanager
    def in_postgresql() -> Iterator[PendingTable]:
        with transactions(0.0) as transaction:
            yield transaction.table

    with transactions(0.0), psycopg.connect(request.getfixturevalue("server")) as beside:
        beside.execute("TRUNCATE mlmon_pending, mlmon_early, mlmon_pending_count")
    yield in_postgresql
    transactions.close()


def prediction(name: str, at: float = 100.0) -> Prediction:
    return Prediction(name, at, "v1", (0.25, "yes"), ("female",))


def some(*names: str, model: str = "m") -> list[tuple[str, Prediction]]:
    return [(model, prediction(name, at=float(i))) for i, name in enumerate(names)]


def test_what_was_added_is_found(begin: Begin) -> None:
    with begin() as table:
        table.add([("m", prediction("a")), ("n", prediction("b"))])
    with begin() as table:
        found = table.find(["a", "b", "c"])
        assert found["a"].prediction == prediction("a")
        assert set(found) == {"a", "b"}
        assert table.counts() == {"": 2, "m": 1, "n": 1}


def test_the_first_of_an_id_stays_and_counts_once(begin: Begin) -> None:
    with begin() as table:
        assert table.add([("m", prediction("a"))]) == 0
        again = [prediction("a", at=7.0), prediction("b"), prediction("b")]
        assert table.add([("m", each) for each in again]) == 2
        assert table.find(["a"])["a"].at == 100.0
        assert table.counts() == {"": 2, "m": 2}


def test_more_are_added_and_found_at_once_than_a_statement_may_have_parameters(
    begin: Begin,
) -> None:
    names = [f"n{i}" for i in range(12_000)]
    with begin() as table:
        table.add(some(*names))
        assert len(table.find(names)) == 12_000
        assert table.counts() == {"": 12_000, "m": 12_000}


def test_batches_of_any_size_are_told_in_few_statements() -> None:
    # A connection keeps the last hundred or so: of as many texts as sizes, that was 28 MB.
    asked: set[str] = set()

    class Noting(sqlite3.Connection):
        def execute(self, query: str, *params: Any) -> sqlite3.Cursor:
            asked.add(query)
            return super().execute(query, *params)

    connection = sqlite3.connect(":memory:", factory=Noting)
    for statement in schema(SQLITE):
        connection.execute(statement)
    table = PendingTable(connection, SQLITE)
    for size in range(1, 200):
        names = [f"{size} {i}" for i in range(size)]
        table.add(some(*names))
        table.take_early(names)
        assert len(table.find(names)) == size
    connection.close()
    assert len(asked) < 40


def test_a_matched_prediction_is_known_but_no_longer_waits(begin: Begin) -> None:
    with begin() as table:
        table.add(some("a", "b"))
        table.mark_matched(table.find(["a"]))
    with begin() as table:
        assert table.find(["a"])["a"].prediction is None
        assert table.counts() == {"": 2, "m": 1}


def test_what_is_too_old_is_forgotten_and_what_is_too_much_is_told(begin: Begin) -> None:
    with begin() as table:
        table.add(some(*"abcdef"))
        table.mark_matched(table.find(["a", "c"]))
        assert table.forget(before=2.0, most_rows=3) == 1
        assert set(table.find("abcdef")) == {"d", "e", "f"}
        assert table.counts() == {"": 3, "m": 3}


def test_a_ground_truth_that_came_first_waits_for_its_prediction(begin: Begin) -> None:
    early = GroundTruth("a", "yes", 5.0)
    with begin() as table:
        table.keep_early([early, GroundTruth("x", 1.5), GroundTruth("a", "no")], now=10.0)
        assert table.take_early(["a", "b"]) == [early]
        assert table.take_early(["a"]) == []
        assert table.take_unknown(before=10.0) == []
        assert table.take_unknown(before=11.0) == [GroundTruth("x", 1.5)]
        assert table.take_unknown(before=11.0) == []


def test_a_transaction_that_fails_leaves_nothing(begin: Begin) -> None:
    def fail() -> None:
        with begin() as table:
            table.add(some("a"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with begin() as table:
        assert table.find(["a"]) == {}
        assert table.counts() == {}


@pytest.mark.slow
@pytest.mark.parametrize("junk", [b"{}", b"\xff", b"", "x", 7, b'["m","v1",1e999,["a"],[]]'])
def test_a_damaged_row_is_as_if_it_were_not_there(junk: Any) -> None:
    connection = sqlite3.connect(":memory:")
    for statement in schema(SQLITE):
        connection.execute(statement)
    table = PendingTable(connection, SQLITE)
    table.add(some("a", "b"))
    table.keep_early([GroundTruth("c", 1.0)], 0.0)
    for name in ("mlmon_pending WHERE id = 'a'", "mlmon_early WHERE id = 'c'"):
        where = name.partition(" ")
        connection.execute(f"UPDATE {where[0]} SET data = ? {where[2]}", (junk,))
    connection.execute("UPDATE mlmon_pending SET is_waiting = 'x' WHERE id = 'a'")
    assert set(table.find(["a", "b"])) == {"b"}
    assert table.take_early(["c"]) == []
    assert table.forget(before=10.0, most_rows=10) == 0
    assert table.counts() == {ALL: 0, "m": 1}
    connection.close()
