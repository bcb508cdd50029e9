"""Facts about transactions on a PostgreSQL server; tests/state/test_pending_table.py has more."""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from mlmon_exporter import Monitor, Reference, StoreError
from mlmon_exporter.core.counts.feedback import Feedback
from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.state import postgresql as postgresql_module
from mlmon_exporter.state.outage import Outage
from mlmon_exporter.state.postgresql import PostgresqlTransactions
from tests.asgi import get
from tests.e2e.postgresql import postgresql


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql() as url:
        yield url


def new_outage() -> Outage:
    return Outage("ground_truth_store", Health())


@pytest.mark.parametrize("address", ["/postgres?host={tmp_path}", "db..internal/postgres"])
def test_a_server_that_is_away_is_a_store_error_without_its_address(
    tmp_path: Path, address: str
) -> None:
    url = f"postgresql://mlmon:secret@{address.format(tmp_path=tmp_path)}"
    transactions = PostgresqlTransactions(url, lambda *_: None, new_outage())
    with pytest.raises(StoreError) as caught, transactions(0.0):
        pass
    assert "secret" not in str(caught.value)


@pytest.mark.slow
def test_what_is_merged_is_merged_when_all_else_went_well(server: str) -> None:
    merged: list[Any] = []
    transactions = PostgresqlTransactions(server, lambda *added: merged.append(added), new_outage())

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
    transactions = PostgresqlTransactions(server, lambda *_: None, new_outage())

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


def monitor_of(folder: Path, url: str) -> Monitor:
    data = {"x": [*range(500)], "y_hat": [*range(500)], "y": [*range(500)]}
    path = folder / "m.json"
    Reference.build(data, predictions="y_hat", ground_truth="y").save(path)
    store = {"ground_truth_store": url, "flush_seconds": 3600.0}
    return Monitor(model="m", reference=str(path), **store)  # type: ignore[arg-type]


def told(monitor: Monitor) -> list[bool]:
    """Return which of the metrics, the page and the health say that the server takes nothing."""
    text = get(monitor.metrics_app(), "/metrics").text
    page = get(monitor.page_app(), "/").text
    health = get(monitor.health_app(), "/").json()
    assert "secret" not in text + page + str(health)
    return [
        "mlmon_state_writable 0\n" in text,
        "mlmon_pending_predictions{" not in text,
        "ground_truth_store has not been written since" in page,
        health["status"] == "state not written"
        and health["state"]["where"] == "ground_truth_store",
    ]


def test_metrics_page_and_health_say_that_the_server_is_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with monitor_of(tmp_path, f"postgresql://mlmon:secret@/postgres?host={tmp_path}") as monitor:
        monitor.observe({"x": [1.0]}, {"y_hat": [1.0]}, prediction_ids=["a"])
        assert all(told(monitor))
        text = get(monitor.metrics_app(), "/metrics").text
        failures = [line for line in text.splitlines() if "write_failures_total{" in line]
        assert [line for line in failures if not line.endswith(" 0")] == [
            line for line in failures if 'reason="unreachable"' in line
        ]
        with pytest.raises(StoreError):
            monitor.observe_ground_truth("a", 1.0)
    [line] = [r.message for r in caplog.records if r.levelno == logging.ERROR]
    assert "its server takes no connection" in line


@pytest.mark.slow
def test_a_server_that_turns_read_only_is_told_until_it_takes_what_waited(
    server: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def turn(mode: str) -> None:
        with psycopg.connect(server, autocommit=True) as beside:
            beside.execute("SET default_transaction_read_only = off")
            beside.execute(f"ALTER DATABASE postgres SET default_transaction_read_only = {mode}")
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid != %s"
            beside.execute(
                f"{others} AND backend_type = 'client backend'", (beside.info.backend_pid,)
            )

    with monitor_of(tmp_path, server) as monitor:
        monitor.observe({"x": [1.0]}, {"y_hat": [1.0]}, prediction_ids=["read-only"])
        assert not any(told(monitor))
        turn("on")
        told(monitor)  # finds its session ended
        assert all(told(monitor))
        health = get(monitor.health_app(), "/").json()
        assert health["state"]["reason"] == "read_only"
        monitor.observe({"x": [1.0]}, {"y_hat": [1.0]}, prediction_ids=["meanwhile"])
        turn("off")
        told(monitor)
        assert not any(told(monitor))
        assert monitor.observe_ground_truth("meanwhile", 1.0) == "matched"
    assert "ground_truth_store is written again" in caplog.text


@pytest.mark.slow
def test_a_silent_server_is_awaited_once_and_not_by_each_step_of_a_scrape(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(postgresql_module.WAITS, "connect_timeout", 2)  # libpq's least
    monkeypatch.setattr(postgresql_module, "WAIT_SECONDS", 600)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://mlmon@127.0.0.1:{silent.getsockname()[1]}/postgres"
        transactions = PostgresqlTransactions(url, lambda *_: None, new_outage())
        for _ in range(3):
            with pytest.raises(StoreError), transactions(0.0):
                pass
        silent.settimeout(0.0)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()
