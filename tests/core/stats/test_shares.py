"""Facts about shares that differ by more than chance, against SciPy's exact law and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from mlmon_exporter.core.stats.shares import (
    effective,
    greatest_difference,
    least_ratio,
    lower_pairs,
)


@pytest.mark.parametrize("seed", range(20))
def test_a_pair_differs_where_fishers_exact_test_says_so(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(1, 3000, 2)
    hits = rng.binomial(rows, rng.uniform(0.01, 0.99))
    hits[0] = rng.binomial(rows[0], rng.uniform(0.01, 0.99))
    table = [[hits[0], rows[0] - hits[0]], [hits[1], rows[1] - hits[1]]]
    exact = stats.fisher_exact(table, alternative="less").pvalue
    for level in (0.05, 1e-3, 1e-8):
        found = bool(lower_pairs(hits.astype(float), rows.astype(float), level)[0, 1])
        # Two ways to differ; the geometric series is on the safe side, by a little.
        assert found <= (exact <= level / 2 * (1 + 1e-9))
        if exact <= level / 4:
            assert found


@pytest.mark.parametrize(
    ("groups", "rows", "share"), [(20, 1000, 0.3), (20, 100, 0.05), (2, 50, 0.5)]
)
def test_equal_groups_differ_as_seldom_as_promised(groups: int, rows: int, share: float) -> None:
    rng, level, runs = np.random.default_rng(groups + rows), 0.05, 1500
    sizes = rng.integers(rows // 2, 2 * rows, groups)
    hits = rng.binomial(sizes, share, size=(runs, groups))
    fails = sum(bool(lower_pairs(h.astype(float), sizes.astype(float), level).any()) for h in hits)
    # Three standard deviations of the number that is promised.
    assert fails <= runs * level + 3 * math.sqrt(runs * level)
    # Of equal groups the rule of four fifths alone fails far more often.
    ratios = [least_ratio(h.astype(float), sizes.astype(float), level) for h in hits]
    alone = (hits / sizes).min(axis=1) / (hits / sizes).max(axis=1)
    assert np.less(ratios, 0.8).sum() < 0.6 * (alone < 0.8).sum()


def test_half_the_share_is_seen() -> None:
    hits, rows = np.array([300.0, 150.0, 298.0]), np.full(3, 1000.0)
    assert least_ratio(hits, rows, 1e-5) == pytest.approx(0.5)
    assert greatest_difference(hits, rows, 1e-5) == pytest.approx(0.15)
    assert lower_pairs(hits, rows, 1e-5).tolist() == [
        [False, False, False],
        [True, False, True],
        [False, False, False],
    ]


def test_a_great_gap_of_few_rows_does_not_hide_a_smaller_one_of_many() -> None:
    hits, rows = np.array([3000.0, 2100.0, 1.0]), np.array([10_000.0, 10_000.0, 8.0])
    assert least_ratio(hits, rows, 1e-4) == pytest.approx(0.7)


def test_groups_of_all_none_or_equal_shares_do_not_differ() -> None:
    for hits in ([0.0, 0.0], [50.0, 50.0], [5.0, 5.0]):
        assert least_ratio(np.array(hits), np.array([50.0, 50.0]), 0.05) == 1.0
        assert greatest_difference(np.array(hits), np.array([50.0, 50.0]), 0.05) == 0.0
    assert least_ratio(np.array([0.0, 40.0]), np.array([50.0, 50.0]), 0.05) == 0.0


def test_one_group_has_no_ratio() -> None:
    assert math.isnan(least_ratio(np.ones(1), np.full(1, 2.0), 0.05))
    assert math.isnan(greatest_difference(np.empty(0), np.empty(0), 0.05))


def test_rows_that_share_their_luck_are_as_few_independent_ones() -> None:
    hits, rows = effective(np.array([300.0, 50.0]), np.array([1000.0, 100.0]), 0.01)
    # 1 / (1 / 1000 + 0.01) and 1 / (1 / 100 + 0.01).
    assert rows.tolist() == [91.0, 50.0]
    assert hits.tolist() == [27.0, 25.0]
    same = effective(np.array([3.0]), np.array([10.0]), 0.0)
    assert [each.tolist() for each in same] == [[3.0], [10.0]]
