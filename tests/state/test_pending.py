"""Facts about predictions that are held until they are put into a table."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from mlmon_exporter.core.outcomes.pending import GroundTruth
from mlmon_exporter.state.memory import MemoryTransactions
from mlmon_exporter.state.pending import Pending
from tests.state.waiting import DAY, LIMITS, NOW, in_memory, some


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
