"""Facts about normal scores: places among the reference's values, whatever their units."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from mlmon_exporter.core.derived.normal_scores import (
    FARTHEST,
    NormalScores,
    normal_scores,
    scorer,
)
from mlmon_exporter.core.profile.bins import CategoryBins
from mlmon_exporter.core.profile.column import ColumnReference
from tests.core.build import references

ROWS = 20_000
NORMAL = np.random.default_rng(0).normal(size=ROWS)
COLOURS = np.repeat(["red", "green", "blue"], [12_000, 6_000, 2_000])


def scores_of(column: ColumnReference) -> NormalScores:
    found = normal_scores(column)
    assert found is not None
    return found


def test_scores_of_a_normal_feature_are_its_standard_deviations() -> None:
    columns = references({"x": 5 + 3 * NORMAL})
    score = scorer([scores_of(columns[0])], columns)
    found = score(5 + 3 * np.linspace(-2.5, 2.5, 11)[None, :])
    assert found[0] == pytest.approx(np.linspace(-2.5, 2.5, 11), abs=0.1)


def test_a_feature_with_heavy_tails_scores_by_place_among_the_reference() -> None:
    new = np.linspace(-3, 3, 101)[None, :]
    plain, heavy = references({"x": NORMAL}), references({"x": np.exp(NORMAL)})
    ours = scorer([scores_of(plain[0])], plain)(new)
    theirs = scorer([scores_of(heavy[0])], heavy)(np.exp(new))
    assert ours == pytest.approx(theirs, abs=0.25)


@pytest.mark.parametrize("values", [NORMAL, np.exp(NORMAL), 1e290 * np.exp(5 * NORMAL)])
def test_values_far_beyond_the_reference_score_8_and_others_rise_up_to_it(values: Any) -> None:
    columns = references({"x": values})
    score = scorer([scores_of(columns[0])], columns)
    ordered = np.sort(np.append(values[:1_000], [-1e308, values.max() * 1.5, 1e308]))
    found = score(ordered[None, :])[0]
    assert found[[0, -1]].tolist() == pytest.approx([-FARTHEST, FARTHEST], rel=0.5)
    assert (np.diff(found) >= 0).all()


def test_a_category_scores_by_its_place_among_categories_by_frequency() -> None:
    columns = references({"c": COLOURS})
    found = scores_of(columns[0])
    assert found.places == ("red", "green", "blue", "other")
    middles = (0.3, 0.75, 0.95, 0.999)  # of 0.6, 0.3 and 0.1
    assert found.scores == pytest.approx([*map(NormalDist().inv_cdf, middles)])


def test_missing_invalid_and_unseen_values_score_0_and_a_row_without_any_is_missing() -> None:
    columns = references({"x": NORMAL, "c": COLOURS})
    assert isinstance(columns[1].bins, CategoryBins)
    unseen, missing = columns[1].bins.cell_count - 2, columns[1].bins.cell_count - 1
    score = scorer([*map(scores_of, columns)], columns)
    nan, inf = np.nan, np.inf
    found = score(np.array([[nan, inf, 1.0, nan, nan], [0, 0, unseen, missing, nan]]))
    red = NormalDist().inv_cdf(0.3)
    assert found[0] == pytest.approx([0, 0, 1.0, nan, nan], abs=0.05, nan_ok=True)
    assert found[1] == pytest.approx([red, red, 0, nan, nan], nan_ok=True)


def test_a_category_is_found_by_its_name_in_bins_of_another_order() -> None:
    found = scores_of(references({"c": COLOURS})[0])
    other = references({"c": COLOURS[::-1][:9_000]})  # green is the most frequent
    score = scorer([found], other)
    assert score(np.array([[0.0]]))[0, 0] == found.scores[found.places.index("green")]


@pytest.mark.parametrize(
    "values",
    [
        np.ones(ROWS),
        np.arange(ROWS),
        np.full(ROWS, np.nan),
        ["red"] * ROWS,
        [f"id-{i}" for i in range(ROWS)],
    ],
    ids=["constant", "row number", "empty", "one category", "ids"],
)
def test_a_column_that_does_not_tell_rows_apart_takes_no_part(values: list[str]) -> None:
    assert normal_scores(references({"x": values})[0]) is None


def test_a_feature_that_is_absent_or_of_another_kind_is_named() -> None:
    x, c = references({"x": NORMAL, "c": COLOURS})
    with pytest.raises(ValueError, match="expected the feature 'x'"):
        scorer([scores_of(x)], [c])
    with pytest.raises(ValueError, match="x: expected a categorical column"):
        scorer([scores_of(x)], references({"x": COLOURS}))


def test_scores_are_read_as_they_were_written() -> None:
    for column in references({"x": NORMAL, "c": COLOURS}):
        found = scores_of(column)
        assert NormalScores.from_dict(found.to_dict()) == found
    with pytest.raises(ValueError, match="x: expected a score for each place"):
        NormalScores.from_dict({"name": "x", "places": [1.0, "a"], "scores": [0.0, 1.0]})
