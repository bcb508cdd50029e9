"""Fairness between the segments of a feature: rates and parities, as fairlearn defines them.

Rates are of the positive class. A segment with too few rows has none, and parities leave it out.
The least of twenty equal groups is far from the greatest by chance alone, so two parities count
only pairs of segments that differ by more.

Source: Hardt, Price and Srebro (2016), Equality of Opportunity in Supervised Learning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.stats.shares import effective, greatest_difference, least_ratio

from .tallies import SegmentSums, ratio

Floats = NDArray[np.float64]

PARITIES = (
    "demographic_parity_ratio",
    "demographic_parity_difference",
    "equal_opportunity_difference",
    "equalized_odds_difference",
    "demographic_parity_significant_ratio",
    "equalized_odds_significant_difference",
)
TESTS = 3
"""Tests of a segment feature: of selection, and of true and of false positives."""


class Rates(NamedTuple):
    """Rates of each segment, shape (segments,); NaN where there are too few rows."""

    rows: Floats
    """Predicted rows."""
    selection: Floats
    """Share of the predicted rows that are predicted positive; no outcomes needed."""
    true_positive: Floats
    """Share of the positive outcomes that were predicted positive."""
    false_positive: Floats
    """Share of the negative outcomes that were predicted positive."""
    positives: Floats
    """Rows with a positive outcome."""
    negatives: Floats
    """Rows with another outcome."""


def rates(s: SegmentSums, min_rows: int) -> Rates | None:
    """Return the rates of all segments; None where there is no positive class."""
    positive = s.layout.task.positive
    if positive is None:
        return None
    made = s.each("made")
    rows = made.sum(axis=1)
    true, hits = s.each("true")[:, positive], s.each("hits")[:, positive]
    false_hits = s.each("predicted")[:, positive] - hits
    outcomes = s["rows"]
    is_small, has_few_outcomes = rows < min_rows, outcomes < min_rows
    return Rates(
        rows,
        np.where(is_small, np.nan, ratio(made[:, positive], rows)),
        np.where(has_few_outcomes, np.nan, ratio(hits, true)),
        np.where(has_few_outcomes, np.nan, ratio(false_hits, outcomes - true)),
        true,
        outcomes - true,
    )


def parities(of_segments: Rates, level: float, natural: float = 0.0) -> Mapping[str, float]:
    """Return the parities of one feature's segments; NaN where fewer than two have a rate.

    Args:
        of_segments: Rates of its segments.
        level: Probability that one test of equal segments fails by chance.
        natural: Natural variance of a share over the time of the window, beside 1 / rows: rows of
            a segment that share their luck tell as little as fewer independent ones.
    """
    r = of_segments
    selection, true_positive, false_positive = map(_known, r[1:4])
    opportunity, other = _spread(true_positive), _spread(false_positive)
    values = (
        _least_ratio(selection),
        _spread(selection),
        opportunity,
        # NaN if either is; `max` would not show it.
        float(np.maximum(opportunity, other)),
        least_ratio(*_counts(r.selection, r.rows, natural), level),
        float(
            np.fmax(
                greatest_difference(*_counts(r.true_positive, r.positives, natural), level),
                greatest_difference(*_counts(r.false_positive, r.negatives, natural), level),
            )
        ),
    )
    return dict(zip(PARITIES, values, strict=True))


def _known(values: Floats) -> Floats:
    return values[~np.isnan(values)]


def _counts(rates: Floats, rows: Floats, natural: float) -> tuple[Floats, Floats]:
    """Return hits and effective rows of the segments that have a rate."""
    is_known = ~np.isnan(rates)
    return effective(rates[is_known] * rows[is_known], rows[is_known], natural)


def _spread(values: Floats) -> float:
    return float(values.max() - values.min()) if len(values) > 1 else float("nan")


def _least_ratio(values: Floats) -> float:
    if len(values) < 2 or not values.max():
        return float("nan")
    return float(values.min() / values.max())
