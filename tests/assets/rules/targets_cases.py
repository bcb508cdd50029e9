"""Cases of what is scraped: servers that are down, metrics and models that are gone."""

from __future__ import annotations

from .alert_cases import Case, CaseFile, series

JOB = {"job": "models"}
BIKE = {"job": "models", "model": "bike"}
A = {"job": "models", "instance": "a"}
RULES = ["alerting/mlmon-targets.yml"]

UP, UP_B, UP_C = (series("up", instance=name) for name in "abc")
INFO, INFO_B, INFO_C = (
    series("mlmon_model_info", instance=name, model="bike", version="1", reference="r")
    for name in "abc"
)
TREE = series("mlmon_model_info", model="tree", version="1")
BUILD = series("mlmon_build_info", version="1", digest="tdigest", state="memory")
FOREIGN = series("up", job="node", instance="x")


def down(minutes: int) -> dict[str, str]:
    """Three replicas, of which the first is down from then on."""
    return {
        UP: f"1x{minutes} 0x60",
        INFO: f"1x{minutes} stale",
        **dict.fromkeys((UP_B, UP_C, INFO_B, INFO_C), "1x90"),
    }


SERVERS = [
    Case("MlmonWatchdog", "fires: always", {UP: "1x60"}),
    Case(
        "MlmonReplicasDown",
        "fires: two of three",
        {**down(10), UP_B: "1x10 0x60", INFO_B: "1x10 stale"},
        30,
        BIKE,
        "66.67%",
    ),
    Case(
        "MlmonReplicasDown",
        "fires: the only one",
        {UP: "1x10 0x60", INFO: "1x10 stale"},
        30,
        BIKE,
        "100%",
    ),
    Case(
        "MlmonReplicasDown",
        "silent: one of two, while the other serves",
        {UP: "1x10 0x60", INFO: "1x10 stale", UP_B: "1x90", INFO_B: "1x90"},
        30,
    ),
    Case(
        "MlmonReplicasDown",
        "fires: up since a minute",
        {UP: "1x10 0x10 1x60", INFO: "1x10 _x10 1x60"},
        22,
        BIKE,
        "100%",
    ),
    Case(
        "MlmonReplicasDown",
        "silent: up since three minutes",
        {UP: "1x10 0x10 1x60", INFO: "1x10 _x10 1x60"},
        24,
    ),
    Case(
        "MlmonReplicasDown",
        "silent: restarted within two minutes",
        {UP: "1x10 0x1 1x60", INFO: "1x10 _x2 1x60"},
        14,
    ),
    Case("MlmonReplicasDown", "silent: targets of another exporter", {FOREIGN: "0x60"}),
    Case(
        "MlmonReplicasDown",
        "silent: a replica was removed on purpose",
        {UP: "1x10 stale", INFO: "1x10 stale", UP_B: "1x90", INFO_B: "1x90"},
    ),
    Case(
        "MlmonTargetDown",
        "fires: one of three",
        down(10),
        40,
        {**A, "model": "bike"},
    ),
    Case("MlmonTargetDown", "silent: all are up", down(60), 40),
    Case("MlmonTargetDown", "silent: for five minutes", down(10), 17),
    Case("MlmonTargetDown", "silent: targets of another exporter", {FOREIGN: "0x60"}),
    Case(
        "MlmonModelGone",
        "fires: one of two models",
        {UP: "1x60", BUILD: "1x60", INFO: "1x60", TREE: "1x10 stale"},
        40,
        {"job": "models", "model": "tree"},
    ),
    Case(
        "MlmonModelGone",
        "silent: another replica has it",
        {UP: "1x60", BUILD: "1x60", INFO: "1x10 stale", INFO_B: "1x60"},
        40,
    ),
    Case(
        "MlmonModelGone",
        "silent: the target is down",
        {UP: "1x10 0x60", UP_B: "1x60", BUILD: "1x60", INFO: "1x10 stale"},
        40,
    ),
    Case(
        "MlmonModelGone",
        "silent: the exporter is gone, which another alert says",
        {UP: "1x60", BUILD: "1x10 stale", INFO: "1x10 stale"},
        40,
    ),
    Case(
        "MlmonModelGone",
        "silent: a new version took over",
        {
            UP: "1x60",
            BUILD: "1x60",
            INFO: "1x10 stale",
            series("mlmon_model_info", model="bike", version="2"): "_x11 1x60",
        },
        40,
    ),
    Case(
        "MlmonModelGone",
        "silent: back within ten minutes",
        {UP: "1x60", BUILD: "1x60", INFO: "1x10 stale _x6 1x40"},
        19,
    ),
]

ROWS = series("mlmon_prediction_rows_total", model="bike", version="1")
BUILD_B = series("mlmon_build_info", instance="b", version="1", digest="tdigest", state="memory")
BUILD_C = series("mlmon_build_info", instance="c", version="1", digest="tdigest", state="memory")
NEW = {
    series("up", job="renamed"): "_x11 1x60",
    series("mlmon_build_info", job="renamed", version="1"): "_x11 1x60",
    series("mlmon_model_info", job="renamed", model="bike", version="1"): "_x11 1x60",
}
GONE = {UP: "1x10 stale", BUILD: "1x10 stale", INFO: "1x10 stale"}
BUSY, IDLE = {ROWS: "0+100x10 stale"}, {ROWS: "0+100x3 300x7 stale"}
UNINSTRUMENTED = {UP: "1x60", BUILD: "1x10 stale"}
DOWN = {UP: "1x10 0x60", BUILD: "1x10 stale"}
# Two days, ten minutes apart: a job in which others answer too, of which ours is scaled to zero.
DAY = 24 * 6
SHARED = {
    UP: f"1x{2 * DAY} stale",
    BUILD: f"1x{2 * DAY} stale",
    series("up", instance="x"): "1x400",
}
ALONE = {UP: "1x400", BUILD: f"1x{2 * DAY} stale"}

LOST = [
    Case(
        "MlmonMetricsLost",
        "fires: targets answer without our metrics",
        UNINSTRUMENTED,
        40,
        JOB,
    ),
    Case(
        "MlmonMetricsLost",
        "fires: a release without, while another replica is down",
        {**UNINSTRUMENTED, UP_B: "1x5 0x60", BUILD_B: "1x5 stale"},
        40,
        JOB,
    ),
    Case(
        "MlmonMetricsLost",
        "silent: one of three is released without, and one is down",
        {**UNINSTRUMENTED, UP_B: "1x5 0x60", BUILD_B: "1x5 stale", UP_C: "1x60", BUILD_C: "1x60"},
        40,
    ),
    Case(
        "MlmonMetricsLost",
        "fires: targets vanish from under traffic",
        {**GONE, **BUSY, FOREIGN: "1x60"},
        35,
        JOB,
    ),
    Case("MlmonMetricsLost", "silent: scaled to zero, since nothing came", {**GONE, **IDLE}, 35),
    Case("MlmonMetricsLost", "silent: the job was renamed", {**GONE, **BUSY, **NEW}, 35),
    Case("MlmonMetricsLost", "silent: half an hour later, a ticket", {**GONE, **BUSY}, 59),
    Case("MlmonMetricsLost", "silent: its targets are down", {**DOWN, **BUSY}, 35),
    Case(
        "MlmonMetricsLost",
        "silent: it is down, and another beside it never had our metrics",
        {**DOWN, UP_B: "1x60"},
        35,
    ),
    Case(
        "MlmonMetricsLost",
        "silent: one of two is released without",
        {UP: "1x60", BUILD: "1x10 stale", UP_B: "1x60", BUILD_B: "1x60"},
        35,
    ),
    Case("MlmonMetricsLost", "silent: rules before any exporter", {FOREIGN: "1x60"}),
    Case("MlmonMetricsLost", "silent: five minutes old", UNINSTRUMENTED, 15),
    Case(
        "MlmonExporterAbsent",
        "fires: the job has no targets any more",
        {**GONE, FOREIGN: "1x60"},
        40,
        JOB,
    ),
    Case(
        "MlmonExporterAbsent",
        "fires: targets answer without our metrics",
        UNINSTRUMENTED,
        40,
        JOB,
    ),
    Case("MlmonExporterAbsent", "silent: it is there", {UP: "1x60", BUILD: "1x60"}, 40),
    Case("MlmonExporterAbsent", "silent: its targets are down, which others say", DOWN, 40),
    Case("MlmonExporterAbsent", "silent: rules before any exporter", {FOREIGN: "1x60"}),
    Case("MlmonExporterAbsent", "silent: a fresh start", {UP: "_ 1x60", BUILD: "_ 1x60"}, 5),
]
TARGETS = CaseFile(RULES, [*SERVERS, *LOST])
ABSENCE = CaseFile(
    RULES,
    [
        Case(
            "MlmonMetricsLost",
            "silent: scaled to zero, in a job of which others answer as ever",
            SHARED,
            2 * 1440 + 60,
        ),
        Case("MlmonMetricsLost", "fires: after two days alone", ALONE, 2 * 1440 + 60, JOB),
    ],
    every="10m",
)
