"""Facts about tables of Azure Machine Learning Studio."""

from __future__ import annotations

from typing import Any

import pytest

from mlmon_exporter.formats.azure import unfolded
from mlmon_exporter.formats.errors import FormatError

TABLE = {"ColumnNames": ["a", "b"], "Values": [["1", "x"], [None, "y"]]}
RECORDS = [{"a": "1", "b": "x"}, {"a": None, "b": "y"}]


@pytest.mark.parametrize("table", [TABLE, {"type": "table", "value": TABLE}])
def test_a_table_is_its_records(table: Any) -> None:
    assert unfolded(table) == RECORDS


@pytest.mark.parametrize(
    "other",
    [
        1,
        [TABLE],
        {"type": "table"},
        {"type": "table", "value": 1},
        {"ColumnNames": ["a"]},
        {"ColumnNames": "a", "Values": [[1]]},
        {"ColumnNames": [1], "Values": [[1]]},
        {"ColumnNames": ["a"], "Values": [1]},
    ],
)
def test_what_is_no_table_stays_as_it_is(other: Any) -> None:
    assert unfolded(other) is other


def test_rows_and_names_must_fit() -> None:
    with pytest.raises(FormatError, match="expected 2 values in each row"):
        unfolded({"ColumnNames": ["a", "b"], "Values": [["1"]]})
