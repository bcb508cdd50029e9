"""Facts about transactions on a PostgreSQL server; tests/state/test_pending_table.py has more."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlmon_exporter.core.counts.feedback import Feedback
from mlmon_exporter.state.errors import StoreError
from mlmon_exporter.state.postgresql import PostgresqlTransactions
from tests.e2e.postgresql import postgresql


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.mark.parametrize("address", ["/postgres?host={tmp_path}", "db..internal/postgres"])
def test_a_server_that_is_away_is_a_store_error_without_its_address(
    tmp_path: Path, address: str
) -> None:
    url = f"postgresql://mlmon:secret@{address.format(tmp_path=tmp_path)}"
    transactions = PostgresqlTransactions(url, lambda *_: None)
    with pytest.raises(StoreError) as caught, transactions(0.0):
        pass
    assert "secret" not in str(caught.value)


@pytest.mark.slow
def test_what_is_merged_is_merged_when_all_else_went_well(server: str) -> None:
    merged: list[Any] = []
    transactions = PostgresqlTransactions(server, lambda *added: merged.append(added))

    def fail() -> None:
        with transactions(0.0) as transaction:
            transaction.merge({}, Feedback())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert merged == []
    with transactions(0.0) as transaction:
        transaction.merge({}, Feedback())
    assert len(merged) == 1
    transactions.close()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.slow
def test_a_forked_child_connects_anew_and_its_parents_session_goes_on(server: str) -> None:
    transactions = PostgresqlTransactions(server, lambda *_: None)

    def session() -> int:
        with transactions(0.0) as transaction:
            [(number,)] = transaction.table._run("SELECT pg_backend_pid()", ())
            return int(number)

    parents = session()
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        os._exit(0 if session() != parents else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert session() == parents
    transactions.close()
