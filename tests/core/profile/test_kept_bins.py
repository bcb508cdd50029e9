"""Facts about new rows in the bins of an old reference."""

from __future__ import annotations

import numpy as np
import pytest

from mlmon_exporter import Reference
from mlmon_exporter.core.profile.bins import CategoryBins
from mlmon_exporter.core.profile.kept_bins import in_bins_of


def test_numbers_keep_edges_and_counts_are_the_new_ones() -> None:
    rng = np.random.default_rng(0)
    old = Reference.build({"x": rng.normal(size=3000)})
    data = np.append(rng.normal(1.0, 1.0, 1000), np.nan)
    (built,) = Reference.build({"x": data}, like=old).features
    column = in_bins_of(built, old.features[0])
    assert column.bins is old.features[0].bins
    assert (column.rows, column.missing) == (1001, 1)
    per_bin = np.add.reduceat(column.counts[:-1], column.bins.bin_starts[:-1])
    edges = old.features[0].bins.bin_edges  # type: ignore[union-attr]
    expected = np.bincount(np.searchsorted(edges, data[:-1]), minlength=len(edges) + 1)
    assert per_bin.tolist() == expected.tolist()
    (other,) = Reference.build({"x": rng.normal(size=100)}).features
    with pytest.raises(ValueError, match="x: expected the cells of the old reference"):
        in_bins_of(other, old.features[0])


def test_categories_keep_their_places_and_new_ones_are_other_but_known() -> None:
    old = Reference.build({"k": ["b"] * 60 + ["a"] * 40 + ["rare"]})
    (built,) = Reference.build({"k": ["a"] * 30 + ["new"] * 50 + [None] * 5}, like=old).features
    column = in_bins_of(built, old.features[0])
    assert isinstance(column.bins, CategoryBins)
    assert column.bins.bin_names == old.features[0].bins.bin_names
    assert column.counts.tolist() == [0, 30, 50, 0, 5]
    assert column.bins.rare == {"rare", "new"}


def test_a_column_that_is_missing_in_all_new_rows_keeps_its_bins() -> None:
    old = Reference.build({"x": np.arange(100.0), "y": np.arange(100.0)})
    built = Reference.build({"y": np.arange(50.0)}, like=old).features
    column = in_bins_of(built[0], old.features[0])
    assert column.bins.bin_names == old.features[0].bins.bin_names
    assert (column.rows, column.missing) == (50, 50)
