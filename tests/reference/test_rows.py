"""Facts about rows that references are built from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from mlmon_exporter import Reference
from tests.reference.built import names, rows


class Frameish:
    """What a DataFrame offers: columns, and each of them as an array."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.columns = list(data)
        self._data = data

    def __getitem__(self, name: str) -> Any:
        return Series(self._data[name])


class Series:
    def __init__(self, values: Any) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def to_numpy(self) -> Any:
        return np.asarray(self._values)


def chunked(data: Mapping[str, Any], size: int) -> Callable[[], Iterator[tuple[Any, int]]]:
    total = len(next(iter(data.values())))

    def chunks() -> Iterator[tuple[Any, int]]:
        for start in range(0, total, size):
            part = {name: values[start : start + size] for name, values in data.items()}
            yield part, min(size, total - start)

    return chunks


SHAPES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "arrays": lambda data: data,
    "lists": lambda data: {name: values.tolist() for name, values in data.items()},
    "a frame": Frameish,
    "chunks": lambda data: chunked(data, 700),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_shape_of_data_does_not_matter(shape: str) -> None:
    expected = Reference.build(rows())
    built = Reference.build(SHAPES[shape](rows()))
    for ours, theirs in zip(built.features, expected.features, strict=True):
        assert (ours.name, ours.kind) == (theirs.name, theirs.kind)
        assert ours.bins.intervals == theirs.bins.intervals
        np.testing.assert_array_equal(ours.counts, theirs.counts)
        assert ours.mean == pytest.approx(theirs.mean, nan_ok=True)


def test_progress_is_told_of_all_rows_in_each_pass() -> None:
    told: list[int] = []
    few = {"x": np.arange(1000.0)}
    Reference.build(chunked(few, 400), progress=told.append)
    assert told == [400, 400, 200]
    told.clear()
    many = {"x": np.random.default_rng(1).random(15_000)}
    Reference.build(chunked(many, 10_000), progress=told.append)
    assert told == [10_000, 5000, 10_000, 5000]


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ({}, {}, "reference: expected rows, got none"),
        ({"x": []}, {}, "reference: expected rows, got none"),
        (
            {"x": [1.0], "y": [1.0, 2.0]},
            {},
            "reference: expected columns of one length, got [1, 2]",
        ),
        (
            {"x": [1.0], "y": [2.0]},
            {"predictions": "z"},
            "reference: no column 'z'; there are x, y",
        ),
        (
            {"x": [1.0]},
            {"features": ["a", "b"]},
            "reference: no column 'a', 'b'; there are x",
        ),
        ({"x": [1.0]}, {"ground_truth": "y"}, "reference: no column 'y'; there are x"),
        ({"x": [1.0]}, {"categorical": ["y"]}, "reference: no column 'y'; there are x"),
        ({"x": [1.0]}, {"ignore": ["y"]}, "reference: no column 'y'; there are x"),
    ],
)
def test_what_cannot_be_built_is_said(data: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the message is compared below
        Reference.build(data, **options)
    assert str(raised.value) == message


def test_dirty_columns_are_built() -> None:
    built = Reference.build(
        {
            "numbers": [1.0, None, "", "2.5", "text", 10**400, float("inf"), [1], {}, True],
            "texts": ["a", None, "b", float("nan"), 1, 1.0, "c", [], {}, "\ud800"],
            "empty": [None, "", float("nan")] + [None] * 7,
        }
    )
    numbers, texts, empty = built.features
    assert (empty.rows, empty.missing) == (10, 10)
    assert (numbers.kind, numbers.rows, numbers.missing) == ("numeric", 10, 6)
    assert (texts.kind, texts.rows, texts.missing) == ("categorical", 10, 4)
    again = Reference.from_bytes(built.to_bytes())
    assert names(again) == names(built)
