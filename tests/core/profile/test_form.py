"""Facts about the form in which a column is kept: what goes in comes out, or is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from mlmon_exporter.core.profile.categories import with_hidden_names
from mlmon_exporter.core.profile.column import ColumnReference, numeric_column
from mlmon_exporter.core.profile.edges import Cells
from mlmon_exporter.core.profile.form import column_from_dict, column_to_dict
from mlmon_exporter.core.stats.scatter import INDEPENDENT, two_sided_square
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from tests.core.build import edges_of, reference, scored
from tests.core.distributions import Distribution

GREATEST = float(np.finfo(np.float64).max)


def kept(column: ColumnReference) -> ColumnReference:
    """The column as it comes out of a file."""
    return column_from_dict(json.loads(json.dumps(column_to_dict(column))), "fastdigest")


def test_a_column_comes_out_as_it_went_in(distribution: Distribution, engine: str) -> None:
    rows = distribution.rows(np.random.default_rng(8), 1500)
    rows[::100] = np.nan
    column = reference(rows, engine=engine, passes=1)
    form = column_to_dict(column)
    again = column_from_dict(json.loads(json.dumps(form, allow_nan=False)), engine)
    assert again.name == column.name
    np.testing.assert_array_equal(edges_of(again), edges_of(column))
    np.testing.assert_array_equal(again.counts, column.counts)
    assert again.bins.intervals == column.bins.intervals
    assert (again.mean, again.sd) == (column.mean, column.sd)
    assert again.rank_error == column.rank_error
    ranks = np.searchsorted(np.sort(rows[~np.isnan(rows)]), again.quantiles * (1 + 1e-12)) / 1485
    assert np.diff(ranks).min() >= 0
    assert again.quantiles == pytest.approx(column.quantiles, rel=0.1, abs=column.sd / 10)


def test_categories_come_out_as_they_went_in() -> None:
    column = reference(["a", "a", "b", "", "true", "1", "\ud800", "x" * 10_000], max_categories=2)
    again = kept(column)
    assert again.bins == column.bins
    np.testing.assert_array_equal(again.counts, column.counts)
    assert again.rows_by_category == column.rows_by_category
    assert again.singletons == column.singletons
    assert again.max_categories == column.max_categories == 2


def test_hidden_names_come_out_as_they_went_in_and_are_not_in_the_form() -> None:
    rows = ["a"] * 12 + ["rare", "rarer", "rarer"]
    column = with_hidden_names(reference(rows, min_rows=10), b"key")
    assert kept(column).bins == column.bins
    assert kept(column).singletons == 1
    assert "rare" not in json.dumps(column_to_dict(column)["hidden"])
    assert column_to_dict(column)["rare"] == []


HIDDEN = {"key": "00ff", "hashes": ["ab"], "once": 1}


@pytest.mark.parametrize(
    "damage",
    [
        *({"key": "x"}, {"key": 5}, {"key": "00" * 65}, {"hashes": "ab"}, {"hashes": [1]}),
        *({"hashes": [["ab"]]}, {"once": 2}, {"once": -1}, {"once": 0.5}, {"once": None}),
    ],
)
def test_damaged_hidden_names_are_refused(damage: dict[str, Any]) -> None:
    assert column_from_dict({**CATEGORICAL, "hidden": HIDDEN}, "fastdigest").singletons == 2
    with pytest.raises((TypeError, ValueError), match=r"."):
        column_from_dict({**CATEGORICAL, "hidden": {**HIDDEN, **damage}}, "fastdigest")


def test_what_is_not_finite_is_null() -> None:
    column = reference([-GREATEST, GREATEST] * 5)
    form = column_to_dict(column)
    assert form["sd"] is None
    again = kept(column)
    assert math.isnan(again.sd)
    window = {"x": [0.0] * 200}
    for ours, theirs in zip(
        *(scored(ReferenceMatrix([c]), window).values() for c in (column, again)), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_a_name_that_cannot_be_encoded_is_kept_clean() -> None:
    form = column_to_dict(
        numeric_column("a\ud800", Cells(np.empty(0)), np.zeros(2, dtype=np.int64))
    )
    assert form["name"].encode()


NUMERIC = column_to_dict(reference([1.0, 2.0, 2.0, None]))
CATEGORICAL = column_to_dict(reference(["a", "b", "b", ""]))


@pytest.mark.parametrize(
    ("form", "damage", "message"),
    [
        (NUMERIC, {"kind": "text"}, "kind: expected numeric or categorical, got 'text'"),
        (NUMERIC, {"edges": "abc"}, "edges: expected a list of numbers"),
        (NUMERIC, {"edges": 1.0}, "edges: expected a list of numbers"),
        (NUMERIC, {"edges": [[1.0], [2.0]]}, "edges: expected a list of numbers"),
        (NUMERIC, {"edges": [1.0, None]}, "edges: expected a list of numbers"),
        (NUMERIC, {"edges": [1.0, 1.0]}, "edges: expected numbers in ascending order"),
        (NUMERIC, {"edges": [2.0, 1.0]}, "edges: expected numbers in ascending order"),
        (NUMERIC, {"bin_edges": [7.0]}, "bin_edges: expected some of the edges in ascending order"),
        (
            NUMERIC,
            {"bin_edges": [2.0, 1.0]},
            "bin_edges: expected some of the edges in ascending order",
        ),
        (NUMERIC, {"counts": [1, 2]}, "counts: expected 6 whole numbers of 0 or more"),
        (NUMERIC, {"counts": [0, 1, 0, 2, 0, -1]}, "counts: expected 6 whole numbers of 0 or more"),
        (
            NUMERIC,
            {"counts": [0, 1, 0, 2, 0.5, 0]},
            "counts: expected 6 whole numbers of 0 or more",
        ),
        (NUMERIC, {"counts": ["1"] * 6}, "counts: expected a list of numbers"),
        (NUMERIC, {"counts": None}, "counts: expected a list of numbers"),
        (
            NUMERIC,
            {"counts": [0, 1, 0, 2, 0, 2**63]},
            "counts: expected at most 9007199254740992 rows, got 9.22337e+18",
        ),
        (NUMERIC, {"mean": "high"}, "mean: expected a number, got 'high'"),
        (NUMERIC, {"sd": [1.0]}, "sd: expected a number, got [1.0]"),
        (NUMERIC, {"rank_error": None}, "rank_error: expected a share, got None"),
        (NUMERIC, {"rank_error": -1}, "rank_error: expected a share, got -1"),
        (NUMERIC, {"digest": 5}, "digest: expected centroids of m and c"),
        (NUMERIC, {"digest": {"centroids": [{"m": 1.0}]}}, "digest: expected centroids of m and c"),
        (
            NUMERIC,
            {"digest": {"centroids": [{"m": 1.0, "c": -1}]}},
            "digest: expected finite centroids with weights over 0",
        ),
        (CATEGORICAL, {"categories": "ab"}, "categories: expected a list of texts"),
        (CATEGORICAL, {"categories": ["a", 1]}, "categories: expected a list of texts"),
        (CATEGORICAL, {"rare": None}, "rare: expected a list of texts"),
        (CATEGORICAL, {"categories": ["a", "a"]}, "categories, rare: expected each category once"),
        (CATEGORICAL, {"rare": ["a"]}, "categories, rare: expected each category once"),
        (CATEGORICAL, {"counts": [1]}, "counts: expected 5 whole numbers of 0 or more"),
        (
            CATEGORICAL,
            {"rare_counts": [1]},
            "rare_counts: expected 0 whole numbers of 0 or more",
        ),
        (
            CATEGORICAL,
            {"rare": ["c"], "rare_counts": [1]},
            "rare_counts: expected at most the 0 rows of other",
        ),
        (CATEGORICAL, {"max_categories": -1}, "max_categories: expected a whole number, got -1"),
        (CATEGORICAL, {"max_categories": 0.5}, "max_categories: expected a whole number, got 0.5"),
    ],
)
def test_a_damaged_column_is_refused(form: Any, damage: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the message is compared below
        column_from_dict({**form, **damage}, "fastdigest")
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize("form", [NUMERIC, CATEGORICAL], ids=["numeric", "categorical"])
def test_every_key_is_needed_but_those_that_came_later(form: dict[str, Any]) -> None:
    for key in form.keys() - {"variation", "natural_variation", "atoms", "discrete", "looks"}:
        lacking = {name: value for name, value in form.items() if name != key}
        with pytest.raises(KeyError, match=key):
            column_from_dict(lacking, "fastdigest")


@pytest.mark.parametrize("form", [NUMERIC, CATEGORICAL], ids=["numeric", "categorical"])
def test_tails_of_a_file_of_before_become_variances_that_reach_as_far(
    form: dict[str, Any],
) -> None:
    old = {key: value for key, value in form.items() if key != "natural_variation"}
    tails = {"psi": [0.1, 0.02], "missing_ratio": [0.0, 0.0], "ks_statistic": [0.05, 0.01]}
    column = column_from_dict({**old, "variation": {"3600": tails}}, "fastdigest")
    level = 1e-5
    reached = {
        score: start + scale * math.log(0.1 / level) for score, (start, scale) in tails.items()
    }
    square = two_sided_square(level)
    psi, shape = (column.natural(score, 7200.0) for score in ("psi", "ks_statistic"))
    assert psi.variance * (1 + 1.25 * (square - 1)) == pytest.approx(reached["psi"])
    assert math.sqrt(square / 4 * shape.variance) == pytest.approx(reached["ks_statistic"])
    assert column.natural("missing_ratio", 3600.0) == INDEPENDENT
    assert kept(column).variation == column.variation


def test_a_column_without_a_digest_is_read() -> None:
    column = column_from_dict({**NUMERIC, "digest": None}, "fastdigest")
    assert column.digest is None
    assert column.counts.tolist() == NUMERIC["counts"]
