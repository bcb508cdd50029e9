"""Facts about predictions that wait in memory, and about what a ground truth finds there."""

from __future__ import annotations

import sys

import pytest

from mlmon_exporter.core.outcomes.pending import (
    Found,
    GroundTruth,
    PendingPredictions,
    pack,
    pack_truth,
    sort_out,
    spent,
    unpack,
    unpack_truth,
)
from mlmon_exporter.core.records import Prediction


def prediction(name: str, at: float = 100.0) -> Prediction:
    return Prediction(name, at, "v1", (0.25, "yes", None), ("female", "other"))


def test_a_prediction_is_what_it_was_after_packing() -> None:
    there = unpack("a", pack("income", prediction("a")))
    assert there == Found("income", "v1", 100.0, prediction("a"))


def test_of_a_matched_prediction_nothing_is_kept_but_model_version_and_time() -> None:
    found = Found("income", "v1", 100.0, prediction("a"))
    assert unpack("a", spent(found)) == Found("income", "v1", 100.0, None)


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\xff", b"{}", b"[]", b"5", b"[" * 100_000, b'["m", "1"]', b'["m", "1", "x"]'),
        *(
            b'["m", "1", NaN]',
            b'["m", 1, 2.0]',
            b'[[], "1", 2.0]',
            b'["m", "1", 1%s]' % (b"0" * 400),
        ),
        *(b'["m", "1", 2.0, [[]], []]', b'["m", "1", 2.0, [0.5], [0]]', b'["m", "1", 2.0, 0, 0]'),
    ],
)
def test_a_damaged_prediction_or_ground_truth_is_refused_by_one_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        unpack("a", data)
    with pytest.raises(ValueError, match=r"."):
        unpack_truth("a", data)


@pytest.mark.parametrize("truth", [GroundTruth("a", "b"), GroundTruth("a", 0.5, 7.0)])
def test_a_ground_truth_is_what_it_was_after_packing(truth: GroundTruth) -> None:
    assert unpack_truth("a", pack_truth(truth)) == truth


def test_what_was_kept_is_found_and_the_rest_is_not() -> None:
    pending = PendingPredictions(10, 1000.0)
    pending.add([("income", prediction("a")), ("bike", prediction("b"))], now=100.0)
    assert set(pending.find(["a", "c"])) == {"a"}
    assert pending.waiting == {"income": 1, "bike": 1}


def test_the_first_prediction_of_an_id_stays_and_others_are_counted() -> None:
    gone: list[tuple[str, int]] = []
    pending = PendingPredictions(10, 1000.0, lambda *dropped: gone.append(dropped))
    pending.add([("income", prediction("a"))], now=100.0)
    pending.add([("income", prediction("a", at=200.0))], now=200.0)
    assert pending.find(["a"])["a"].at == 100.0
    assert pending.waiting == {"income": 1}
    assert gone == [("pending_duplicate", 1)]


def test_a_settled_prediction_no_longer_waits_but_is_known() -> None:
    pending = PendingPredictions(10, 1000.0)
    pending.add([("income", prediction("a"))], now=100.0)
    pending.settle(pending.find(["a"]))
    assert pending.find(["a"])["a"].prediction is None
    assert pending.waiting == {"income": 0}


def test_over_the_limit_the_oldest_go_and_are_counted() -> None:
    gone: list[tuple[str, int]] = []
    pending = PendingPredictions(3, 1000.0, lambda *dropped: gone.append(dropped))
    pending.add([("m", prediction(str(i))) for i in range(5)], now=100.0)
    assert set(pending.find([str(i) for i in range(5)])) == {"2", "3", "4"}
    assert pending.waiting == {"m": 3}
    assert gone == [("pending_full", 2)]


def test_predictions_are_forgotten_when_they_are_too_old() -> None:
    pending = PendingPredictions(10, 50.0)
    pending.add([("m", prediction("a", at=100.0))], now=100.0)
    pending.add([("m", prediction("b", at=151.0))], now=151.0)
    assert set(pending.find(["a", "b"])) == {"b"}
    assert pending.waiting == {"m": 1}


def test_a_waiting_prediction_takes_about_300_bytes() -> None:
    name = "0123456789abcdef-123456"
    size = sys.getsizeof(name) + sys.getsizeof(pack("income", prediction(name)))
    table = dict.fromkeys(map(str, range(10_000)))
    assert size + sys.getsizeof(table) / 10_000 < 350


def test_each_ground_truth_gets_its_status() -> None:
    found = {
        "new": Found("income", "v1", 900.0, prediction("new")),
        "old": Found("income", "v1", 10.0, prediction("old")),
        "done": Found("income", "v1", 900.0, None),
    }
    names = ["new", "old", "done", "nobody", "new"]
    result = sort_out([GroundTruth(n, 1) for n in names], found, 1000.0, 500.0)
    assert result.statuses == ["matched", "late", "duplicate", "unknown", "duplicate"]
    assert result.matched == {"income": [0]}
