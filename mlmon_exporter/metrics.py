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
        f"{prefix}_reference_ratio": MetricType("gauge", f"Share of the reference's rows in each bin of the {what}, 0 to 1"),
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
