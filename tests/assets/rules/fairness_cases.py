"""Cases of segments that are treated unlike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .alert_cases import Case, CaseFile, dependence, series

HERE = {"model": "income", "version": "1", "window": "24h"}
SEX = {**HERE, "segment_feature": "sex"}
OF_SEX = {"job": "models", "model": "income", "version": "1", "segment_feature": "sex"}
LONG = "x120"
INDEPENDENT = dependence("income", "0")
OUTCOMES_INDEPENDENT = dependence("income", "0", metric="mlmon_outcome_dependence_known")


def parity(ratio: str, instance: str = "a", window: str = "24h") -> dict[str, str]:
    """Return the parity of the segments that differ by more than chance."""
    labels = {"instance": instance, **SEX, "window": window}
    return {series("mlmon_demographic_parity_significant_ratio", **labels): f"{ratio}{LONG}"}


def _four_fifths() -> Iterator[Case]:
    def case(name: str, found: Mapping[str, str], value: str = "") -> Case:
        return Case("MlmonFourFifthsRule", name, found, 90, OF_SEX if value else {}, value)

    yield case("fires: half as often", parity("0.5"), "50%")
    yield case("fires: one segment is never selected", parity("0"), "0%")
    yield case("fires: in one replica", parity("0.5") | parity("0.9", "b"), "50%")
    yield case("fires: in one window", parity("0.7") | parity("1", window="1h"), "70%")
    yield case("silent: 85 %", parity("0.85"))
    yield case("silent: chance explains all gaps", parity("1"))
    yield case("silent: one segment", parity("_"))
    yield case("silent: thresholds take rows for independent", parity("0.5") | INDEPENDENT)
    yield case("silent: outcomes are taken for independent", parity("0.5") | OUTCOMES_INDEPENDENT)
    yield case("silent: for half an hour", parity("1x60 0.5"))


def odds(gap: str, instance: str = "a") -> dict[str, str]:
    """Return the gap between the segments that differ by more than chance."""
    labels = {"instance": instance, **SEX}
    return {series("mlmon_equalized_odds_significant_difference", **labels): f"{gap}{LONG}"}


def _odds() -> Iterator[Case]:
    def case(name: str, found: Mapping[str, str], value: str = "") -> Case:
        return Case("MlmonEqualizedOdds", name, found, 90, OF_SEX if value else {}, value)

    yield case("fires: 0.3 apart", odds("0.3"), "0.30")
    yield case("fires: in one replica", odds("0.3") | odds("0.1", "b"), "0.30")
    yield case("silent: 0.1 apart", odds("0.1"))
    yield case("silent: chance explains all gaps", odds("0"))
    yield case("silent: no outcomes", odds("_"))
    yield case("silent: thresholds take rows for independent", odds("0.3") | INDEPENDENT)
    yield case("silent: outcomes are taken for independent", odds("0.3") | OUTCOMES_INDEPENDENT)


FAIRNESS = CaseFile(["optional/mlmon-fairness.yml"], [*_four_fifths(), *_odds()])
