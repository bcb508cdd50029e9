"""Cases of the features' values."""

from __future__ import annotations

from collections.abc import Iterator

from .alert_cases import Case, CaseFile, series

FEATURE = {"model": "bike", "version": "1", "feature": "temp", "window": "1h"}
LABELS = {"job": "models", "model": "bike", "version": "1", "feature": "temp"}


def _cases(alert: str, what: str) -> Iterator[Case]:
    """Give what all shares with a threshold have in common; `b` is another replica."""
    ratio, threshold = (
        series(f"mlmon_feature_{what}_{of}", **FEATURE) for of in ("ratio", "threshold")
    )
    others = {
        series(f"mlmon_feature_{what}_ratio", instance="b", **FEATURE): "0.01x90",
        series(f"mlmon_feature_{what}_threshold", instance="b", **FEATURE): "0.05x90",
    }
    for name, of, bar, at in (
        ("fires: a replica is over its threshold", "0.2x60", "0.05x60", 30),
        ("silent: under it", "0.04x60", "0.05x60", 30),
        ("silent: few rows, and so a high threshold", "0.2x60", "0.3x60", 30),
        ("silent: too few rows for a threshold", "0.2x60", "_x60", 30),
        ("silent: for five minutes only", "0.2x5 0x55", "0.05x60", 12),
        (
            "fires: over since twenty minutes, so that it does not flap",
            "0.2x30 0x60",
            "0.05x90",
            50,
        ),
        ("silent: over since forty minutes", "0.2x30 0x60", "0.05x90", 70),
    ):
        found = {"labels": LABELS, "value": "20%"} if name.startswith("fires") else {}
        yield Case(alert, name, {ratio: of, threshold: bar, **others}, at, **found)  # type: ignore[arg-type]


SHARES = CaseFile(
    ["alerting/mlmon-data.yml"],
    [
        *_cases("MlmonMissingValues", "missing"),
        *_cases("MlmonUnseenCategory", "unseen"),
    ],
)
