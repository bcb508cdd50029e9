"""Fairness between the segments of a feature: rates and parities, as fairlearn defines them.

Rates are of the positive class. A segment with too few rows has none, and parities leave it out.
 Source: Hardt, Price and Srebro (2016), Equality of Opportunity in Supervised Learning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .tallies import SegmentSums, ratio

Floats = NDArray[np.float64]

PARITIES = (
    "demographic_parity_ratio",
    "demographic_parity_difference",
    "equal_opportunity_difference",
    "equalized_odds_difference",
)


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
    )


def parities(of_segments: Rates) -> Mapping[str, float]:
    """Return the parities of one feature's segments; NaN where fewer than two have a rate."""
    _, selection, true_positive, false_positive, _ = map(_known, of_segments)
    opportunity, other = _spread(true_positive), _spread(false_positive)
    values = (
        _least_ratio(selection),
        _spread(selection),
        opportunity,
        # NaN if either is; `max` would not show it.
        float(np.maximum(opportunity, other)),
    )
    return dict(zip(PARITIES, values, strict=True))


def _known(values: Floats) -> Floats:
    return values[~np.isnan(values)]


def _spread(values: Floats) -> float:
    return float(values.max() - values.min()) if len(values) > 1 else float("nan")


def _least_ratio(values: Floats) -> float:
    if len(values) < 2 or not values.max():
        return float("nan")
    return float(values.min() / values.max())
