"""All generated files under `alerts/`: a new subsystem is a row here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from . import data, drift, fairness, fleet, kpi, monitor, outcomes, quality, serving, targets
from .alert import Alert
from .alertmanager import alertmanager_file
from .rule_files import Group, rule_file
from .settings import DEFAULTS, Settings

MADE_BY = "Made by `python -m mlmon_exporter.assets.rules` from {module} there: change that file."


class Subsystem(NamedTuple):
    """What is alerted on together, in a file of its own."""

    name: str
    about: str
    alerts: Callable[[Settings], Sequence[Alert]]


SUBSYSTEMS = (
    Subsystem("serving", "Alerts on requests: error budget, latency, traffic.", serving.alerts),
    Subsystem("data", "Alerts on the quality of the features' values.", data.alerts),
    Subsystem("drift", "Alerts on drift, and on references that it is judged by.", drift.alerts),
    Subsystem("outcomes", "Alerts on ground truth: that it comes, in time.", outcomes.alerts),
    Subsystem("quality", "Alerts on how good predictions are.", quality.alerts),
    Subsystem("fairness", "Alerts on segments that are treated unlike.", fairness.alerts),
    Subsystem("kpi", "Alerts on business numbers.", kpi.alerts),
    Subsystem("targets", "Alerts on what is scraped, and on models in it.", targets.alerts),
    Subsystem("monitor", "Alerts on the monitor itself.", monitor.alerts),
)


def files(settings: Settings = DEFAULTS) -> dict[str, str]:
    """Return path under `alerts/` -> text of each generated file."""
    plan = fleet.DEFAULT.at_pace(settings)
    made = {
        fleet.FILE: fleet.fleet_file(plan, settings),
        "recording/mlmon-serving.yml": rule_file(
            serving.recordings(settings), _about(serving.RECORDED, "serving")
        ),
        "recording/mlmon-kpi.yml": rule_file(kpi.recordings(settings), _about(kpi.RECORDED, "kpi")),
        "alertmanager.yml": alertmanager_file(settings),
    }
    return made | {f"alerting/mlmon-{s.name}.yml": _alerting(s, settings) for s in SUBSYSTEMS}


def _alerting(subsystem: Subsystem, settings: Settings) -> str:
    rules = [alert.rule(settings, subsystem.name) for alert in subsystem.alerts(settings)]
    group = Group(f"mlmon-{subsystem.name}-alerts", settings.span("1m"), rules)
    return rule_file([group], _about(subsystem.about, subsystem.name))


def _about(text: str, module: str) -> str:
    return f"{text}\n{MADE_BY.format(module=f'{module}.py')}"
