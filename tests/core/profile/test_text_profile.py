"""Facts about which columns of texts become categories."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlmon_exporter.core.profile.categories import CategoryCounts
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.profiler import Profiler
from mlmon_exporter.core.profile.text_profile import without_long_names

LONG = "My name is Jane Roe and I was born on 1 April 1980"


def profiled(values: Any, name: str = "x") -> dict[str, ColumnReference]:
    profiler = Profiler(with_texts=True)
    profiler.profile({name: values}, len(values))
    return {column.name: column for column in profiler.references()}


def test_short_values_that_recur_are_categories() -> None:
    (column,) = profiled(["Bern", "Uri", None] * 40).values()
    assert column.rows_by_category == {"Bern": 40, "Uri": 40}
    assert column.bins.is_complete  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "values", [[f"user {i}" for i in range(40)], [LONG] * 40, ["a", "b"] * 40 + [LONG] * 20]
)
def test_values_that_are_long_or_hardly_recur_are_text(values: list[str]) -> None:
    columns = profiled([*values, None])
    assert [*columns] == ["x.characters", "x.words"]
    lengths = np.array([len(value) for value in values])
    assert columns["x.characters"].mean == pytest.approx(lengths.mean())
    assert [(c.rows, c.missing) for c in columns.values()] == [(len(values) + 1, 1)] * 2


def test_what_people_write_is_text_however_often_it_recurs() -> None:
    assert [*profiled(["hello"] * 100, "prompt")] == ["prompt.characters", "prompt.words"]


def test_a_long_value_among_short_ones_is_other_and_nothing_is_unseen_then() -> None:
    (column,) = profiled(["Bern", "Uri"] * 40 + [LONG] * 5).values()
    assert column.counts.tolist() == [40, 40, 5, 0, 0]
    assert column.bins.code(LONG) == column.bins.code("new") == 2  # type: ignore[union-attr]


def test_texts_counted_already_are_the_same_text() -> None:
    names = tuple(f"user {i}" for i in range(100))
    (characters, words) = profiled(["", *names])
    counted = Profiler(with_texts=True)
    counted.profile({"x": CategoryCounts(names, (1,) * 100, 1)}, 101)
    for column, name in zip(counted.references(), (characters, words), strict=True):
        assert column.counts.tolist() == profiled(["", *names])[name].counts.tolist()


def test_rows_of_texts_that_are_not_named_are_taken_to_be_as_the_others() -> None:
    profiler = Profiler(with_texts=True)
    names = tuple(f"user {i}" for i in range(100))
    profiler.profile({"x": CategoryCounts(names, (1,) * 100, 5, other=50)}, 155)
    characters, _ = profiler.references()
    assert (characters.rows, characters.missing) == (155, 5)


def test_secrets_are_not_looked_at() -> None:
    assert profiled(["hunter2"] * 40, "user.password") == {}


def test_of_an_older_reference_long_names_are_other() -> None:
    profiler = Profiler()
    profiler.profile({"x": ["Bern"] * 20 + [LONG] * 15 + [LONG + "!"] * 3}, 38)
    (column,) = profiler.references()
    folded = without_long_names(column)
    assert (folded.rows_by_category, folded.counts.tolist()) == ({"Bern": 20}, [20, 18, 0, 0])
    assert without_long_names(folded) is folded


def test_a_column_that_is_called_as_a_texts_characters_stays() -> None:
    profiler = Profiler(with_texts=True)
    texts = [f"user {i}" for i in range(40)]
    profiler.profile({"x": texts, "x.characters": [1.0] * 40}, 40)
    assert [column.name for column in profiler.references()] == ["x.words", "x.characters"]
