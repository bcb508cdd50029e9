"""Keys of tallies."""

from __future__ import annotations

from typing import NamedTuple

FEATURES, OUTPUTS, RESIDUALS, SEGMENTS = range(4)
"""The sides of a model."""


class TallyKey(NamedTuple):
    """Key of one tally among all of a model's."""

    version: str
    side: int
    """FEATURES, OUTPUTS, RESIDUALS or SEGMENTS."""
    layout: str
    """Fingerprint of the side's layout: tallies of other layouts do not add up."""
    window_seconds: float
    """0 for the totals since the start."""
    pane: int

    @property
    def pane_key(self) -> tuple[float, int]:
        """Key among the tallies of its side."""
        return self.window_seconds, self.pane
