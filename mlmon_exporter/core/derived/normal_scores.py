"""Normal scores: values of all features on the scale of a standard normal.

Where tails are light, they are standard deviations from the mean. Where they are heavy, a value
has the score of its place among the reference's, so that they do not outweigh the rest; and a
category that of its place among categories in order of their frequency.
Missing and unseen values count as 0, the middle: scores of their own column tell of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.profile.bins import OTHER, CategoryBins
from mlmon_exporter.core.profile.column import ColumnReference

Floats = NDArray[np.float64]

SHARES = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5)
RANKS = (*SHARES, *(1 - share for share in SHARES[-2::-1]))
"""Shares of the rows whose values are the knots of a numeric feature."""
LIGHT = 5.0
"""Tails are light if the outer of these values are so many standard deviations from the mean."""
FARTHEST = 8.0
"""Greatest score: no outlier outweighs all else."""
STRAIGHT = 0.1
"""Knots between which a straight line is so near are left out: a third of the time remains."""
_SCORES = np.array([NormalDist().inv_cdf(rank) for rank in RANKS])


@dataclass(frozen=True)
class NormalScores:
    """Normal scores of one feature: straight lines between knots, or a score for each category."""

    name: str
    places: tuple[float, ...] | tuple[str, ...]
    """Ascending values, or categories; the last of these stands for all others that are known."""
    scores: tuple[float, ...]

    @property
    def is_numeric(self) -> bool:
        """True if places are numbers."""
        return not isinstance(self.places[0], str)

    def bind(self, column: ColumnReference) -> tuple[Floats, Floats]:
        """Return knots and their scores: of values, or of the cell numbers of categories.

        Raises:
            ValueError: The column is of another kind.
        """
        if self.is_numeric != (column.kind == "numeric"):
            raise ValueError(f"{self.name}: expected a {column.kind} column's normal scores")
        if not isinstance(column.bins, CategoryBins):
            return np.array(self.places, dtype=np.float64), np.array(self.scores)
        known = dict(zip(self.places[:-1], self.scores, strict=False))
        kept = [known.get(name, 0.0) for name in column.bins.categories]
        cells = np.array([*kept, self.scores[-1], 0.0, 0.0])
        return np.arange(len(cells), dtype=np.float64), cells

    def to_dict(self) -> dict[str, Any]:
        """Return the form in which a reference file holds them."""
        return {"name": self.name, "places": [*self.places], "scores": [*self.scores]}

    @classmethod
    def from_dict(cls, form: Mapping[str, Any]) -> Self:
        """Read that form; raises ValueError, KeyError or TypeError where it is damaged."""
        places, scores = tuple(form["places"]), tuple(map(float, form["scores"]))
        kinds = {*map(type, places)}
        if (
            len(places) != len(scores)
            or not places
            or not (kinds <= {str} or kinds <= {int, float})
        ):
            raise ValueError(f"{form['name']}: expected a score for each place")
        return cls(str(form["name"]), places, scores)


def normal_scores(column: ColumnReference) -> NormalScores | None:
    """Return the normal scores of a feature, None if it does not tell rows apart.

    That are columns of one value, ids, times, and texts of which no category is kept.
    """
    if column.looks or column.is_id_like or not column.values:
        return None
    made = _of_categories(column) if column.kind == "categorical" else _of_numbers(column)
    return made if made is not None and len({*made.scores}) > 1 else None


def _of_numbers(column: ColumnReference) -> NormalScores | None:
    if column.digest is None:
        return None
    quantiles = np.array(column.digest.quantiles(RANKS))
    values, owners = np.unique(quantiles, return_inverse=True)
    if len(values) == 1:
        return None
    reach = FARTHEST * column.sd
    if np.isfinite(reach) and np.abs(values[[0, -1]] - column.mean).max() <= LIGHT * column.sd:
        ends = (column.mean - reach, column.mean + reach)
        return NormalScores(column.name, ends, (-FARTHEST, FARTHEST))
    # Of ranks that share a value, it has the mean.
    scores = np.bincount(owners, _SCORES) / np.bincount(owners)
    kept = _bends(values, scores)
    values, scores = _extended(values[kept], scores[kept])
    return NormalScores(column.name, tuple(values.tolist()), tuple(scores.tolist()))


def _extended(values: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """Return knots with one more at each end, where the outer lines reach `FARTHEST`."""
    slopes = np.diff(scores)[[0, -1]] / np.diff(values)[[0, -1]]
    ends = np.array([-FARTHEST, FARTHEST])
    with np.errstate(over="ignore"):
        beyond = values[[0, -1]] + (ends - scores[[0, -1]]) / slopes
    largest = np.finfo(np.float64).max
    low, high = np.clip(beyond, -largest, largest)
    return np.array([low, *values, high]), np.array([-FARTHEST, *scores, FARTHEST])


def _bends(values: Floats, scores: Floats) -> list[int]:
    """Return the knots without which lines would be off by more than `STRAIGHT`."""
    kept = sorted({0, len(values) - 1})
    while True:
        off = np.abs(np.interp(values, values[kept], scores[kept]) - scores)
        if off.max() <= STRAIGHT:
            return kept
        kept = sorted({*kept, int(off.argmax())})


def _of_categories(column: ColumnReference) -> NormalScores | None:
    bins = column.bins
    if not isinstance(bins, CategoryBins) or np.count_nonzero(column.counts[:-2]) < 2:
        return None
    shares = column.counts[:-2] / column.values  # the kept ones, and `other`
    middles = np.clip(np.cumsum(shares) - shares / 2, RANKS[0], RANKS[-1])
    scores = tuple(map(NormalDist().inv_cdf, middles.tolist()))
    return NormalScores(column.name, (*bins.categories, OTHER), scores)


def scorer(
    inputs: Sequence[NormalScores], features: Sequence[ColumnReference]
) -> Callable[[Floats], Floats]:
    """Return the function from rows of features to normal scores, shape (inputs, rows).

    Its argument has shape (features, rows): numbers, and cell numbers of categorical features. A
    row without a value in any input is NaN in all.

    Raises:
        ValueError: A feature is not there, or of another kind.
    """
    known = {column.name: i for i, column in enumerate(features)}
    absent = [each.name for each in inputs if each.name not in known]
    if absent:
        raise ValueError(f"derived columns: expected the feature {absent[0]!r}, got none")
    at = [known[each.name] for each in inputs]
    knots = [each.bind(features[i]) for each, i in zip(inputs, at, strict=True)]
    bent = [(j, *each) for j, each in enumerate(knots) if len(each[0]) != 2]
    lines = np.array([_line(*each) for each in knots]).reshape(-1, 4)
    low, high, slope, first = (each[:, None] for each in lines.T)
    categories = [j for j, each in enumerate(inputs) if not each.is_numeric]
    missing = np.array([features[at[j]].bins.cell_count - 1.0 for j in categories]).reshape(-1, 1)

    def scores(block: Floats) -> Floats:
        values = block[at]
        # Straight lines of all columns at once, in place: `np.interp` takes five times as long.
        found: Floats = np.maximum(values, low)
        np.minimum(found, high, out=found)
        found -= low
        found *= slope
        found += first
        for j, places, scores in bent:
            found[j] = np.interp(values[j], places, scores)
        is_missing = ~np.isfinite(values)
        is_missing[categories] |= values[categories] == missing
        if is_missing.any():
            found[is_missing] = 0.0
            found[:, is_missing.all(axis=0)] = np.nan
        return found

    return scores


def _line(places: Floats, scores: Floats) -> tuple[float, ...]:
    """Return the ends of a line, its slope and its first score; zeros where knots bend it."""
    if len(places) != 2:
        return (0.0, 0.0, 0.0, 0.0)
    (low, high), (first, last) = places.tolist(), scores.tolist()
    return low, high, (last - first) / (high - low), first
