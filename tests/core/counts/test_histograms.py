from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmon_exporter.core.counts.histograms import MANY, Family, HistogramTable

FAMILY = Family(("model",), {"seconds": (1.0, 2.0), "bytes": (10.0,)})


def test_each_value_is_in_its_bucket_and_unknown_ones_in_none() -> None:
    table = HistogramTable(FAMILY)
    table.observe(("m",), [(1.0, 1.5, 7.0), (5.0, math.nan, -1.0)])
    seconds, size = table.histograms()
    assert (seconds.name, size.name) == ("seconds", "bytes")
    assert (seconds.counts, seconds.sums) == ([[1, 1, 1]], [9.5])
    assert (size.counts, size.sums) == ([[1, 0]], [5.0])


def test_declared_histograms_are_there_at_0() -> None:
    table = HistogramTable(FAMILY)
    table.declare(("m",))
    assert [list(block.counts) for block in table.histograms()] == [[[0, 0, 0]], [[0, 0]]]


@pytest.mark.parametrize("cells", [[[1, 2, 3, math.inf], [0, 0, 0]], [[1, 2], [0, 0, 0]], [[1]]])
def test_damaged_cells_are_refused(cells: list[list[float]]) -> None:
    with pytest.raises(ValueError, match=r"."):
        HistogramTable(FAMILY).read([[["m"], cells]])


KNOWN_OR_NOT = st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0, 10, 11, -1.0, math.nan])


@given(st.lists(st.tuples(KNOWN_OR_NOT, KNOWN_OR_NOT), min_size=MANY, max_size=3 * MANY))
def test_many_values_are_counted_as_one_by_one(rows: list[tuple[float, float]]) -> None:
    together, apart = HistogramTable(FAMILY), HistogramTable(FAMILY)
    together.observe(("m",), [*zip(*rows, strict=True)])
    for row in rows:
        apart.observe(("m",), [[value] for value in row])
    assert together.to_form() == apart.to_form()
