"""Drift scores of all columns of one side of a model, and their thresholds.

Two tables: a score is a row of `SCORES`, a test that decides on drift is a row of `TESTS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.settings import Policy
from mlmon_exporter.core.stats import scores, thresholds
from mlmon_exporter.core.stats.design_effect import effective_rows
from mlmon_exporter.core.stats.thresholds import TYPICAL
from mlmon_exporter.core.windows.matrix import ReferenceMatrix, Sums

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]

CALM_SHARE = 0.9
"""Share of the way to the threshold under which a drifted column is calm again."""


class Comparison(NamedTuple):
    """A window against the reference."""

    frame: ReferenceMatrix
    current: Sums
    policy: Policy
    level: float
    """Probability that one test of unchanged traffic fails."""
    window_seconds: float = 3600.0

    @property
    def draws(self) -> Floats:
        """Effective rows of the window, per column."""
        return effective_rows(self.frame.column_rows, self.current.rows, self.current.effects)


def _for_numeric(frame: ReferenceMatrix, values: Floats) -> Floats:
    column = np.full(len(frame.references), np.nan)
    column[frame.numeric] = values
    return column


def _psi(c: Comparison) -> Floats:
    return scores.psi(c.frame.reference.bins, c.current.bins, c.frame.bin_starts)


def _js_distance(c: Comparison) -> Floats:
    return scores.js_distance(c.frame.reference.bins, c.current.bins, c.frame.bin_starts)


def _ks_statistic(c: Comparison) -> Floats:
    if not len(c.frame.numeric):
        return np.full(len(c.frame.references), np.nan)
    gaps = scores.ks_statistic(c.frame.reference.cells, c.current.cells, c.frame.cell_starts)
    return _for_numeric(c.frame, gaps)


def _wasserstein_ratio(c: Comparison) -> Floats:
    sd = c.frame.sd[c.frame.numeric]
    ratio = scores.wasserstein_ratio(c.frame.reference.ranks, c.current.ranks, sd)
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
    bins = np.split(c.frame.reference.bins, c.frame.bin_starts[1:])
    pairs = zip(bins, c.draws.tolist(), strict=True)
    return np.array(
        [thresholds.chance_psi(b.tolist(), int(m), level, c.current.rows / m) for b, m in pairs]
    )


def _chance_ks(c: Comparison, level: float) -> Floats:
    n, m = c.frame.reference.values, c.current.values * c.draws / c.current.rows
    chance = thresholds.chance_ks(n, m, level) + c.frame.rank_error
    return np.asarray(chance, dtype=np.float64)


def _chance_share(c: Comparison, hits: Counts, level: float, extra_hits: float = 1.0) -> Floats:
    # Columns of merged references, and of digests, may have different numbers of rows.
    each = zip(hits.tolist(), c.frame.column_rows.tolist(), c.draws.tolist(), strict=True)
    chance = [
        thresholds.chance_share(k, n, thresholds.whole_steps(int(m)), level, extra_hits)
        for k, n, m in each
    ]
    return np.array(chance)


def _share(c: Comparison, hits: Counts) -> Floats:
    rows = c.frame.column_rows
    return np.asarray(hits / np.where(rows > 0, rows, np.nan), dtype=np.float64)


Scorer = Callable[[Comparison], Floats]

SCORES: dict[str, Scorer] = {
    "psi": _psi,
    "ks_statistic": _ks_statistic,
    "js_distance": _js_distance,
    "wasserstein_ratio": _wasserstein_ratio,
    "l_infinity": _l_infinity,
    "missing_ratio": _missing_ratio,
    "unseen_ratio": _unseen_ratio,
    "tail_ratio": _tail_ratio,
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


TESTS: dict[str, Test] = {
    "psi_threshold": Test("psi", _no_base, lambda p: p.psi_floor, _chance_psi),
    "ks_threshold": Test(
        "ks_statistic", _no_base, lambda p: p.ks_floor, _chance_ks, categorical=False
    ),
    "missing_threshold": Test(
        "missing_ratio",
        lambda c: _share(c, c.frame.reference.missing),
        lambda p: p.share_floor,
        lambda c, level: _chance_share(c, c.frame.reference.missing, level),
    ),
    # How often categories come that the reference lacks is told by those that it has once:
    # Good (1953), The Population Frequencies of Species.
    "unseen_threshold": Test(
        "unseen_ratio",
        lambda c: _share(c, c.frame.singletons),
        lambda p: p.share_floor,
        lambda c, level: _chance_share(c, c.frame.singletons, level),
        numeric=False,
    ),
    # The tails hold 0.2 % of the reference: a floor of the whole share would hide a tail that
    # has grown fivefold. The reference's own values bound them, one on each side.
    "tail_threshold": Test(
        "tail_ratio",
        lambda c: _share(c, c.frame.reference.tail),
        lambda p: p.share_floor / 2,
        lambda c, level: _chance_share(c, c.frame.reference.tail, level, extra_hits=2.0),
        categorical=False,
    ),
}
"""Threshold's name -> the test."""


def count_tests(frame: ReferenceMatrix) -> int:
    """Return the number of tests of all columns, for one window."""
    numeric = len(frame.numeric)
    categorical = len(frame.references) - numeric
    return sum(numeric * t.numeric + categorical * t.categorical for t in TESTS.values())


def threshold(test: Test, c: Comparison) -> Floats:
    """Return the threshold of a test for all columns, the greatest of three values.

    They are the least change that matters (the floor), chance at the level, and the natural
    variation over time on top of what chance typically does.
    """
    bar = np.maximum(test.base(c) + test.floor(c.policy), test.chance(c, c.level))
    natural = c.frame.natural(test.score, c.window_seconds, c.level)
    if natural.any():
        bar = np.maximum(bar, test.chance(c, TYPICAL) + natural)
    if test.score != "psi":
        bar = np.minimum(bar, 1.0)
    takes_part = np.where(c.frame.is_numeric, test.numeric, test.categorical)
    return np.where(takes_part, bar, np.nan)


def score(comparison: Comparison, was_drifted: Flags | None = None) -> dict[str, Floats]:
    """Return scores, thresholds and `drifted` (0 or 1) of all columns, by name.

    A column drifts when a score exceeds its threshold, and is calm when all are back under
    `CALM_SHARE` of the way there: a score that hovers at its threshold does not flap.

    Args:
        comparison: The window and the reference.
        was_drifted: The columns that drifted when the window was last scored; none by default.

    Returns:
        Everything is NaN, and so absent, while the window has too few rows or the reference none.
    """
    frame, current = comparison.frame, comparison.current
    count = len(frame.references)
    if current.rows < comparison.policy.min_window_rows or not frame.reference.rows:
        return {name: np.full(count, np.nan) for name in (*SCORES, *TESTS, "drifted")}
    results = {name: scorer(comparison) for name, scorer in SCORES.items()}
    over, near = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    with np.errstate(invalid="ignore"):
        for name, test in TESTS.items():
            value, bar = results[test.score], threshold(test, comparison)
            results[name] = bar
            base = test.base(comparison)
            over |= value > bar
            near |= value > base + CALM_SHARE * (bar - base)
    if was_drifted is not None:
        over |= was_drifted & near
    return results | {"drifted": over.astype(np.float64)}
