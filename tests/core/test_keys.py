"""Facts about keys of tallies."""

from __future__ import annotations

from mlmon_exporter.core.keys import FEATURES, OUTPUTS, RESIDUALS, SEGMENTS, TallyKey


def test_tallies_of_different_sides_windows_and_panes_have_different_keys() -> None:
    keys = {
        TallyKey("v1", side, "layout", seconds, pane)
        for side in (FEATURES, OUTPUTS, RESIDUALS, SEGMENTS)
        for seconds in (0.0, 3600.0)
        for pane in (0, 1)
    }
    assert len(keys) == 16
    assert {key.pane_key for key in keys} == {(0.0, 0), (0.0, 1), (3600.0, 0), (3600.0, 1)}
