"""The table of all metrics: a new one is a row here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class MetricType(NamedTuple):
    """The Prometheus type and the help text of a metric."""

    type: str
    help: str


Table = Mapping[str, MetricType]
"""Metrics by name, in the order in which they are shown."""


WORDS = {"derived": "column derived from features"}
"""Part of a metric's name -> the words for it, where they differ."""


def _columns(of: str) -> dict[str, MetricType]:
    """Return the metrics of one side of a model, which all that have columns share."""
    prefix, what = f"mlmon_{of}", WORDS.get(of, of)
    return {
        f"{prefix}_bin_rows_total": MetricType("counter", f"Rows of each {what} in each bin of the reference"),
        f"{prefix}_reference_ratio": MetricType("gauge", f"Share of rows that the reference expects in each bin of the {what}, 0 to 1; interval says what the bin covers"),
        f"{prefix}_psi": MetricType("gauge", f"Population stability index of the {what} in the window against the reference, nats"),
        f"{prefix}_ks_statistic": MetricType("gauge", f"Kolmogorov-Smirnov statistic of the {what} against the reference, 0 to 1"),
        f"{prefix}_js_distance": MetricType("gauge", f"Jensen-Shannon distance, base 2, of the {what} against the reference, 0 to 1"),
        f"{prefix}_wasserstein_ratio": MetricType("gauge", f"Wasserstein distance of the {what} to the reference, in reference standard deviations"),
        f"{prefix}_l_infinity": MetricType("gauge", f"Greatest gap between the {what}'s category shares and the reference's, 0 to 1"),
        f"{prefix}_missing_ratio": MetricType("gauge", f"Share of the window's rows without a usable value of the {what}, 0 to 1"),
        f"{prefix}_unseen_ratio": MetricType("gauge", "Share of the window's rows with a category that the reference never had, 0 to 1"),
        f"{prefix}_tail_ratio": MetricType("gauge", "Share of the window's rows beyond the reference's 0.1 and 99.9 percentiles, 0 to 1"),
        f"{prefix}_hour_psi": MetricType("gauge", f"Population stability index of the {what} against the reference's rows of the same hours of the day, nats; of columns whose hours differ, in windows under 12 hours"),
        f"{prefix}_psi_threshold": MetricType("gauge", f"{prefix}_psi above this value counts as drift"),
        f"{prefix}_ks_threshold": MetricType("gauge", f"{prefix}_ks_statistic above this value counts as drift"),
        f"{prefix}_missing_threshold": MetricType("gauge", f"{prefix}_missing_ratio above this value counts as drift"),
        f"{prefix}_unseen_threshold": MetricType("gauge", f"{prefix}_unseen_ratio above this value counts as drift"),
        f"{prefix}_tail_threshold": MetricType("gauge", f"{prefix}_tail_ratio above this value counts as drift"),
        f"{prefix}_hour_threshold": MetricType("gauge", f"{prefix}_hour_psi above this value counts as drift"),
        f"{prefix}_drifted": MetricType("gauge", f"1 if any score of the {what} is over its threshold, else 0; absent with too few rows"),
        f"{prefix}_window_rows": MetricType("gauge", "Rows in the window"),
    }  # fmt: skip


def _values(of: str) -> dict[str, MetricType]:
    """Return the metrics of one side of a model whose values come from outside."""
    prefix, what = f"mlmon_{of}", of
    return {
        f"{prefix}_value": MetricType("histogram", f"Values of each numeric {what}; bounds are the reference's bin edges"),
        f"{prefix}_missing_total": MetricType("counter", f"Rows without a usable value of the {what}: absent, null, NaN, empty or invalid"),
        f"{prefix}_invalid_total": MetricType("counter", f"Rows whose {what} could not be read as its kind: text for a number, infinity, a list"),
        f"{prefix}_unseen_total": MetricType("counter", f"Rows with a category of the {what} that the reference never had"),
        f"{prefix}_out_of_range_total": MetricType("counter", f"Rows with a {what} below the reference's least or above its greatest value"),
        f"{prefix}_quantile": MetricType("summary", f"Value of the {what} at a quantile of the window (0.05 to 0.999)"),
    }  # fmt: skip


def _qualities() -> dict[str, MetricType]:
    """Return the metrics of quality: now, in the reference, estimated, and their thresholds."""
    of = "of the window's rows with ground truth"
    averaged = "of the positive class; the mean over classes (macro) with more than two"
    qualities = {
        "accuracy": f"Share {of} whose class was predicted, 0 to 1",
        "precision": f"Share of predicted positives that are positive, {averaged}, 0 to 1",
        "recall": f"Share of true positives that were predicted, {averaged}, 0 to 1",
        "f1": f"Harmonic mean of precision and recall, {averaged}, 0 to 1",
        "roc_auc": "Area under the ROC curve, 0 to 1; the mean of each class against the rest with more than two",
        "log_loss": f"Mean log loss {of}, nats",
        "brier": "Mean squared error of probabilities: of the positive class, or summed over more than two classes",
        "calibration_error": "Expected calibration error over ten bins of equal width, 0 to 1",
        "rmse": f"Root mean squared error {of}",
        "mae": f"Mean absolute error {of}",
        "r2": f"Coefficient of determination {of}, 1 or less",
        "mape": f"Mean absolute percentage error, as a share, {of}",
    }
    found = {f"mlmon_quality_{name}": MetricType("gauge", text) for name, text in qualities.items()}
    found |= {
        f"mlmon_reference_quality_{name}": MetricType(
            "gauge", "In the reference: " + text.replace("the window's ", "")
        )
        for name, text in qualities.items()
    }
    for name in ("accuracy", "roc_auc", "log_loss", "brier", "rmse", "mae"):
        found[f"mlmon_quality_{name}_threshold"] = MetricType(
            "gauge",
            f"The worst mlmon_quality_{name} that chance explains if the model is as good as in the reference",
        )
        found[f"mlmon_quality_{name}_difference"] = MetricType(
            "gauge", f"mlmon_quality_{name} of this version minus that of the configured version"
        )
        found[f"mlmon_quality_{name}_difference_threshold"] = MetricType(
            "gauge",
            f"The greatest distance of mlmon_quality_{name}_difference from 0 that chance explains if both versions are alike",
        )
    for name in (
        "accuracy",
        "precision",
        "recall",
        "f1",
        "roc_auc",
        "log_loss",
        "brier",
        "rmse",
        "mae",
    ):
        found[f"mlmon_estimated_quality_{name}"] = MetricType(
            "gauge",
            f"mlmon_quality_{name} expected from inputs and predictions alone, without ground truth; blind to concept drift",
        )
    found["mlmon_estimate_doubt_ratio"] = MetricType(
        "gauge",
        "Share of the window's rows unlike any of the reference: far out in joint distance, or of a feature out of range, of an unknown category, or missing where none was; over 0.05 no quality is estimated",
    )
    return found


def _outcomes() -> dict[str, MetricType]:
    """Return the other metrics of outcomes: coverage, concept drift, fairness."""
    return {
        "mlmon_quality_rows": MetricType("gauge", "Rows with ground truth in the window"),
        "mlmon_ground_truth_coverage_ratio": MetricType("gauge", "Share of the window's predictions of a class whose ground truth came, 0 to 1; predicted_class is empty for all"),
        "mlmon_ground_truth_parity_ratio": MetricType("gauge", "Least coverage of a predicted class over that of another, of those that differ by more than chance, 0 to 1; 1 if none do"),
        "mlmon_error_ks_statistic": MetricType("gauge", "Kolmogorov-Smirnov statistic of the residuals or log losses against the reference's, 0 to 1"),
        "mlmon_error_ks_threshold": MetricType("gauge", "mlmon_error_ks_statistic above this value counts as concept drift"),
        "mlmon_concept_drifted": MetricType("gauge", "1 if mlmon_error_ks_statistic is over its threshold, else 0; absent with too few outcomes"),
        "mlmon_segment_rows": MetricType("gauge", "Rows of the segment predicted in the window"),
        "mlmon_segment_positive_rows": MetricType("gauge", "Rows of the segment in the window whose ground truth is positive"),
        "mlmon_segment_selection_ratio": MetricType("gauge", "Share of the segment's rows that were predicted positive, 0 to 1; needs no ground truth"),
        "mlmon_segment_true_positive_ratio": MetricType("gauge", "Share of the segment's true positives that were predicted positive, 0 to 1"),
        "mlmon_segment_false_positive_ratio": MetricType("gauge", "Share of the segment's true negatives that were predicted positive, 0 to 1"),
        "mlmon_demographic_parity_ratio": MetricType("gauge", "Least over greatest selection ratio of the feature's segments, 0 to 1"),
        "mlmon_demographic_parity_difference": MetricType("gauge", "Greatest minus least selection ratio of the feature's segments, 0 to 1"),
        "mlmon_equal_opportunity_difference": MetricType("gauge", "Greatest minus least true positive ratio of the feature's segments, 0 to 1"),
        "mlmon_equalized_odds_difference": MetricType("gauge", "The greater of the differences in true and in false positive ratios of the feature's segments, 0 to 1"),
        "mlmon_demographic_parity_significant_ratio": MetricType("gauge", "mlmon_demographic_parity_ratio of the segments that differ by more than chance, 0 to 1; 1 if none do"),
        "mlmon_equalized_odds_significant_difference": MetricType("gauge", "mlmon_equalized_odds_difference of the segments that differ by more than chance, 0 to 1; 0 if none do"),
    }  # fmt: skip


METRICS: dict[str, MetricType] = {
    "mlmon_requests_total": MetricType("counter", "Requests by route, method, status and outcome"),
    "mlmon_request_duration_seconds": MetricType("histogram", "First byte in to last byte out, without background tasks"),
    "mlmon_request_first_byte_seconds": MetricType("histogram", "First byte in to first byte out"),
    "mlmon_request_first_token_seconds": MetricType("histogram", "First byte in to first event out, for responses streamed as events"),
    "mlmon_output_token_seconds": MetricType("histogram", "Time between events of a streamed response: one token, if the server sends each at once"),
    "mlmon_requests_in_progress": MetricType("gauge", "Requests being served"),
    "mlmon_request_size_bytes": MetricType("histogram", "Bytes of request bodies as received"),
    "mlmon_response_size_bytes": MetricType("histogram", "Bytes of response bodies as sent"),
    "mlmon_prediction_rows_total": MetricType("counter", "Rows that were read; one request may hold many, and mlmon_sample_ratio of the requests are read"),
    "mlmon_request_rows": MetricType("histogram", "Rows per request"),
    "process_cpu_seconds_total": MetricType("counter", "User and system CPU time of all workers"),
    "process_resident_memory_bytes": MetricType("gauge", "Resident memory of all workers"),
    "process_open_fds": MetricType("gauge", "Open file descriptors of all workers"),
    "process_start_time_seconds": MetricType("gauge", "Unix time when the oldest worker started"),
    **_values("feature"),
    **_columns("feature"),
    "mlmon_feature_importance_ratio": MetricType("gauge", "Share of the importance of all features for the predictions that the feature has, 0 to 1, in the reference"),
    "mlmon_drifted_features_ratio": MetricType("gauge", "Share of the model's features that drifted, 0 to 1"),
    **_values("prediction"),
    **_columns("prediction"),
    **_columns("derived"),
    "mlmon_derived_risen_ratio": MetricType("gauge", "Share of the window's rows in a category of the derived column, 0 to 1: of three at most that rose, while the model's features go together otherwise than in the reference"),
    "mlmon_derived_risen_reference_ratio": MetricType("gauge", "The same share in the reference"),
    "mlmon_reference_rows": MetricType("gauge", "Rows the reference was built from, or learned from so far"),
    "mlmon_reference_timestamp_seconds": MetricType("gauge", "Unix time when the reference was built"),
    "mlmon_reference_learning": MetricType("gauge", "1 while the reference is being learned from the first rows, else 0"),
    "mlmon_dependence_known": MetricType("gauge", "1 if thresholds know how rows depend on each other in time, 0 if they take rows for independent"),
    "mlmon_outcome_dependence_known": MetricType("gauge", "The same of thresholds of quality and residuals"),
    "mlmon_model_info": MetricType("gauge", "Task of each model and source of its reference; always 1"),
    "mlmon_ground_truth_total": MetricType("counter", "Ground truths by outcome: matched, late, unknown, duplicate, invalid"),
    "mlmon_ground_truth_delay_seconds": MetricType("histogram", "Time from a prediction until its ground truth became known"),
    "mlmon_pending_predictions": MetricType("gauge", "Predictions of all versions of the model that wait for their ground truth"),
    **_qualities(),
    **_outcomes(),
    "mlmon_kpi_events_total": MetricType("counter", "Events of each business number"),
    "mlmon_kpi_value_total": MetricType("counter", "Sum of the values of a business number without negative values"),
    "mlmon_kpi_value_sum": MetricType("gauge", "Sum of the values of a business number with negative values"),
    "mlmon_dropped_total": MetricType("counter", "Observations dropped, by reason; requests are always counted"),
    "mlmon_sample_ratio": MetricType("gauge", "Share of requests whose bodies are read now, 0 to 1: sample_ratio, less while they come too fast"),
    "mlmon_queue_exchanges": MetricType("gauge", "Exchanges in the queue"),
    "mlmon_parse_errors_total": MetricType("counter", "Bodies that could not be read, by format and reason"),
    "mlmon_internal_errors_total": MetricType("counter", "Errors inside the monitor, by place; the served model never sees them"),
    "mlmon_not_predictions_total": MetricType("counter", "POSTs that could be read and are no predictions, by route and reason"),
    "mlmon_label_overflow_total": MetricType("counter", "Label values counted as 'other' because their cap was reached"),
    "mlmon_readings_duration_seconds": MetricType("gauge", "Time the last scrape took to compute its readings"),
    "mlmon_last_flush_timestamp_seconds": MetricType("gauge", "Unix time of the last flush: the queue was empty, and all counts were in the state on disk"),
    "mlmon_state_size_bytes": MetricType("gauge", "Size of the state on disk, if there is one"),
    "mlmon_state_writable": MetricType("gauge", "1 if the last writes to state_dir and ground_truth_store worked, 0 since one failed: what could not be written waits in memory"),
    "mlmon_state_write_failures_total": MetricType("counter", "Failures to write state_dir or ground_truth_store, by reason: full, read_only, permission, locked, damaged, unreachable, other"),
    "mlmon_build_info": MetricType("gauge", "Version of mlmon-exporter, digest engine, and state: memory, shared, or unshared between workers by mistake; always 1"),
}  # fmt: skip
"""Name -> type and help of every metric, in the order of the exposition."""
