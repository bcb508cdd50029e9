"""What scores and faults are called, and what to make of them."""

from __future__ import annotations

TITLES = {
    "psi": "PSI",
    "ks_statistic": "KS statistic",
    "missing_ratio": "Missing",
    "unseen_ratio": "Unseen",
    "tail_ratio": "Tails",
    "js_distance": "Jensen-Shannon",
    "wasserstein_ratio": "Wasserstein",
    "l_infinity": "Greatest gap",
}
"""Score -> its title; the order of all of them."""

MEANINGS = {
    "psi": "population stability index over the bins",
    "ks_statistic": "greatest gap between the cumulative shares",
    "missing_ratio": "rows without a usable value",
    "unseen_ratio": "rows with a category that the reference never had",
    "tail_ratio": "rows beyond the reference's 0.1 and 99.9 percentiles",
    "js_distance": "distance of the shares per bin, base 2",
    "wasserstein_ratio": "mean shift of the values, in reference standard deviations",
    "l_infinity": "greatest gap between two shares of one category",
}

FAULTS = {
    "mlmon_dropped_total": "Dropped",
    "mlmon_parse_errors_total": "Not read",
    "mlmon_internal_errors_total": "Internal errors",
    "mlmon_label_overflow_total": "Counted as other",
}
"""Counter -> its title."""

FAULT_MEANINGS = {
    "mlmon_dropped_total": "observations given up; requests were counted all the same",
    "mlmon_parse_errors_total": "bodies that are not in the format that was expected",
    "mlmon_internal_errors_total": "faults of the monitor's own; the served model did not see them",
    "mlmon_label_overflow_total": "label values over a cap",
}
