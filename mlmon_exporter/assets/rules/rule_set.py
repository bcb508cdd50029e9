"""All generated files under `alerts/`; a new subsystem is a row here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from . import (
    data,
    drift,
    estimates,
    fairness,
    fleet,
    importance,
    kpi,
    monitor,
    outcomes,
    periods,
    quality,
    serving,
    targets,
)
from .alert import Alert
from .alertmanager import alertmanager_file
from .rule_files import Group, Rule, rule_file
from .settings import DEFAULTS, OPTIONAL, Settings

MADE_BY = "Made by `python -m mlmon_exporter.assets.rules` from {module} there: change that file."


class Subsystem(NamedTuple):
    """Alerts of one kind of cause, in one file."""

    name: str
    about: str
    alerts: Callable[[Settings], Sequence[Alert]]
    recordings: Callable[[Settings], Group[Rule]] | None = None
    """Recording rules of the same file, which the alerts read."""

    def path(self, settings: Settings) -> str:
        """Return its file's path in `alerts/`."""
        folder = settings.folder(self.name) if self.name in OPTIONAL else "alerting"
        return f"{folder}/mlmon-{self.name}.yml"


SUBSYSTEMS = (
    Subsystem("serving", "Alerts on requests: error budget, latency, traffic.", serving.alerts),
    Subsystem("data", "Alerts on the quality of the features' values.", data.alerts),
    Subsystem("drift", "Alerts on drift, and on references.", drift.alerts),
    Subsystem("outcomes", "Alerts on ground truth: that it comes, in time.", outcomes.alerts),
    Subsystem("quality", "Alerts on the quality of predictions.", quality.alerts),
    Subsystem("kpi", "Alerts on business numbers.", kpi.alerts),
    Subsystem("targets", "Alerts on targets, and on the models that they serve.", targets.alerts),
    Subsystem("monitor", "Alerts on the monitor itself, and on its rules.", monitor.alerts),
    Subsystem(
        "fairness",
        "Optional alerts on segments that are treated unequally: load them if you need them.",
        fairness.alerts,
    ),
    Subsystem(
        "estimates",
        "Optional alert on quality to be expected: load it where ground truth comes late.",
        estimates.alerts,
    ),
    Subsystem(
        "importance",
        "Optional alert on drift of features that matter: load it if it should wake somebody.",
        importance.alerts,
    ),
    Subsystem("periods", periods.RECORDED, periods.alerts, periods.recordings),
)


def files(settings: Settings = DEFAULTS) -> dict[str, str]:
    """Return path under `alerts/` -> text of each generated file."""
    made = {fleet.FILE: fleet.fleet_file(settings), "alertmanager.yml": alertmanager_file(settings)}
    for module in (serving, kpi, targets):
        name = module.__name__.rpartition(".")[2]
        text = rule_file(module.recordings(settings), _about(module.RECORDED, name))
        made[f"recording/mlmon-{name}.yml"] = text
    native = rule_file(serving.native_recordings(settings), _about(serving.NATIVE, "serving"))
    folder = settings.folder("native-histograms", "recording")
    made[f"{folder}/mlmon-native-histograms.yml"] = native
    return made | {s.path(settings): _alerting(s, settings) for s in SUBSYSTEMS}


def _alerting(subsystem: Subsystem, settings: Settings) -> str:
    rules = [alert.rule(settings, subsystem.name) for alert in subsystem.alerts(settings)]
    groups: list[Group[Any]] = [Group(f"mlmon-{subsystem.name}-alerts", settings.span("1m"), rules)]
    if subsystem.recordings is not None:
        groups.insert(0, subsystem.recordings(settings))
    return rule_file(groups, _about(subsystem.about, subsystem.name))


def _about(text: str, module: str) -> str:
    return f"{text}\n{MADE_BY.format(module=f'{module}.py')}"
