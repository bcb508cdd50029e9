"""Expressions that panels are made of.

Replicas each export the gauges of their own process, so every gauge is aggregated: `greatest`
takes the one that is worst. Counters are summed.
"""

from __future__ import annotations

import re

PLACE = 'cluster=~"$cluster", namespace=~"$namespace", job=~"$job"'
BY_PLACE = "cluster, namespace, job"
"""Labels that tell services apart: two of them may serve a model of one name. What is grouped is
grouped by them, too."""
VERSION = f"{BY_PLACE}, version"
SERVERS = f'{PLACE}, instance=~"$instance"'
MODELS = f'{SERVERS}, model=~"$model", version=~"$version"'
"""For boards with several models."""
MODEL = f'{SERVERS}, model="$model", version=~"$version"'
"""For boards of one model: equality, since a single variable is not escaped as a pattern."""
RECORDED_MODELS = f'{PLACE}, model=~"$model", version=~"$version"'
"""For recorded series, which are about all instances."""
RECORDED_MODEL = f'{PLACE}, model="$model", version=~"$version"'
WINDOW = 'window="$window"'

FIRING = (
    'ALERTS{alertname=~"Mlmon.+", alertstate="firing", severity!="heartbeat", '
    'cluster=~"$cluster", namespace=~"$namespace", job=~"$job|", model=~"$model|"}'
)
"""Alerts of ours that fire. Some are about no model, and one about there being no job."""
ROLLOUT = f"""\
group by ({BY_PLACE}, model, version, reference) (mlmon_model_info{{{MODELS}}})
unless
group by ({BY_PLACE}, model, version, reference) (mlmon_model_info{{{MODELS}}} offset 5m)"""
"""Models whose version or reference was not there five minutes ago. The gauge is always 1, so
`changes` would see nothing: another version is another series."""


def rate(metric: str, where: str, by: str = "") -> str:
    """Return a counter's increase a second, summed."""
    return f"sum{_by(by)} (rate({metric}{{{where}}}[$__rate_interval]))"


def over_all(metric: str, where: str, by: str = "") -> str:
    """Return the same over all services that are chosen, for what is drawn as one whole."""
    clause = f" by ({by})" if by else ""
    return f"sum{clause} (rate({metric}{{{where}}}[$__rate_interval]))"


def greatest(metric: str, where: str, by: str = "") -> str:
    """Return the greatest value of a gauge over replicas."""
    return f"max{_by(by)} ({metric}{{{where}}})"


def least(metric: str, where: str, by: str = "") -> str:
    """Return the least value of a gauge over replicas: the worst one where more is better."""
    return f"min{_by(by)} ({metric}{{{where}}})"


def total(metric: str, where: str, by: str = "") -> str:
    """Return the sum of a gauge over replicas."""
    return f"sum{_by(by)} ({metric}{{{where}}})"


def quotient(part: str, whole: str) -> str:
    """Return a share; absent where the whole is 0."""
    return f"{part}\n/\n({whole} > 0)"


def of_all(part: str, whole: str) -> str:
    """Return the share of each bin; absent where there are no rows."""
    on = BY_PLACE if BY_PLACE in whole else ""
    return f"{part}\n/ on ({on}) group_left ()\n({whole} > 0)"


def quantile(share: float, histogram: str, where: str, by: str = "") -> str:
    """Return a quantile of a histogram of values of 0 or more; absent where nothing was counted."""
    keys = f"{by}, le" if by else "le"
    buckets = rate(f"{histogram}_bucket", where, keys)
    # Without traffic the quantile is NaN, which is not `>= 0`.
    return f"histogram_quantile({share:g}, {buckets}) >= 0"


def within(bound: float, histogram: str, where: str, by: str = "") -> str:
    """Return the share of a histogram's values up to a bucket's bound."""
    # Prometheus 3 writes `le` of whole numbers otherwise than 2.
    text = re.escape(f"{bound:g}").replace("\\", "\\\\")
    decimals = "" if "." in text else "(\\\\.0)?"
    part = rate(f"{histogram}_bucket", f'{where}, le=~"{text}{decimals}"', by)
    return quotient(part, rate(f"{histogram}_count", where, by))


def or_zero(expression: str) -> str:
    """Return 0 where there is no series: nothing to count is none."""
    return f"({expression}) or vector(0)"


def either(recorded: str, gauge: str) -> str:
    """Return a recorded series, or the gauge where the recording rules are not installed."""
    return f"{recorded}\nor\n{gauge}"


def by_place(labels: str) -> str:
    """Return labels to group by, those of the place first. A heatmap has one distribution."""
    is_complete = "job" in labels.split(", ") or labels == "le"
    return labels if is_complete else f"{BY_PLACE}, {labels}"


def _by(labels: str) -> str:
    return f" by ({by_place(labels)})" if labels else ""
