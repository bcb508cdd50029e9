"""The table of all metrics: a new one is a row here."""

from __future__ import annotations

from typing import NamedTuple


class MetricType(NamedTuple):
    """What a metric is: its Prometheus type and its help text."""

    type: str
    help: str


def _columns(of: str) -> dict[str, MetricType]:
    """Return the metrics of one side of a model, which features and predictions share."""
    prefix, what = f"mlmon_{of}", of
    return {
        f"{prefix}_value": MetricType("histogram", f"Values of each numeric {what}; bounds are the reference's bin edges"),
        f"{prefix}_bin_rows_total": MetricType("counter", f"Rows of each {what} in each bin of the reference"),
        f"{prefix}_bin_info": MetricType("gauge", f"What each bin of a {what} covers; always 1"),
        f"{prefix}_missing_total": MetricType("counter", f"Rows without a usable value of the {what}: absent, null, NaN, empty or invalid"),
        f"{prefix}_invalid_total": MetricType("counter", f"Rows whose {what} could not be read as its kind: text for a number, infinity, a list"),
        f"{prefix}_unseen_total": MetricType("counter", f"Rows with a category of the {what} that the reference never had"),
        f"{prefix}_out_of_range_total": MetricType("counter", f"Rows with a {what} under the reference's least or over its greatest value"),
        f"{prefix}_reference_ratio": MetricType("gauge", f"Share of rows that the reference expects in each bin of the {what}, 0 to 1"),
        f"{prefix}_quantile": MetricType("summary", f"Value of the {what} at a quantile of the window, from its t-digest"),
        f"{prefix}_psi": MetricType("gauge", f"Population stability index of the {what} in the window against the reference, nats"),
        f"{prefix}_ks_statistic": MetricType("gauge", f"Kolmogorov-Smirnov statistic of the {what} against the reference, 0 to 1"),
        f"{prefix}_js_distance": MetricType("gauge", f"Jensen-Shannon distance, base 2, of the {what} against the reference, 0 to 1"),
        f"{prefix}_wasserstein_ratio": MetricType("gauge", f"Wasserstein distance of the {what} to the reference, in reference standard deviations"),
        f"{prefix}_l_infinity": MetricType("gauge", f"Greatest gap between the {what}'s category shares and the reference's, 0 to 1"),
        f"{prefix}_missing_ratio": MetricType("gauge", f"Share of the window's rows without a usable value of the {what}, 0 to 1"),
        f"{prefix}_unseen_ratio": MetricType("gauge", "Share of the window's rows with a category that the reference never had, 0 to 1"),
        f"{prefix}_tail_ratio": MetricType("gauge", "Share of the window's rows beyond the reference's 0.1 and 99.9 percentiles, 0 to 1"),
        f"{prefix}_psi_threshold": MetricType("gauge", f"What {prefix}_psi stays under while the {what} is unchanged"),
        f"{prefix}_ks_threshold": MetricType("gauge", f"What {prefix}_ks_statistic stays under while the {what} is unchanged"),
        f"{prefix}_missing_threshold": MetricType("gauge", f"What {prefix}_missing_ratio stays under while the {what} is unchanged"),
        f"{prefix}_unseen_threshold": MetricType("gauge", f"What {prefix}_unseen_ratio stays under while the {what} is unchanged"),
        f"{prefix}_tail_threshold": MetricType("gauge", f"What {prefix}_tail_ratio stays under while the {what} is unchanged"),
        f"{prefix}_drifted": MetricType("gauge", f"1 if some score of the {what} is over its threshold, else 0; absent while rows are too few"),
        f"{prefix}_window_rows": MetricType("gauge", "Rows in the window"),
    }  # fmt: skip


def _outcomes() -> dict[str, MetricType]:
    """Return the metrics of what came true: quality, concept drift, fairness."""
    of = "of the window's rows with ground truth"
    averaged = "of the positive class; with more than two classes the mean over classes (macro)"
    qualities = {
        "accuracy": f"Share {of} whose class was predicted, 0 to 1",
        "precision": f"Share of predicted positives that came true, {averaged}, 0 to 1",
        "recall": f"Share of true positives that were predicted, {averaged}, 0 to 1",
        "f1": f"Harmonic mean of precision and recall, {averaged}, 0 to 1",
        "roc_auc": "Area under the ROC curve, 0 to 1; with more than two classes the mean of each against the rest",
        "log_loss": f"Mean log loss {of}, nats",
        "brier": "Mean squared error of probabilities: of the positive class, with more than two classes summed over them",
        "calibration_error": "Expected calibration error over ten bins of equal width, 0 to 1",
        "rmse": f"Root of the mean squared error {of}",
        "mae": f"Mean absolute error {of}",
        "r2": f"Coefficient of determination {of}, 1 or less",
        "mape": f"Mean absolute error as a share of the ground truth {of}",
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
            f"The worst that mlmon_quality_{name} becomes by chance while the model is as good as in the reference",
        )
        found[f"mlmon_quality_{name}_difference"] = MetricType(
            "gauge", f"mlmon_quality_{name} of this version less that of the configured one"
        )
        found[f"mlmon_quality_{name}_difference_threshold"] = MetricType(
            "gauge",
            f"How far mlmon_quality_{name}_difference is from 0 by chance while both versions are alike",
        )
    for name in ("accuracy", "precision", "recall", "f1", "roc_auc", "log_loss", "brier"):
        found[f"mlmon_estimated_quality_{name}"] = MetricType(
            "gauge",
            f"mlmon_quality_{name} to be expected of the scores alone, without ground truth; blind to concept drift",
        )
    return found | {
        "mlmon_quality_rows": MetricType("gauge", "Rows with ground truth in the window"),
        "mlmon_error_ks_statistic": MetricType("gauge", "Kolmogorov-Smirnov statistic of the errors (log losses, residuals) against the reference's, 0 to 1"),
        "mlmon_error_ks_threshold": MetricType("gauge", "What mlmon_error_ks_statistic stays under while the same inputs lead to the same outcomes"),
        "mlmon_concept_drifted": MetricType("gauge", "1 if the errors' statistic is over its threshold, else 0; absent while outcomes are too few"),
        "mlmon_segment_rows": MetricType("gauge", "Rows of the segment that were predicted in the window"),
        "mlmon_segment_positive_rows": MetricType("gauge", "Rows of the segment in the window whose ground truth is positive"),
        "mlmon_segment_selection_ratio": MetricType("gauge", "Share of the segment's rows that are predicted positive, 0 to 1; no ground truth needed"),
        "mlmon_segment_true_positive_ratio": MetricType("gauge", "Share of the segment's true positives that were predicted positive, 0 to 1"),
        "mlmon_segment_false_positive_ratio": MetricType("gauge", "Share of the segment's true negatives that were predicted positive, 0 to 1"),
        "mlmon_demographic_parity_ratio": MetricType("gauge", "Least over greatest selection ratio of the feature's segments, 0 to 1"),
        "mlmon_demographic_parity_difference": MetricType("gauge", "Greatest less least selection ratio of the feature's segments, 0 to 1"),
        "mlmon_equal_opportunity_difference": MetricType("gauge", "Greatest less least true positive ratio of the feature's segments, 0 to 1"),
        "mlmon_equalized_odds_difference": MetricType("gauge", "The greater of the gaps between true and between false positive ratios of the feature's segments, 0 to 1"),
    }  # fmt: skip


METRICS: dict[str, MetricType] = {
    "mlmon_requests_total": MetricType("counter", "Requests by route, method, status and outcome"),
    "mlmon_request_duration_seconds": MetricType("histogram", "First byte in to last byte out, background tasks left out"),
    "mlmon_request_first_byte_seconds": MetricType("histogram", "First byte in to first byte out"),
    "mlmon_request_first_token_seconds": MetricType("histogram", "First byte in to the first event out, of answers streamed as events"),
    "mlmon_output_token_seconds": MetricType("histogram", "Time from one event of a streamed answer to the next: a token, where the server sends each at once"),
    "mlmon_requests_in_progress": MetricType("gauge", "Requests that are being served now"),
    "mlmon_request_size_bytes": MetricType("histogram", "Bytes of request bodies as received"),
    "mlmon_response_size_bytes": MetricType("histogram", "Bytes of response bodies as sent"),
    "mlmon_prediction_rows_total": MetricType("counter", "Rows predicted, one request may hold many"),
    "mlmon_request_rows": MetricType("histogram", "Rows of a request"),
    "process_cpu_seconds_total": MetricType("counter", "User and system CPU time of all workers"),
    "process_resident_memory_bytes": MetricType("gauge", "Resident memory of all workers"),
    "process_open_fds": MetricType("gauge", "Open file descriptors of all workers"),
    "process_start_time_seconds": MetricType("gauge", "Unix time when the oldest worker started"),
    **_columns("feature"),
    "mlmon_drifted_features_ratio": MetricType("gauge", "Share of the model's features that drifted, 0 to 1"),
    **_columns("prediction"),
    "mlmon_reference_rows": MetricType("gauge", "Rows that the reference was built from, or has learned from so far"),
    "mlmon_reference_timestamp_seconds": MetricType("gauge", "Unix time when the reference was built"),
    "mlmon_reference_learning": MetricType("gauge", "1 while the reference is learned from the first rows, else 0"),
    "mlmon_model_info": MetricType("gauge", "Task of each model and where its reference came from; always 1"),
    "mlmon_ground_truth_total": MetricType("counter", "Ground truths by what became of them: matched, late, unknown, duplicate, invalid"),
    "mlmon_ground_truth_delay_seconds": MetricType("histogram", "How long after its prediction a ground truth became known"),
    "mlmon_pending_predictions": MetricType("gauge", "Predictions of the model, of all its versions, that wait for their ground truth"),
    **_outcomes(),
    "mlmon_kpi_events_total": MetricType("counter", "Events of each business number"),
    "mlmon_kpi_value_total": MetricType("counter", "Sum of the values of a business number of which none was negative"),
    "mlmon_kpi_value_sum": MetricType("gauge", "Sum of the values of a business number of which some were negative"),
    "mlmon_dropped_total": MetricType("counter", "Observations given up, by reason; requests are always counted"),
    "mlmon_queue_exchanges": MetricType("gauge", "Exchanges that wait to be taken in"),
    "mlmon_parse_errors_total": MetricType("counter", "Bodies that could not be read, by format and reason"),
    "mlmon_internal_errors_total": MetricType("counter", "Faults of the monitor's own, by place; the served model never sees them"),
    "mlmon_label_overflow_total": MetricType("counter", "Label values that fell into 'other' since their cap was reached"),
    "mlmon_readings_duration_seconds": MetricType("gauge", "Time that the last scrape took to compute its readings"),
    "mlmon_last_flush_timestamp_seconds": MetricType("gauge", "Unix time when all that was queued and counted was last taken in, and added to the state on disk"),
    "mlmon_state_size_bytes": MetricType("gauge", "Size of the state on disk, where there is one"),
    "mlmon_build_info": MetricType("gauge", "Version of mlmon-exporter, digest engine, and state: memory, shared, or unshared between workers by mistake; always 1"),
}  # fmt: skip
"""Name -> type and help of every metric, in the order of the exposition."""
