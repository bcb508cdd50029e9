"""Alerts on segments that a model treats unequally: optional, not loaded by default.

Only segments that differ by more than chance count, as the exporter tests them: between twenty
equal groups chance alone brings a ratio under 0.8 in up to one window of twenty.
"""

from __future__ import annotations

from .alert import OUTCOMES_KNOWN, ROWS_KNOWN, THE_MODEL, Alert, unless_independent
from .settings import VERSION, Settings

PARITY = f"{VERSION}, segment_feature"
LABELS = ("job", "model", "version", "segment_feature")
ODDS_GAP = 0.2
"""Twice what is commonly let pass as fair, such as by AI Fairness 360."""


def alerts(settings: Settings) -> list[Alert]:
    """Return the table."""
    return [_four_fifths(settings), _odds(settings)]


def _of_known(settings: Settings, parity: str) -> str:
    return f"{settings.select(parity)} {unless_independent(settings, ROWS_KNOWN, OUTCOMES_KNOWN)}"


def _four_fifths(settings: Settings) -> Alert:
    ratio = _of_known(settings, "mlmon_demographic_parity_significant_ratio")
    return Alert(
        name="MlmonFourFifthsRule",
        severity="warning",
        expr=f"min by ({PARITY}) ({ratio}) < {settings.parity_objective:g}",
        labels=LABELS,
        hold="1h",
        keep="1h",
        summary="{{ $labels.model }} selects segments of {{ $labels.segment_feature }} unequally",
        description=(
            "In a window, the segment of {{ $labels.segment_feature }} that "
            f"{THE_MODEL} selects least is selected {{{{ $value | humanizePercentage }}}} as often "
            f"as the one that it selects most; the rule of thumb asks for "
            f"{100 * settings.parity_objective:g} %."
        ),
        board="quality",
    )


def _odds(settings: Settings) -> Alert:
    difference = _of_known(settings, "mlmon_equalized_odds_significant_difference")
    return Alert(
        name="MlmonEqualizedOdds",
        severity="warning",
        expr=f"max by ({PARITY}) ({difference}) > {ODDS_GAP:g}",
        labels=LABELS,
        hold="1h",
        keep="1h",
        summary="{{ $labels.model }} errs unequally by {{ $labels.segment_feature }}",
        description=(
            "In a window, the true or false positive ratios of "
            f"{THE_MODEL} are {{{{ $value | printf `%.2f` }}}} apart between segments of "
            "{{ $labels.segment_feature }}."
        ),
        board="quality",
    )
