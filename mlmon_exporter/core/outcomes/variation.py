"""Natural variation of outcomes: how the quality of unchanged time differs from stretch to stretch.

Neighbouring rows share luck: a storm, a holiday, a campaign makes a model wrong for hours without
a change of the model. Each deciding quality is a mean of a value that each row has, so the means
of disjoint stretches are compared with those of all other rows, as `core.stats.scatter` does for
columns. Residuals are one more column.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.variation import (
    DAY_SECONDS,
    LEAST_ROWS,
    LEAST_STRETCHES,
    Stretches,
    Variation,
    cells_of,
    stretch_lengths,
)
from mlmon_exporter.core.stats import roc
from mlmon_exporter.core.stats.scatter import Scatter, mean_scatter

from .losses import brier, is_scorable, log_loss
from .residuals import RESIDUAL, residuals_of
from .tallies import SegmentSums
from .task import REGRESSION, OutcomeRows, Task
from .thresholds import CLASS_LOSSES, REGRESSION_LOSSES

Floats = NDArray[np.float64]

MOST_RESIDUAL = 1e30
"""Greater residuals count as this: fourth powers of their squares must stay finite."""


class OutcomeVariation:
    """Sums of residuals and of each quality's values over stretches of several lengths."""

    def __init__(
        self,
        sums: SegmentSums,
        residuals: ColumnReference,
        window_seconds: Sequence[float],
        first: float,
        last: float,
    ) -> None:
        """Lay out stretches.

        Args:
            sums: Sums of all rows.
            residuals: The column of their residuals.
            window_seconds: Lengths of the windows.
            first: Time of the first row, Unix seconds.
            last: Time of the last row.
        """
        self._sums = sums
        self._residuals = residuals
        self._cells = Variation([residuals], window_seconds, first, last)
        self._stretches = [Stretches(first, last, s) for s in stretch_lengths(window_seconds)]
        self._values: dict[str, _Values] = {}

    def count(self, rows: OutcomeRows, times: Floats) -> None:
        """Count rows; `times` are Unix seconds, and rows of NaN are left out."""
        task = self._sums.layout.task
        self._cells.count({RESIDUAL: residuals_of(rows, task)}, times)
        places = [stretches.stretch_of(times) for stretches in self._stretches]
        for name, values in row_values(rows, self._sums).items():
            known = self._values.setdefault(name, _Values(self._stretches))
            known.add(values, places)

    def column(self) -> ColumnReference:
        """Return the residuals with the variation of their shape, and of each quality by name."""
        (varied,) = self._cells.columns()
        variation = {seconds: dict(found) for seconds, found in varied.variation.items()}
        for name, values in self._values.items():
            for seconds, scatter in _of_lengths(values, self._stretches).items():
                found = variation.setdefault(seconds, {})
                found |= {name: scatter} if scatter is not None else {}
        return replace(varied, variation=variation)


def _of_lengths(values: _Values, lengths: Sequence[Stretches]) -> Mapping[float, Scatter | None]:
    """Return the scatter of stretches by their length; of lengths that have enough of them.

    A few long stretches show only what is far beyond chance, while shorter ones are many: the mean
    of k stretches varies by a kth of what one does, or by more. But by less where one night follows
    each day, so times of day are compared with the same time of other days. And a part varies no
    less than the whole.
    """
    shorter: list[tuple[float, Scatter]] = []
    scatters: dict[float, Scatter | None] = {}
    for i, stretches in enumerate(lengths):
        seconds = stretches.seconds
        if not values.is_enough(i):
            continue
        found = [s._replace(variance=s.variance * length / seconds) for length, s in shorter]
        scatters[seconds] = _greatest((values.scatter(i, stretches), *found))
        same_time = values.scatter(i, stretches, same_time=True) if seconds < DAY_SECONDS else None
        shorter += [(seconds, same_time)] if same_time is not None else []
    longer: Scatter | None = None
    for seconds in sorted(scatters, reverse=True):
        longer = scatters[seconds] = _greatest((longer, scatters[seconds]))
    return scatters


def _greatest(scatters: Iterable[Scatter | None]) -> Scatter | None:
    known = (scatter for scatter in scatters if scatter is not None)
    return max(known, key=lambda scatter: scatter.variance, default=None)


class _Values:
    """Sums of one value of rows, by stretch."""

    def __init__(self, stretches: Sequence[Stretches]) -> None:
        self._powers = np.zeros(5)  # sums of the values' powers, from the zeroth
        self._rows = [np.zeros(s.count) for s in stretches]
        self._sums = [np.zeros(s.count) for s in stretches]

    def add(self, values: Floats, places: Sequence[NDArray[np.intp]]) -> None:
        is_known = ~np.isnan(values)
        for i, place in enumerate(places):
            inside = is_known & (place >= 0)
            size = len(self._rows[i])
            self._rows[i] += np.bincount(place[inside], minlength=size)
            self._sums[i] += np.bincount(place[inside], values[inside], minlength=size)
        self._powers += (values[is_known, None] ** np.arange(5)).sum(axis=0)

    def _is_used(self, i: int) -> NDArray[np.bool_]:
        rows = self._rows[i]
        return np.asarray((rows >= LEAST_ROWS) & (rows <= self._powers[0] / 2))

    def is_enough(self, i: int) -> bool:
        """Return whether stretches of the length `i` are enough to tell of."""
        return int(self._is_used(i).sum()) >= LEAST_STRETCHES

    def scatter(self, i: int, stretches: Stretches, *, same_time: bool = False) -> Scatter | None:
        """Return the scatter of the means of stretches of the length `i`.

        None where independent rows explain it. With `same_time` it is that between stretches of
        one time of day.
        """
        is_used = self._is_used(i)
        n, total = self._powers[:2]
        m, here = self._rows[i][is_used], self._sums[i][is_used]
        sd, excess_kurtosis = _shape(self._powers)
        if not sd > 0:
            return None
        gaps = (here / m - (total - here) / (n - m)) / sd
        noise = 1 / m + 1 / (n - m)
        if same_time:
            _, slot, days = np.unique(
                stretches.slots[is_used], return_inverse=True, return_counts=True
            )
            free = len(gaps) - len(days)
            if free < LEAST_STRETCHES:
                return None
            gaps = gaps - (np.bincount(slot, gaps) / days)[slot]
            # As much as if the means of times of day were known.
            gaps *= np.sqrt(len(gaps) / free)
        return mean_scatter(gaps, noise, stretches.degrees(is_used), excess_kurtosis)


def _shape(powers: Floats) -> tuple[float, float]:
    """Return standard deviation and excess kurtosis, given the sums of powers."""
    _, a, b, c, d = (float(each) for each in powers / powers[0])
    variance = b - a * a
    if not variance > 1e-12 * b:  # what rounding leaves of equal values
        return 0.0, 0.0
    fourth = d - 4 * a * c + 6 * a * a * b - 3 * a**4
    return variance**0.5, fourth / variance**2 - 3


def row_values(rows: OutcomeRows, sums: SegmentSums) -> Mapping[str, Floats]:
    """Return for each deciding quality the value of each row of which it is the mean.

    Its standard error is that of this mean. NaN where a row has none.

    Args:
        rows: The rows.
        sums: Sums of all rows of the reference.
    """
    task = sums.layout.task
    if task.kind == REGRESSION:
        absolute = np.minimum(np.abs(residuals_of(rows, task)), MOST_RESIDUAL)
        return {"mae": absolute, "rmse": np.square(absolute)}
    values = {"accuracy": (rows.truth == rows.predicted).astype(np.float64)}
    if task.scores:
        scored = is_scorable(rows, task)
        for name, loss in (("log_loss", log_loss), ("brier", brier)):
            values[name] = np.full(len(scored), np.nan)
            values[name][scored] = loss(rows.truth[scored], rows.scores[scored], task)
    if len(task.scores) == 1:
        values["roc_auc"] = _area_values(rows, task, sums.points(0))
    return values


def values_of_bins(residuals: ColumnReference, *, is_regression: bool) -> Mapping[str, Floats]:
    """Return for each deciding quality its value of the rows of each bin of their residuals.

    Live traffic is counted by bins. A residual says if a class was wrong, and how great a loss is;
    the area is taken to vary as the log loss does.
    """
    if residuals.digest is None:
        return {}
    known, weights = residuals.digest.centroids()
    bins = residuals.bins
    place, count = bins.bin_of_cell[cells_of(bins, known)], len(bins.bin_names)
    rows = np.bincount(place, weights, minlength=count)

    def by_bin(values: Floats) -> Floats:
        sums = np.bincount(place, weights * values, minlength=count)
        return np.where(rows > 0, sums / np.maximum(rows, 1), sums.sum() / rows.sum())

    losses = REGRESSION_LOSSES if is_regression else CLASS_LOSSES
    clipped = np.clip(known, -MOST_RESIDUAL, MOST_RESIDUAL)
    values = {name: by_bin(loss(clipped)) for name, loss in losses.items()}
    if is_regression:
        return values
    # A loss over that of a half is a wrong class; so is 1 where there are no probabilities.
    is_wrong = (known > math.log(2)).astype(np.float64)
    return {**values, "accuracy": by_bin(is_wrong), "roc_auc": values["log_loss"]}


def _area_values(rows: OutcomeRows, task: Task, points: Floats) -> Floats:
    """Return each row's part of the area under the curve of all rows, less the area.

    The mean over some rows is near their own area's difference from the whole: the first terms of
    its Hoeffding decomposition. Source: DeLong, DeLong and Clarke-Pearson (1988).
    """
    _, positives, negatives = points.T if len(points) else np.zeros((3, 1))
    m, n = positives.sum(), negatives.sum()
    if not m * n:
        return np.full(len(rows.truth), np.nan)
    area, share = roc.area(points), m / (m + n)
    of_positive = ((np.cumsum(negatives) - negatives / 2) / n - area) / share
    of_negative = (1 - (np.cumsum(positives) - positives / 2) / m - area) / (1 - share)
    # A point stands for the scores that are nearest to it.
    scores = rows.scores[:, 0]
    place = np.searchsorted((points[1:, 0] + points[:-1, 0]) / 2, scores)
    is_positive = rows.truth == (task.positive or 0)
    values = np.where(is_positive, of_positive[place], of_negative[place])
    return np.where(np.isnan(scores), np.nan, values)
