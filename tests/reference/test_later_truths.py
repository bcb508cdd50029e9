"""Facts about ground truths that join by id."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from mlmon_exporter.core.outcomes.pending import GroundTruth
from mlmon_exporter.core.records import Prediction
from mlmon_exporter.reference.later_truths import LaterTruths, truths_of

WEEK = 7 * 86400.0


def made(prediction_id: str, at: float) -> Prediction:
    return Prediction(prediction_id, at, "v", (1.0,), ())


def joined(
    truths: Sequence[GroundTruth], rows: Sequence[Prediction], now: float = 1e4, most: int = 10
) -> tuple[list[tuple[str, object]], dict[str, int]]:
    later = LaterTruths(truths, most, WEEK)
    later.keep(rows)
    outcomes = [(prediction.id, value) for prediction, value in later.known(now, 3600.0)]
    return outcomes, {name: count for name, count in later.counts.items() if count}


def test_truths_join_once_and_others_are_counted() -> None:
    truths = [
        GroundTruth("a", 1, 10.0),
        GroundTruth("none", 1, 11.0),
        GroundTruth("a", 2, 12.0),
        GroundTruth("b", None, 13.0),
        GroundTruth("b", 3, 14.0),
        GroundTruth("c", 4, 5000.0),
    ]
    rows = [made("a", 1.0), made("b", 2.0), made("b", 3.0), made("c", 4.0), made("", 5.0)]
    assert joined(truths, rows) == (
        [("a", 1), ("b", 3)],
        {
            "matched": 2,
            "unknown": 1,
            "duplicate": 1,
            "invalid": 1,
            "late": 1,  # of a row older than the longest window, an hour
            "pending_duplicate": 1,
        },
    )


def test_a_truth_joins_at_the_first_look_after_its_time() -> None:
    later = LaterTruths([GroundTruth("a", 1, 10.0), GroundTruth("b", 1, 20.0)], 10, WEEK)
    later.keep([made("a", 1.0), made("b", 1.0)])
    assert [[p.id for p, _ in later.known(now, 99.0)] for now in (10.0, 20.0, 20.5)] == [
        [],
        ["a"],
        ["b"],
    ]


def test_the_oldest_predictions_are_forgotten_where_too_many_wait() -> None:
    later = LaterTruths([GroundTruth("0", 1, 1.0), GroundTruth("4", 1, 1.0)], 3, WEEK)
    later.keep([made(str(i), 0.0) for i in range(5)])
    assert [*later.known(0.5, 99.0)] == []
    assert [p.id for p, _ in later.known(2.0, 99.0)] == ["4"]
    assert (later.counts["pending_full"], later.counts["unknown"]) == (2, 1)


def test_predictions_are_forgotten_with_age() -> None:
    truth = GroundTruth("a", 1, WEEK + 9.0)
    later = LaterTruths([truth], 10, WEEK)
    later.keep([made("a", 1.0)])
    for now in (WEEK + 2.0, WEEK + 10.0):
        assert [*later.known(now, 2 * WEEK)] == []
    assert later.counts["unknown"] == 1


def test_records_have_times_in_any_form_or_that_of_the_one_before() -> None:
    times = [None, "1970-01-01T00:01:00Z", None, 61, 1_700_000_000_000]
    records = [
        {"prediction_id": str(i), "ground_truth": i, "timestamp": at} for i, at in enumerate(times)
    ]
    truths = [*truths_of(records)]
    assert [truth.at for truth in truths] == [-math.inf, 60.0, 60.0, 61.0, 1.7e9]
    assert [truth.value for truth in truths] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="expected times"):
        [*truths_of([{"prediction_id": "a", "ground_truth": 1, "timestamp": "then"}])]
