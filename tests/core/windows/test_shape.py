"""Facts about the quantiles of a window: exact where its cells are of one value."""

from __future__ import annotations

import numpy as np
import pytest

from mlmon_exporter.core.settings import QUANTILES
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from tests.core.build import reference, scored, sums_of


def test_quantiles_of_few_values_are_those_values() -> None:
    rows = np.repeat(np.arange(4.0), 2500)
    matrix = ReferenceMatrix([reference(rows)])
    found = dict(zip(QUANTILES, sums_of(matrix, {"x": rows}).quantiles[0], strict=True))
    assert [found[q] for q in (0.25, 0.5, 0.75)] == [1.0, 2.0, 3.0]
    assert dict(zip(QUANTILES, matrix.reference.quantiles[0], strict=True)) == found


def test_an_atom_among_many_values_is_its_quantile() -> None:
    rng = np.random.default_rng(4)
    rows = np.where(rng.random(20_000) < 0.6, 0.0, rng.lognormal(0.0, 2.0, 20_000))
    found = sums_of(ReferenceMatrix([reference(rows)]), {"x": rows}).quantiles[0]
    assert found[[0, 1, 2]].tolist() == [0.0] * 3
    assert found[3:] == pytest.approx(np.quantile(rows, QUANTILES[3:]), rel=0.25)


def test_a_value_between_known_ones_is_news() -> None:
    rng = np.random.default_rng(5)
    rows = rng.choice([1.0, 2.0, 4.0], 4000)
    matrix = ReferenceMatrix([reference(rows)])
    window = np.where(rng.random(4000) < 0.09, 3.0, rng.choice([1.0, 2.0, 4.0], 4000))
    found = scored(matrix, {"x": window})
    assert found["psi"][0] == pytest.approx(0.594, abs=0.05)
    assert found["drifted"].tolist() == [1.0]
    as_category = scored(ReferenceMatrix([reference(rows, categorical=["x"])]), {"x": window})
    assert found["psi"][0] == pytest.approx(as_category["psi"][0], abs=0.01)
