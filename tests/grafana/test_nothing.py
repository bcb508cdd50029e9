"""Facts about panels with nothing to show: which of them are wrong."""

from __future__ import annotations

from typing import Any

from mlmon_exporter.core.outcomes.task import CLASSIFICATION, REGRESSION

from .boards import BOARDS, panels
from .census import Count
from .nothing import RIGHT_FOR, may_be_empty, word_of

FULL = Count("PSI", series=2, values=9, finite=9, word="No traffic", may_be_empty=False)


def panel(uid: str, title: str) -> dict[str, Any]:
    (found,) = [panel for panel in panels(BOARDS[uid]) if panel["title"] == title]
    return found


def test_each_word_for_nothing_that_is_allowed_is_on_a_board() -> None:
    words = {word_of(panel) for board in BOARDS.values() for panel in panels(board)}
    assert RIGHT_FOR.keys() <= words


def test_no_row_that_is_open_has_panels_that_some_models_leave_empty() -> None:
    shown = {word_of(p) for board in BOARDS.values() for p in board["panels"] if p["type"] != "row"}
    # A category has neither quantiles nor an order; and that no feature carries drift is an answer.
    assert shown & RIGHT_FOR.keys() == {"Only numbers have this", "No feature does"}


def test_a_panel_of_the_other_task_may_be_empty_and_one_of_its_own_may_not() -> None:
    accuracy = panel("mlmon-quality", "Accuracy of a classification")
    assert may_be_empty(accuracy, {REGRESSION})
    assert not may_be_empty(accuracy, {CLASSIFICATION})


def test_no_traffic_is_never_right() -> None:
    requests = panel("mlmon-operations", "Requests by route")
    assert not may_be_empty(requests, set().union(*RIGHT_FOR.values()))


def test_an_empty_panel_is_wrong_unless_it_may_be() -> None:
    empty = FULL._replace(series=0, values=0, finite=0)
    assert empty.is_wrong
    assert "WRONG PSI: empty, says 'No traffic'" in empty.text()
    assert not empty._replace(may_be_empty=True).is_wrong


def test_a_panel_with_a_value_that_is_not_finite_is_wrong() -> None:
    assert not FULL.is_wrong
    assert FULL.text() == "PSI: 2 series, 9 finite of 9 values"
    assert FULL._replace(finite=8, may_be_empty=True).is_wrong
