"""The words for what moved: the cut, or the bin, at which shares of rows differ most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.profile.bins import MISSING, TAIL_SHARE, UNSEEN

Floats = NDArray[np.float64]
WORDS = {MISSING: "missing", UNSEEN: "values that the reference never had"}
"""Bin of no interval and no category -> its rows in words."""
OF_BIN = {"missing_threshold": MISSING, "unseen_threshold": UNSEEN}
"""Threshold -> the only bin that its score is about."""
TAIL = "tail_threshold"
TAILS = "beyond the reference's 0.1 and 99.9 percentiles"


class Move(NamedTuple):
    """Rows whose share moved, and by how much; shares are of all rows, 0 to 1."""

    rows: str
    """Such as `above 0.46`, or the name of a category."""
    current: float
    reference: float
    is_category: bool = False

    def __str__(self) -> str:
        if self.is_category:
            return (
                f"category `{self.rows}` {_percent(self.reference)} \u2192 {_percent(self.current)}"
            )
        now, before = _percent(self.current), _percent(self.reference)
        return f"{now} of rows are {self.rows}, {before} in the reference"


def greatest_move(
    kind: str, bins: Sequence[str], reference: Floats, current: Floats, test: str = ""
) -> Move | None:
    """Return the rows whose share differs most between two vectors of shares per bin.

    Of a number these are the rows above or below an edge of bins, on the side that has become
    more; of a category, one of its values. Missing and unseen values stand for themselves.

    Args:
        kind: `numeric` or `categorical`.
        bins: Each bin in words, as `Bins.intervals` has it.
        reference: Share of the rows in each bin, 0 to 1, length bins.
        current: The same of a window.
        test: Name of the threshold that was crossed: of missing or unseen values, these alone.

    Returns:
        None where nothing is known of either side.
    """
    if np.isnan(reference).any() or np.isnan(current).any() or not len(bins):
        return None
    moves = [*_moves(kind, bins, reference, current)]
    only = [move for move in moves if move.rows == WORDS.get(OF_BIN.get(test, ""))]
    return max(only or moves, key=lambda move: abs(move.current - move.reference), default=None)


def into_tails(current: float, reference: Floats) -> Move:
    """Return the move of a share of rows into the tails, given the reference's shares per bin."""
    return Move(TAILS, current, 2 * TAIL_SHARE * (1.0 - float(reference[-1])))


def _moves(kind: str, bins: Sequence[str], reference: Floats, current: Floats) -> Iterator[Move]:
    known = [i for i, name in enumerate(bins) if i < len(bins) - 2 or name not in WORDS]
    for i in range(len(known), len(bins)):
        yield Move(WORDS[bins[i]], float(current[i]), float(reference[i]))
    if kind != "numeric":
        for i in known:
            yield Move(bins[i], float(current[i]), float(reference[i]), is_category=True)
        return
    for cut in known[1:]:
        now, before = (float(side[cut : len(known)].sum()) for side in (current, reference))
        if now >= before:
            yield Move(_above(bins[cut]), now, before)
        else:
            now, before = (float(side[:cut].sum()) for side in (current, reference))
            yield Move(_below(bins[cut - 1]), now, before)


def _above(interval: str) -> str:
    """Return `above 0.24` of `(0.24, 0.31]`, `4 or more` of `[4, 5]`."""
    least = interval[1:].partition(",")[0]
    return f"above {least}" if interval[0] == "(" else f"{least} or more"


def _below(interval: str) -> str:
    """Return `0.31 or less` of `(0.24, 0.31]`, `under 0.31` of `(0.24, 0.31)`."""
    most = interval[:-1].rpartition(" ")[2]
    return f"{most} or less" if interval[-1] == "]" else f"under {most}"


def _percent(share: float) -> str:
    """Return a share in percent: two digits that count, whole from 10 on."""
    shown = 100 * share
    digits = 0 if not shown or shown >= 9.95 else 1 if shown >= 0.995 else 2
    return "< 0.01 %" if 0 < shown < 0.005 else f"{shown:.{digits}f} %"
