"""Facts about references of what was served: counts of a window in the old reference's cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlmon_exporter import Config, Reference
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.profile.bins import NumericBins
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.kept_bins import in_bins_of
from mlmon_exporter.core.records import Batch, Readings
from mlmon_exporter.reference.settings import model_settings

NOW = 1_700_006_400.0
CONFIG = Config(windows=["1h", "24h"])


def rows(count: int, seed: int, shift: float = 0.0, kinds: str = "abc") -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    x = rng.normal(shift, 1.0, count)
    x[rng.random(count) < 0.02] = np.nan
    kind = np.array([*kinds], dtype=object)[rng.integers(0, len(kinds), count)]
    return {"x": x, "n": rng.integers(0, 5, count), "kind": kind, "p": rng.random(count)}


def model_of(reference: Reference) -> Model:
    return Model(model_settings(CONFIG, CONFIG.models[0]), reference.for_model("r"))


def serve(model: Model, data: dict[str, Any], at: float = NOW) -> None:
    features = {name: values for name, values in data.items() if name != "p"}
    count = len(data["p"])
    model.observe(Batch(features, {"p": data["p"]}, count), at)
    model.versions.drain()


@pytest.fixture(scope="module")
def old() -> Reference:
    return Reference.build(rows(5000, 0), predictions="p")


def served(model: Model, *, keeps_bins: bool) -> dict[str, ColumnReference]:
    found = model.served("", NOW, 86400.0, keeps_bins=keeps_bins)
    assert found is not None
    return {column.name: column for column in (*found.features, *found.outputs)}


def test_counts_are_those_of_a_reference_that_is_built_like_the_old_one(old: Reference) -> None:
    data = rows(3000, 1, shift=0.7)
    model = model_of(old)
    for part in range(3):
        serve(model, {n: v[1000 * part : 1000 * (part + 1)] for n, v in data.items()})
    expected = Reference.build(data, like=old)
    found = served(model, keeps_bins=True)
    olds = (*old.features, *old.outputs)
    for built, before in zip((*expected.features, *expected.outputs), olds, strict=True):
        column, own = in_bins_of(built, before), found[built.name]
        assert own.counts.tolist() == column.counts.tolist()
        if isinstance(own.bins, NumericBins) and isinstance(column.bins, NumericBins):
            assert own.bins.bin_edges.tolist() == column.bins.bin_edges.tolist()
            assert own.mean == pytest.approx(np.nanmean(data[own.name]), rel=1e-9)
            assert own.sd == pytest.approx(np.nanstd(data[own.name]), rel=0.02)


def test_new_bins_have_equal_shares_of_what_was_served(old: Reference) -> None:
    model = model_of(old)
    serve(model, rows(5000, 1, shift=0.7))
    column = served(model, keeps_bins=False)["x"]
    shares = np.add.reduceat(column.counts[:-1], column.bins.bin_starts[:-1]) / column.values
    assert shares == pytest.approx(0.1, abs=0.01)
    kept = served(model, keeps_bins=True)["x"]
    assert np.add.reduceat(kept.counts[:-1], kept.bins.bin_starts[:-1]).max() > 0.2 * kept.values


DRIFTED = ("mlmon_feature_drifted", "mlmon_prediction_drifted")


def drifted(reference: Reference, data: dict[str, Any]) -> set[str]:
    """Features and outputs that drifted."""
    model = model_of(reference)
    serve(model, data)
    return {
        labels[2]
        for block in model.readings(NOW)
        if isinstance(block, Readings) and block.name in DRIFTED
        for labels, value in zip(block.labels, block.values, strict=True)
        if value == 1.0
    }


@pytest.mark.parametrize("keeps_bins", [True, False])
def test_what_was_served_is_no_drift_any_more_and_the_old_is(
    old: Reference, keeps_bins: bool
) -> None:
    model = model_of(old)
    serve(model, rows(5000, 1, shift=0.7, kinds="abcd"))
    found = served(model, keeps_bins=keeps_bins)
    features = [found[column.name] for column in old.features]
    new = Reference(features, [found["p"]])
    again = Reference.from_bytes(new.to_bytes())
    for reference in (new, again):
        assert drifted(reference, rows(2000, 2, shift=0.7, kinds="abcd")) == set()
        assert drifted(reference, rows(2000, 3, shift=0.0, kinds="abc")) == {"x", "kind"}
    assert drifted(old, rows(2000, 2, shift=0.7, kinds="abcd")) == {"x", "kind"}


def test_there_is_none_of_no_rows(old: Reference) -> None:
    assert model_of(old).served("", NOW, 86400.0, keeps_bins=True) is None
    learning = Model(model_settings(CONFIG, CONFIG.models[0]), None)
    assert learning.served("", NOW, 86400.0, keeps_bins=True) is None
