"""Facts about curves: the area is scikit-learn's, whatever the scores and however they merge."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from mlmon_exporter.core.stats.roc import (
    POINTS,
    WAITING,
    RocCurve,
    area,
    area_error,
    area_variance,
    curves_of,
    packed,
)

Floats = NDArray[np.float64]
WITHIN = 0.002


def curve_of(scores: Floats, positives: NDArray[np.bool_]) -> RocCurve:
    ((_, curve),) = curves_of(np.zeros(len(scores), dtype=np.intp), scores, positives)
    return curve


def skewed(rng: np.random.Generator, n: int) -> tuple[Floats, NDArray[np.bool_]]:
    scores = rng.beta(0.3, 8, n)
    return scores, (rng.random(n) < scores) | (np.arange(n) == 0)


def tiny_class(rng: np.random.Generator, n: int) -> tuple[Floats, NDArray[np.bool_]]:
    positives = np.arange(n) < 7
    return np.where(positives, rng.beta(3, 2, n), rng.beta(1, 9, n)), positives


def discrete(rng: np.random.Generator, n: int) -> tuple[Floats, NDArray[np.bool_]]:
    scores = rng.choice(np.array([0.1, 0.100001, 0.5, 0.9]), n)
    return scores, rng.random(n) < scores


def rounded(rng: np.random.Generator, n: int) -> tuple[Floats, NDArray[np.bool_]]:
    scores = np.round(rng.random(n), 2)
    return scores, rng.random(n) < scores


def near_the_ends(rng: np.random.Generator, n: int) -> tuple[Floats, NDArray[np.bool_]]:
    positives = rng.random(n) < 0.4
    odds = rng.normal(np.where(positives, 6, -6), 6)
    return 1 / (1 + np.exp(-odds)), positives


def adversarial(rng: np.random.Generator, n: int) -> tuple[Floats, NDArray[np.bool_]]:
    # Within each of many narrow ranges the positives are all below the negatives.
    cell = rng.integers(0, 300, n)
    positives = rng.random(n) < 0.5
    return (cell + np.where(positives, 0.2, 0.7) + 0.1 * rng.random(n)) / 300, positives


def useless(rng: np.random.Generator, n: int) -> tuple[Floats, NDArray[np.bool_]]:
    return rng.random(n), rng.random(n) < 0.5


def perfect(rng: np.random.Generator, n: int) -> tuple[Floats, NDArray[np.bool_]]:
    scores = rng.random(n)
    return scores, scores > 0.7


SCORES = [
    *(skewed, tiny_class, discrete, rounded, near_the_ends, adversarial, useless, perfect),
]


@pytest.mark.parametrize("rows", [50, 3000, 60_000])
@pytest.mark.parametrize("generate", SCORES, ids=lambda f: f.__name__)
def test_the_area_is_scikit_learns(
    generate: Callable[[np.random.Generator, int], tuple[Floats, NDArray[np.bool_]]], rows: int
) -> None:
    scores, positives = generate(np.random.default_rng(rows), rows)
    exact = roc_auc_score(positives, scores)
    curve = curve_of(scores, positives)
    assert area(curve.points) == pytest.approx(exact, abs=1e-12)
    curve.pack()
    assert area(curve.points) == pytest.approx(exact, abs=WITHIN)
    assert len(curve.points) <= 3 * POINTS


@pytest.mark.parametrize("parts", [12, 2000])
@pytest.mark.parametrize("generate", SCORES, ids=lambda f: f.__name__)
def test_the_area_of_merged_parts_is_scikit_learns(
    generate: Callable[[np.random.Generator, int], tuple[Floats, NDArray[np.bool_]]], parts: int
) -> None:
    scores, positives = generate(np.random.default_rng(parts), 40_000)
    merged = RocCurve()
    for rows in np.array_split(np.random.default_rng(0).permutation(len(scores)), parts):
        part = curve_of(scores[rows], positives[rows])
        if parts < 100:
            part.pack()
        merged.merge(part)
    assert merged._count <= WAITING + len(scores)
    assert area(merged.points) == pytest.approx(roc_auc_score(positives, scores), abs=WITHIN)


def test_a_curve_takes_bounded_room_however_long_it_is_fed() -> None:
    rng, curve = np.random.default_rng(0), RocCurve()
    for _ in range(300):
        scores = rng.random(500)
        curve.merge(curve_of(scores, rng.random(500) < scores))
    assert len(curve.points) <= WAITING + 500


def test_rows_are_neither_lost_nor_moved_by_packing() -> None:
    scores, positives = skewed(np.random.default_rng(5), 20_000)
    points = curve_of(scores, positives).points
    small = packed(points)
    assert small[:, 1:].sum(axis=0).tolist() == points[:, 1:].sum(axis=0).tolist()
    assert (np.diff(small[:, 0]) > 0).all()
    sums = [(p[:, 0] * p[:, 1:].sum(axis=1)).sum() for p in (small, points)]
    assert sums[0] == pytest.approx(sums[1], rel=1e-12)


def test_merging_leaves_the_other_as_it_was() -> None:
    one, other = (curve_of(np.array([x]), np.array([x > 0.5])) for x in (0.2, 0.8))
    one.merge(other)
    assert one.points.tolist() == [[0.2, 0, 1], [0.8, 1, 0]]
    assert other.points.tolist() == [[0.8, 1, 0]]


def test_the_area_of_one_class_or_none_is_unknown() -> None:
    assert np.isnan(area(RocCurve().points))
    assert np.isnan(area(curve_of(np.array([0.1, 0.2]), np.array([True, True])).points))
    assert np.isnan(area_variance(RocCurve().points)).all()
    assert np.isnan(area_error(RocCurve().points))


def test_the_standard_error_is_that_of_repeated_samples() -> None:
    rng = np.random.default_rng(1)
    areas, errors = [], []
    for _ in range(400):
        positives = np.arange(400) < 120
        scores = rng.normal(positives * 1.0)
        curve = curve_of(1 / (1 + np.exp(-scores)), positives)
        areas.append(area(curve.points))
        errors.append(area_error(curve.points))
    assert np.mean(errors) == pytest.approx(np.std(areas), rel=0.1)
