"""Cases of drift, and of references."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.alerts.alert_cases import Case, CaseFile, series
from tests.alerts.fleet_traffic import label_text

BIKE = {"model": "bike", "version": "1"}
OF_BIKE = {"job": "models", **BIKE}
RULES = ["alerting/mlmon-drift.yml"]


def _drifted(alert: str, side: Mapping[str, str], prefix: str) -> Iterator[Case]:
    labels = {**BIKE, **side, "window": "1h"}
    a, b = (series(f"{prefix}_drifted", instance=name, **labels) for name in "ab")
    yield Case(
        alert,
        "fires: one replica says so",
        {a: "0x60", b: "1x60"},
        30,
        {"job": "models", **labels},
    )
    yield Case(alert, "silent: none does", {a: "0x60", b: "0x60"}, 30)
    yield Case(alert, "silent: for ten minutes only", {a: "0x60", b: "1x10 0x50"}, 20)
    yield Case(alert, "silent: too few rows to say", {a: "0x60", b: "_x60"}, 30)


def _fleet(alert: str, side: Mapping[str, str], prefix: str) -> Iterator[Case]:
    what = next(iter(side))
    labels = {**OF_BIKE, **side}

    def scores(
        hour: str = "0.4x70",
        day: str = "0.3x70",
        noise: str = "0.02x70",
        rows: str = "5000x70",
        thresholds: tuple[str, str, str] = ("0.1x70", "0.2x70", "0.1x70"),
    ) -> dict[str, str]:
        a, b, of_day = thresholds
        bar = f"{prefix}_psi_threshold"
        recorded = {"psi:1h": hour, "psi:1d": day, "psi_noise:1h": noise, "rows:1h": rows}
        return {
            **{f"{what}:{prefix}_{n}{label_text(labels)}": v for n, v in recorded.items()},
            series(bar, "models", "a", **BIKE, **side, window="1h"): a,
            series(bar, "models", "b", **BIKE, **side, window="1h"): b,
            series(bar, "models", "a", **BIKE, **side, window="24h"): of_day,
        }

    yield Case(alert, "fires: in the hour and in the day", scores(), 50, labels, "0.40")
    yield Case(
        alert,
        "fires: the day is recorded now and then",
        scores(day="0.3 _x6 0.3 _x6 0.3 _x6 0.3 _x6 0.3 _x6 0.3 _x6 0.3 _x6 0.3"),
        48,
        labels,
        "0.40",
    )
    yield Case(
        alert,
        "fires: a new replica, with few rows, has a high threshold",
        scores(thresholds=("0.1x70", "0.9x70", "0.1x70")),
        50,
        labels,
        "0.40",
    )
    for name, calm in {
        "silent: the hour is calm": scores(hour="0.05x70"),
        "silent: the day is calm": scores(day="0.05x70"),
        "silent: so much may be chance": scores(noise="0.15x70"),
        "silent: few rows": scores(rows="900x70"),
        "silent: of this much, time brings as much": scores(
            thresholds=("0.5x70", "0.6x70", "0.1x70")
        ),
        "silent: no rows": scores(hour="_x70"),
        "silent: no threshold": scores(thresholds=("_x70", "_x70", "_x70")),
        "silent: for twenty minutes only": scores(hour="0.4x20 0.05x50"),
    }.items():
        yield Case(alert, name, calm, 45)


DRIFT = CaseFile(
    RULES,
    [
        *_drifted("MlmonFeatureDrift", {"feature": "temp"}, "mlmon_feature"),
        *_drifted("MlmonPredictionDrift", {"output": "cnt"}, "mlmon_prediction"),
        *_fleet("MlmonFleetFeatureDrift", {"feature": "temp"}, "mlmon_feature"),
        *_fleet("MlmonFleetPredictionDrift", {"output": "cnt"}, "mlmon_prediction"),
    ],
)

LEARNING, LEARNING_B = (series("mlmon_reference_learning", instance=i, **BIKE) for i in "ab")
ROWS = series("mlmon_reference_rows", **BIKE)
MADE, MADE_B = (series("mlmon_reference_timestamp_seconds", instance=i, **BIKE) for i in "ab")
DAY = 24 * 60

REFERENCES = CaseFile(
    RULES,
    [
        Case(
            "MlmonReferenceMissing",
            "fires: learned for over a day",
            {LEARNING: "1x200", ROWS: "0+10x200"},
            DAY + 60,
            OF_BIKE,
        ),
        Case(
            "MlmonReferenceMissing",
            "silent: learned for an hour",
            {LEARNING: "1x200", ROWS: "0+10x200"},
            60,
        ),
        Case(
            "MlmonReferenceMissing",
            "silent: done an hour ago",
            {LEARNING: "1x144 0x50", ROWS: "0+10x200"},
            DAY + 60,
        ),
        Case(
            "MlmonReferenceMissing",
            "silent: another replica has one",
            {LEARNING: "1x200", LEARNING_B: "0x200", ROWS: "0+10x200"},
            DAY + 60,
        ),
        Case(
            "MlmonReferenceMissing",
            "silent: no row was served",
            {LEARNING: "1x200", ROWS: "0x200"},
            DAY + 60,
        ),
        Case(
            "MlmonReferenceStale",
            "fires: half a year old",
            {MADE: f"-{181 * 86400}x20", MADE_B: f"-{190 * 86400}x20"},
            120,
            OF_BIKE,
            "181d 2h 0m 0s",
        ),
        Case(
            "MlmonReferenceStale",
            "silent: a quarter, and one replica not restarted yet",
            {MADE: f"-{90 * 86400}x20", MADE_B: f"-{190 * 86400}x20"},
            120,
        ),
        Case("MlmonReferenceStale", "silent: since half an hour", {MADE: f"-{180 * 86400}x20"}, 30),
        Case(
            "MlmonReferenceInconsistent",
            "fires: replicas have two",
            {MADE: "0x20", MADE_B: "3600x20"},
            60,
            OF_BIKE,
            "1h 0m 0s",
        ),
        Case("MlmonReferenceInconsistent", "silent: one", {MADE: "60x20", MADE_B: "60x20"}),
        Case(
            "MlmonReferenceInconsistent",
            "silent: while a new one is rolled out",
            {MADE: "0x1 stale", MADE_B: "3600x20"},
            10,
        ),
        Case(
            "MlmonReferenceInconsistent",
            "silent: versions differ",
            {
                MADE: "0x20",
                series("mlmon_reference_timestamp_seconds", model="bike", version="2"): "99x20",
            },
        ),
    ],
    every="10m",
)
