"""Alerts on segments that a model treats unequally: optional, not loaded by default.

Between twenty equal groups chance alone brings a ratio under 0.8 in up to one window of twenty.
The parities are the exporter's; the rules compare again the segments that are large enough, since
between small ones chance makes gaps of any size.
"""

from __future__ import annotations

from .alert import Alert
from .settings import VERSION, Settings

PARITY = f"{VERSION}, segment_feature"
OWN = f"{PARITY}, instance, window"
"""Each replica compares its own segments."""
LABELS = ("job", "model", "version", "segment_feature")
LEAST_SELECTED = 500
"""Rows that a segment would have selected at the rate of all segments. Their share varies by less
than a twentieth (a standard error), so that equal segments are hardly ever a fifth apart."""
LEAST_OUTCOMES = 300
"""Rows that a ratio is of: true positives, or true negatives. It varies by less than 0.03 (a
standard error) then; of a thousand outcomes ten may be positive, and their ratio varies by 0.15."""
ODDS_GAP = 0.2
"""Twice what is commonly let pass as fair, such as by AI Fairness 360."""
WHO = "{{ $labels.model }} {{ $labels.version }} ({{ $labels.job }})"


def alerts(settings: Settings) -> list[Alert]:
    """Return the table."""
    return [_four_fifths(settings), _odds(settings)]


def _four_fifths(settings: Settings) -> Alert:
    parity = settings.select("mlmon_demographic_parity_ratio")
    selection = settings.select("mlmon_segment_selection_ratio")
    rows = settings.select("mlmon_segment_rows")
    rate = f"sum by ({OWN}) ({selection} * {rows}) / sum by ({OWN}) ({rows})"
    large = f"""\
    {selection}
    and {rows} * on ({OWN}) group_left () ({rate}) >= {LEAST_SELECTED}"""
    return Alert(
        name="MlmonFourFifthsRule",
        severity="warning",
        expr=f"""\
min by ({PARITY}) (
  {parity} < {settings.parity_objective:g}
  and on ({OWN})
  min by ({OWN}) (
{large}
  )
  / max by ({OWN}) (
{large}
  )
  < {settings.parity_objective:g}
) < {settings.parity_objective:g}""",
        labels=LABELS,
        hold="1h",
        keep="1h",
        summary="{{ $labels.model }} selects segments of {{ $labels.segment_feature }} unequally",
        description=(
            "In a window, the segment of {{ $labels.segment_feature }} that "
            f"{WHO} selects least is selected {{{{ $value | humanizePercentage }}}} as often as "
            f"the one that it selects most; the rule of thumb asks for "
            f"{100 * settings.parity_objective:g} %."
        ),
        board="quality",
    )


def _odds(settings: Settings) -> Alert:
    difference = settings.select("mlmon_equalized_odds_difference")
    positives = settings.select("mlmon_segment_positive_rows")
    negatives = f"{settings.select('mlmon_quality_rows')} - {positives}"

    def spread(kind: str, rows: str) -> str:
        ratio = settings.select(f"mlmon_segment_{kind}_positive_ratio")
        large = f"{ratio} and {rows} >= {LEAST_OUTCOMES}"
        return f"max by ({OWN}) ({large}) - min by ({OWN}) ({large}) > {ODDS_GAP:g}"

    return Alert(
        name="MlmonEqualizedOdds",
        severity="warning",
        expr=f"""\
max by ({PARITY}) (
  {difference}
  and on ({OWN}) (
    {spread("true", positives)}
    or
    {spread("false", negatives)}
  )
) > {ODDS_GAP:g}""",
        labels=LABELS,
        hold="1h",
        keep="1h",
        summary="{{ $labels.model }} errs unequally by {{ $labels.segment_feature }}",
        description=(
            "In a window, the true or false positive ratios of "
            f"{WHO} are {{{{ $value | printf `%.2f` }}}} apart between segments of "
            "{{ $labels.segment_feature }}."
        ),
        board="quality",
    )
