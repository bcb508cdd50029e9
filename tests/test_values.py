"""One value, one meaning: however a source spells a column, it counts as its reference does."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmon_exporter import Monitor, Reference
from mlmon_exporter.formats import csv_text
from mlmon_exporter.formats.body_map import BodyMap
from mlmon_exporter.reference.data.files import DataFiles
from mlmon_exporter.reference.from_files import reference_from_files
from mlmon_exporter.reference.roles import Roles

Column = list[Any]
Source = Callable[[Column], Any]

ROWS = 60


def of_json(column: Column) -> Column:
    return list(orjson.loads(orjson.dumps(column)))


def of_csv(column: Column) -> Column:
    text = io.StringIO()
    csv.writer(text).writerows([[_cell(value)] for value in column])
    cells = csv_text.rows(text.getvalue().encode(), BodyMap())
    return list(csv_text.table(cells, lambda width: ["x"], BodyMap())[0]["x"])


def _cell(value: Any) -> str:
    return value.isoformat() if isinstance(value, dt.date) else str(value)


def of_parquet(column: Column) -> Any:
    sink = io.BytesIO()
    pa.parquet.write_table(pa.table({"x": column}), sink)
    return pa.parquet.read_table(io.BytesIO(sink.getvalue()))


def of_polars(column: Column) -> Any:
    return pl.DataFrame({"x": column})


TYPED: dict[str, Source] = {
    "as they are": lambda column: column,
    "json": of_json,
    "csv": of_csv,
    "parquet": of_parquet,
    "pandas": lambda column: pd.DataFrame({"x": column}),
    "polars": of_polars,
    "arrow": lambda column: pa.table({"x": column}),
}
TENSORS: dict[str, Source] = {
    "float64": lambda column: np.array(column, dtype=np.float64),
    "float32": lambda column: np.array(column, dtype=np.float32),
}


def of_file(write: Callable[[Any, Path], None], ending: str) -> Callable[..., Reference]:
    def build(column: Column, folder: Path, **options: Any) -> Reference:
        path = folder / f"rows.{ending}"
        write(pa.table({"x": column, "y": [1.0] * len(column)}), path)
        roles = Roles(features=("x",), categorical=tuple(options.get("categorical", ())))
        files = DataFiles(path, categorical=roles.categorical)
        return reference_from_files(files, roles, "m")

    return build


def of_memory(source: Source) -> Callable[..., Reference]:
    def build(column: Column, folder: Path, **options: Any) -> Reference:
        made = source(column)
        return Reference.build(made if hasattr(made, "columns") else {"x": made}, **options)

    return build


BUILT: dict[str, Callable[..., Reference]] = {
    **{name: of_memory(source) for name, source in TYPED.items() if name not in ("json", "csv")},
    **{name: of_memory(source) for name, source in TENSORS.items()},
    "csv file": of_file(pyarrow.csv.write_csv, "csv"),
    "parquet file": of_file(pyarrow.parquet.write_table, "parquet"),
    "feather file": of_file(pyarrow.feather.write_feather, "feather"),
}


def tally(reference: Reference, sent: Any, folder: Path) -> dict[str, float]:
    """What a monitor says of `x` after rows were sent, by metric."""
    path = folder / "m.reference.json"
    reference.save(path)
    with Monitor(model="m", reference=str(path), min_window_rows=1) as monitor:
        is_frame = hasattr(sent, "columns") or hasattr(sent, "column_names")
        monitor.observe(sent if is_frame else {"x": sent})
        return {r.name: r.value for r in monitor.readings() if r.labels.get("feature") == "x"}


def check(
    column: Column, spelt: Any, folder: Path, built: str = "as they are", **options: Any
) -> None:
    reference = BUILT[built](column, folder, **options)
    found = tally(reference, spelt, folder)
    assert found["mlmon_feature_psi"] == pytest.approx(0.0, abs=1e-9)
    assert found.get("mlmon_feature_unseen_total", 0) == 0
    assert found["mlmon_feature_invalid_total"] == 0
    assert found["mlmon_feature_missing_total"] == reference.features[0].missing


DECIMALS = st.integers(-99_999, 99_999).map(lambda cents: cents / 100)
NUMBERS = st.sampled_from([DECIMALS, st.integers(-1000, 1000), st.floats(-1e6, 1e6, width=32)])
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), min_size=1, max_size=4)


def columns(values: st.SearchStrategy[Any], most: int = 6) -> st.SearchStrategy[Column]:
    """Columns of a few values, each in many rows."""
    few = st.lists(values, min_size=1, max_size=most, unique=True)
    return few.map(lambda found: [found[i % len(found)] for i in range(ROWS)])


@settings(max_examples=60, deadline=None)
@given(
    NUMBERS.flatmap(columns),
    st.sampled_from(sorted(BUILT)),
    st.sampled_from(sorted(TYPED | TENSORS)),
)
def test_numbers_count_the_same_however_they_come(
    tmp_path_factory: pytest.TempPathFactory, column: Column, built: str, source: str
) -> None:
    check(column, (TYPED | TENSORS)[source](column), tmp_path_factory.mktemp("m"), built)


@settings(max_examples=30, deadline=None)
@given(
    columns(st.booleans()),
    st.sampled_from(sorted(BUILT.keys() - TENSORS.keys())),
    st.sampled_from(sorted(TYPED | TENSORS)),
    st.booleans(),
)
def test_booleans_count_the_same_however_they_come(
    tmp_path_factory: pytest.TempPathFactory,
    column: Column,
    built: str,
    source: str,
    is_category: bool,
) -> None:
    options = {"categorical": ["x"]} if is_category else {}
    folder = tmp_path_factory.mktemp("m")
    check(column, (TYPED | TENSORS)[source](column), folder, built, **options)


@settings(max_examples=60, deadline=None)
@given(
    columns(TEXTS | st.sampled_from(["01", "1", "1.10", "1.1", "True", "e\u0301", "\u00e9", "NA"])),
    st.sampled_from(sorted(BUILT.keys() - TENSORS.keys())),
    st.sampled_from(sorted(TYPED)),
)
def test_texts_count_the_same_however_they_come(
    tmp_path_factory: pytest.TempPathFactory, column: Column, built: str, source: str
) -> None:
    folder = tmp_path_factory.mktemp("m")
    check(column, TYPED[source](column), folder, built, categorical=["x"])


@settings(max_examples=40, deadline=None)
@given(
    columns(st.integers(2**53, 2**53 + 3) | st.integers(0, 50)),
    st.sampled_from(sorted(BUILT.keys() - TENSORS.keys())),
    st.sampled_from(sorted(TYPED)),
)
def test_ids_as_categories_are_told_apart_however_they_come(
    tmp_path_factory: pytest.TempPathFactory, column: Column, built: str, source: str
) -> None:
    folder = tmp_path_factory.mktemp("m")
    check(column, TYPED[source](column), folder, built, categorical=["x"])


@settings(max_examples=40, deadline=None)
@given(columns(DECIMALS), st.sampled_from(sorted(TYPED | TENSORS)))
def test_decimals_as_categories_count_the_same_however_they_come(
    tmp_path_factory: pytest.TempPathFactory, column: Column, source: str
) -> None:
    folder = tmp_path_factory.mktemp("m")
    check(column, (TYPED | TENSORS)[source](column), folder, categorical=["x"])


@settings(max_examples=20, deadline=None)
@given(
    columns(st.datetimes(dt.datetime(2001, 1, 1), dt.datetime(2040, 1, 1)))  # noqa: DTZ001 - naive
    | columns(st.dates(dt.date(2001, 1, 1), dt.date(2040, 1, 1))),
    st.sampled_from(sorted(TYPED)),
)
def test_times_count_the_same_however_they_come(
    tmp_path_factory: pytest.TempPathFactory, column: Column, source: str
) -> None:
    check(column, TYPED[source](column), tmp_path_factory.mktemp("m"))


SPELLINGS: list[tuple[Any, Any, bool]] = [
    ([n / 10 for n in range(1, 10)], np.arange(1, 10, dtype=np.float32) / np.float32(10), False),
    (np.arange(1, 10, dtype=np.float32) / np.float32(10), [n / 10 for n in range(1, 10)], False),
    ([True, False], ["True", "False"], False),
    ([True, False], ["TRUE", "false"], False),
    (["True", "False"], [True, False], True),
    (["1.0", "2.0"], [1, 2], True),
    ([1, 2], ["1.0", "2.0"], True),
    ([1, 2], ["1", "2"], True),
    ([0.1, 0.2], np.array([0.1, 0.2], np.float32), True),
]


@pytest.mark.parametrize("text_first", [False, True])
def test_long_integers_among_texts_keep_their_digits(text_first: bool) -> None:
    numbers, texts = [2**53, 2**53 + 1, True, 1.5] * 50, ["a"] * 300
    parts = [({"x": numbers}, 200), ({"x": texts}, 300)]
    parts = parts[::-1] if text_first else parts
    column = Reference.build(lambda: parts).features[0]
    whole = Reference.build({"x": [*texts, *numbers]}).features[0]
    expected = {"a": 300, str(2**53): 50, str(2**53 + 1): 50, "true": 50, "1.5": 50}
    assert column.rows_by_category == whole.rows_by_category == expected


@pytest.mark.parametrize(("built", "sent", "is_category"), SPELLINGS, ids=repr)
def test_a_spelling_is_the_value(built: Any, sent: Any, is_category: bool, tmp_path: Path) -> None:
    options: dict[str, Any] = {"categorical": ["x"]} if is_category else {}
    reference = Reference.build({"x": np.repeat(built, 40)}, **options)
    found = tally(reference, np.repeat(sent, 40).tolist(), tmp_path)
    assert found["mlmon_feature_psi"] == pytest.approx(0.0, abs=1e-9)
    assert found["mlmon_feature_invalid_total"] == 0
    assert found.get("mlmon_feature_unseen_total", 0) == 0


@pytest.mark.parametrize("text", ["1_000", "\uff11\uff12", "\u0661"])
def test_only_plain_digits_are_numbers(text: str, tmp_path: Path) -> None:
    found = tally(Reference.build({"x": [1.0, 2.0] * 50}), [text] * 100, tmp_path)
    assert found["mlmon_feature_invalid_total"] == 100


@pytest.mark.parametrize("labels", [("1.1", "1.10"), ("01", "1"), (2**53, 2**53 + 1)])
def test_classes_that_are_spelt_apart_are_told_apart(labels: tuple[Any, Any]) -> None:
    first, second = labels
    truth, said = [first, second] * 50, [second, first] * 50
    built = Reference.build(
        {"p": said, "y": truth}, predictions="p", ground_truth="y", task="classification"
    )
    assert built.quality.get("accuracy", 0.0) == 0.0


def test_the_first_row_does_not_choose_a_learned_column_s_kind() -> None:
    with Monitor(model="m", learn_rows=1000) as monitor:
        monitor.observe({"x": "unknown"})
        monitor.observe({"x": [n / 8 for n in range(999)]})
        monitor.observe({"x": [float(n) for n in range(200)]})
        kinds = {
            r.labels["kind"] for r in monitor.readings() if r.name == "mlmon_feature_bin_rows_total"
        }
    assert kinds == {"numeric"}


OLD = Path(__file__).parent / "data" / "old.reference.json"


def test_a_reference_of_the_last_release_is_read() -> None:
    """Built by 0.1.0 of 200 rows: `price` of 9.99, 0.1 and 4.5, `visits` of counts, `city`."""
    old = Reference.load(OLD)
    kinds = {column.name: (column.kind, column.rows) for column in old.features}
    assert kinds == {
        "age": ("numeric", 200),
        "visits": ("numeric", 200),
        "price": ("numeric", 200),
        "city": ("categorical", 200),
    }
    again = Reference.from_bytes(old.to_bytes())
    for column, other in zip(old.features, again.features, strict=True):
        assert column.counts.tolist() == other.counts.tolist()
        assert column.bins.intervals == other.bins.intervals
    assert "accuracy" in old.quality
    new = Reference.build({"price": [9.99, 0.1] * 50, "city": ["Bern"] * 100})
    both = {column.name: column for column in (old + new).features}
    assert (both["price"].rows, both["age"].missing) == (300, 100)
    assert both["city"].rows_by_category["Bern"] == 100 + old.features[3].rows_by_category["Bern"]
