"""Facts about keys of tallies, and about ids of predictions."""

from __future__ import annotations

import pytest

from mlmon_exporter.core.keys import (
    FEATURES,
    OUTPUTS,
    RESIDUALS,
    SEGMENTS,
    TallyKey,
    is_id,
    row_ids,
)


def test_several_rows_of_a_request_have_its_id_with_a_number() -> None:
    assert row_ids("a", 1) == ["a"]
    assert row_ids("a", 3) == ["a:0", "a:1", "a:2"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a", True), ("!~", True), ("a" * 128, True), ("", False), ("a" * 129, False), ("a b", False)],
)
def test_an_id_is_visible_ascii_of_a_bounded_length(text: str, expected: bool) -> None:
    assert is_id(text) is expected
    assert not is_id(text + "\n")


def test_tallies_of_different_sides_windows_and_panes_have_different_keys() -> None:
    keys = {
        TallyKey("v1", side, "layout", seconds, pane)
        for side in (FEATURES, OUTPUTS, RESIDUALS, SEGMENTS)
        for seconds in (0.0, 3600.0)
        for pane in (0, 1)
    }
    assert len(keys) == 16
    assert {key.pane_key for key in keys} == {(0.0, 0), (0.0, 1), (3600.0, 0), (3600.0, 1)}
