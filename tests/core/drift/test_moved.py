"""Facts about the words for what moved."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from mlmon_exporter.core.drift.moved import greatest_move, into_tails
from mlmon_exporter.core.profile.bins import CategoryBins, NumericBins

EDGES = np.array([0.0, 0.46, 1.5])
NUMBER = NumericBins(EDGES, EDGES)
WITH_ATOM = NumericBins(np.array([0.0, 0.5, 0.75, 2.0]), np.array([0.5, 0.75]), np.array([0.75]))
DISCRETE = NumericBins(
    np.array([0.0, 1, 2, 3]), np.array([1.0, 2]), np.array([0.0, 1, 2, 3]), is_discrete=True
)
CATEGORY = CategoryBins(("app", "web", "shop"))


def words(
    bins: NumericBins | CategoryBins,
    reference: Sequence[float],
    current: Sequence[float],
    test: str = "",
) -> str:
    sides = np.array(reference), np.array(current)
    return str(greatest_move(bins.kind, bins.intervals, *sides, test))


def test_of_a_number_it_is_the_cut_at_which_cumulative_shares_differ_most() -> None:
    before = [0.42, 0.5, 0.04, 0.04, 0.0]
    up = [0.11, 0.1, 0.4, 0.39, 0.0]
    assert words(NUMBER, before, up) == "79 % of rows are above 0.46, 8.0 % in the reference"
    assert words(NUMBER, up, before) == "92 % of rows are 0.46 or less, 21 % in the reference"


def test_a_value_with_its_own_bin_is_named_with_what_lies_on_its_side() -> None:
    assert WITH_ATOM.intervals[:2] == ("(-Inf, 0.75)", "[0.75, 0.75]")
    reference, current = [0.5, 0.1, 0.4, 0.0], [0.1, 0.5, 0.4, 0.0]
    assert words(WITH_ATOM, reference, current) == (
        "90 % of rows are 0.75 or more, 50 % in the reference"
    )
    assert words(WITH_ATOM, current, reference) == (
        "50 % of rows are under 0.75, 10 % in the reference"
    )
    assert words(DISCRETE, [0.5, 0.3, 0.2, 0, 0], [0.1, 0.4, 0.5, 0, 0]) == (
        "90 % of rows are 2 or more, 50 % in the reference"
    )


def test_of_a_category_it_is_the_value_whose_share_changed_most() -> None:
    reference, current = [0.6, 0.12, 0.2, 0.08, 0, 0], [0.4, 0.41, 0.12, 0.07, 0, 0]
    assert words(CATEGORY, reference, current) == "category `web` 12 % → 41 %"
    assert words(CATEGORY, current, reference) == "category `web` 41 % → 12 %"


def test_missing_and_unseen_values_stand_for_themselves() -> None:
    reference = [0.42, 0.5, 0.04, 0.03, 0.01]
    assert words(NUMBER, reference, [0.22, 0.25, 0.02, 0.01, 0.5]) == (
        "50 % of rows are missing, 1.0 % in the reference"
    )
    new = [0.3, 0.06, 0.1, 0.04, 0.5, 0]
    assert words(CATEGORY, [0.6, 0.12, 0.2, 0.08, 0, 0], new) == (
        "50 % of rows are values that the reference never had, 0 % in the reference"
    )


def test_the_score_that_decided_says_which_bin_it_is_about() -> None:
    reference, current = [0.4, 0.4, 0.1, 0.09, 0.01], [0.45, 0.31, 0.1, 0.1, 0.04]
    assert "missing" not in words(NUMBER, reference, current)
    assert words(NUMBER, reference, current, "missing_threshold") == (
        "4.0 % of rows are missing, 1.0 % in the reference"
    )


def test_of_nothing_there_is_no_move() -> None:
    nothing = np.full(5, np.nan)
    assert greatest_move("numeric", NUMBER.intervals, nothing, np.full(5, 0.2)) is None
    assert greatest_move("numeric", NUMBER.intervals, np.full(5, 0.2), nothing) is None


def test_the_greatest_gap_is_found_among_random_shares() -> None:
    rng = np.random.default_rng(0)
    bins = NumericBins(np.arange(9.0), np.arange(9.0))
    for _ in range(50):
        reference, current = rng.dirichlet(np.ones(10), size=2)
        with_missing = np.append(reference, 0.0), np.append(current, 0.0)
        move = greatest_move("numeric", bins.intervals, *with_missing)
        assert move is not None
        gaps = np.abs(np.cumsum(current) - np.cumsum(reference))[:-1]
        assert abs(move.current - move.reference) == pytest.approx(gaps.max())
        assert move.current > move.reference
        edge = move.rows.removeprefix("above ").removesuffix(" or less")
        assert float(edge) == int(np.argmax(gaps))


def test_the_tails_are_two_thousandths_of_the_reference() -> None:
    reference = np.array([0.5, 0.5, 0.0])
    assert str(into_tails(0.023, reference)) == (
        "2.3 % of rows are beyond the reference's 0.1 and 99.9 percentiles, 0.20 % in the reference"
    )
