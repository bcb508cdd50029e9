"""Cases of drift, and of references."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from .alert_cases import Case, CaseFile, series
from .fleet_traffic import label_text

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
    ended = {a: "0x120", b: "1x30 0x90"}
    yield Case(alert, "fires: ended fifty minutes ago", ended, 80, {"job": "models", **labels})
    yield Case(alert, "silent: ended over an hour ago", ended, 100)


FIRST, MOST = 22 * 60, ", temp the most (PSI 0.40)"
"""Minutes after which a day's score is twenty hours old."""


def _scores(
    what: str = "feature",
    *,
    hour: str = "0.4x150",
    day: str = "0.3x150",
    noise: str = "0.02x150",
    rows: str = "5000x150",
    thresholds: tuple[str, str, str] = ("0.1x150", "0.2x150", "0.1x150"),
    reference: str = "bike.json",
    column: str = "temp",
) -> dict[str, str]:
    """Give what is known of a column that drifts, `b` another replica; ten minutes a sample."""
    prefix = {"feature": "mlmon_feature", "output": "mlmon_prediction"}[what]
    labels, bar = {**BIKE, what: column}, f"{prefix}_psi_threshold"
    a, b, of_day = thresholds
    recorded = {"psi:1h": hour, "psi:1d": day, "psi_noise:1h": noise, "rows:1h": rows}
    return {
        **{
            f"{what}:{prefix}_{n}{label_text({'job': 'models', **labels})}": v
            for n, v in recorded.items()
        },
        series(bar, "models", "a", **labels, window="1h"): a,
        series(bar, "models", "b", **labels, window="1h"): b,
        series(bar, "models", "a", **labels, window="24h"): of_day,
        series("mlmon_model_info", **BIKE, reference=reference): "1x150",
    }


def _fleet(alert: str, what: str) -> Iterator[Case]:
    scores = partial(_scores, what)
    for name, drifted in {
        "fires: in the hour and in the day": scores(),
        "fires: a new replica, with few rows, has a high threshold": scores(
            thresholds=("0.1x150", "0.9x150", "0.1x150")
        ),
    }.items():
        yield Case(alert, name, drifted, FIRST, OF_BIKE, "1", MOST)
    yield Case(
        alert,
        "fires: once for all columns that drift",
        {**scores(), **scores(column="wind", hour="0.5x150"), **scores(column="cnt", day="0x150")},
        FIRST,
        OF_BIKE,
        "2",
        ", wind the most (PSI 0.50)",
    )
    for name, calm in {
        "silent: the hour is calm": scores(hour="0.05x150"),
        "silent: the day is calm": scores(day="0.05x150"),
        "silent: the day began ten hours ago": scores(day="_x80 0.3x70"),
        "silent: the reference was learned from the first rows": scores(reference="learned"),
        "silent: so much may be chance": scores(noise="0.15x150"),
        "silent: few rows": scores(rows="900x150"),
        "silent: of this much, time brings as much": scores(
            thresholds=("0.5x150", "0.6x150", "0.1x150")
        ),
        "silent: no rows": scores(hour="_x150"),
        "silent: no threshold": scores(thresholds=("_x150", "_x150", "_x150")),
        "silent: for twenty minutes only": scores(hour="0.05x129 0.4x20"),
    }.items():
        yield Case(alert, name, calm, FIRST)


DRIFT = CaseFile(
    RULES,
    [
        *_drifted("MlmonFeatureDrift", {"feature": "temp"}, "mlmon_feature"),
        *_drifted("MlmonPredictionDrift", {"output": "cnt"}, "mlmon_prediction"),
    ],
)
FLEET = CaseFile(
    RULES,
    [
        *_fleet("MlmonFleetFeatureDrift", "feature"),
        *_fleet("MlmonFleetPredictionDrift", "output"),
    ],
    every="10m",
)
# Three minutes a sample, of which the day's are nine minutes apart.
OFTEN = {name: values.replace("x150", "x500") for name, values in _scores(day="").items()}
SPARSE = CaseFile(
    RULES,
    [
        Case(
            "MlmonFleetFeatureDrift",
            "fires: the day is recorded now and then",
            {name: values or "0.3 _x2 " * 150 for name, values in OFTEN.items()},
            FIRST,
            OF_BIKE,
            "1",
            MOST,
        )
    ],
    every="3m",
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
