"""Cases of drift of features that matter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .alert_cases import Case, CaseFile, dependence, series

BIKE = {"model": "bike", "version": "1"}
SHARES = {"temp": "0.4", "hum": "0.25", "wind": "0.1", "day": "0.25"}


def drift(*drifted: str, shares: Mapping[str, str] = SHARES, values: str = "1") -> dict[str, str]:
    """Return the importance of all features, and verdicts of two replicas of which one drifted."""
    found: dict[str, str] = {}
    for feature, share in shares.items():
        labels = {**BIKE, "feature": feature}
        of = {**labels, "window": "24h"}
        verdict = values if feature in drifted else "0"
        found |= {
            series("mlmon_feature_importance_ratio", instance=i, **labels): f"{share}x120"
            for i in "ab"
        }
        found[series("mlmon_feature_drifted", instance="a", **of)] = f"{verdict}x120"
        found[series("mlmon_feature_drifted", instance="b", **of)] = "0x120"
    return found


def _cases() -> Iterator[Case]:
    def case(name: str, found: Mapping[str, str], value: str = "") -> Case:
        of = {"job": "models", **BIKE} if value else {}
        return Case("MlmonImportantDrift", name, found, 60, of, value)

    yield case("fires: one that has much", drift("temp"), "40%")
    yield case("fires: two that have it together", drift("hum", "wind"), "35%")
    yield case("silent: one that has little", drift("hum"))
    yield case("silent: none", drift())
    yield case("silent: for twenty minutes", drift("temp", values="0x40 1"))
    unknown = dependence("bike", "0") | dependence("bike", "0", "b")
    yield case("silent: thresholds take rows for independent", drift("temp") | unknown)
    none = {name: v for name, v in drift("temp").items() if "importance" not in name}
    yield case("silent: the reference knows no importance", none)


IMPORTANCE = CaseFile(["optional/mlmon-importance.yml"], [*_cases()])
