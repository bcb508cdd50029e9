"""Drift scores of all columns of one side of a model, and their thresholds.

Two tables: a score is a row of `SCORES`, a test that decides on drift is a row of `TESTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.profile.hours import rows_by_hour
from mlmon_exporter.core.settings import Policy
from mlmon_exporter.core.stats import scores, thresholds
from mlmon_exporter.core.stats.design_effect import effective_rows
from mlmon_exporter.core.stats.scatter import PSI_CURVATURE, doubt, natural_gap
from mlmon_exporter.core.stats.thresholds import TYPICAL
from mlmon_exporter.core.windows.hours import LAGS
from mlmon_exporter.core.windows.matrix import ReferenceMatrix, Sums
from mlmon_exporter.core.windows.natural import Fields, NaturalVariation

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]

CALM_SHARE = 0.75
"""Share of what matters under which the scores of a column that drifted must be to be calm. The
score of a change that is just what matters wavers by a quarter of it in a day of 2 000 rows."""


class Comparison(NamedTuple):
    """A window against the reference."""

    frame: ReferenceMatrix
    current: Sums
    policy: Policy
    level: float
    """Probability that one test of unchanged traffic fails."""
    seconds: float = 3600.0
    """Time that the rows of the window are of: less than its length while it fills."""
    live: NaturalVariation | None = None
    """Natural variation in place of the reference's."""
    panes: Mapping[float, int] | None = None
    """Rows of each pane, by its start in Unix seconds, where the window is shorter than a day."""

    @property
    def draws(self) -> Floats:
        """Effective rows of the window, given how alike those of a request are, per column."""
        return effective_rows(self.frame.column_rows, self.current.rows, self.current.effects)

    @property
    def hours(self) -> Floats | None:
        """Rows of each hour of the day, shape (24,); None where no column is tested by hour."""
        if self.panes is None or not self.frame.hours.known.any():
            return None
        return rows_by_hour(self.panes)

    def scatter(self, score: str) -> Fields:
        """Return the natural variation of a score over the time of the window."""
        return (self.live or self.frame.natural).of(score, self.seconds)

    def natural(self, score: str, level: float) -> Natural:
        """Return what dependence in time adds to the noise of a score at a level, per column."""
        variance, degrees, _ = self.scatter(score)
        variance = variance * doubt(degrees, level)
        return Natural(variance, variance / degrees)


class Natural(NamedTuple):
    """Natural variances of a score, beside the noise 1 / rows, per column."""

    window: Floats
    reference: Floats
    """Of the whole reference: the mean of its independent stretches."""


def _for_numeric(frame: ReferenceMatrix, values: Floats) -> Floats:
    column = np.full(len(frame.references), np.nan)
    column[frame.numeric] = values
    return column


def _psi(c: Comparison) -> Floats:
    return scores.psi(c.frame.reference.bins, c.current.bins, c.frame.bin_starts)


def _hour_psi(c: Comparison) -> Floats:
    hours = c.hours
    if hours is None:
        return np.full(len(c.frame.references), np.nan)
    expected = (c.frame.hours.expected(np.roll(hours, lag))[0] for lag in LAGS)
    now, *others = (scores.psi(bins, c.current.bins, c.frame.bin_starts) for bins in expected)
    return np.where(np.isnan(now), np.nan, np.fmin.reduce([now, *others]))


def _js_distance(c: Comparison) -> Floats:
    return scores.js_distance(c.frame.reference.bins, c.current.bins, c.frame.bin_starts)


def _ks_statistic(c: Comparison) -> Floats:
    if not len(c.frame.numeric):
        return np.full(len(c.frame.references), np.nan)
    gaps = scores.ks_statistic(c.frame.reference.cells, c.current.cells, c.frame.cell_starts)
    return _for_numeric(c.frame, gaps)


def _wasserstein_ratio(c: Comparison) -> Floats:
    sd = c.frame.sd[c.frame.numeric]
    ratio = scores.wasserstein_ratio(c.current.distances, sd)
    return _for_numeric(c.frame, ratio)


def _l_infinity(c: Comparison) -> Floats:
    gaps = scores.l_infinity(c.frame.reference.bins, c.current.bins, c.frame.bin_starts)
    return np.where(c.frame.is_numeric, np.nan, gaps)


def _missing_ratio(c: Comparison) -> Floats:
    return np.asarray(c.current.missing / c.current.rows, dtype=np.float64)


def _unseen_ratio(c: Comparison) -> Floats:
    return np.where(c.frame.is_numeric, np.nan, c.current.unseen / c.current.rows)


def _tail_ratio(c: Comparison) -> Floats:
    return np.where(c.frame.is_numeric, c.current.tail / c.current.rows, np.nan)


def _no_base(c: Comparison) -> Floats:
    return np.zeros(len(c.frame.references))


def _chance_psi(c: Comparison, level: float) -> Floats:
    return _psi_by_chance(c, level, "psi", c.frame.reference.bins, c.frame.column_rows)


def _chance_hour_psi(c: Comparison, level: float) -> Floats:
    hours = c.hours
    if hours is None:
        return np.full(len(c.frame.references), np.nan)
    # The law of the hour that has most of the rows: as many laws are made as there are hours.
    bins = np.rint(c.frame.hours.bins[int(np.argmax(hours))]).astype(np.int64)
    rows = np.add.reduceat(bins, c.frame.bin_starts)
    return _psi_by_chance(c, level, "hour_psi", bins, rows)


def _psi_by_chance(
    c: Comparison, level: float, score: str, reference: Counts, column_rows: Counts
) -> Floats:
    bins = np.split(reference, c.frame.bin_starts[1:])
    pairs = zip(bins, c.draws.tolist(), strict=True)
    chance = np.array(
        [thresholds.chance_psi(b.tolist(), int(m), level, c.current.rows / m) for b, m in pairs]
    )
    mean, degrees, strongest = c.scatter(score)
    if not mean.any():
        return chance
    # What independent rows bring and what time brings are two sums of squares: their means add,
    # and so do the squares of how far each goes beyond its mean.
    freedom = np.array([np.count_nonzero(b) - 1 for b in bins])
    typical = freedom * (1 / np.maximum(column_rows, 1) + 1 / c.draws)
    allowed = doubt(degrees, level)
    beyond = PSI_CURVATURE * strongest * allowed * (NormalDist().inv_cdf(1 - level / 2) ** 2 - 1)
    both = typical + mean * allowed + np.hypot(chance - typical, beyond)
    return np.where(mean > 0, np.fmax(chance, both), chance)


def _chance_ks(c: Comparison, level: float) -> Floats:
    n, m = c.frame.reference.values, c.current.values * c.draws / c.current.rows
    chance = thresholds.chance_ks(n, m, level)
    time = natural_gap(c.natural("ks_statistic", level).window, level)
    return np.asarray(np.hypot(chance, time) + c.frame.rank_error, dtype=np.float64)


def _chance_share(c: Comparison, score: str, hits: Counts, level: float) -> Floats:
    return _chance_of_hits(c, hits, level, c.natural(score, level), extra_hits=1.0)


def _chance_tail(c: Comparison, level: float) -> Floats:
    # No stretch of the reference is beyond its own bounds, so that it tells too little of how
    # tails vary: they may vary as the whole shape does.
    own, shape = (c.natural(score, level) for score in ("tail_ratio", "ks_statistic"))
    time = Natural(*(np.maximum(*each) for each in zip(own, shape, strict=True)))
    return _chance_of_hits(c, c.frame.reference.tail, level, time, extra_hits=2.0)


def _chance_of_hits(
    c: Comparison, hits: Counts, level: float, time: Natural, extra_hits: float
) -> Floats:
    # Columns of merged references, and of digests, may have different numbers of rows.
    n = np.maximum(c.frame.column_rows, 1)
    of_reference = 1 / (1 / n + time.reference)
    effective_hits = np.ceil(hits * of_reference / n)
    of_window = np.maximum(1 / (1 / c.draws + time.window), 1.0)
    each = zip(effective_hits.tolist(), of_reference.tolist(), of_window.tolist(), strict=True)
    chance = [
        thresholds.chance_share(
            int(k), max(int(n), 1), thresholds.whole_steps(int(m)), level, extra_hits
        )
        for k, n, m in each
    ]
    return np.where(c.frame.column_rows > 0, chance, np.nan)


def _share(c: Comparison, hits: Counts) -> Floats:
    rows = c.frame.column_rows
    return np.asarray(hits / np.where(rows > 0, rows, np.nan), dtype=np.float64)


Scorer = Callable[[Comparison], Floats]

DIGEST_SCORE = "wasserstein_ratio"
"""The one score that needs digests: NaN of sums that are of counts alone."""
SCORES: dict[str, Scorer] = {
    "psi": _psi,
    "ks_statistic": _ks_statistic,
    "js_distance": _js_distance,
    DIGEST_SCORE: _wasserstein_ratio,
    "l_infinity": _l_infinity,
    "missing_ratio": _missing_ratio,
    "unseen_ratio": _unseen_ratio,
    "tail_ratio": _tail_ratio,
    "hour_psi": _hour_psi,
}
"""Score -> function that computes it for all columns; NaN where a column has none."""


class Test(NamedTuple):
    """A score that decides on drift, and its threshold."""

    score: str
    base: Scorer
    """Score of unchanged traffic."""
    floor: Callable[[Policy], float]
    """Least distance from the base that matters."""
    chance: Callable[[Comparison, float], Floats]
    """Score that chance reaches at a level."""
    numeric: bool = True
    categorical: bool = True
    by_hour: bool = False
    """Of columns alone whose hours differ."""

    def columns(self, frame: ReferenceMatrix) -> Flags:
        """Tell the columns that are tested."""
        takes_part = np.where(frame.is_numeric, self.numeric, self.categorical)
        return takes_part & (frame.hours.known | (not self.by_hour))


TESTS: dict[str, Test] = {
    "psi_threshold": Test("psi", _no_base, lambda p: p.psi_floor, _chance_psi),
    "ks_threshold": Test(
        "ks_statistic", _no_base, lambda p: p.ks_floor, _chance_ks, categorical=False
    ),
    "missing_threshold": Test(
        "missing_ratio",
        lambda c: _share(c, c.frame.reference.missing),
        lambda p: p.share_floor,
        lambda c, level: _chance_share(c, "missing_ratio", c.frame.reference.missing, level),
    ),
    # How often categories come that the reference lacks is told by those that it has once:
    # Good (1953), The Population Frequencies of Species.
    "unseen_threshold": Test(
        "unseen_ratio",
        lambda c: _share(c, c.frame.new_rows),
        lambda p: p.share_floor,
        lambda c, level: _chance_share(c, "unseen_ratio", c.frame.new_rows, level),
        numeric=False,
    ),
    # The tails hold 0.2 % of the reference: a floor of the whole share would hide a tail that
    # has grown fivefold. The reference's own values bound them, one on each side.
    "tail_threshold": Test(
        "tail_ratio",
        lambda c: _share(c, c.frame.reference.tail),
        lambda p: p.share_floor / 2,
        _chance_tail,
        categorical=False,
    ),
    "hour_threshold": Test(
        "hour_psi", _no_base, lambda p: p.psi_floor, _chance_hour_psi, by_hour=True
    ),
}
"""Threshold's name -> the test."""


def count_tests(frame: ReferenceMatrix) -> int:
    """Return the number of tests of all columns, for one window."""
    return sum(int(test.columns(frame).sum()) for test in TESTS.values())


def threshold(
    test: Test, c: Comparison, level: float | None = None, floor_share: float = 1.0
) -> Floats:
    """Return the threshold of a test for all columns, the greater of two values.

    They are the least change that matters (the floor, or a share of it), and what chance and
    unchanged time bring at a level, that of the comparison by default.
    """
    level = c.level if level is None else level
    bar = np.maximum(test.base(c) + floor_share * test.floor(c.policy), test.chance(c, level))
    if test.score not in ("psi", "hour_psi"):
        bar = np.minimum(bar, 1.0)
    return np.where(test.columns(c.frame), bar, np.nan)


def score(
    comparison: Comparison, was_drifted: Flags | None = None, is_longer: Flags | None = None
) -> dict[str, Floats]:
    """Return scores, thresholds and `drifted` (0 or 1) of all columns, by name.

    A column drifts when a score goes over its threshold. It is calm when the rows say so: all
    scores are under `CALM_SHARE` of what matters, or under what so few rows mostly reach. Where
    only the rows become fewer, as by night, thresholds rise and the verdict stays. And while the
    rows are too few to see a change of the floor's size, a longer window that sees it holds the
    verdict: an hour may look calm by luck.

    Args:
        comparison: The window and the reference.
        was_drifted: The columns that drifted when the window was last scored; none by default.
        is_longer: The columns that drift in a longer window; none by default.

    Returns:
        Everything is NaN, and so absent, while the window has too few rows or the reference none,
        but `drifted` of columns that were: it is still 1.
    """
    frame, current = comparison.frame, comparison.current
    count = len(frame.references)
    before = np.zeros(count, dtype=bool) if was_drifted is None else was_drifted
    if current.rows < comparison.policy.min_window_rows or not frame.reference.rows:
        absent = {name: np.full(count, np.nan) for name in (*SCORES, *TESTS)}
        return absent | {"drifted": np.where(before, 1.0, np.nan)}
    results = {name: scorer(comparison) for name, scorer in SCORES.items()}
    over = np.zeros(count, dtype=bool)
    with np.errstate(invalid="ignore"):
        for name, test in TESTS.items():
            results[name] = threshold(test, comparison)
            over |= results[test.score] > results[name]
            if before.any():
                calm = threshold(test, comparison, TYPICAL, CALM_SHARE)
                over |= before & (results[test.score] > calm)
        if is_longer is not None:
            is_few = results["psi_threshold"] > comparison.policy.psi_floor
            over |= before & is_longer & is_few
    return results | {"drifted": over.astype(np.float64)}
