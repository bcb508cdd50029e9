"""Facts about what is read off centroids: atoms, quantiles, and the shares below a point."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mlmon_exporter.core.stats.centroids import atoms_of, cdf_of, quantiles_of
from mlmon_exporter.core.stats.digests import ENGINES
from tests.core.distributions import Floats

VALUES = hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e6, 1e6))

EVEN = np.arange(100.0), np.ones(100)


def test_even_centroids_have_no_atoms() -> None:
    assert len(atoms_of(*EVEN, spread=0.01)[0]) == 0


def test_a_heavy_centroid_is_an_atom() -> None:
    means, weights = EVEN
    values, rows = atoms_of(means, np.where(means == 40.0, 20.0, weights), spread=0.01)
    assert (values.tolist(), rows.tolist()) == ([40.0], [20.0])


def test_centroids_of_one_mean_but_for_rounding_are_an_atom() -> None:
    means = np.array([0.5, 0.99 - 2**-53, 0.99, 0.99 + 2**-53, 1.5])
    values, rows = atoms_of(means, np.full(5, 2.0), spread=0.5)
    assert (values.tolist(), rows.tolist()) == ([0.99], [6.0])


def test_all_rows_of_an_atom_are_where_it_is() -> None:
    means, weights = np.array([0.0, 1.0, 2.0]), np.array([60.0, 20.0, 20.0])
    points = np.array([-1.0, np.nextafter(0, -1), 0.0, 0.5, 1.0, 2.0, 3.0])
    shares, error = cdf_of(means, weights, points, atoms_of(means, weights, 0.3))
    assert shares.tolist() == pytest.approx([0.0, 0.0, 0.6, 0.65, 0.7, 1.0, 1.0])
    assert error == 0.2


def test_an_atom_that_no_centroid_has_is_put_among_them() -> None:
    atom = np.array([49.5]), np.array([10.0])
    points = np.array([np.nextafter(49.5, 0), 49.5])
    shares, _ = cdf_of(*EVEN, points, atom)
    assert 0.05 < np.diff(shares)[0] <= 0.1
    assert shares.mean() == pytest.approx(0.5, abs=0.03)


@given(VALUES, st.sampled_from(list(ENGINES)), st.data())
@settings(max_examples=30)
def test_shares_below_rise_from_0_to_1(values: Floats, engine: str, data: st.DataObject) -> None:
    digest = ENGINES[engine]()
    digest.add(values)
    means, weights = digest.centroids()
    distinct, rows = np.unique(values, return_counts=True)
    some = np.flatnonzero(rows >= data.draw(st.integers(1, 5)))
    points = np.sort(np.concatenate((values, data.draw(VALUES), np.nextafter(values, -np.inf))))
    shares, error = cdf_of(means, weights, points, (distinct[some], rows[some]))
    assert np.all(np.diff(shares) >= 0)
    assert np.all((shares >= 0) & (shares <= 1))
    assert shares[points > means[-1]].tolist() == [1.0] * int((points > means[-1]).sum())
    assert 0 <= error <= 1


def test_all_values_known_makes_shares_exact() -> None:
    values = np.repeat([1.0, 2.0, 3.0, 7.0], [10, 1, 5, 4])
    distinct, rows = np.unique(values, return_counts=True)
    points = np.array([0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 6.9, 7.0])
    shares, error = cdf_of(distinct, rows.astype(float), points, (distinct, rows))
    assert shares == pytest.approx([np.mean(values <= point) for point in points])
    assert error == 0.0


def test_quantiles_step_at_atoms_and_slope_between_others() -> None:
    means, weights = np.array([0.0, 1.0, 2.0]), np.array([60.0, 20.0, 20.0])
    got = quantiles_of(means, weights, [0.0, 0.3, 0.59, 0.65, 0.7, 0.8, 1.0], spread=0.3)
    assert got == pytest.approx([0.0, 0.0, 0.0, 0.5, 1.0, 1.5, 2.0])
    assert np.isnan(quantiles_of(np.empty(0), np.empty(0), [0.5], 0.3)).all()
