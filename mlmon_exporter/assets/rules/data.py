"""Alerts on the quality of the features' values, each against the exported threshold."""

from __future__ import annotations

from typing import NamedTuple

from .alert import THE_MODEL, Alert
from .settings import VERSION, Settings

FEATURE = f"{VERSION}, feature"


class Share(NamedTuple):
    """A share of rows that has a threshold."""

    alert: str
    metric: str
    what: str
    """Property of the rows that are counted."""


SHARES = (
    Share(
        "MlmonMissingValues", "mlmon_feature_missing", "no usable value of {{ $labels.feature }}"
    ),
    Share(
        "MlmonUnseenCategory",
        "mlmon_feature_unseen",
        "a category of {{ $labels.feature }} that the reference never had",
    ),
)


def alerts(settings: Settings) -> list[Alert]:
    """Return the table; windows with too few rows have no threshold, and no alert."""
    return [
        Alert(
            name=share.alert,
            severity="warning",
            expr=(
                f"max by ({FEATURE}) (\n"
                f"  {settings.select(f'{share.metric}_ratio')} > "
                f"{settings.select(f'{share.metric}_threshold')}\n)"
            ),
            labels=("job", "model", "version", "feature"),
            hold="10m",
            keep="30m",
            summary=f"Rows of {{{{ $labels.model }}}} have {share.what}",
            description=(
                f"{{{{ $value | humanizePercentage }}}} of the rows of {THE_MODEL} in a window "
                f"have {share.what}: more than unchanged traffic has."
            ),
            board="drift",
        )
        for share in SHARES
    ]
