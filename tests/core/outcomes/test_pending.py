"""Facts about pending predictions as bytes, and about the statuses of ground truths."""

from __future__ import annotations

import pytest

from mlmon_exporter.core.outcomes.pending import (
    Found,
    GroundTruth,
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
