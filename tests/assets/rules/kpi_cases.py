"""Cases of business numbers."""

from __future__ import annotations

from .alert_cases import Case, CaseFile, series

EVENTS = series("mlmon_kpi_events_total", model="shop", version="1", kpi="purchase")
NEW_EVENTS = series("mlmon_kpi_events_total", model="shop", version="2", kpi="purchase")
OF_KPI = {"job": "models", "model": "shop", "kpi": "purchase"}
HERE = {series("mlmon_model_info", model="shop"): "1x2100"}
WEEK = 7 * 24 * 60
NOW = 2 * WEEK + 180
"""Minutes; samples are ten minutes apart."""


def events(first: int, second: int, now: int) -> str:
    """Return a counter by its events in ten minutes of the first week, the second, and now."""
    at = first * 1008
    then = at + second * 1008
    return f"0+{first}x1007 {at}+{second}x1007 {then}+{now}x60"


def _case(name: str, found: dict[str, str], value: str = "", at: int = NOW) -> Case:
    return Case("MlmonKpiDrop", name, found, at, OF_KPI if value else {}, value)


KPI = CaseFile(
    ["alerting/mlmon-kpi.yml"],
    [
        _case("fires: a third of both weeks", {EVENTS: events(60, 60, 20), **HERE}, "360"),
        _case(
            "fires: none since a restart",
            {EVENTS: events(60, 60, 0).rpartition(" ")[0] + " stale", **HERE},
            "360",
        ),
        _case("silent: 60 %", {EVENTS: events(60, 60, 36), **HERE}),
        _case("silent: last week was the exception", {EVENTS: events(20, 60, 20), **HERE}),
        _case("silent: the week before was", {EVENTS: events(60, 20, 20), **HERE}),
        _case("silent: few events", {EVENTS: events(15, 15, 2), **HERE}),
        _case("silent: few two weeks ago", {EVENTS: events(15, 60, 2), **HERE}),
        _case(
            "silent: a new version has them",
            {EVENTS: events(60, 60, 0), NEW_EVENTS: "_x2016 0+60x60", **HERE},
        ),
        _case("silent: the model is gone", {EVENTS: events(60, 60, 0)}),
        _case("silent: the first two weeks", {EVENTS: "0+60x100 6000+0x900", **HERE}, at=WEEK),
    ],
    every="10m",
    evaluated="30m",
)
