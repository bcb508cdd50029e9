"""What panels ask Prometheus."""

from __future__ import annotations

import re
from typing import NamedTuple

from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from mlmon_exporter.metrics.table import METRICS

from .promql import BY_PLACE

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
OVER_TIME, NEWEST = PromQueryFormat.TIME_SERIES, PromQueryFormat.TABLE
BUCKETS = PromQueryFormat.HEATMAP

_METRIC = re.compile(r"(?:\b\w+:)?\b(?:mlmon|process)_\w+(?::\w+)?")
_SUFFIX = re.compile(r"_(bucket|count|sum)$")


class Query(NamedTuple):
    """An expression, and what its series are called."""

    expr: str
    legend: str = ""
    exemplars: bool = False


def target(index: int, query: Query, form: PromQueryFormat) -> prometheus.Dataquery:
    """Return a query as panels have it: the first is A, the next B."""
    found = prometheus.Dataquery().ref_id(letter(index)).expr(query.expr).format(form)
    found.datasource(SOURCE)
    if query.legend:
        found.legend_format(_with_place(query))
    if query.exemplars:
        found.exemplar(True)
    return found.instant() if form is NEWEST else found.range()


def _with_place(query: Query) -> str:
    """Return the legend with the service's name, after the version's if it is there."""
    legend = query.legend
    if BY_PLACE not in query.expr or "{{job}}" in legend or "{{instance}}" in legend:
        return legend
    before, version, after = legend.rpartition("{{version}}")
    named = f"{before}{version}" if version else after
    return f"{named} {{{{namespace}}}} {{{{job}}}}{after if version else ''}"


def letter(index: int) -> str:
    """Return the name of a panel's query."""
    return chr(ord("A") + index)


def metrics_of(expression: str) -> list[str]:
    """Return an expression's metrics, histograms by their families, and recorded series."""
    bare = re.sub(r'"[^"]*"', "", expression)
    names = (name if name in METRICS else _SUFFIX.sub("", name) for name in _METRIC.findall(bare))
    return list(dict.fromkeys(names))
