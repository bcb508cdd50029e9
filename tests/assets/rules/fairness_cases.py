"""Cases of segments that are treated unlike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .alert_cases import Case, CaseFile, series

HERE = {"model": "income", "version": "1", "window": "24h"}
SEX = {**HERE, "segment_feature": "sex"}
OF_SEX = {"job": "models", "model": "income", "version": "1", "segment_feature": "sex"}
LONG = "x120"


def parity(ratio: str, instance: str = "a", **segments: tuple[float, int]) -> dict[str, str]:
    """Return the parity and, of each segment, how often it is selected and its rows."""
    found = {series("mlmon_demographic_parity_ratio", instance=instance, **SEX): f"{ratio}{LONG}"}
    for name, (selection, rows) in segments.items():
        labels = {"instance": instance, **SEX, "segment": name}
        found[series("mlmon_segment_selection_ratio", **labels)] = f"{selection}{LONG}"
        found[series("mlmon_segment_rows", **labels)] = f"{rows}{LONG}"
    return found


def _four_fifths() -> Iterator[Case]:
    def case(name: str, found: Mapping[str, str], value: str = "") -> Case:
        return Case("MlmonFourFifthsRule", name, found, 90, OF_SEX if value else {}, value)

    men, women = (0.3, 6000), (0.15, 4000)
    yield case("fires: half as often", parity("0.5", men=men, women=women), "50%")
    never = parity("0", men=men, women=(0, 4000))
    yield case("fires: one segment is never selected", never, "0%")
    small = parity("0.5", men=men, women=women, other=(0.2, 150))
    yield case("fires: beside a small segment", small, "50%")
    alike = parity("0.9", "b", men=men, women=(0.27, 4000))
    yield case("fires: in one replica", parity("0.5", men=men, women=women) | alike, "50%")
    yield case("silent: 85 %", parity("0.85", men=men, women=(0.255, 4000)))
    yield case("silent: few rows", parity("0.5", men=(0.3, 600), women=(0.15, 400)))
    yield case("silent: few are selected", parity("0.5", men=(0.02, 6000), women=(0.01, 4000)))
    odd = parity("0.5", men=men, women=(0.27, 4000), other=(0.15, 150))
    yield case("silent: a small segment alone is far off", odd)
    yield case("silent: one segment", parity("_", men=men))


def odds(
    gap: str, kind: str = "true", positive: float = 0.5, **segments: tuple[float, int]
) -> dict[str, str]:
    """Return the gap and, of each segment, a ratio and its outcomes, a share of them positive."""
    found = {series("mlmon_equalized_odds_difference", **SEX): f"{gap}{LONG}"}
    for name, (ratio, rows) in segments.items():
        labels = {**SEX, "segment": name}
        found[series(f"mlmon_segment_{kind}_positive_ratio", **labels)] = f"{ratio}{LONG}"
        found[series("mlmon_quality_rows", **labels)] = f"{rows}{LONG}"
        found[series("mlmon_segment_positive_rows", **labels)] = f"{rows * positive:g}{LONG}"
    return found


def _odds() -> Iterator[Case]:
    def case(name: str, found: Mapping[str, str], value: str = "") -> Case:
        return Case("MlmonEqualizedOdds", name, found, 90, OF_SEX if value else {}, value)

    men, women = (0.8, 6000), (0.5, 4000)
    yield case("fires: true positives", odds("0.3", men=men, women=women), "0.30")
    false = odds("0.3", "false", men=men, women=women)
    yield case("fires: false positives", false, "0.30")
    yield case("silent: 0.1 apart", odds("0.1", men=men, women=(0.7, 4000)))
    yield case("silent: few outcomes", odds("0.3", men=men, women=(0.5, 500)))
    rare = odds("0.3", positive=0.01, men=men, women=women)
    yield case("silent: many outcomes, few of them positive", rare)
    common = odds("0.3", "false", positive=0.99, men=men, women=women)
    yield case("silent: many outcomes, few of them negative", common)
    odd = odds("0.3", men=men, women=(0.75, 4000), other=(0.5, 200))
    yield case("silent: a small segment alone is far off", odd)
    yield case("silent: no outcomes", odds("_", men=men))


FAIRNESS = CaseFile(["optional/mlmon-fairness.yml"], [*_four_fifths(), *_odds()])
