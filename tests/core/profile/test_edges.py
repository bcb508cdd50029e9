"""Facts about the edges of numeric cells, and the rows below them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmon_exporter.core.profile.bins import NumericBins
from mlmon_exporter.core.profile.edges import atom_edges, choose_edges, edge_ranks, rows_below
from tests.core.build import edges_of, off_by, reference


def test_edges_are_at_the_ranks_and_around_the_range() -> None:
    values = np.sort(np.random.default_rng(1).normal(size=100_000))
    edges = edges_of(reference(values))
    ranks = np.searchsorted(values, edges, side="right") / len(values)
    assert ranks[[0, -1]].tolist() == [0.0, 1.0]
    nearest = np.abs(np.subtract.outer(edge_ranks(), ranks)).min(axis=1)
    assert nearest.max() <= 0.002
    assert len(edges) == len(edge_ranks()) + 2  # a normal column has no heavy tail


@pytest.mark.parametrize(
    ("least", "greatest"),
    [
        (0, 1),
        (-1e300, 1e300),
        (1e-300, 1e-299),
        (5e-324, 1e-320),
        (1.7e9, 1.7e9 + 1),
        (2**53, 2**60),
    ],
)
def test_edges_rise_whatever_the_magnitude(least: float, greatest: float) -> None:
    values = least + (greatest - least) * np.linspace(0, 1, 2000)
    column = reference(values)
    edges = edges_of(column)
    assert np.isfinite(edges).all()
    assert (np.diff(edges) > 0).all()
    assert edges[0] < values[0]
    assert edges[-1] >= values[-1]
    assert off_by(column, values) == 0
    assert 8 <= len(column.bins.bin_names) <= 12 or least == 5e-324


def test_edges_are_short_numbers() -> None:
    edges = edges_of(reference(np.random.default_rng(2).lognormal(size=50_000)))
    inner = edges[1:-1]
    assert max(len(f"{edge:.12g}") for edge in inner) <= 8


@settings(max_examples=50)
@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30),
    st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=5),
)
def test_chosen_edges_are_finite_and_rise(values: list[float], atoms: list[float]) -> None:
    ordered = np.sort(np.array(values))
    edges = choose_edges(ordered, np.array(atoms), ordered)
    assert np.isfinite(edges).all()
    assert (np.diff(edges) > 0).all()
    assert edges[-1] >= ordered[-1]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=20))
def test_every_atom_has_a_cell_of_its_own(atoms: list[float]) -> None:
    edges = atom_edges(atoms)
    assert np.isfinite(edges).all()
    counts = NumericBins(edges, np.empty(0)).count(np.unique(np.array(atoms)))[0]
    assert counts.max(initial=0) <= 1


def test_rows_below_are_exact_at_edges_and_even_between() -> None:
    counts = np.array([0, 4, 6, 0, 3])
    points = np.array([-1.0, 0.0, 0.5, 1.0, 2.0, 9.0])
    below = rows_below(np.array([0.0, 1.0, 2.0]), counts, points)
    assert below.tolist() == [0.0, 0.0, 2.0, 4.0, 10.0, 10.0]
    assert rows_below(np.empty(0), np.array([0, 3]), points).tolist() == [0.0] * 6
