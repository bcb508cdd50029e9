"""Facts about references of digests: they are off by what they say at most."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tdigest

from mlmon_exporter.core.profile.from_digest import reference_from_digest
from mlmon_exporter.core.stats.digests import ENGINES
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from tests.core.build import off_by, scored
from tests.core.distributions import DISTRIBUTIONS, Distribution, Floats


def digest_form(rows: Floats, delta: float = 0.01) -> dict[str, Any]:
    digest = tdigest.TDigest(delta=delta)
    digest.batch_update(rows.tolist())
    form: dict[str, Any] = digest.to_dict()
    return form


@pytest.mark.slow
def test_a_digest_is_off_by_its_rank_error_at_most(distribution: Distribution) -> None:
    rows = distribution.rows(np.random.default_rng(9), 3000)
    column = reference_from_digest("x", digest_form(rows))
    assert column.rows == 3000
    assert off_by(column, rows) <= column.rank_error + 1e-9
    assert column.rank_error <= 0.011
    assert column.mean == pytest.approx(rows.mean(), rel=1e-6)


@pytest.mark.slow
def test_unchanged_rows_do_not_drift_from_a_digest(distribution: Distribution) -> None:
    rng = np.random.default_rng(10)
    frame = ReferenceMatrix([reference_from_digest("x", digest_form(distribution.rows(rng, 3000)))])
    unchanged = scored(frame, {"x": distribution.rows(rng, 3000)})
    assert unchanged["drifted"] == [0.0]
    assert unchanged["psi"] < 0.05


@pytest.mark.parametrize("delta", [0.1, 0.02, 0.005])
@pytest.mark.parametrize("name", ["normal", "zero_inflated", "poisson"])
def test_coarse_and_fine_digests_tell_how_coarse_they_are(name: str, delta: float) -> None:
    rows = DISTRIBUTIONS[name].rows(np.random.default_rng(11), 2000)
    column = reference_from_digest("x", digest_form(rows, delta))
    assert off_by(column, rows) <= column.rank_error + 1e-9
    assert column.rank_error <= delta * 1.1 + 1e-9


def test_the_engine_s_own_form_may_come_from_fastdigest() -> None:
    rows = DISTRIBUTIONS["zero_inflated"].rows(np.random.default_rng(12), 20_000)
    digest = ENGINES["fastdigest"](200)
    digest.add(rows)
    means, weights = digest.centroids()
    pairs = zip(means.tolist(), weights.tolist(), strict=True)
    form = {"centroids": [{"m": m, "c": c} for m, c in pairs]}
    column = reference_from_digest("x", form)
    assert off_by(column, rows) <= max(column.rank_error, 0.02)
    assert scored(ReferenceMatrix([column]), {"x": rows[:5000]})["drifted"] == [0.0]


def test_an_empty_digest_is_a_column_without_rows() -> None:
    column = reference_from_digest("x", tdigest.TDigest().to_dict())
    assert (column.rows, column.digest) == (0, None)


def test_a_digest_of_one_value_is_a_constant() -> None:
    column = reference_from_digest("x", digest_form(np.full(500, 0.1)))
    assert column.bins.intervals == ("[0.1, 0.1]", "unseen", "missing")
    assert column.rank_error == 0
    assert (column.mean, column.sd) == (0.1, 0.0)
