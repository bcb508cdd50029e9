"""Facts that hold for all tables of counts, and for all groups of them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmon_exporter.core.counts.exemplars import Exemplars
from mlmon_exporter.core.counts.feedback import Feedback, KpiTable
from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.counts.histograms import Family, HistogramTable
from mlmon_exporter.core.counts.requests import RequestCounts
from mlmon_exporter.core.counts.table import CounterTable, CountTables, Table
from mlmon_exporter.core.records import Exemplar

NAMES = ("model", "version", "x")
TABLES: dict[str, tuple[Callable[[], Table[Any]], Any, Any]] = {
    "counter": (lambda: CounterTable(NAMES), 3, 5),
    "histograms": (
        lambda: HistogramTable(Family(NAMES, {"a": (1.0,), "b": (2.0,)})),
        ([1, 2, 3.5], [0, 3, 9.0]),
        ([4, 1, 8.0], [1, 1, 5.0]),
    ),
    "kpis": (lambda: KpiTable(NAMES), (2.0, 5.0, 0.0), (3.0, 1.0, -4.0)),
    "exemplars": (
        lambda: Exemplars(NAMES, (1.0,)),
        {0: Exemplar("t", "s", 0.5, 10.0), 1: Exemplar("u", "s", 2.0, 10.0)},
        {0: Exemplar("v", "s", 0.7, 20.0)},
    ),
}
ONE, TWO = ("m", "1", "x"), ("m", "2", "x")


@pytest.fixture(params=TABLES)
def kind(request: pytest.FixtureRequest) -> tuple[Callable[[], Table[Any]], Any, Any]:
    return TABLES[request.param]


Kind = tuple[Callable[[], Table[Any]], Any, Any]


def filled(kind: Kind) -> Table[Any]:
    table = kind[0]()
    table.merge(ONE, kind[1])
    table.merge(TWO, kind[2])
    return table


def test_a_cell_is_not_shared_with_the_one_that_was_merged(kind: Kind) -> None:
    new, less, more = kind
    ours, theirs = new(), new()
    theirs.merge(ONE, less)
    before = orjson.dumps(theirs.to_form())
    ours.merge(ONE, theirs.cells[ONE])
    ours.merge(ONE, more)
    assert orjson.dumps(theirs.to_form()) == before


def test_the_sum_does_not_depend_on_the_order(kind: Kind) -> None:
    new, less, more = kind
    one, two = new(), new()
    for table, cells in ((one, (less, more)), (two, (more, less))):
        for cell in cells:
            table.merge(ONE, cell)
    assert one.cells == two.cells


def test_the_greater_of_two_is_that_of_any_order_and_number_of_times(kind: Kind) -> None:
    new, less, more = kind
    one, two = new(), new()
    for table, cells in ((one, (less, more)), (two, (more, less, more, less))):
        for cell in cells:
            table.merge_max(ONE, cell)
    assert one.cells == two.cells


def test_the_form_is_read_back_the_same(kind: Kind) -> None:
    table, read = filled(kind), kind[0]()
    read.read(orjson.loads(orjson.dumps(table.to_form())))
    assert read.cells == table.cells


@pytest.mark.parametrize("form", [[["m"]], [[["m", "1"], 1]], [[["m", "1", 2], 1]], 7, [[1, 2]]])
def test_a_damaged_form_is_refused(kind: Kind, form: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        kind[0]().read(form)


def test_a_version_is_forgotten_and_the_labels_with_it(kind: Kind) -> None:
    table = filled(kind)
    assert table.label_rows() == (ONE, TWO)
    assert table.version(ONE) == ("m", "1")
    table.forget({("m", "1"), ("n", "2")})
    assert table.label_rows() == (TWO,)


def test_tables_that_swap_have_each_others_labels(kind: Kind) -> None:
    ours, theirs = filled(kind), kind[0]()
    assert (ours.label_rows(), theirs.label_rows()) == ((ONE, TWO), ())
    ours.swap(theirs)
    assert (ours.label_rows(), theirs.label_rows()) == ((), (ONE, TWO))


def test_labels_without_a_model_name_no_version() -> None:
    assert CounterTable(("format", "reason")).version(("json", "not_json")) is None
    assert KpiTable(NAMES).version(("m", "", "revenue")) is None


# --- Groups of tables ---


def requests(counts: list[int]) -> RequestCounts:
    made = RequestCounts()
    for status in counts:
        made.record(("m", "1", "/p", "POST", status, "ok"), (0.5, 0.5, 1.0, 1.0))
    return made


def feedback(counts: list[int]) -> Feedback:
    made = Feedback()
    for count in counts:
        made.ground_truths({("m", "1", "matched"): count})
        made.delayed("m", "1", [float(count)])
        made.kpi("m", "1", "revenue", float(count))
    return made


def health(counts: list[int]) -> Health:
    made = Health()
    for count in counts:
        made.drop("queue_full", count)
    return made


GROUPS: list[Callable[[list[int]], Any]] = [requests, feedback, health]
EVENTS = st.lists(st.sampled_from([200, 404, 500]), max_size=20)


@pytest.mark.parametrize("new", GROUPS)
@given(events=EVENTS, at=st.integers(0, 20))
def test_merging_is_counting_all_in_one(
    new: Callable[[list[int]], CountTables], events: list[int], at: int
) -> None:
    merged = new(events[:at])
    merged.merge(new(events[at:]))
    assert sorted(shown(merged)) == sorted(shown(new(events)))


@pytest.mark.parametrize("new", GROUPS)
@given(events=EVENTS)
def test_what_is_taken_is_all_and_what_is_left_is_as_at_the_start(
    new: Callable[[list[int]], CountTables], events: list[int]
) -> None:
    counts = new(events)
    assert sorted(shown(counts.take())) == sorted(shown(new(events)))
    assert shown(counts) == shown(new([]))
    assert counts.is_empty()


@pytest.mark.parametrize("new", GROUPS)
def test_missing_tables_and_unknown_ones_are_no_damage(
    new: Callable[[list[int]], CountTables],
) -> None:
    form = new([200]).to_form()
    gone = next(name for name in reversed(form) if name != "requests")
    del form[gone]
    read = new([]).loaded({**form, "of_a_later_release": []})
    assert read.to_form() == {**form, gone: new([]).to_form()[gone]}


def shown(counts: CountTables) -> list[str]:
    """Return all cells as text."""
    return [f"{name} {row}" for name, rows in counts.to_form().items() for row in rows]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_counts_though_it_was_forked_while_another_thread_did() -> None:
    tables, is_held, goes_on = Health(), threading.Event(), threading.Event()

    def count() -> None:
        with tables._lock:
            is_held.set()
            goes_on.wait(120.0)

    counting = threading.Thread(target=count)
    counting.start()
    is_held.wait(120.0)
    tables.hold()
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        tables.renew()
        tables.drop("queue_full")
        os._exit(0)
    tables.release()
    assert os.waitpid(child, 0)[1] == 0
    goes_on.set()
    counting.join()
    tables.drop("queue_full")
