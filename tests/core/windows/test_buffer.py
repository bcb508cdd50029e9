"""Facts about buffered rows: however they come in, they count the same."""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmon_exporter.core.profile.bins import CategoryBins, NumericBins
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.settings import BUFFER_ROWS, PANES
from mlmon_exporter.core.windows.buffer import SMALL_BYTES, RowBuffer
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from mlmon_exporter.core.windows.tally import Tally
from tests.core.build import buffer_of

NAN, INF = math.nan, math.inf
HOUR, DAY = 3600.0, 86400.0


def column(name: str, bins: NumericBins | CategoryBins) -> ColumnReference:
    return ColumnReference(name, bins, np.ones(bins.cell_count, dtype=np.int64))


NUMBER = column("n", NumericBins(np.array([0.0, 1.0, 2.0]), np.array([1.0])))
COLOUR = column("c", CategoryBins(("red", "1"), frozenset({"rare"})))
MATRIX = ReferenceMatrix([NUMBER, COLOUR])
LOW, ZERO_TO_ONE, ONE_TO_TWO, HIGH, NO_NUMBER, RED, ONE, RARE, NEW, NO_COLOUR = range(10)


def buffer(matrix: ReferenceMatrix = MATRIX, *windows: float) -> RowBuffer:
    return buffer_of(matrix, *windows)


def totals(made: RowBuffer) -> Tally:
    made.drain()
    return made.tallies.totals()


def cells(made: RowBuffer) -> dict[int, int]:
    """Rows of each cell that has some."""
    counts = totals(made).counts
    return {cell: int(counts[cell]) for cell in np.flatnonzero(counts).tolist()}


def one(features: Mapping[str, Any]) -> RowBuffer:
    made = buffer()
    made.add(features, 1, now=0.0)
    return made


NUMBERS: list[tuple[Any, int]] = [
    (1, ZERO_TO_ONE),
    (1.5, ONE_TO_TWO),
    (-7, LOW),
    (True, ZERO_TO_ONE),
    (np.float32(1.5), ONE_TO_TWO),
    ("1.5", ONE_TO_TWO),
    (" 2 ", ONE_TO_TWO),
    (2**60, HIGH),
    (1e308, HIGH),
    ([1.5], ONE_TO_TWO),
    (np.array([1.5]), ONE_TO_TWO),
    ([[1.5]], ONE_TO_TWO),
    (np.array(1.5), ONE_TO_TWO),
    (None, NO_NUMBER),
    ("", NO_NUMBER),
    (NAN, NO_NUMBER),
    ("nan", NO_NUMBER),
    ([None], NO_NUMBER),
]
INVALID_NUMBERS: list[Any] = [
    INF,
    -INF,
    "text",
    "\ud800",
    10**400,
    "9" * 400,
    1 + 1j,
    [],
    [1, 2],
    [[1], [2, 3]],
    (1, 2),
    {"a": 1},
    np.array([1.0, 2.0]),
    np.array([]),
    object(),
]
COLOURS: list[tuple[Any, int]] = [
    ("red", RED),
    (["red"], RED),
    (np.array(["red"]), RED),
    (b"red", RED),
    (1, ONE),
    (1.0, ONE),
    ("1", ONE),
    (True, ONE),
    (np.int8(1), ONE),
    ("rare", RARE),
    ("new", NEW),
    ("missing", NEW),
    ("unseen", NEW),
    ("x" * 10_000, NEW),
    ("\ud800", NEW),
    (10**400, NEW),
    (2.5, NEW),
    (None, NO_COLOUR),
    ("", NO_COLOUR),
    (NAN, NO_COLOUR),
    (np.float32(NAN), NO_COLOUR),
]
INVALID_COLOURS: list[Any] = [INF, [], [1, 2], [[1], [2, 3]], {}, (1, 2), object(), 1j]


def object_array(values: list[Any]) -> Any:
    array = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        array[i] = value
    return array


FORMS = ["row by row", "requests", "lists", "object arrays"]


def fed(form: str, name: str, values: list[Any]) -> Tally:
    made = buffer()
    if form in ("row by row", "requests"):
        for value in values:
            made.add({name: value}, 1, 0.0, request_bytes=9 if form == "requests" else None)
    else:
        column = values if form == "lists" else object_array(values)
        made.add({name: column}, len(values), 0.0)
    return totals(made)


@pytest.mark.parametrize("form", FORMS)
def test_every_number_goes_into_its_cell(form: str) -> None:
    for value, cell in NUMBERS:
        got = fed(form, "n", [value, value])
        assert got.counts[cell] == 2, value
        assert got.invalid.tolist() == [0, 0], value
    for value in INVALID_NUMBERS:
        got = fed(form, "n", [value, value])
        assert got.counts[NO_NUMBER] == 2, value
        assert got.invalid.tolist() == [2, 0], value


@pytest.mark.parametrize("form", FORMS)
def test_every_category_goes_into_its_cell(form: str) -> None:
    for value, cell in COLOURS:
        got = fed(form, "c", [value, value])
        assert got.counts[cell] == 2, value
        assert got.invalid.tolist() == [0, 0], value
    for value in INVALID_COLOURS:
        got = fed(form, "c", [value, value])
        assert got.counts[NO_COLOUR] == 2, value
        assert got.invalid.tolist() == [0, 2], value


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None), max_size=4)
    | st.sampled_from(["red", "1", "1.0", "1e3", "nan", "inf", "-", "1_0", "٣"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=1), inner),
    max_leaves=4,
)


@given(st.lists(st.tuples(ANYTHING, ANYTHING), min_size=2, max_size=20))
def test_rows_lists_and_arrays_count_the_same(rows: list[tuple[Any, Any]]) -> None:
    by_row, by_request, by_list, by_array = (buffer() for _ in range(4))
    for n, c in rows:
        by_row.add({"n": n, "c": c}, 1, 0.0)
        by_request.add({"n": n, "c": c}, 1, 0.0, request_bytes=9)
    ns, cs = ([row[i] for row in rows] for i in (0, 1))
    by_list.add({"n": ns, "c": cs}, len(rows), 0.0)
    by_array.add({"n": object_array(ns), "c": object_array(cs)}, len(rows), 0.0)
    expected = totals(by_row)
    assert expected.rows == len(rows)
    for got in map(totals, (by_request, by_list, by_array)):
        np.testing.assert_array_equal(got.counts, expected.counts)
        np.testing.assert_array_equal(got.invalid, expected.invalid)
        np.testing.assert_array_equal(got.sums, expected.sums)


@pytest.mark.parametrize(
    "dtype", [np.float64, np.float32, np.int32, np.uint8, np.bool_, "U3", "S3"]
)
def test_plain_arrays_count_as_their_values_do(dtype: Any) -> None:
    array = np.array([0, 1, 1, 2]).astype(dtype)
    made = buffer()
    made.add({"n": array, "c": array}, 4, 0.0)
    expected = buffer()
    for value in array:
        expected.add({"n": value, "c": value}, 1, 0.0)
    assert cells(made) == cells(expected)
    assert totals(made).invalid.tolist() == [0, 0]


def test_a_column_that_is_not_there_is_missing_and_an_unknown_one_passed_over() -> None:
    made = buffer()
    made.add({}, 1, 0.0)
    made.add({"other": 3}, 1, 0.0)
    made.add({"other": [3, 4, 5], "n": [1, 1, 1]}, 3, 0.0)
    assert cells(made) == {NO_NUMBER: 2, ZERO_TO_ONE: 3, NO_COLOUR: 5}
    assert totals(made).rows == 5
    assert totals(made).invalid.sum() == 0


def test_columns_come_in_any_order() -> None:
    assert cells(one({"c": "red", "n": 1})) == cells(one({"n": 1, "c": "red"}))


def test_no_rows_are_no_rows() -> None:
    made = buffer()
    made.add({"n": [], "c": []}, 0, 0.0)
    assert totals(made).rows == 0


@pytest.mark.parametrize("values", [[1.0], [1.0, 2.0, 3.0], np.ones(3)])
def test_a_column_of_another_length_is_refused_whole(values: Any) -> None:
    made = buffer()
    message = rf"^n: expected 2 values, got {len(values)}$"
    with pytest.raises(ValueError, match=message):
        made.add({"c": ["red", "red"], "n": values}, 2, 0.0)
    assert totals(made).rows == 0
    made.add({"n": 1}, 1, 0.0)
    assert totals(made).rows == 1


def test_a_frame_without_columns_takes_rows() -> None:
    made = buffer(ReferenceMatrix([]))
    made.add({"n": 1}, 1, 0.0)
    made.add({"n": [1, 2]}, 2, 0.0)
    assert totals(made).rows == 3


# The buffer.


@pytest.mark.parametrize("rows", [BUFFER_ROWS - 1, BUFFER_ROWS, BUFFER_ROWS + 1, 3 * BUFFER_ROWS])
@pytest.mark.parametrize("batch", [1, 7, BUFFER_ROWS, 5 * BUFFER_ROWS])
def test_no_row_is_lost_at_the_buffer_s_end(rows: int, batch: int) -> None:
    values = np.arange(rows) / rows * 3
    made = buffer()
    for start in range(0, rows, batch):
        part = values[start : start + batch]
        made.add({"n": part[0] if len(part) == 1 else part}, len(part), 0.0)
    got = totals(made)
    assert got.rows == rows
    expected = NUMBER.bins.count(values)[0]
    np.testing.assert_array_equal(got.counts[: NO_NUMBER + 1], expected)
    assert got.sums[0] == pytest.approx(values.sum())


@given(st.lists(st.sampled_from([0.0, HOUR, 2 * HOUR]), max_size=200))
def test_small_requests_that_wait_together_count_in_the_panes_of_their_time(
    moments: list[float],
) -> None:
    together, alone = buffer(), buffer()
    for i, moment in enumerate(moments):
        row = {"n": 0.5, "c": "red"} if i % 3 else {"c": "1", "x": 1, "n": 1.5}
        together.add(row, 1, moment, request_bytes=9)
        alone.add(row, 1, moment)
    together.drain()
    alone.drain()
    ours, theirs = together.tallies.panes(), alone.tallies.panes()
    assert ours.keys() == theirs.keys()
    for part, tally in ours.items():
        assert tally.rows == theirs[part].rows
        assert tally.counts.tolist() == theirs[part].counts.tolist()


class Row(dict[str, Any]):
    """A row that says when it is gone."""


@pytest.mark.parametrize(("size", "is_kept"), [(SMALL_BYTES, True), (SMALL_BYTES + 1, False)])
def test_only_what_a_small_request_held_is_kept_to_be_read_with_others(
    size: int, is_kept: bool
) -> None:
    made, row = buffer(), Row(n=1.0, c="red")
    held = weakref.ref(row)
    made.add(row, 1, 0.0, request_bytes=size)
    del row
    assert (held() is not None) == is_kept
    assert cells(made) == {ZERO_TO_ONE: 1, RED: 1}
    assert held() is None


def test_rows_show_once_they_are_tallied() -> None:
    made = buffer()
    tallies = made.tallies
    made.add({"n": 1}, 1, 0.0)
    assert (tallies.totals().rows, tallies.merged(0.0)[0].rows, tallies.generation) == (0, 0, 0)
    made.drain()
    assert (tallies.totals().rows, tallies.merged(0.0)[0].rows, tallies.generation) == (1, 1, 1)
    made.drain()
    assert tallies.generation == 1


def test_rows_that_cannot_be_tallied_do_not_come_again() -> None:
    def fail() -> None:
        raise RuntimeError("stopped")

    made = buffer()
    made.add({"n": 1}, 1, 0.0)
    with pytest.raises(RuntimeError, match="stopped"):
        made.drain(fail)
    made.add({"n": 1}, 1, 0.0)
    assert totals(made).rows == 1


# Time.


def test_rows_go_to_the_panes_of_their_time_though_they_wait_together() -> None:
    made = buffer(MATRIX, HOUR, DAY)
    pane = HOUR / PANES
    for now in (0.0, pane - 1, pane, 2 * pane, 0.5 * pane):
        made.add({"n": 1}, 1, now)
    made.drain()
    assert [tally.rows for tally in made.tallies.merged(2 * pane)] == [5, 5]
    assert [tally.rows for tally in made.tallies.merged(HOUR)] == [2, 5]
    assert [tally.rows for tally in made.tallies.merged(HOUR + pane)] == [1, 5]
    assert [tally.rows for tally in made.tallies.merged(DAY + DAY / PANES)] == [0, 0]
    assert made.tallies.totals().rows == 5


def test_windows_of_odd_lengths_part_rows_at_their_own_edges() -> None:
    made = buffer(MATRIX, 7 * 60.0, HOUR)
    for second in range(0, 1000, 3):
        made.add({"n": 1}, 1, float(second))
    made.drain()
    for now in (999.0, 1100.0):
        for window, tally in zip(made.tallies.windows, made.tallies.merged(now), strict=True):
            oldest = (window.pane_number(now) - PANES + 1) * window.pane_seconds
            assert tally.rows == sum(then >= oldest for then in range(0, 1000, 3))


def test_merged_windows_are_one_s_own() -> None:
    made = one({"n": 1})
    made.drain()
    made.tallies.merged(0.0)[0].merge(made.tallies.merged(0.0)[0])
    assert made.tallies.merged(0.0)[0].rows == 1
    made.tallies.totals().merge_counts(made.tallies.totals())
    assert made.tallies.totals().rows == 1


# Threads.


def test_two_threads_add_while_one_reads_and_no_row_is_lost() -> None:
    made = buffer(MATRIX, HOUR, DAY)
    batch = {"n": [0.5, 1.5, None], "c": ["red", "new", ""]}
    rounds, failures = 3000, []

    def add(is_single: bool) -> None:
        try:
            for n in range(rounds):
                if is_single:
                    made.add({"n": 1.5, "c": "red"}, 1, 10.0 * n)
                else:
                    made.add(batch, 3, 10.0 * n)
        except Exception as error:  # noqa: BLE001 - shown below
            failures.append(error)

    threads = [threading.Thread(target=add, args=(is_single,)) for is_single in (True, False)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        made.drain()
        for tally in (made.tallies.totals(), *made.tallies.merged(10.0 * rounds)):
            assert tally.counts.sum() == 2 * tally.rows
    for thread in threads:
        thread.join()
    assert failures == []
    n, k = rounds, rounds
    assert cells(made) == {
        ZERO_TO_ONE: n,
        ONE_TO_TWO: n + k,
        NO_NUMBER: n,
        RED: n + k,
        NEW: n,
        NO_COLOUR: n,
    }
    assert made.tallies.merged(10.0 * rounds)[1].rows == 4 * rounds


def test_who_adds_rows_does_not_wait_for_one_who_pauses_in_a_tally() -> None:
    made = buffer()
    made.add({"n": [1.5, 1.5], "c": ["red", "red"]}, 2, 0.0)
    paused, go = threading.Event(), threading.Event()

    def pause() -> None:
        paused.set()
        assert go.wait(120.0)

    tallying = threading.Thread(target=made.drain, args=(pause,))
    tallying.start()
    assert paused.wait(120.0)
    adding = threading.Thread(target=made.add, args=({"n": 0.5, "c": "new"}, 1, 0.0))
    adding.start()
    adding.join(60)
    try:
        assert not adding.is_alive()
        assert made.tallies.totals().rows == 0
    finally:
        go.set()
    tallying.join()
    assert cells(made) == {ONE_TO_TWO: 2, ZERO_TO_ONE: 1, RED: 2, NEW: 1}


def test_a_tally_that_somebody_waits_for_pauses_no_more() -> None:
    made = buffer()
    made.add({"n": [1.5, 1.5], "c": ["red", "red"]}, 2, 0.0)
    pauses: list[bool] = []
    waiting = threading.Thread(target=made.drain)

    def pause() -> None:
        pauses.append(True)
        waiting.start()
        while not made._tallier._waiters:
            pass

    made.drain(pause)
    waiting.join()
    assert pauses == [True]


@pytest.mark.parametrize("vector", ["counts", "invalid", "sums", "digests"])
def test_a_tally_of_other_cells_or_columns_is_refused(vector: str) -> None:
    other = one({"n": 1.0, "c": "red"}).tallies.totals()
    setattr(other, vector, getattr(other, vector)[:-1])
    made = buffer()
    with pytest.raises(ValueError, match=r"^tally: expected the 10 cells"):
        made.tallies.load((HOUR, 0), other)
    assert made.tallies.merged(now=0.0)[0].rows == 0
