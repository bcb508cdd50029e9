"""Cases of quality: measured, expected, and of two versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .alert_cases import Case, CaseFile, dependence, series

VERSION = {"model": "income", "version": "1"}
OF_VERSION = {"job": "models", **VERSION}
ALL = {"segment_feature": "", "segment": ""}
WOMEN = {"segment_feature": "sex", "segment": "Female"}
LONG = "x120"
INDEPENDENT, DEPENDENT = (
    dependence("income", known, metric="mlmon_outcome_dependence_known") for known in "01"
)
UNKNOWN = "silent: thresholds take rows for independent"
KNOWN = "fires: they know how rows depend on each other"


def quality(
    name: str,
    value: str,
    threshold: str,
    of: Mapping[str, str] = ALL,
    window: str = "1h",
    instance: str = "a",
    version: str = "1",
) -> dict[str, str]:
    """Return a quality and its threshold."""
    labels = {"instance": instance, "model": "income", "version": version, "window": window, **of}
    return {
        series(f"mlmon_quality_{name}", **labels): f"{value}{LONG}",
        series(f"mlmon_quality_{name}_threshold", **labels): f"{threshold}{LONG}",
    }


def _drops() -> Iterator[Case]:
    def case(name: str, found: Mapping[str, str], **of: str) -> Case:
        labels = {**OF_VERSION, **of}
        fires = {"labels": labels, "value": "0.7"} if name.startswith("fires") else {}
        return Case("MlmonQualityDrop", name, found, 30, **fires)  # type: ignore[arg-type]

    women = quality("accuracy", "0.7", "0.75", WOMEN) | quality("accuracy", "0.9", "0.8")
    yield case("fires: of a segment", women, quality="accuracy", **WOMEN)
    for name, value in (("accuracy", "0.75"), ("roc_auc", "0.75")):
        bad = quality(name, "0.7", value)
        yield case(f"fires: {name} under its threshold", bad, quality=name)
    for name in ("log_loss", "brier", "rmse", "mae"):
        bad = quality(name, "0.7", "0.5")
        yield case(f"fires: {name} over its threshold", bad, quality=name)
        yield case(f"silent: {name} under it", quality(name, "0.5", "0.7"))
    two = quality("accuracy", "0.9", "0.75") | quality("accuracy", "0.7", "0.75", instance="b")
    yield case("fires: in one replica", two, quality="accuracy")
    bad = quality("accuracy", "0.7", "0.75")
    yield case(UNKNOWN, bad | INDEPENDENT)
    yield case(KNOWN, bad | DEPENDENT, quality="accuracy")
    yield case("silent: accuracy over it", quality("accuracy", "0.8", "0.75"))
    yield case("silent: area over it", quality("roc_auc", "0.8", "0.75"))
    yield case("silent: few outcomes, and so a low threshold", quality("accuracy", "0.7", "0.6"))
    yield case("silent: too few outcomes for a threshold", quality("accuracy", "0.7", "_"))
    labels = {**VERSION, **ALL, "window": "1h"}
    short = {
        series("mlmon_quality_accuracy", **labels): "0.7x10 0.9x100",
        series("mlmon_quality_accuracy_threshold", **labels): "0.8x120",
    }
    yield case("silent: for ten minutes only", short)


INFO = {series("mlmon_model_info", task="classification", reference="file", **VERSION): "1x120"}


def _pages() -> Iterator[Case]:
    hour = quality("accuracy", "0.7", "0.8")
    day = quality("accuracy", "0.75", "0.8", window="24h")
    labels = {**OF_VERSION, "quality": "accuracy"}

    def case(
        name: str, found: Mapping[str, str], of: str = "accuracy", value: str = "100%"
    ) -> Case:
        fires = {"labels": {**labels, "quality": of}, "value": value}
        given = fires if name.startswith("fires") else {}
        return Case("MlmonFleetQualityDrop", name, found, 45, **given)  # type: ignore[arg-type]

    yield case("fires: in the hour and in the day", {**hour, **day, **INFO})
    slow = quality("accuracy", "_", "_")
    yield case("fires: in the day, and the hour has no outcomes yet", {**slow, **day, **INFO})
    calm_b = quality("accuracy", "0.9", "0.8", instance="b")
    found = {**hour, **calm_b, **INFO}
    yield case("fires: in half of the replicas", found, value="50%")
    loss = quality("log_loss", "0.7", "0.5") | quality("accuracy", "0.9", "0.8")
    yield case("fires: of the losses alone", {**loss, **INFO}, of="log_loss")
    calm_c = quality("accuracy", "0.9", "0.8", instance="c")
    yield case("silent: in one replica of three", {**hour, **calm_b, **calm_c, **INFO})
    calm_day = quality("accuracy", "0.9", "0.8", window="24h")
    yield case("silent: the day is as it was", {**hour, **calm_day, **INFO})
    segment = quality("accuracy", "0.6", "0.8", WOMEN)
    yield case("silent: of a segment", {**segment, **INFO})
    challenger = quality("accuracy", "0.6", "0.8", version="2")
    yield case("silent: of a version that is tried beside", {**challenger, **INFO})
    yield case("silent: too few outcomes", {**quality("accuracy", "0.5", "_"), **INFO})
    yield case(UNKNOWN, hour | INFO | INDEPENDENT)
    yield case(KNOWN, hour | INFO | DEPENDENT)


def expected(accuracy: str, area: str = "0.9", window: str = "1h") -> dict[str, str]:
    """Return an estimate, and the reference that it is held against."""
    estimated = {**VERSION, "window": window}
    return {
        series("mlmon_estimated_quality_accuracy", **estimated): f"{accuracy}{LONG}",
        series("mlmon_estimated_quality_roc_auc", **estimated): f"{area}{LONG}",
        series("mlmon_reference_quality_accuracy", **VERSION, **ALL): f"0.85{LONG}",
        series("mlmon_reference_quality_accuracy", **VERSION, **WOMEN): f"0.1{LONG}",
        series("mlmon_reference_quality_roc_auc", **VERSION, **ALL): f"0.9{LONG}",
    }


def _estimates() -> Iterator[Case]:
    def case(name: str, found: Mapping[str, str], value: str = "", of: str = "accuracy") -> Case:
        labels = {**OF_VERSION, "quality": of} if name.startswith("fires") else {}
        return Case("MlmonEstimatedQualityDrop", name, found, 90, labels, value)

    both = expected("0.73") | expected("0.75", window="24h")
    yield case("fires: accuracy in all windows", both, "0.10")
    yield case("fires: the area", expected("0.85", "0.8"), "0.10", "roc_auc")
    yield case(
        "fires: ground truth agrees",
        expected("0.75") | quality("accuracy", "0.7", "0.8"),
        "0.10",
    )
    yield case("silent: a little less", expected("0.82"))
    yield case("silent: more", expected("0.95"))
    yield case("silent: the day is as it was", expected("0.75") | expected("0.85", window="24h"))
    yield case(
        "silent: ground truth says that all is well",
        expected("0.75") | quality("accuracy", "0.85", "0.8"),
    )
    yield case("silent: too few rows for an estimate", expected("_"))


def _errors() -> Iterator[Case]:
    def case(name: str, hour: str, day: str = "", **more: str) -> Case:
        found = {series("mlmon_reference_quality_mae", **VERSION, **ALL): f"20{LONG}"}
        for window, error in (("1h", hour), ("24h", day or hour)):
            labels = {**VERSION, "window": window}
            found[series("mlmon_estimated_quality_mae", **labels)] = f"{error}{LONG}"
        fires = name.startswith("fires")
        labels, value = (OF_VERSION, "1.50") if fires else ({}, "")
        return Case("MlmonEstimatedErrorRise", name, found | more, 90, labels, value)

    yield case("fires: half as much again in all windows", "30", "36")
    yield case("fires: ground truth agrees", "30", **quality("mae", "31", "25"))
    yield case("silent: a little more", "22")
    yield case("silent: the day is as it was", "30", "20")
    well = quality("mae", "20", "25") | quality("mae", "20", "25", window="24h")
    yield case("silent: ground truth says that all is well", "30", **well)
    yield case("silent: no estimate, since it is in doubt", "_")


def _concepts() -> Iterator[Case]:
    labels = {**VERSION, "window": "24h"}
    a, b = (series("mlmon_concept_drifted", instance=name, **labels) for name in "ab")
    name, of = "MlmonConceptDrift", OF_VERSION
    yield Case(name, "fires: one replica says so", {a: "0x60", b: "1x60"}, 30, of)
    yield Case(name, "silent: none does", {a: "0x60", b: "0x60"}, 30)
    yield Case(name, "silent: for ten minutes only", {a: "0x60", b: "1x10 0x50"}, 20)
    yield Case(name, "silent: too few outcomes to say", {a: "0x60", b: "_x60"}, 30)
    yield Case(name, UNKNOWN, {a: "1x60"} | INDEPENDENT, 30)
    yield Case(name, KNOWN, {a: "1x60"} | DEPENDENT, 30, of)


def _calibration() -> Iterator[Case]:
    def found(error: str, rows: str = "5000", reference: str = "0.02") -> dict[str, str]:
        labels = {**VERSION, "window": "24h", **ALL}
        return {
            series("mlmon_quality_calibration_error", **labels): f"{error}{LONG}",
            series("mlmon_quality_rows", **labels): f"{rows}{LONG}",
            series("mlmon_reference_quality_calibration_error", **VERSION, **ALL): (
                f"{reference}{LONG}"
            ),
        }

    name, of = "MlmonCalibrationOff", OF_VERSION
    yield Case(name, "fires: off by a fifth", found("0.22"), 60, of, "0.20")
    yield Case(name, "silent: about as in the reference", found("0.1"), 60)
    yield Case(name, "silent: the reference is as bad", found("0.22", reference="0.2"), 60)
    yield Case(name, "silent: few outcomes", found("0.22", rows="900"), 60)
    yield Case(name, "silent: no probabilities", found("_"), 60)
    yield Case(name, UNKNOWN, found("0.22") | INDEPENDENT, 60)


def _versions() -> Iterator[Case]:
    def found(name: str, of_a: str, of_b: str = "_", threshold: str = "0.05") -> dict[str, str]:
        labels = {"model": "income", "version": "2", "window": "24h"}
        bar = f"mlmon_quality_{name}_difference_threshold"
        return {
            series(f"mlmon_quality_{name}_difference", **labels): f"{of_a}{LONG}",
            series(f"mlmon_quality_{name}_difference", instance="b", **labels): f"{of_b}{LONG}",
            series(bar, **labels): f"{threshold}{LONG}",
            series(bar, instance="b", **labels): f"{threshold}{LONG}",
        }

    def case(name: str, given: Mapping[str, str], of: str = "", value: str = "") -> Case:
        labels = {"job": "models", "model": "income", "version": "2"}
        fires = {**labels, "quality": of} if of else {}
        return Case("MlmonVersionsDiffer", name, given, 90, fires, value)

    yield case("fires: worse", found("accuracy", "-0.1"), "accuracy", "-0.1")
    yield case("fires: better", found("accuracy", "0.1", "0.2"), "accuracy", "+0.15")
    yield case("fires: of errors", found("rmse", "7", "0"), "rmse", "+7")
    yield case("silent: by chance", found("accuracy", "-0.1", threshold="0.2"))
    yield case("silent: alike", found("rmse", "0", "0.01"))
    yield case(UNKNOWN, found("accuracy", "-0.1") | INDEPENDENT)
    yield case("silent: too few outcomes", found("accuracy", "-0.1", threshold="_"))


RULES = ["alerting/mlmon-quality.yml"]
QUALITY = CaseFile(
    RULES,
    [*_drops(), *_pages(), *_concepts(), *_calibration(), *_versions()],
)
ESTIMATES = CaseFile(["optional/mlmon-estimates.yml"], [*_estimates(), *_errors()])
