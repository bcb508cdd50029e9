"""Facts about joint drift: four functions of a row, checked by regressions and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from mlmon_exporter.core.derived.joint import (
    DECIMALS,
    LEAST_ROWS,
    JointColumns,
    JointFit,
    inputs_of,
)
from mlmon_exporter.core.derived.normal_scores import scorer
from mlmon_exporter.core.profile.column import ColumnReference
from tests.core.build import references

Floats = NDArray[np.float64]


def rows(count: int, seed: int = 0) -> Floats:
    """Five features of two causes, one of them with heavy tails."""
    rng = np.random.default_rng(seed)
    causes = rng.normal(size=(2, count))
    mixed = np.random.default_rng(9).normal(size=(5, 2)) @ causes
    mixed += 0.7 * rng.normal(size=(5, count))
    mixed[2] = np.exp(mixed[2])
    return mixed


def known(block: Floats) -> tuple[ColumnReference, ...]:
    return references({f"x{i}": values for i, values in enumerate(block)})


def fitted(block: Floats, columns: tuple[ColumnReference, ...], chunk: int = 700) -> JointColumns:
    fit = JointFit(columns)
    for start in range(0, block.shape[1], chunk):
        fit.add(block[:, start : start + chunk])
    made = fit.fitted()
    assert made is not None
    return made


BLOCK = rows(5_000)
COLUMNS = known(BLOCK)
JOINT = fitted(BLOCK, COLUMNS)
SCORES = scorer(JOINT.inputs, COLUMNS)


def standard(block: Floats) -> Floats:
    """Normal scores in the reference's standard deviations, shape (rows, features)."""
    own = SCORES(BLOCK)
    found = (SCORES(block) - own.mean(axis=1)[:, None]) / own.std(axis=1)[:, None]
    return np.asarray(found.T)


def test_the_distance_is_mahalanobis_of_normal_scores() -> None:
    new = rows(200, seed=1)
    z = standard(new)
    inverse = np.linalg.inv(np.corrcoef(standard(BLOCK).T))
    expected = np.sqrt(np.einsum("ij,jk,ik->i", z, inverse, z))
    assert JOINT.bind(COLUMNS)(new)[0] == pytest.approx(expected, abs=1e-5)


def test_residual_and_last_component_are_whitened_principal_components() -> None:
    new = rows(200, seed=2)
    pca = PCA(whiten=True).fit(standard(BLOCK))
    share = np.cumsum(pca.explained_variance_ratio_)
    principal = int(np.argmax(share >= 0.65)) + 1
    components = pca.transform(standard(new))
    found = JOINT.bind(COLUMNS)(new)
    assert JOINT.principal == principal
    expected = np.linalg.norm(components[:, principal:], axis=1)
    assert found[1] == pytest.approx(expected, rel=1e-3)
    assert np.abs(found[2]) == pytest.approx(np.abs(components[:, -1]), abs=1e-3)


def test_the_least_explained_feature_is_farthest_from_its_regression_on_the_others() -> None:
    new = rows(300, seed=3)
    reference, z = standard(BLOCK), standard(new)
    off = np.empty((5, 300))
    for j in range(5):
        others = np.delete(np.arange(5), j)
        weights = np.linalg.lstsq(reference[:, others], reference[:, j], rcond=None)[0]
        spread = np.std(reference[:, j] - reference[:, others] @ weights)
        off[j] = np.abs(z[:, j] - z[:, others] @ weights) / spread
    assert JOINT.bind(COLUMNS)(new)[3].tolist() == off.argmax(axis=0).tolist()


def test_rows_alone_give_what_they_give_together() -> None:
    new = rows(1_500, seed=4)
    derive = JOINT.bind(COLUMNS)
    together = derive(new)
    alone = np.concatenate([derive(new[:, i : i + 1]) for i in range(1_500)], axis=1)
    assert np.abs(together - alone).max() <= 10.0**-DECIMALS
    assert (together != alone).mean() < 0.001


def test_a_row_without_a_value_is_missing_in_all_columns() -> None:
    found = JOINT.bind(COLUMNS)(np.full((5, 2), np.nan))
    assert np.isnan(found).all()


def test_a_feature_that_copies_another_gives_finite_numbers_and_is_seen_when_it_does_not() -> None:
    copied = np.concatenate((BLOCK, BLOCK[:1]))
    columns = known(copied)
    derive = fitted(copied, columns).bind(columns)
    same, other = copied[:, :500].copy(), copied[:, :500].copy()
    other[5] = -other[0]
    assert np.abs(derive(same)[2]).max() < 1e-5
    assert np.median(np.abs(derive(other)[2])) > 10


def test_a_fit_needs_two_numeric_features_and_enough_rows() -> None:
    texts = references({"x": BLOCK[0], "c": np.tile(["a", "b"], 2_500)})
    assert inputs_of(texts) == ()
    fit = JointFit(COLUMNS)
    fit.add(BLOCK[:, : LEAST_ROWS - 1])
    assert fit.fitted() is None


def test_columns_are_read_as_they_were_written() -> None:
    again = JointColumns.from_dict(JOINT.to_dict())
    new = rows(50, seed=5)
    assert again.bind(COLUMNS)(new).tolist() == JOINT.bind(COLUMNS)(new).tolist()
    with pytest.raises(ValueError, match="axes: expected those of 4 inputs"):
        JointColumns.from_dict({**JOINT.to_dict(), "inputs": JOINT.to_dict()["inputs"][1:]})
