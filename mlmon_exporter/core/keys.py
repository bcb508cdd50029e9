"""Which part of a model's counts a tally is."""

from __future__ import annotations

from typing import NamedTuple

FEATURES, OUTPUTS, RESIDUALS, SEGMENTS = range(4)
"""The sides of a model."""


class TallyKey(NamedTuple):
    """Which part of a model's counts a tally is."""

    version: str
    side: int
    """Features, outputs, errors, or slices of outcomes."""
    layout: str
    """Fingerprint of the side's layout: tallies of another one do not add up."""
    window_seconds: float
    """0 for the totals since the start."""
    pane: int
