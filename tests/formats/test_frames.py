"""Facts about frames: of whichever library, their columns are the same values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from mlmon_exporter import Monitor, Reference
from mlmon_exporter.core.coerce import numbers
from mlmon_exporter.core.derived.vector_input import VectorInput
from mlmon_exporter.formats.frames import columns_of, is_frame

ROWS: dict[str, Any] = {
    "amount": [9.99, 1.5, None, 9.99] * 30,
    "count": [1, 2, 3, None] * 30,
    "is_new": [True, False, True, False] * 30,
    "city": ["Bern", "Genf", None, "Bern"] * 30,
    "at": [dt.datetime(2026, 1, day) for day in (1, 2, 3, 4)] * 30,  # noqa: DTZ001 - naive, as in files
}
DAY_1 = 1767225600.0


def of_pandas() -> Any:
    frame = pd.DataFrame(ROWS)
    return frame.assign(count=frame["count"].astype("Int64"), city=frame["city"].astype("category"))


def of_polars() -> Any:
    return pl.DataFrame(ROWS).with_columns(pl.col("city").cast(pl.Categorical))


def of_arrow() -> Any:
    table = pa.table(ROWS)
    return table.set_column(3, "city", table["city"].dictionary_encode())


FRAMES: dict[str, Callable[[], Any]] = {
    "pandas": of_pandas,
    "polars": of_polars,
    "arrow": of_arrow,
}


@pytest.mark.parametrize(
    "column",
    [
        pl.Series("v", [[1.0, 2.0], None, [3.0, 4.0]], pl.List(pl.Float32)),
        pl.Series("v", [[1.0, 2.0], None, [3.0, 4.0]], pl.Array(pl.Float32, 2)),
        pd.Series([[1.0, 2.0], None, [3.0, 4.0]], name="v"),
        pd.Series(
            [[1.0, 2.0], None, [3.0, 4.0]],
            name="v",
            dtype=pd.ArrowDtype(pa.list_(pa.float64())),
        ),
        pa.array([[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float32())),
        pa.array([[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float32(), 2)),
    ],
    ids=["Polars list", "Polars array", "pandas", "pandas with Arrow", "Arrow", "Arrow, fixed"],
)
def test_columns_of_lists_are_vectors_where_they_are_named(column: Any) -> None:
    if isinstance(column, pa.Array):
        frame: Any = pa.table({"v": column})
    else:
        frame = column.to_frame()
    found = VectorInput("v", 2).blocks(columns_of(frame, "observe", ["v"]), 3)
    expected = [[1, 2], [np.nan, np.nan], [3, 4]]
    np.testing.assert_array_equal(np.concatenate([*found]), expected)


@pytest.mark.parametrize("library", FRAMES)
def test_a_frame_has_the_values_of_its_columns(library: str) -> None:
    frame = FRAMES[library]()
    assert is_frame(frame)
    found = columns_of(frame, "observe")
    assert list(found) == list(ROWS)
    for name in ("amount", "count", "is_new"):
        np.testing.assert_array_equal(numbers(list(found[name])), numbers(ROWS[name]))
    assert [value if isinstance(value, str) else None for value in found["city"]] == ROWS["city"]
    assert numbers(found["at"]).tolist() == [DAY_1 + 86400.0 * n for n in range(4)] * 30


@pytest.mark.parametrize("built_from", FRAMES)
@pytest.mark.parametrize("observed", FRAMES)
def test_a_frame_observed_has_no_drift_from_the_reference_of_another(
    built_from: str, observed: str, tmp_path: Any
) -> None:
    path = tmp_path / "m.reference.json"
    Reference.build(FRAMES[built_from](), ignore=["at"]).save(path)
    with Monitor(model="m", reference=str(path)) as monitor:
        monitor.observe(FRAMES[observed]())
        found = {(r.name, r.labels.get("feature")): r.value for r in monitor.readings()}
    for name in ("amount", "count", "is_new", "city"):
        assert found["mlmon_feature_psi", name] == pytest.approx(0.0, abs=1e-9)
        assert found["mlmon_feature_invalid_total", name] == 0
        assert found.get(("mlmon_feature_unseen_total", name), 0) == 0


def test_a_record_array_is_a_frame() -> None:
    records = np.array([(1, "a"), (2, "b")], dtype=[("x", "i4"), ("c", "U2")])
    assert is_frame(records)
    assert not is_frame(np.ones(3))
    assert not is_frame({"columns": [1]})
    found = columns_of(records, "observe")
    assert (found["x"].tolist(), found["c"].tolist()) == ([1, 2], ["a", "b"])


def test_levels_of_columns_are_parted_by_dots() -> None:
    columns = pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")])
    assert list(columns_of(pd.DataFrame(np.ones((2, 2)), columns=columns), "x")) == ["a.b", "a.c"]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"band": pd.cut([1, 2, 3], 2)}), "band: expected numbers.* got interval"),
        (pd.DataFrame({"m": pd.period_range("2026-01", periods=2, freq="M")}), "m: .* got period"),
        (pd.DataFrame(np.ones((2, 2)), columns=["x", "x"]), "expected each column once, got 'x'"),
        (pa.table({"l": [[1], [2]]}), "l: expected numbers, texts or times, got list"),
    ],
)
def test_what_cannot_be_read_is_an_error_that_names_the_column(frame: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^reference: {message}"):
        Reference.build(frame)
    with (
        Monitor(model="m") as monitor,
        pytest.raises(ValueError, match=f"^observe: {message}"),
    ):
        monitor.observe(frame)


@pytest.mark.parametrize("type_", [pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(), pa.int8()])
def test_dictionaries_of_any_indices_are_read(type_: Any) -> None:
    indices = pa.array([0, 1, None] * 10, type_)
    table = pa.table({"c": pa.DictionaryArray.from_arrays(indices, pa.array(["x", "y"]))})
    (column,) = Reference.build(table).features
    assert (column.rows, column.missing) == (30, 10)
