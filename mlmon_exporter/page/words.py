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

QUALITIES = {
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "log_loss": "Log loss",
    "brier": "Brier score",
    "calibration_error": "Calibration error",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R²",
    "mape": "MAPE",
}
"""Quality -> its title; the order of all of them."""

QUALITY_MEANINGS = {
    "accuracy": "share of rows whose class was predicted",
    "precision": "share of predicted positives that came true",
    "recall": "share of true positives that were predicted",
    "f1": "harmonic mean of precision and recall",
    "roc_auc": "area under the ROC curve",
    "log_loss": "mean log loss, nats; less is better",
    "brier": "mean squared error of probabilities; less is better",
    "calibration_error": "gap of probabilities and outcomes; less is better",
    "rmse": "root of the mean squared error; less is better",
    "mae": "mean absolute error; less is better",
    "r2": "share of the variance that is predicted",
    "mape": "mean absolute error over the ground truth; less is better",
}

PARITIES = {
    "demographic_parity_ratio": "Demographic parity, ratio",
    "demographic_parity_difference": "Demographic parity, difference",
    "equal_opportunity_difference": "Equal opportunity, difference",
    "equalized_odds_difference": "Equalized odds, difference",
}
"""Parity of a feature's segments -> its title."""

RATES = {
    "selection": "Selected",
    "true_positive": "True positives",
    "false_positive": "False positives",
}
"""Rate of a segment -> its title."""

RATE_MEANINGS = {
    "selection": "of all rows, predicted positive",
    "true_positive": "of those that were positive, predicted so",
    "false_positive": "of those that were negative, predicted positive",
}

GROUND_TRUTHS = {
    "matched": "Matched",
    "late": "Late",
    "unknown": "Unknown",
    "duplicate": "Duplicates",
    "invalid": "Invalid",
}
"""What became of a ground truth -> its title."""
