"""Metrics that a scrape leaves out, by the option `detail`.

Of a service with three models of 50 features `full` has some 12 100 samples, `normal` 9 000, which
all alerts and all panels but one live on, and `low` 2 100: verdicts without distributions.
"""

from __future__ import annotations

from collections.abc import Mapping

from mlmon_exporter.core.drift.readings import ROLES

from .table import METRICS, Table


def _of_columns(names: str) -> frozenset[str]:
    found = {f"{role.prefix}_{name}" for role in ROLES for name in names.split()}
    return frozenset(found & METRICS.keys())


_NOT_DECIDING = _of_columns(
    "quantile js_distance wasserstein_ratio l_infinity "
    "missing_total unseen_total out_of_range_total"
)
"""Quantiles can be read off the histograms; these scores have no threshold; missing and unseen rows
have bins, and tails a score."""
_DISTRIBUTIONS = _of_columns(
    "value bin_rows_total reference_ratio missing_total invalid_total unseen_total "
    "out_of_range_total ks_statistic ks_threshold tail_ratio tail_threshold window_rows"
)
LEFT_OUT: Mapping[str, frozenset[str]] = {
    "full": frozenset(),
    "normal": _NOT_DECIDING,
    "low": _NOT_DECIDING | _DISTRIBUTIONS,
}
"""Detail -> names of the metrics that are left out."""


def shown(detail: str) -> Table:
    """Return the table of metrics without those that a detail leaves out."""
    left_out = LEFT_OUT[detail]
    return {name: metric for name, metric in METRICS.items() if name not in left_out}
