"""Facts about the batches in which ground truths are joined."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from mlmon_exporter.core.outcomes.pending import GroundTruth
from mlmon_exporter.state.errors import StoreError
from mlmon_exporter.state.joiner import Joined, Joiner


def test_a_fault_in_a_transaction_reaches_every_caller() -> None:
    def join(_truths: Sequence[GroundTruth], _now: float) -> Joined:
        raise StoreError("away")

    joiner = Joiner(join)
    for _ in range(2):
        with pytest.raises(StoreError, match="away"):
            joiner.join([], 0.0)


def test_callers_that_wait_are_joined_together_and_each_gets_its_answer() -> None:
    batches: list[list[str]] = []
    is_busy, go_on = threading.Event(), threading.Event()

    def join(truths: Sequence[GroundTruth], _now: float) -> Joined:
        batches.append([truth.prediction_id for truth in truths])
        is_busy.set()
        assert go_on.wait(120.0)
        return Joined(["matched"] * len(truths), [truth.prediction_id for truth in truths])

    joiner = Joiner(join)
    answers: dict[str, list[str]] = {}

    def ask(*names: str) -> None:
        truths = [GroundTruth(name, 1.0) for name in names]
        answers["".join(names)] = joiner.join(truths, 0.0).reasons

    threads = [threading.Thread(target=ask, args=names) for names in ("a", "bc", "d")]
    threads[0].start()
    assert is_busy.wait(120.0)
    for thread in threads[1:]:
        thread.start()
    while len(joiner._waiters) < 2:
        threading.Event().wait(0.001)
    go_on.set()
    for thread in threads:
        thread.join()
    assert [sorted(batch) for batch in batches] == [["a"], ["b", "c", "d"]]
    assert answers == {"a": ["a"], "bc": ["b", "c"], "d": ["d"]}
