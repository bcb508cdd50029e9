"""Cases of ground truth that stays away, is late, or finds nothing."""

from __future__ import annotations

from functools import partial

from .alert_cases import ANY, Case, CaseFile, dependence, series

BIKE = {"model": "bike", "version": "1"}
OF_BIKE = {"job": "models", "model": "bike"}
ROWS = series("mlmon_prediction_rows_total", **BIKE)
truths = partial(series, "mlmon_ground_truth_total")
MATCHED, LATE, INVALID, DUPLICATE = (
    truths(outcome=outcome, **BIKE) for outcome in ("matched", "late", "invalid", "duplicate")
)
UNKNOWN = truths(outcome="unknown", model="", version="")
FULL = series("mlmon_dropped_total", reason="pending_full")
WEEK = 7 * 24 * 60
"""Minutes; samples are ten minutes apart."""
HOURS = 60
FLOWING = {ROWS: "0+100x1400"}


def nightly(nights: int, count: int = 500) -> str:
    """Return a counter that rises once a day, for so many days, and then stays."""
    days = [f"{night * count}x143" for night in range(nights)]
    return " ".join([*days, f"{nights * count}x400"])


STOPPED = [
    Case(
        "MlmonGroundTruthStopped",
        "fires: a nightly job sends nothing any more",
        {MATCHED: nightly(8), **FLOWING},
        at=WEEK + 32 * HOURS + 24 * HOURS,
        labels=OF_BIKE,
    ),
    Case(
        "MlmonGroundTruthStopped",
        "fires: all of it is unknown now",
        {MATCHED: "0+1x1008 1008+0x400", UNKNOWN: "0x1008 0+1x400", **FLOWING},
        at=WEEK + 36 * HOURS,
        labels=OF_BIKE,
    ),
    Case(
        "MlmonGroundTruthStopped",
        "silent: a nightly job is four hours late",
        {MATCHED: nightly(8), **FLOWING},
        at=WEEK + 52 * HOURS,
    ),
    Case(
        "MlmonGroundTruthStopped",
        "silent: it comes once a week",
        {MATCHED: "0x72 500x1007 1000x400", **FLOWING},
        at=WEEK + 36 * HOURS,
    ),
    Case(
        "MlmonGroundTruthStopped",
        "silent: nothing is predicted either",
        {MATCHED: nightly(8), ROWS: "0+100x1000 100000+0x400"},
        at=WEEK + 56 * HOURS,
    ),
    Case(
        "MlmonGroundTruthStopped",
        "silent: there were a few only",
        {MATCHED: nightly(8, count=50), **FLOWING},
        at=WEEK + 56 * HOURS,
    ),
    Case(
        "MlmonGroundTruthStopped",
        "silent: there never was any",
        {MATCHED: "0x1400", **FLOWING},
        at=WEEK + 56 * HOURS,
    ),
]
DAY = 24 * HOURS


def late(matched: int, late: int) -> dict[str, str]:
    return {MATCHED: f"0+{matched}x400", LATE: f"0+{late}x400"}


OF_A = {"job": "models", "instance": "a"}
OF_MODEL = {**OF_A, "model": "bike"}
UNUSED = "MlmonGroundTruthUnused"
UNKNOWN_B = truths(instance="b", outcome="unknown", model="", version="")
ARRIVED = [
    Case(UNUSED, "fires: three of four late", late(1, 3), DAY + 180, OF_MODEL, "75%"),
    Case(UNUSED, "fires: all late", late(0, 3), DAY + 180, OF_MODEL, "100%"),
    Case(
        UNUSED,
        "fires: values that are no class",
        {INVALID: "0+3x400", MATCHED: "0+1x400"},
        DAY + 180,
        OF_MODEL,
        "75%",
    ),
    Case(
        UNUSED,
        "fires: ids are of another system",
        {UNKNOWN: "0+3x400", MATCHED: "0+1x400"},
        DAY + 180,
        OF_A,
        "75%",
    ),
    Case(
        UNUSED,
        "fires: all that one of many services is sent is unknown",
        {
            UNKNOWN: "0+3x400",
            **{
                truths(instance=str(number), outcome="matched", model=f"m{number}"): "0+9x400"
                for number in range(20)
            },
        },
        DAY + 180,
        OF_A,
        "100%",
    ),
    Case(UNUSED, "silent: a third late", late(2, 1), DAY + 180),
    Case(UNUSED, "silent: less than a hundred", {MATCHED: "0x400", LATE: "0 50x400"}, DAY - 180),
    Case(UNUSED, "silent: a third unknown", {UNKNOWN: "0+1x400", MATCHED: "0+2x400"}, DAY + 180),
    Case(
        UNUSED,
        "silent: a file was sent again",
        {DUPLICATE: "0+9x400", MATCHED: "0+1x400", UNKNOWN: "0x400"},
        DAY + 180,
    ),
    Case(
        UNUSED,
        "silent: less than a hundred unknown",
        {MATCHED: "0x400", UNKNOWN: "0 50x400"},
        DAY + 180,
    ),
]


def pending(dropped: int, matched: int = 1, rows: int = 1000) -> dict[str, str]:
    """Return counters by their growth in ten minutes."""
    return {
        FULL: f"0+{dropped}x30",
        MATCHED: f"0+{matched}x30",
        ROWS: f"0+{rows}x30",
    }


DROPPED = [
    Case(
        "MlmonPendingDropped",
        "fires: a tenth of what is predicted",
        pending(100),
        180,
        OF_A,
        "10%",
    ),
    Case(
        "MlmonPendingDropped",
        "fires: the first ever, whose series appears with them",
        {**pending(0), FULL: "_x6 100+100x24"},
        180,
        OF_A,
        ANY,
    ),
    Case("MlmonPendingDropped", "silent: nobody sends ground truth", pending(100, matched=0), 180),
    Case("MlmonPendingDropped", "silent: of very many", pending(100, rows=100_000), 180),
    Case("MlmonPendingDropped", "silent: a few", pending(10, rows=100), 180),
    Case("MlmonPendingDropped", "silent: none", pending(0), 180),
    Case(
        "MlmonPendingDropped",
        "silent: the queue is full, which is another alert",
        {
            **pending(0),
            series("mlmon_dropped_total", reason="queue_full"): "0+500x30",
        },
        180,
    ),
]


def parity(window: str, ratio: str) -> dict[str, str]:
    return {series("mlmon_ground_truth_parity_ratio", **BIKE, window=window): f"{ratio}x60"}


UNEVEN = [
    Case(
        "MlmonGroundTruthUneven",
        "fires: bad ones are known early",
        parity("24h", "0.4") | parity("1h", "1"),
        8 * HOURS,
        {**OF_BIKE, "version": "1"},
        "40%",
    ),
    Case(
        "MlmonGroundTruthUneven", "silent: chance explains all gaps", parity("24h", "1"), 8 * HOURS
    ),
    Case(
        "MlmonGroundTruthUneven",
        "silent: thresholds take rows for independent",
        parity("24h", "0.4") | dependence("bike", "0"),
        8 * HOURS,
    ),
    Case(
        "MlmonGroundTruthUneven",
        "silent: outcomes are taken for independent",
        parity("24h", "0.4") | dependence("bike", "0", metric="mlmon_outcome_dependence_known"),
        8 * HOURS,
    ),
    Case("MlmonGroundTruthUneven", "silent: nearly as often", parity("24h", "0.9"), 8 * HOURS),
]
COVERED = series("mlmon_ground_truth_coverage_ratio", predicted_class="", window="24h", **BIKE)
OF_BAD = series("mlmon_ground_truth_coverage_ratio", predicted_class="bad", window="24h", **BIKE)
FALLEN = [
    Case(
        "MlmonGroundTruthUneven",
        "fires: a third of what came a week ago",
        {COVERED: "0.9x1008 0.3x400", OF_BAD: "0.9x1408", **FLOWING},
        at=WEEK + 8 * HOURS,
        labels={**OF_BIKE, "version": "1"},
        value="33.33%",
    ),
    Case(
        "MlmonGroundTruthUneven",
        "silent: outcomes take their time",
        {COVERED: "0.05x1408", **FLOWING},
        at=WEEK + 8 * HOURS,
    ),
    Case(
        "MlmonGroundTruthUneven",
        "silent: two thirds of it still come",
        {COVERED: "0.9x1008 0.6x400", **FLOWING},
        at=WEEK + 8 * HOURS,
    ),
    Case(
        "MlmonGroundTruthUneven",
        "silent: of one class, whose difference chance explains",
        {COVERED: "0.9x1408", OF_BAD: "0.9x1008 0.3x400", **FLOWING},
        at=WEEK + 8 * HOURS,
    ),
    Case(
        "MlmonGroundTruthUneven",
        "silent: the nightly job is four hours late",
        {COVERED: "0.9x1008 0.3x400", **FLOWING},
        at=WEEK + 4 * HOURS,
    ),
    Case(
        "MlmonGroundTruthUneven",
        "silent: hardly anything is predicted",
        {COVERED: "0.9x1008 0.3x400", ROWS: "0+0.1x1400"},
        at=WEEK + 8 * HOURS,
    ),
]
OUTCOMES = CaseFile(
    ["alerting/mlmon-outcomes.yml"],
    [*STOPPED, *ARRIVED, *FALLEN, *UNEVEN, *DROPPED],
    every="10m",
    evaluated="1h",
)
LASTING = CaseFile(
    ["alerting/mlmon-outcomes.yml"],
    [
        Case(
            "MlmonGroundTruthStopped",
            "fires: nothing for three weeks",
            {MATCHED: nightly(8).replace("x400", "x4000"), ROWS: "0+100x5000"},
            at=4 * WEEK,
            labels=OF_BIKE,
        ),
        Case(
            "MlmonGroundTruthStopped",
            "silent: it came again after two weeks",
            {
                MATCHED: nightly(8).replace("x400", "x1800 ")
                + " ".join(f"{4000 + 500 * day}x143" for day in range(1, 9)),
                ROWS: "0+100x5000",
            },
            at=8 * 24 * HOURS + 1800 * 10 + 5 * 24 * HOURS,
        ),
    ],
    every="10m",
)
