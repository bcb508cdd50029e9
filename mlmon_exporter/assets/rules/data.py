"""Alerts on the quality of the features' values, each against the exported threshold."""

from __future__ import annotations

from typing import NamedTuple

from .alert import Alert
from .settings import Settings

FEATURE = "job, model, version, feature, window"


class Share(NamedTuple):
    """A share of rows that has a threshold."""

    alert: str
    metric: str
    what: str
    """What so many rows have."""


SHARES = (
    Share(
        "MlmonMissingValues", "mlmon_feature_missing", "no usable value of {{ $labels.feature }}"
    ),
    Share(
        "MlmonUnseenCategory",
        "mlmon_feature_unseen",
        "a category of {{ $labels.feature }} that the reference never had",
    ),
    Share(
        "MlmonOutOfRange",
        "mlmon_feature_tail",
        "a {{ $labels.feature }} beyond all but 0.2 % of the reference",
    ),
)


def alerts(settings: Settings) -> list[Alert]:
    """Return the table. Thresholds rise as rows get fewer; where they are too few there is none."""
    return [
        Alert(
            name=share.alert,
            severity="warning",
            expr=(
                f"max by ({FEATURE}) (\n"
                f"  {settings.select(f'{share.metric}_ratio')} > "
                f"{settings.select(f'{share.metric}_threshold')}\n)"
            ),
            labels=("job", "model", "version", "feature", "window"),
            hold="10m",
            keep="30m",
            summary=f"Rows of {{{{ $labels.model }}}} have {share.what}",
            description=(
                "{{ $value | humanizePercentage }} of the rows of {{ $labels.model }} "
                "{{ $labels.version }} ({{ $labels.job }}) in the last {{ $labels.window }} have "
                f"{share.what}: more than unchanged traffic has."
            ),
            board="drift",
        )
        for share in SHARES
    ]
