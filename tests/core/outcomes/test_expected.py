"""Facts about expected losses of a regression, checked by scikit-learn's ridge regression."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from mlmon_exporter.core.outcomes.expected import LEAST_ROWS, RIDGE, ExpectedLosses, LossFit
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.reference.reference import Reference
from tests.core.build import references

Floats = NDArray[np.float64]
Rows = dict[str, NDArray[Any]]


def rows(count: int, seed: int = 0) -> Rows:
    """Two features and a prediction; errors grow with one and differ by town."""
    rng = np.random.default_rng(seed)
    age, town = rng.normal(size=count), rng.choice(["york", "hull", "bath"], count)
    age[rng.random(count) < 0.05] = np.nan
    made = {"age": age, "town": town.astype(object), "p": rng.normal(size=count)}
    spread = np.exp(np.nan_to_num(age, nan=1.5) / 2) * np.where(town == "york", 2.0, 1.0)
    return {**made, "truth": made["p"] + spread * rng.normal(size=count)}


def errors(made: Rows) -> Floats:
    return np.abs(np.asarray(made["truth"] - made["p"], dtype=np.float64))


def fitted(made: Rows, columns: tuple[ColumnReference, ...], chunk: int) -> ExpectedLosses:
    fit = LossFit(columns[:-1], columns[-1:])
    for start in range(0, len(made["p"]), chunk):
        part = {name: values[start : start + chunk] for name, values in made.items()}
        fit.add(part, np.arange(len(part["p"])), errors(part))
    losses = np.array((errors(made), errors(made) ** 2))
    found = fit.fitted(losses.mean(axis=1))
    assert found is not None
    return found


ROWS = rows(6000)
COLUMNS = references({name: ROWS[name] for name in ("age", "town", "p")})
LOSSES = fitted(ROWS, COLUMNS, chunk=6000)


def indicators(made: Rows) -> Floats:
    """One column for each bin of each column, made by hand."""
    found = []
    for column in COLUMNS:
        values, bins = made[column.name], column.bins
        if column.kind == "categorical":
            found += [values == name for name in bins.categories]  # type: ignore[union-attr]
        else:
            edges = bins.bin_edges  # type: ignore[union-attr]
            which = np.where(np.isnan(values), -1, np.searchsorted(edges, values))
            found += [which == i for i in range(-1, len(edges) + 1)]
    return np.array(found, dtype=np.float64).T


def expected(made: Rows, columns: tuple[ColumnReference, ...] = COLUMNS) -> Floats:
    """Mean losses of rows, from their counts alone."""
    counts = []
    for column in columns:
        values = made[column.name]
        if column.kind == "categorical":
            codes = [column.bins.code(value) for value in values]  # type: ignore[union-attr]
            counts.append(np.bincount(np.array(codes, int), minlength=column.bins.cell_count))
        else:
            counts.append(column.bins.count(values)[0])
    found = LOSSES.of_cells(columns) @ np.concatenate(counts) / len(made["p"])
    return np.asarray(LOSSES.means + found)


def test_the_mean_of_a_window_is_that_of_ridge_regression_on_its_rows() -> None:
    later = rows(700, seed=1)
    losses = np.array((errors(ROWS), errors(ROWS) ** 2)).T
    oracle = Ridge(alpha=RIDGE).fit(indicators(ROWS), losses)
    assert expected(later) == pytest.approx(oracle.predict(indicators(later)).mean(axis=0))


def test_on_the_reference_it_is_the_references() -> None:
    assert expected(ROWS) == pytest.approx([errors(ROWS).mean(), (errors(ROWS) ** 2).mean()])


def test_chunks_do_not_matter() -> None:
    ours, theirs = (LOSSES.of_cells(COLUMNS), fitted(ROWS, COLUMNS, 777).of_cells(COLUMNS))
    assert ours == pytest.approx(theirs)


def test_unseen_categories_say_nothing_and_other_bins_are_read_by_value() -> None:
    unseen = rows(500, seed=2)
    before = expected(unseen)
    unseen["town"] = np.full(500, "oslo", dtype=object)
    town = LOSSES.of_cells(COLUMNS[1:2]).T
    assert town.shape == (6, 2)
    assert not town[-2].any()  # that of unseen values
    assert expected(unseen) != pytest.approx(before)
    others = references({name: rows(9000, seed=3)[name] for name in ("age", "town", "p")})
    assert expected(unseen, others) == pytest.approx(expected(unseen), rel=0.05)


def test_few_rows_columns_of_one_value_ids_and_infinite_errors_are_left_out() -> None:
    made = rows(LEAST_ROWS)
    made["same"], made["id"] = np.ones(LEAST_ROWS), np.arange(LEAST_ROWS) + 1.7e9
    columns = references({name: made[name] for name in ("same", "id", "age", "p")})
    fit = LossFit(columns[:-1], columns[-1:])
    fit.add(made, np.arange(LEAST_ROWS - 1), errors(made)[:-1])
    fit.add(made, np.array([0, 1]), np.array([np.inf, 1e200]))
    assert fit.fitted(np.ones(2)) is None
    fit.add(made, np.array([LEAST_ROWS - 1]), errors(made)[-1:])
    found = fit.fitted(np.ones(2))
    assert found is not None
    assert {"same"}.isdisjoint(each.name for each in found.columns)


def test_errors_whose_squares_are_no_numbers_leave_a_reference_without() -> None:
    huge = rows(3000)
    huge["truth"][0] = 1e200
    built = Reference.build(huge, predictions="p", ground_truth="truth")
    read = Reference.from_bytes(built.to_bytes())
    assert read.outcomes is not None
    assert read.outcomes.expected is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("means", [1.0]),
        ("means", [1.0, float("nan")]),
        ("columns", [{"name": "a", "places": [1.0], "losses": [[1.0], [1.0]]}]),
        ("columns", [{"name": "a", "places": [None], "losses": [[1.0] * 3] * 2}]),
        ("columns", [{"name": "a", "places": []}]),
    ],
)
def test_damaged_forms_are_errors(key: str, value: Any) -> None:
    form = LOSSES.to_dict()
    assert ExpectedLosses.from_dict(form).to_dict() == form
    with pytest.raises((ValueError, KeyError)):
        ExpectedLosses.from_dict({**form, key: value})


def test_a_reference_keeps_them_and_parts_of_it_the_wholes() -> None:
    names = {"predictions": "p", "ground_truth": "truth", "features": ["age", "town"]}
    whole = Reference.build(ROWS, **names)  # type: ignore[arg-type]
    read = Reference.from_bytes(whole.to_bytes())
    assert read.outcomes is not None
    assert read.outcomes.expected is not None
    assert read.outcomes.expected.of_cells(COLUMNS) == pytest.approx(LOSSES.of_cells(COLUMNS))
    part = Reference.build(rows(300, seed=4), ground_truth="truth", like=whole)
    assert part.outcomes is not None
    assert part.outcomes.expected is not None
    assert part.outcomes.expected.to_dict() == read.outcomes.expected.to_dict()
    few = Reference.build(rows(300, seed=4), **names)  # type: ignore[arg-type]
    both = (few + whole).outcomes
    assert both is not None
    assert both.expected is not None
    assert both.expected.to_dict() == read.outcomes.expected.to_dict()
