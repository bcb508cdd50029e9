"""Titles and one-line meanings of scores, faults, qualities and rates."""

from __future__ import annotations

from typing import NamedTuple


class Label(NamedTuple):
    """A title, and its meaning in a line."""

    title: str
    meaning: str


SCORES = {
    "psi": Label("PSI", "population stability index over the bins"),
    "ks_statistic": Label("KS statistic", "greatest gap between the cumulative shares"),
    "missing_ratio": Label("Missing", "rows without a usable value"),
    "unseen_ratio": Label("Unseen", "rows with a category that the reference never had"),
    "tail_ratio": Label("Tails", "rows beyond the reference's 0.1 and 99.9 percentiles"),
    "hour_psi": Label("PSI by hour", "PSI against the same hours of the reference's days"),
    "js_distance": Label("Jensen-Shannon", "distance between the shares per bin, base 2"),
    "wasserstein_ratio": Label(
        "Wasserstein", "mean shift of the values, in reference standard deviations"
    ),
    "l_infinity": Label("Greatest gap", "greatest gap between two shares of one category"),
}
"""In the order of the page. A score that is not listed is titled by its name."""

FAULTS = {
    "mlmon_dropped_total": Label("Dropped", "observations dropped; their requests were counted"),
    "mlmon_parse_errors_total": Label("Parse errors", "bodies that could not be parsed"),
    "mlmon_internal_errors_total": Label(
        "Internal errors", "errors inside the monitor; the served model did not see them"
    ),
    "mlmon_state_write_failures_total": Label(
        "Not written", "failures to write the state; what it lacks waits in memory"
    ),
    "mlmon_label_overflow_total": Label("Counted as other", "label values over a cap"),
}
"""By counter, the faults that the page shows; POSTs that are not predictions are none."""

QUALITIES = {
    "accuracy": Label("Accuracy", "share of rows whose class was predicted"),
    "precision": Label("Precision", "share of predicted positives that are positive"),
    "recall": Label("Recall", "share of true positives that were predicted"),
    "f1": Label("F1", "harmonic mean of precision and recall"),
    "roc_auc": Label("ROC AUC", "area under the ROC curve"),
    "log_loss": Label("Log loss", "mean log loss, nats; lower is better"),
    "brier": Label("Brier score", "mean squared error of probabilities; lower is better"),
    "calibration_error": Label(
        "Calibration error", "gap between probabilities and outcomes; lower is better"
    ),
    "rmse": Label("RMSE", "root mean squared error; lower is better"),
    "mae": Label("MAE", "mean absolute error; lower is better"),
    "r2": Label("R²", "share of the variance that is predicted"),
    "mape": Label("MAPE", "mean absolute error relative to the ground truth; lower is better"),
}
"""In the order of the page."""

PARITIES = {
    "demographic_parity_ratio": "Demographic parity, ratio",
    "demographic_parity_difference": "Demographic parity, difference",
    "equal_opportunity_difference": "Equal opportunity, difference",
    "equalized_odds_difference": "Equalized odds, difference",
    "demographic_parity_significant_ratio": "Demographic parity beyond chance, ratio",
    "equalized_odds_significant_difference": "Equalized odds beyond chance, difference",
}
"""Parity between a feature's segments -> its title."""

RATES = {
    "selection": Label("Selected", "of all rows, predicted positive"),
    "true_positive": Label("True positives", "of the true positives, predicted positive"),
    "false_positive": Label("False positives", "of the true negatives, predicted positive"),
}
"""Rates of a segment."""

GROUND_TRUTHS = {
    "matched": "Matched",
    "late": "Late",
    "unknown": "Unknown",
    "duplicate": "Duplicates",
    "invalid": "Invalid",
}
"""Status of a ground truth -> its title."""


def score_label(score: str) -> Label:
    """Return the label of a score or a quality, made from its name where it has none."""
    known = SCORES.get(score) or QUALITIES.get(score)
    return known or Label(score.replace("_", " ").capitalize(), "")
