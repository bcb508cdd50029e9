"""Facts about rolling windows: what is in them when, whatever the clock does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmon_exporter.core.profile.bins import NumericBins
from mlmon_exporter.core.settings import PANES
from mlmon_exporter.core.windows.tally import Layout, Tally, tally_columns
from mlmon_exporter.core.windows.window import TOTALS, Memo, Window, WindowedTallies

LAYOUT = Layout(("x",), (NumericBins(np.array([0.0]), np.array([])),))


def rows(count: int = 1, value: float = 1.0) -> Tally:
    return tally_columns(LAYOUT, np.full((1, count), value), "fastdigest")


def window(seconds: float = 120.0, panes: int = PANES) -> Window[Tally]:
    return Window(seconds, lambda: Tally(LAYOUT), panes)


def test_rows_stay_for_as_many_panes_as_a_window_has() -> None:
    w = window(120.0, 2)
    w.add(rows(), now=30.0)
    assert [w.merged(now).rows for now in (30.0, 59.9, 60.0, 119.9, 120.0)] == [1, 1, 1, 1, 0]


def test_a_window_empties_when_traffic_stops() -> None:
    w = window()
    w.add(rows(5), now=1000.0)
    assert w.merged(1000.0).rows == 5
    assert w.merged(10_000.0).rows == 0
    assert w.merged(1000.0).rows == 0  # gone for good


def test_a_pane_begins_at_its_edge() -> None:
    w = window(120.0, 2)
    w.add(rows(), now=60.0)
    w.add(rows(), now=np.nextafter(60.0, 0))
    assert w.merged(119.0).rows == 2
    assert w.merged(120.0).rows == 1


def test_a_window_that_fills_says_how_much_time_it_holds() -> None:
    w = window(120.0, 4)
    held = [len(w.held(0.0)) * w.pane_seconds]
    for now in (40.0, 70.0, 160.0):
        w.add(rows(), now=now)
        held.append(len(w.held(now)) * w.pane_seconds)
    # The gap between the last two has no rows; the first pane has left.
    assert held == [0.0, 30.0, 60.0, 60.0]
    assert w.held(400.0) == {}


def test_late_rows_go_to_the_pane_of_their_time() -> None:
    w = window(120.0, 2)
    w.add(rows(), now=70.0)
    assert w.merged(70.0).rows == 1
    w.add(rows(), now=50.0)
    assert w.merged(70.0).rows == 2
    assert w.merged(125.0).rows == 1


def test_rows_that_are_too_late_are_in_no_window() -> None:
    w = window(120.0, 2)
    w.add(rows(), now=1000.0)
    w.add(rows(), now=10.0)
    assert w.merged(1000.0).rows == 1


def test_rows_of_the_future_wait_for_their_time() -> None:
    w = window(120.0, 2)
    w.add(rows(), now=200.0)
    assert w.merged(70.0).rows == 0
    assert w.merged(200.0).rows == 1


def test_the_clock_may_be_set_back() -> None:
    w = window()
    for now in range(100_000, 100_240, 10):
        w.add(rows(), now)
    got = []
    for now in range(1000, 1300, 10):
        w.add(rows(), now)
        got.append(w.merged(now).rows)
    assert got[:12] == [*range(1, 13)]
    assert set(got[12:]) == {12}


def test_the_clock_may_be_set_forward_and_back() -> None:
    w = window()
    for now in (1000.0, 1_000_000.0, 1010.0):
        w.add(rows(), now)
    assert w.merged(1010.0).rows == 2


def test_one_row_of_another_time_does_not_empty_a_window() -> None:
    w = window()
    for now in range(1000, 1120, 10):
        w.add(rows(), now)
    for stray in (0.0, 5000.0, 1e12):
        w.add(rows(), stray)
        assert w.merged(1115.0).rows >= 11


@pytest.mark.parametrize("step", [10, -10])
def test_no_more_panes_are_kept_than_needed_if_nobody_reads(step: int) -> None:
    w = window()
    for n in range(500):
        w.add(rows(), 100_000.0 + n * step)
    assert len(w._panes) <= 2 * PANES + 1
    if step > 0:
        assert len(w._panes) <= PANES + 1


def test_what_is_read_is_one_s_own() -> None:
    w = window()
    w.add(rows(), 1000.0)
    w.add(rows(), 1010.0)
    w.merged(1010.0).merge(rows(100))
    assert w.merged(1010.0).rows == 2


@pytest.mark.parametrize("number", [98, 99, 100])
def test_a_pane_that_is_put_in_place_of_another_is_read_at_once(number: int) -> None:
    w = window(1200.0)  # panes of 100 s
    for pane in (98, 99, 100):
        w.add(rows(), now=100.0 * pane)
    assert w.merged(10_000.0).rows == 3
    w.load(number, rows(5))
    assert w.merged(10_000.0).rows == 7


@pytest.mark.parametrize(("seconds", "panes"), [(0.0, 12), (-1.0, 12), (60.0, 0)])
def test_a_window_has_a_length_and_panes(seconds: float, panes: int) -> None:
    with pytest.raises(ValueError, match=r"^window: expected over 0 s and 1 pane, got "):
        window(seconds, panes)


EVENTS = st.lists(st.tuples(st.booleans(), st.floats(0, 50)), max_size=60)


@settings(max_examples=60)
@given(EVENTS)
def test_a_window_holds_what_its_panes_hold(events: list[tuple[bool, float]]) -> None:
    """Against brute force, as long as time goes on."""
    w, now = window(), 0.0
    seen: list[float] = []
    for is_read, step in events:
        now += step
        pane = w.pane_number(now)
        if is_read:
            alive = [then for then in seen if w.pane_number(then) > pane - PANES]
            assert w.merged(now).rows == len(alive)
        else:
            w.add(rows(), now)
            seen.append(now)


# Tallies of several windows.

HOUR, DAY = 3600.0, 86400.0


def tallies() -> WindowedTallies[Tally]:
    return WindowedTallies(LAYOUT, [HOUR, DAY])


def test_rows_go_to_all_windows_and_what_is_taken_can_be_restored() -> None:
    made = tallies()
    made.add(rows(3), now=10.0, totals=rows(3).without_digests())
    made.add(rows(2), now=HOUR + 10.0, totals=rows(2).without_digests())
    before = {key: tally.rows for key, tally in made.panes().items()}
    assert before == {(HOUR, 0): 3, (HOUR, PANES): 2, (DAY, 0): 5, TOTALS: 5}
    taken = made.take()
    assert (made.panes(), made.totals().rows) == ({}, 0)
    for key, tally in taken.items():
        made.restore(key, tally)
        made.restore(key, tally)
    assert {key: tally.rows for key, tally in made.panes().items()} == {
        key: 2 * count for key, count in before.items()
    }


def test_a_loaded_tally_replaces_that_of_its_pane() -> None:
    made = tallies()
    made.add(rows(3), now=10.0)
    made.load((HOUR, 0), rows(7))
    made.load(TOTALS, rows(4))
    assert [tally.rows for tally in made.merged(10.0)] == [7, 3]
    assert made.totals().rows == 4


def test_only_tallies_of_its_windows_and_layout_have_a_place() -> None:
    made, layout = tallies(), LAYOUT.fingerprint
    assert all(made.has_place(layout, seconds) for seconds in (HOUR, DAY, 0.0))
    assert not made.has_place(layout, 60.0)
    assert not made.has_place("another", HOUR)


def test_totals_have_no_digests_and_are_one_s_own() -> None:
    made = tallies()
    made.add(rows(3), now=10.0, totals=rows(3).without_digests())
    assert made.totals().digests == [None]
    made.totals().merge(made.totals())
    assert made.totals().rows == 3


def test_a_revision_changes_with_any_count_and_with_each_pane() -> None:
    made = tallies()
    seen = {made.revision(10.0)}
    made.add(rows(), now=10.0)
    seen.add(made.revision(10.0))
    made.restore((HOUR, 0), rows())
    seen.add(made.revision(10.0))
    made.load((HOUR, 0), rows())
    seen.add(made.revision(10.0))
    made.take()
    seen.add(made.revision(10.0))
    assert made.revision(HOUR / PANES - 1) in seen
    seen.add(made.revision(HOUR / PANES))
    assert len(seen) == 6


def test_a_memo_computes_again_only_for_another_key() -> None:
    memo: Memo[int] = Memo()
    calls: list[int] = []

    def compute() -> int:
        calls.append(1)
        return len(calls)

    assert [memo.get(key, compute) for key in ("a", "a", "b", "b", "a")] == [1, 1, 2, 2, 3]


def test_tallies_that_are_laid_over_others_are_read_with_them_and_not_taken() -> None:
    ours, over = tallies(), tallies()
    ours.add(rows(2), now=0.0, totals=rows(2))
    ours.add(rows(3), now=HOUR / 2, totals=rows(3))
    over.add(rows(5), now=HOUR / 2, totals=rows(5))
    over.add(rows(7), now=HOUR - 1.0, totals=rows(7))
    now = HOUR - 1.0
    alone, held = ours.revision(now), ours.held_seconds(now)
    ours.lay_over(over)
    assert [tally.rows for tally in ours.merged(now)] == [17, 17]
    assert ours.totals().rows == 17
    assert ours.held_seconds(now)[0] == held[0] + HOUR / PANES
    of_hour = {n: tally.rows for (seconds, n), tally in ours.pane_sums().items() if seconds == HOUR}
    assert of_hour == {0: 2, PANES // 2: 8, PANES - 1: 7}
    assert ours.revision(now) != alone
    ours.lay_over(None)
    assert [tally.rows for tally in ours.merged(now)] == [5, 5]
    ours.lay_over(over)
    assert sum(tally.rows for (seconds, _), tally in ours.take().items() if seconds == HOUR) == 5
    assert over.totals().rows == 12
