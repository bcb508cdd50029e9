"""Facts about running covariances."""

from __future__ import annotations

import numpy as np
import pytest

from mlmon_exporter.core.derived.moments import SINGLE_THREAD, Moments, principal_of, product

BLOCK = np.random.default_rng(0).normal(size=(5, 5)) @ np.random.default_rng(1).normal(
    size=(5, 5_000)
)


def test_mean_and_covariance_are_those_of_all_rows_however_they_are_chunked() -> None:
    moments = Moments(5)
    for start in range(0, 5_000, 777):
        moments.add(BLOCK[:, start : start + 777])
    moments.add(np.full((5, 3), np.nan))
    assert moments.rows == 5_000
    assert moments.mean == pytest.approx(BLOCK.mean(axis=1))
    assert moments.products / 5_000 == pytest.approx(np.cov(BLOCK, bias=True))


def test_principal_components_hold_two_thirds_of_the_variance() -> None:
    assert principal_of(np.array([6.0, 3.0, 1.0])) == 2
    assert principal_of(np.array([7.0, 2.0, 1.0])) == 1


def test_products_in_steps_are_products() -> None:
    matrix = np.random.default_rng(2).normal(size=(700, 5))
    assert matrix.size * BLOCK.shape[1] > SINGLE_THREAD
    np.testing.assert_allclose(product(matrix, BLOCK), matrix @ BLOCK, atol=1e-12)
