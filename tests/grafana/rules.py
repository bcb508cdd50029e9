"""What grafana/dashboard-linter asks of a board, restated: rule -> what breaks it.

Its rules for Loki have nothing to look at here. Where ours must differ from it, the difference is
said at the rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from .boards import panels, selectors, variables

Rule = Callable[[dict[str, Any]], Iterator[str]]
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
HAS_A_RATE = re.compile(r"\b(i?rate)\(([^()]|\([^()]*\))*\[(?P<range>[^\]]+)\]")
COUNTED = re.compile(r"\b(?:rate|irate|increase)\($")
SERIES = re.compile(r"(?<![\w:])(?:[\w:]*(?:mlmon|process|scrape)_[\w:]+|up)(?![\w:#])")
IS_OF_THE_FLEET = re.compile(r":|^ALERTS$")
"""Recorded series are about all instances, and so are alerts: neither has a label `instance`."""
IS_AN_ALERT = "ALERTS"
"""Some alerts are about no job: that there is none, for one."""


def template_datasource(board: dict[str, Any]) -> Iterator[str]:
    (variable,) = variables(board, "datasource").values()
    if (variable["name"], variable["query"]) != ("datasource", "prometheus"):
        yield str(variable)


def template_job_and_instance(board: dict[str, Any]) -> Iterator[str]:
    """template-job-rule and template-instance-rule."""
    for name in ("job", "instance"):
        variable = variables(board)[name]
        wanted = {"multi": True, "includeAll": True, "allValue": ".+", "datasource": SOURCE}
        for key, value in wanted.items():
            if variable.get(key) != value:
                yield f"{name}: {key} is {variable.get(key)}"


def template_label_promql(board: dict[str, Any]) -> Iterator[str]:
    for name, variable in variables(board).items():
        if not re.fullmatch(rf"label_values\(\w+(\{{.*\}})?, {name}\)", variable["query"]):
            yield variable["query"]


def template_on_time_change_reload(board: dict[str, Any]) -> Iterator[str]:
    for name, variable in variables(board).items():
        if variable["refresh"] != 2:
            yield name


def panel_datasource(board: dict[str, Any]) -> Iterator[str]:
    """panel-datasource-rule, of queries, variables and annotations, too."""
    asks = [*variables(board).values(), *board["annotations"]["list"]]
    for panel in panels(board):
        asks += [panel, *panel["targets"]]
    for asked in asks:
        if asked["datasource"] != SOURCE:
            yield asked.get("title") or asked.get("name") or asked["expr"]


def panel_title_description(board: dict[str, Any]) -> Iterator[str]:
    for panel in panels(board):
        if not panel.get("title") or len(panel.get("description", "")) < 20:
            yield str(panel.get("title"))


def panel_units(board: dict[str, Any]) -> Iterator[str]:
    for panel in panels(board):
        if not panel["fieldConfig"]["defaults"].get("unit"):
            yield panel["title"]


def panel_no_targets(board: dict[str, Any]) -> Iterator[str]:
    for panel in panels(board):
        if not panel["targets"]:
            yield panel["title"]


def target_rate_interval(board: dict[str, Any]) -> Iterator[str]:
    """Each rate; `increase` over the window that a score is about is what it says it is."""
    for name, expr in expressions(board):
        for found in HAS_A_RATE.finditer(expr):
            if found["range"] != "$__rate_interval":
                yield f"{name}: {found[0]}"


def target_job(board: dict[str, Any]) -> Iterator[str]:
    for name, expr in expressions(board):
        for metric, matchers in selectors(expr):
            if 'job=~"$job"' not in matchers and metric != IS_AN_ALERT:
                yield f"{name}: {metric}"


def target_instance(board: dict[str, Any]) -> Iterator[str]:
    for name, expr in expressions(board):
        for metric, matchers in selectors(expr):
            if 'instance=~"$instance"' not in matchers and not IS_OF_THE_FLEET.search(metric):
                yield f"{name}: {metric}"


def target_required_matchers(board: dict[str, Any]) -> Iterator[str]:
    """No series is asked for without matchers."""
    for name, expr in expressions(board):
        bare = re.sub(r"\{[^{}]*\}|\"[^\"]*\"", "#", expr)
        for metric in SERIES.findall(bare):
            yield f"{name}: {metric}"


def target_counter_agg(board: dict[str, Any]) -> Iterator[str]:
    for name, expr in expressions(board):
        for found in re.finditer(r"\b\w+_(?:total|bucket|count)\{", expr):
            if not COUNTED.search(expr[: found.start()]):
                yield f"{name}: {found[0]}"


def uneditable(board: dict[str, Any]) -> Iterator[str]:
    if board["editable"]:
        yield "editable"


def expressions(board: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for panel in panels(board):
        for query in panel["targets"]:
            yield panel["title"], query["expr"]


RULES: tuple[Rule, ...] = (
    template_datasource,
    template_job_and_instance,
    template_label_promql,
    template_on_time_change_reload,
    panel_datasource,
    panel_title_description,
    panel_units,
    panel_no_targets,
    target_rate_interval,
    target_job,
    target_instance,
    target_required_matchers,
    target_counter_agg,
    uneditable,
)
