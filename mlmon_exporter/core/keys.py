"""Keys of tallies and of predictions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

FEATURES, OUTPUTS, RESIDUALS, SEGMENTS = range(4)
FEATURE_STRETCHES, OUTPUT_STRETCHES, RESIDUAL_STRETCHES = range(4, 7)
DERIVED, DERIVED_STRETCHES = range(7, 9)
"""The sides of a model."""
STRETCHES = {
    FEATURE_STRETCHES: FEATURES,
    OUTPUT_STRETCHES: OUTPUTS,
    RESIDUAL_STRETCHES: RESIDUALS,
    DERIVED_STRETCHES: DERIVED,
}
"""Sides that hold stretches of traffic, of all versions together -> the side that they are of."""
ALL_VERSIONS = "*"
"""Version in the keys of those."""


class TallyKey(NamedTuple):
    """Key of one tally among all of a model's."""

    version: str
    side: int
    """FEATURES, OUTPUTS, ..."""
    layout: str
    """Fingerprint of the side's layout: tallies of other layouts do not add up."""
    window_seconds: float
    """0 for the totals since the start; of stretches their own length."""
    pane: int

    @property
    def pane_key(self) -> tuple[float, int]:
        """Key among the tallies of its side."""
        return self.window_seconds, self.pane


_ID = re.compile(r"[!-~]{1,128}")


def is_id(text: str) -> bool:
    """Return whether this may be a prediction's id: 1 to 128 visible ASCII characters."""
    return _ID.fullmatch(text) is not None


def row_ids(prediction_id: str, rows: int) -> Sequence[str]:
    """Return the id of each row of a request: the request's, with a number if there are several."""
    return [prediction_id] if rows == 1 else [f"{prediction_id}:{i}" for i in range(rows)]
