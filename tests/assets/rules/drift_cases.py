"""Cases of drift, and of references."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from mlmon_exporter.core.drift.readings import ROLES

from .alert_cases import Case, CaseFile, dependence, series
from .fleet_traffic import label_text

BIKE = {"model": "bike", "version": "1"}
OF_BIKE = {"job": "models", **BIKE}
RULES = ["alerting/mlmon-drift.yml"]


def _drifted(alert: str, side: Mapping[str, str], prefix: str) -> Iterator[Case]:
    labels = {**BIKE, **side, "window": "1h"}
    a, b = (series(f"{prefix}_drifted", instance=name, **labels) for name in "ab")
    day = series(f"{prefix}_drifted", instance="b", **{**labels, "window": "24h"})
    of = {"job": "models", **BIKE, **side}
    yield Case(alert, "fires: one replica says so", {a: "0x60", b: "1x60"}, 30, of)
    for greatest, what, words in (
        ("(0.46, +Inf)", "what moved", "in (0.46, +Inf)"),
        ("[0.5, 0.5]", "what number moved", "0.5"),
        ("unseen", "that values are unseen", "unseen"),
    ):
        bins = {**both_bins(prefix, side, greatest), a: "0x90", b: "1x90"}
        moved = f"; in the last hour, 79 % of rows are {words}, 8 % in the reference"
        yield Case(alert, f"fires: and says {what}", bins, 75, of, greatest=moved)
    yield Case(alert, "fires: once for both windows", {a: "0x60", b: "1x60", day: "1x60"}, 30, of)
    yield Case(alert, "silent: none does", {a: "0x60", b: "0x60"}, 30)
    yield Case(alert, "silent: for ten minutes only", {a: "0x60", b: "1x10 0x50"}, 20)
    yield Case(alert, "silent: too few rows to say", {a: "0x60", b: "_x60"}, 30)
    unknown, one = (dependence("bike", "0") | dependence("bike", b, "b") for b in "01")
    both = {a: "1x60", b: "1x60"}
    yield Case(alert, "silent: thresholds take rows for independent", both | unknown, 30)
    yield Case(alert, "fires: the replica that knows dependence says so", both | one, 30, of)
    challenger = {series(f"{prefix}_drifted", **{**labels, "version": "2"}): "1x60"}
    yield Case(alert, "silent: of another version, too", challenger | unknown, 30)
    ended = {a: "0x120", b: "1x30 0x90"}
    yield Case(alert, "fires: ended fifty minutes ago", ended, 80, of)
    yield Case(alert, "silent: ended over an hour ago", ended, 100)


def both_bins(prefix: str, side: Mapping[str, str], greatest: str) -> dict[str, str]:
    """Return the bins of a feature or output whose rows have moved up, in two replicas."""
    found = {}
    for number, (interval, before, now) in enumerate(
        (("(-Inf, 0.2]", "0.5", 10), ("(0.2, 0.46]", "0.42", 11), (greatest, "0.08", 79))
    ):
        labels = {**BIKE, **side, "kind": "numeric", "bin": f"{number:02d}"}
        for name in "ab":
            rows = series(f"{prefix}_bin_rows_total", instance=name, **labels)
            ratio = {**labels, "interval": interval}
            found[rows] = f"0+{now}x90"
            found[series(f"{prefix}_reference_ratio", instance=name, **ratio)] = f"{before}x90"
    return found


def _joint() -> Iterator[Case]:
    alert = "MlmonJointDrift"

    def verdicts(instance: str, values: str, column: str = "joint_residual") -> dict[str, str]:
        labels = {**BIKE, "derived": column, "window": "1h"}
        return {series("mlmon_derived_drifted", instance=instance, **labels): values}

    a, b = verdicts("a", "0x60"), verdicts("b", "1x60")
    other = verdicts("a", "1x60", "last_component")
    yield Case(alert, "fires: one replica says so", {**a, **b}, 30, OF_BIKE, "1")
    yield Case(alert, "fires: once for all derived columns", {**b, **other}, 30, OF_BIKE, "2")
    yield Case(alert, "silent: none does", {**a, **verdicts("b", "0x60")}, 30)
    yield Case(alert, "silent: for ten minutes only", {**a, **verdicts("b", "1x10 0x50")}, 20)
    yield Case(alert, "silent: too few rows to say", {**a, **verdicts("b", "_x60")}, 30)
    unknown = {series("mlmon_dependence_known", instance="b", **BIKE): "0x60"}
    yield Case(alert, "silent: thresholds take rows for independent", {**a, **b, **unknown}, 30)
    least = {**BIKE, "derived": "least_explained", "window": "1h"}
    carried = {}
    for name, now, before in (("temp", "0.5", "0.2"), ("wind", "0.3", "0.25")):
        labels = {**least, "bin": name}
        carried[series("mlmon_derived_risen_ratio", **labels)] = f"{now}x90"
        carried[series("mlmon_derived_risen_reference_ratio", **labels)] = f"{before}x90"
    yield Case(
        alert,
        "fires: names the features whose share rose",
        {**verdicts("b", "1x90"), **carried},
        80,
        OF_BIKE,
        "1",
        " Least explained by the others, and more often than before: "
        "temp (20% → 50% of rows), wind (25% → 30% of rows).",
    )


MOST = ", temp the most (PSI 0.40)"


def _scores(
    what: str = "feature",
    *,
    psi: str = "0.4x90",
    noise: str = "0.02x90",
    rows: str = "5000x90",
    thresholds: tuple[str, str, str] = ("0.1x90", "0.2x90", "0.1x90"),
    verdicts: tuple[str, str] = ("1x90", "1x90"),
    reference: str = "bike.json",
    known: str = "1x90",
    column: str = "temp",
) -> dict[str, str]:
    """Return what is known of a feature or output that drifts; `b` is another replica."""
    prefix = {role.label: role.prefix for role in ROLES}[what]
    labels = {**BIKE, what: column}
    hour, day = ({**labels, "window": window} for window in ("1h", "24h"))
    of_hour, of_b, of_day = thresholds
    recorded = {"psi:1h": psi, "psi_noise:1h": noise, "rows:1h": rows}
    return {
        **{
            f"{what}:{prefix}_{n}{label_text({'job': 'models', **labels})}": v
            for n, v in recorded.items()
        },
        series(f"{prefix}_psi_threshold", "models", "a", **hour): of_hour,
        series(f"{prefix}_psi_threshold", "models", "b", **hour): of_b,
        series(f"{prefix}_psi_threshold", "models", "a", **day): of_day,
        series(f"{prefix}_drifted", "models", "a", **hour): verdicts[0],
        series(f"{prefix}_drifted", "models", "a", **day): verdicts[1],
        series(f"{prefix}_drifted", "models", "b", **hour): "0x90",
        series("mlmon_model_info", **BIKE, reference=reference): "1x90",
        series("mlmon_dependence_known", **BIKE): known,
    }


def _fleet(what: str) -> Iterator[Case]:
    alert, scores = "MlmonFleetDrift", partial(_scores, what)
    for name, drifted in {
        f"fires: an {what} by the hour, and by all windows of a replica": scores(),
        f"fires: an {what}; a new replica, with few rows, has a high threshold": scores(
            thresholds=("0.1x90", "0.9x90", "0.1x90")
        ),
        f"fires: an {what}; the exporter does not say yet what it knows of time": scores(
            known="_x90"
        ),
    }.items():
        yield Case(alert, name, drifted, 45, OF_BIKE, "1", MOST)
    for name, calm in {
        "silent: the hour is calm": scores(psi="0.05x90"),
        "silent: the day of no replica has drifted": scores(verdicts=("1x90", "0x90")),
        "silent: the reference was learned from the first rows": scores(reference="learned"),
        "silent: thresholds take rows for independent": scores(known="0x90"),
        "silent: so much may be chance": scores(noise="0.15x90"),
        "silent: few rows": scores(rows="900x90"),
        "silent: of this much, time brings as much": scores(
            thresholds=("0.5x90", "0.6x90", "0.1x90")
        ),
        "silent: no rows": scores(psi="_x90"),
        "silent: no threshold": scores(thresholds=("_x90", "_x90", "_x90")),
        "silent: for twenty minutes only": scores(psi="0.05x25 0.4x60"),
    }.items():
        yield Case(alert, name, calm, 45)


def _together() -> Iterator[Case]:
    both = {
        **_scores(),
        **_scores(column="wind", psi="0.5x90"),
        **_scores(column="cnt", psi="0x90"),
        **_scores("output", column="count", psi="0.3x90"),
    }
    importance = {
        series("mlmon_feature_importance_ratio", **BIKE, feature=feature): f"{share}x90"
        for feature, share in {"temp": "0.8", "wind": "0.1", "cnt": "0.1"}.items()
    }
    yield Case(
        "MlmonFleetDrift",
        "fires: and names the feature of the greatest PSI times importance",
        both | importance,
        45,
        OF_BIKE,
        "3",
        MOST,
    )
    yield Case(
        "MlmonFleetDrift",
        "fires: once for all features and outputs that drift",
        both,
        45,
        OF_BIKE,
        "3",
        ", wind the most (PSI 0.50)",
    )


DRIFT = CaseFile(
    RULES,
    [
        *_drifted("MlmonFeatureDrift", {"feature": "temp"}, "mlmon_feature"),
        *_drifted("MlmonPredictionDrift", {"output": "cnt"}, "mlmon_prediction"),
        *_joint(),
    ],
)
FLEET = CaseFile(RULES, [*_fleet("feature"), *_fleet("output"), *_fleet("derived"), *_together()])

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
