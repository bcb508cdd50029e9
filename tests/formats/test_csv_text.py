"""Facts about CSV in bodies, with pandas' reader's meaning of a cell as far as both have one."""

from __future__ import annotations

import csv
import io
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlmon_exporter.core.coerce import number
from mlmon_exporter.formats import BodyMap, FormatError
from mlmon_exporter.formats import csv_text as c

from .memory import at_most_traced

ANY = BodyMap()
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=5)


@given(st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=4))
def test_rows_are_those_that_the_csv_module_wrote(rows: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    assert c.rows(b"\xef\xbb\xbf" + text.getvalue().encode(), ANY) == rows


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        *(("1", 1), ("-2", -2), ("2.5", 2.5), ("9007199254740993", 2**53 + 1)),
        *(("", None), ("  ", None)),
        *(
            (text, text)
            for text in ("Bern", "1_2", "0x1", "True", " 2.5 ", "1e3", "inf", "01", "1.10")
        ),
    ],
)
def test_a_cell_is_a_number_if_that_is_spelt_so_else_its_text(cell: str, value: object) -> None:
    assert c.value(cell) == value
    columns, rows = c.table([[cell], [cell]], lambda width: ("a",), ANY)
    assert (columns, rows) == ({"a": [value, value]}, 2)


@pytest.mark.parametrize("cell", [" 2.5 ", "1e3", "01", "1.10", "-0.50", "nan", "True"])
def test_a_text_that_spells_a_number_counts_as_one_where_one_is_expected(cell: str) -> None:
    expected = {"nan": math.nan, "True": 1.0}.get(cell)
    found = number(c.value(cell))
    assert found == (float(cell) if expected is None else expected) or cell == "nan"


NUMBERS = st.one_of(
    *(st.integers(), st.floats(), st.decimals(places=2, min_value=-99, max_value=99)),
    *(st.floats(width=32), st.integers(-9, 9)),
)
ODD = (
    "0.00005",
    "5e-05",
    "-0",
    "-0.0",
    "",
    " ",
    "null",
    "true",
    '"a"',
    "[1",
    "2]",
    "1,2",
    "{}",
    "1e5",
    "1.50",
    "é",
)


@given(
    st.lists(st.sampled_from(ODD), max_size=3)
    | st.lists(NUMBERS.map(str) | st.sampled_from(ODD))
    | st.lists(st.floats().map(str) | CELLS)
)
@example(["0.00005"])
@example(["1,2"])
@example(["1.5", "5e-05", "1e+16"])
@example(["1.50", "1.5", "", "-0"])
def test_cells_read_at_once_are_those_read_one_by_one(cells: list[str]) -> None:
    def told(values: list[object]) -> list[tuple[type, str]]:
        return [(type(value), repr(value)) for value in values]

    assert told(c.values(cells)) == told([*map(c.value, cells)])


def test_blank_lines_are_no_rows() -> None:
    assert c.rows(b"\n1,2\r\n\r\n3,4", ANY) == [["1", "2"], ["3", "4"]]


@pytest.mark.parametrize(
    ("content", "limits", "reason"),
    [
        (b"\xff", ANY, "bad_encoding"),
        (b'"' + b"a" * 200_000, ANY, "malformed"),
        (b"1\n" * 3, BodyMap(max_rows=1), "too_many_rows"),
        (b"1,2,3", BodyMap(max_features=2), "too_many_features"),
        (b"1,2\n" * 4, BodyMap(max_values=5), "too_many_values"),
    ],
)
def test_what_is_no_csv_or_too_much_says_why(content: bytes, limits: BodyMap, reason: str) -> None:
    with pytest.raises(FormatError) as raised:
        c.rows(content, limits)
    assert raised.value.reason == reason


@pytest.mark.parametrize(
    ("cells", "reason"), [([], "no_rows"), ([["1"], ["1", "2"]], "ragged_rows")]
)
def test_rows_that_are_no_table_say_why(cells: list[list[str]], reason: str) -> None:
    with pytest.raises(FormatError) as raised:
        c.table(cells, ANY.name_features, ANY)
    assert raised.value.reason == reason


def test_many_short_lines_are_given_up_before_they_are_all_read() -> None:
    content = b"1\n" * 4_000_000
    with at_most_traced(60_000_000), pytest.raises(FormatError):
        c.rows(content, ANY)
