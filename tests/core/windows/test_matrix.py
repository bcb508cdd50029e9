"""Facts about the sums of a window: those of its raw rows, counted one by one."""

from __future__ import annotations

import math

import numpy as np

from mlmon_exporter.core.profile.bins import NumericBins, per_bin
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from tests.core.build import fed, references, sums_of
from tests.core.oracles import rows_per_bin

RNG = np.random.default_rng(7)
BEFORE = {
    "x": RNG.normal(size=3000),
    "c": RNG.choice([*"abcd"], 3000),
    "k": np.full(3000, 5.0),
}
WINDOW = {
    "x": np.where(np.arange(400) % 10, RNG.normal(size=400) * 3, math.nan),
    "c": np.where(np.arange(400) % 8, RNG.choice([*"abz"], 400), ""),
    "k": np.where(np.arange(400) % 4, 5.0, 6.0),
}
MATRIX = ReferenceMatrix(references(BEFORE))


def test_bins_are_those_of_each_column_one_after_another() -> None:
    counts = fed(MATRIX, WINDOW).merged(0.0)[0].counts
    columns = zip(
        MATRIX.layout.bins, np.split(counts, MATRIX.layout.cell_starts[1:-1]), strict=True
    )
    alone = [per_bin(bins, cells).tolist() for bins, cells in columns]
    found = np.split(sums_of(MATRIX, WINDOW).bins, MATRIX.bin_starts[1:])
    assert [each.tolist() for each in found] == alone
    x = MATRIX.layout.bins[0]
    assert isinstance(x, NumericBins)
    assert alone[0] == rows_per_bin(WINDOW["x"], x.bin_edges)


def test_rows_are_missing_unseen_or_outside_as_they_are_in_the_raw_columns() -> None:
    sums = sums_of(MATRIX, WINDOW)
    x, c, k = WINDOW.values()
    assert sums.rows == 400
    assert sums.missing.tolist() == [40, 50, 0]
    assert sums.unseen.tolist() == [0, np.count_nonzero(c == "z"), 0]
    low, high = BEFORE["x"].min(), BEFORE["x"].max()
    beyond = np.count_nonzero((x < low) | (x > high))
    assert beyond > 0
    assert sums.outside[[0, 2]].tolist() == [beyond, np.count_nonzero(k != 5.0)]
    assert sums.values.tolist() == [360, 350, 400]


def test_counts_alone_give_the_same_sums_without_quantiles_and_distances() -> None:
    tally = fed(MATRIX, WINDOW).merged(0.0)[0]
    full, counts = MATRIX.sums(tally), MATRIX.sums_of_counts(tally)
    np.testing.assert_array_equal(full.bins, counts.bins)
    np.testing.assert_array_equal(full.cells, counts.cells)
    assert np.isfinite(full.distances).all()
    assert np.isnan(counts.distances).all()
    assert np.isnan(counts.quantiles).all()


def test_no_columns_have_no_sums() -> None:
    sums = sums_of(ReferenceMatrix(()), {"x": np.ones(3)})
    assert (len(sums.bins), len(sums.cells), len(sums.missing)) == (0, 0, 0)
