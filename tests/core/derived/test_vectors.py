"""Facts about derived columns of vectors, checked by scikit-learn's PCA and NumPy's inverse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from mlmon_exporter.core.derived.vector_input import VectorInput
from mlmon_exporter.core.derived.vectors import FARTHEST, MOST_AXES, VectorColumns, VectorFit

Floats = NDArray[np.float64]


def vectors(count: int, width: int, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    mixed = np.random.default_rng(9).normal(size=(6, width))
    return 1 + rng.normal(size=(count, 6)) @ mixed + 0.5 * rng.normal(size=(count, width))


def fitted(rows: Floats, name: str = "v") -> VectorColumns:
    fit = VectorFit(VectorInput(name, rows.shape[1]))
    for step in (fit.look, fit.add):
        for part in np.array_split(rows, 7):
            step({name: part}, len(part), np.ones(len(part), dtype=bool))
    return fit.fitted()


def test_distance_of_a_short_vector_is_mahalanobis_distance() -> None:
    rows, new = vectors(3000, 12), vectors(50, 12, seed=1)
    found = dict(zip(*of(fitted(rows), new), strict=True))
    np.testing.assert_allclose(found["v_norm"], np.linalg.norm(new, axis=1))
    mean, sd = rows.mean(axis=0), rows.std(axis=0)
    rows, new = (np.clip((each - mean) / sd, -FARTHEST, FARTHEST) for each in (rows, new))
    gap = new - rows.mean(axis=0)
    inverse = np.linalg.inv(np.cov(rows.T, bias=True))
    expected = np.sqrt(np.einsum("ij,jk,ik->i", gap, inverse, gap))
    np.testing.assert_allclose(found["v_distance"], expected, rtol=1e-5)


def of(columns: VectorColumns, rows: Any) -> tuple[tuple[str, ...], Floats]:
    return columns.source.names, columns.measured({columns.source.name: rows}, len(rows))


def test_distance_of_a_long_vector_is_that_of_a_probabilistic_pca() -> None:
    rows, new = vectors(4000, 200), vectors(20, 200, seed=1)
    found = dict(zip(*of(fitted(rows), new), strict=True))
    mean, sd = rows.mean(axis=0), rows.std(axis=0)
    rows, new = (np.clip((each - mean) / sd, -FARTHEST, FARTHEST) for each in (rows, new))
    pca = PCA(MOST_AXES, svd_solver="full").fit(rows)
    gap = new - pca.mean_
    scale = len(rows) / (len(rows) - 1)  # scikit-learn divides by one row less
    expected = np.einsum("ij,jk,ik->i", gap, pca.get_precision() * scale, gap)
    np.testing.assert_allclose(found["v_distance"], np.sqrt(expected), rtol=1e-3)
    parts = pca.transform(new) / np.sqrt(pca.explained_variance_ / scale)
    np.testing.assert_allclose(np.abs(found["v_component_1"]), np.abs(parts[:, 0]), rtol=1e-3)


def test_residual_is_what_principal_components_leave() -> None:
    columns = fitted(vectors(3000, 12))
    new = vectors(50, 12, seed=1)
    found = dict(zip(*of(columns, new), strict=True))
    parts = columns.axes @ (columns.scale.of(new.T) - columns.center[:, None])
    principal, rest = parts[: columns.principal], parts[columns.principal :]
    np.testing.assert_allclose(found["v_residual"] ** 2, (rest**2).sum(axis=0), rtol=1e-4)
    both = found["v_residual"] ** 2 + (principal**2).sum(axis=0)
    np.testing.assert_allclose(found["v_distance"] ** 2, both, rtol=1e-4)


def test_a_picture_also_has_mean_and_spread() -> None:
    rows = np.random.default_rng(0).random((1100, 1200))
    columns = fitted(rows)
    names, found = of(columns, rows[:3].reshape(3, 3, 20, 20))
    assert names[-2:] == ("v_mean", "v_spread")
    np.testing.assert_allclose(found[-2:], [rows[:3].mean(axis=1), rows[:3].std(axis=1)])


def test_functions_are_as_they_were_after_a_file() -> None:
    columns = fitted(vectors(2000, 200))
    read = VectorColumns.from_dict(columns.to_dict())
    assert read.to_dict() == columns.to_dict()
    new = vectors(20, 200, seed=1)
    np.testing.assert_allclose(of(read, new)[1], of(columns, new)[1], rtol=1e-3, atol=1e-4)


def test_a_damaged_form_is_refused() -> None:
    form = fitted(vectors(1000, 12)).to_dict()
    for key, value in (("axes", form["center"]), ("width", 1), ("rest", 0.0), ("principal", 0)):
        with pytest.raises(ValueError, match="expected"):
            VectorColumns.from_dict({**form, key: value})


def test_too_few_rows_or_equal_ones_are_refused() -> None:
    with pytest.raises(ValueError, match="v: expected 1000 vectors or more, got 600"):
        fitted(vectors(300, 12))
    with pytest.raises(ValueError, match="expected vectors that differ"):
        fitted(np.ones((1000, 12)))
