"""Cases of targets: servers that do not answer, restart, or are gone with their models."""

from __future__ import annotations

from .alert_cases import ANY, Case, CaseFile, series

BIKE = {"job": "models", "model": "bike"}
A = {"job": "models", "instance": "a"}
RULES = ["recording/mlmon-targets.yml", "alerting/mlmon-targets.yml"]

UP, UP_B, UP_C = (series("up", instance=name) for name in "abc")
INFO, INFO_B, INFO_C = (
    series("mlmon_model_info", instance=name, model="bike", version="1", reference="r")
    for name in "abc"
)
TREE = series("mlmon_model_info", model="tree", version="1")
BUILD = series("mlmon_build_info", version="1", digest="tdigest", state="memory")
STARTED = series("process_start_time_seconds")
ROWS, ROWS_B = (
    series("mlmon_prediction_rows_total", instance=name, model="bike", version="1") for name in "ab"
)
FOREIGN = series("up", job="node", instance="x")


def down(minutes: int) -> dict[str, str]:
    """Return three replicas, of which the first does not answer from then on."""
    return {
        UP: f"1x{minutes} 0x60",
        INFO: f"1x{minutes} stale",
        **dict.fromkeys((UP_B, UP_C, INFO_B, INFO_C), "1x90"),
    }


def looping(up: int, down: int, first: int = 10, rounds: int = 30) -> tuple[str, str, str]:
    """Return `up`, an info and the start times of a server that starts and dies again and again."""
    answers = [f"1x{first}", *[f"0x{down - 1} 1x{up - 1}"] * rounds]
    shown = [f"1x{first}", *[f"stale _x{down - 1} 1x{up - 1}"] * rounds]
    started = [f"0x{first}"]
    for number in range(rounds):
        at = 60 * (first + 1 + number * (up + down) + down)
        started.append(f"stale _x{down - 1} {at}x{up - 1}")
    return " ".join(answers), " ".join(shown), " ".join(started)


ALONE = {UP: "1x10 0x60", INFO: "1x10 stale"}
UP_LOOP, INFO_LOOP, START_LOOP = looping(2, 2)
LOOP = {UP: UP_LOOP, INFO: INFO_LOOP, BUILD: INFO_LOOP, STARTED: START_LOOP}
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
    Case("MlmonReplicasDown", "fires: the only one", ALONE, 30, BIKE, "100%"),
    Case(
        "MlmonReplicasDown",
        "fires: the only one, for hours",
        {**ALONE, UP: "1x10 0x300"},
        290,
        BIKE,
        "100%",
    ),
    Case("MlmonReplicasDown", "fires: all crash again and again", LOOP, 40, BIKE, ANY),
    Case(
        "MlmonReplicasDown",
        "silent: one of two crashes again and again",
        {**LOOP, UP_B: "1x200", INFO_B: "1x200"},
        40,
    ),
    Case(
        "MlmonReplicasDown",
        "silent: one of two, while the other serves",
        {**ALONE, UP_B: "1x90", INFO_B: "1x90"},
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
        "silent: up since four minutes",
        {UP: "1x10 0x10 1x60", INFO: "1x10 _x10 1x60"},
        26,
    ),
    Case(
        "MlmonReplicasDown",
        "silent: restarted within two minutes",
        {UP: "1x10 0x1 1x60", INFO: "1x10 _x2 1x60"},
        14,
    ),
    Case(
        "MlmonReplicasDown",
        "silent: two scrapes of a busy server failed, four minutes apart",
        {UP: "1x20 0 1x3 0 1x60", INFO: "1x20 stale 1x3 stale 1x60"},
        30,
    ),
    Case("MlmonReplicasDown", "silent: targets of another exporter", {FOREIGN: "0x60"}),
    Case(
        "MlmonReplicasDown",
        "silent: a replica was removed on purpose",
        {UP: "1x10 stale", INFO: "1x10 stale", UP_B: "1x90", INFO_B: "1x90"},
    ),
    Case(
        "MlmonTargetDown",
        "fires: one of three, once for both of its models",
        {**down(10), TREE: "1x10 stale"},
        40,
        A,
        "2",
    ),
    Case("MlmonTargetDown", "silent: all are up", down(60), 40),
    Case("MlmonTargetDown", "silent: for five minutes", down(10), 17),
    Case("MlmonTargetDown", "silent: targets of another exporter", {FOREIGN: "0x60"}),
    Case(
        "MlmonTargetDown",
        "silent: it answers again",
        {UP: "1x10 0x20 1x60", INFO: "1x10 _x20 1x60"},
        40,
    ),
    Case("MlmonRestarting", "fires: a crash loop, after a quarter of an hour", LOOP, 24, A, "3"),
    Case(
        "MlmonRestarting",
        "silent: released twice",
        {STARTED: "0x10 600x10 1200x60", BUILD: "1x90"},
        40,
    ),
    Case(
        "MlmonRestarting",
        "silent: each scrape shows another worker, which another alert says",
        {
            STARTED: "0 60 0 60 0 60 0 60 0 60 0 60 0 60 0 60 0 60 0 60 0 60 0 60 0 60 0 60 0 60",
            BUILD.replace("memory", "unshared"): "1x90",
        },
        25,
    ),
    Case("MlmonRestarting", "silent: another exporter", {STARTED: START_LOOP}, 40),
]

GONE = {UP: "1x60 stale", BUILD: "1x60 stale", INFO: "1x60 stale"}
BUSY, IDLE = {ROWS: "0+10x60 stale"}, {ROWS: "0+10x48 480x12 stale"}
NEW = {
    series("up", job="renamed"): "_x61 1x90",
    series("mlmon_model_info", job="renamed", model="bike", version="1"): "_x61 1x90",
}
NAMESAKE = {
    series("up", job="other"): "1x150",
    series("mlmon_model_info", job="other", model="bike", version="1"): "1x150",
}
B = {UP_B: "1x150", INFO_B: "1x150", ROWS_B: "0+10x150"}
BAD_DEPLOY = {**GONE, **BUSY, UP_B: "_x61 0x90"}
NOT_SERVED = [
    Case("MlmonModelNotServed", "fires: new pods never answer", BAD_DEPLOY, 70, BIKE),
    Case("MlmonModelNotServed", "fires: for as long as they do not", BAD_DEPLOY, 150, BIKE),
    Case("MlmonModelNotServed", "fires: all targets vanish", {**GONE, **BUSY}, 70, BIKE),
    Case(
        "MlmonModelNotServed",
        "fires: released without our metrics",
        {**BUSY, UP: "1x150", BUILD: "1x60 stale", INFO: "1x60 stale"},
        70,
        BIKE,
    ),
    Case(
        "MlmonModelNotServed",
        "fires: dead targets are taken off the list",
        {UP: "1x60 0x30 stale", INFO: "1x60 stale", **BUSY},
        105,
        BIKE,
    ),
    Case(
        "MlmonModelNotServed",
        "fires: a namesake in another job is another service",
        {**GONE, **BUSY, **NAMESAKE},
        70,
        BIKE,
    ),
    Case("MlmonModelNotServed", "silent: for three minutes", {**GONE, **BUSY}, 64),
    Case("MlmonModelNotServed", "silent: scaled to zero, since nothing came", {**GONE, **IDLE}, 70),
    Case("MlmonModelNotServed", "silent: it was hardly used", {**GONE, ROWS: "0+1x60 stale"}, 70),
    Case("MlmonModelNotServed", "silent: the job was renamed", {**GONE, **BUSY, **NEW}, 70),
    Case("MlmonModelNotServed", "silent: another replica has it", {**GONE, **BUSY, **B}, 70),
    Case(
        "MlmonModelNotServed",
        "silent: its targets are down, which another alert says",
        {UP: "1x60 0x90", INFO: "1x60 stale", **BUSY},
        70,
    ),
    Case(
        "MlmonModelNotServed",
        "silent: it is served again",
        {**BUSY, UP: "1x150", INFO: "1x60 stale _x20 1x60"},
        90,
    ),
]
TARGETS = CaseFile(RULES, [*SERVERS, *NOT_SERVED], order=("targets", "targets-alerts"))
