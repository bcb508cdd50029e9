"""Incidents that must not be silent, as series of a service's targets; times are minutes.

Each is run twice: alone in a job, and in a job of 300 services in which another target is down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlmon_exporter.assets.rules.rule_files import Yaml, yaml_text

from .alert_cases import ALERTS
from .fleet_traffic import label_text
from .targets_cases import looping

START, END = 60, 210
"""Every incident begins after an hour; it ends, if it does, long after."""
NEIGHBOURS = 299
RULES = ("recording/mlmon-targets.yml", "alerting/mlmon-targets.yml", "alerting/mlmon-monitor.yml")
Series = dict[str, str]


@dataclass(frozen=True)
class Incident:
    """A fault of one service, and the alert that says so."""

    name: str
    series: Series
    alert: str
    severity: str
    within: int
    """Minutes after its beginning, by which the alert fires."""
    lasting: int = 0
    """Minutes after its beginning, at which it still does; 0: not looked at."""
    labels: Mapping[str, str] | None = None
    """Labels of the alert beside its place; None: the model."""


def of(metric: str, instance: str = "a:80", **labels: str) -> str:
    return metric + label_text({"job": "models", "instance": instance, **labels})


def _well(until: int, instance: str = "a:80") -> Series:
    """Return a service that is well until a minute, and then shows nothing."""
    count = END if until > START else until
    tail = "" if until > START else " stale"
    bike = {"model": "bike", "version": "1"}
    return {
        of("mlmon_model_info", instance, **bike): f"1x{count}{tail}",
        of("mlmon_build_info", instance, state="memory"): f"1x{count}{tail}",
        of("mlmon_prediction_rows_total", instance, **bike): f"0+60x{count}{tail}",
        of("mlmon_requests_total", instance, outcome="ok", **bike): f"0+60x{count}{tail}",
        of("process_start_time_seconds", instance): f"0x{count}{tail}",
        of("mlmon_queue_exchanges", instance): f"0x{count}{tail}",
        of("mlmon_last_flush_timestamp_seconds", instance): f"0+60x{count}{tail}",
        of("scrape_duration_seconds", instance): f"0.1x{END}",
    }


UP = of("up")
ALWAYS = f"1x{END}"
DYING, STALE = f"1x{START} 0x{END - START - 1}", f"1x{START} stale"
WELL = {UP: ALWAYS, **_well(END)}
DEAD = {UP: DYING, **_well(START)}
GONE = {UP: STALE, **_well(START)}


def _crash_loop() -> Series:
    """Return two replicas that are up for two minutes and down for two."""
    found: Series = {}
    for instance in ("a:80", "b:80"):
        up, shown, started = looping(2, 2, first=START, rounds=37)
        found |= _well(END, instance)
        found[of("up", instance)] = up
        found[of("mlmon_model_info", instance, model="bike", version="1")] = shown
        found[of("mlmon_build_info", instance, state="memory")] = shown
        found[of("process_start_time_seconds", instance)] = started
    return found


TARGET = {"instance": "a:80"}
INCIDENTS = (
    Incident(
        "bad deploy: old pods are gone, new ones never answer",
        {**GONE, of("up", "b:80"): f"_x{START} 0x{END - START}"},
        *("MlmonModelNotServed", "critical", 15, 140),
    ),
    Incident("all pods vanish", GONE, "MlmonModelNotServed", "critical", 15, 140),
    Incident("the only server dies", DEAD, "MlmonReplicasDown", "critical", 5, 140),
    Incident(
        "redeployed without the middleware: /metrics is not found",
        DEAD,
        *("MlmonReplicasDown", "critical", 15, 140),
    ),
    Incident(
        "redeployed without the middleware, and another exporter answers",
        {**GONE, UP: ALWAYS},
        *("MlmonModelNotServed", "critical", 15, 140),
    ),
    Incident(
        "no body can be read",
        {
            **WELL,
            of("mlmon_parse_errors_total", format="json", reason="bad_json"): (
                f"0x{START} 0+60x{END - START}"
            ),
        },
        *("MlmonParseErrors", "warning", 15, 140),
        {**TARGET, "format": "json", "reason": "bad_json"},
    ),
    Incident(
        "all observations are dropped",
        {
            **WELL,
            of("mlmon_dropped_total", reason="queue_full"): f"0x{START} 0+60x{END - START}",
        },
        *("MlmonObservationsDropped", "warning", 15, 140),
        {**TARGET, "reason": "queue_full"},
    ),
    Incident(
        "crash loop of all replicas",
        _crash_loop(),
        *("MlmonRestarting", "warning", 15, 140, TARGET),
    ),
    Incident(
        "crash loop of all replicas, which nobody can use",
        _crash_loop(),
        *("MlmonReplicasDown", "critical", 20, 140),
    ),
    Incident(
        "the clock is half an hour fast",
        {
            **WELL,
            of("mlmon_last_flush_timestamp_seconds"): (
                f"0+60x{START} {60 * START + 1800}+60x{END - START}"
            ),
        },
        *("MlmonClockSkew", "warning", 15, 140, TARGET),
    ),
    Incident(
        "the clock is half an hour slow",
        {
            **WELL,
            of("mlmon_last_flush_timestamp_seconds"): (
                f"0+60x{START} {60 * START - 1800}+60x{END - START}"
            ),
        },
        *("MlmonClockSkew", "warning", 20, 140, TARGET),
    ),
    Incident(
        "the state directory is full",
        {**WELL, of("mlmon_state_writable"): DYING},
        *("MlmonStateNotWritten", "warning", 10, 140, TARGET),
    ),
    Incident(
        "scrapes time out",
        {**DEAD, of("scrape_duration_seconds"): f"0.1x{START} 10x{END - START}"},
        *("MlmonTargetDown", "warning", 15, 140, TARGET),
    ),
)


def neighbours() -> Series:
    """Return the other services of a job, of which the first does not answer from the start."""
    found: Series = {}
    for number in range(NEIGHBOURS):
        instance, model = f"n{number}:80", {"model": f"m{number}", "version": "1"}
        found[of("up", instance)] = f"1x5 0x{END}" if number == 0 else ALWAYS
        shown = "1x5 stale" if number == 0 else ALWAYS
        found[of("mlmon_model_info", instance, **model)] = shown
        found[of("mlmon_build_info", instance, state="memory")] = shown
        found[of("mlmon_prediction_rows_total", instance, **model)] = f"0+600x{END}"
        found[of("mlmon_requests_total", instance, outcome="ok", **model)] = f"0+600x{END}"
    return found


def incident_test(incident: Incident, others: Series, folder: Path) -> str:
    """Return promtool's test of an incident beside other services."""
    labels = {"model": "bike"} if incident.labels is None else incident.labels
    alert = {"alertname": incident.alert, "job": "models", **labels}
    expr = f"group by ({', '.join(alert)}) (ALERTS{label_text({**alert, 'alertstate': 'firing'})})"
    sample: Yaml = {"labels": label_text(alert), "value": 1}
    return yaml_text(
        {
            "rule_files": [str(ALERTS / name) for name in RULES],
            "evaluation_interval": "1m",
            "group_eval_order": ["mlmon-targets", "mlmon-targets-alerts", "mlmon-monitor-alerts"],
            "tests": [
                {
                    "name": incident.name,
                    "interval": "1m",
                    "input_series": [
                        {"series": name, "values": values}
                        for name, values in {**others, **incident.series}.items()
                    ],
                    "promql_expr_test": [
                        {"expr": expr, "eval_time": f"{START + at}m", "exp_samples": samples}
                        for at, samples in _checks(incident, sample)
                    ],
                }
            ],
        }
    )


def _checks(incident: Incident, sample: Yaml) -> Iterator[tuple[int, list[Yaml]]]:
    yield 0, []
    yield incident.within, [sample]
    if incident.lasting:
        yield incident.lasting, [sample]
