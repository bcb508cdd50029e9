"""Alerts on ground truth: that it comes, in time, for all classes, and finds its predictions.

Jobs that send it run nightly or weekly, so a day is compared with the same day a week ago.
"""

from __future__ import annotations

from .alert import OUTCOMES_KNOWN, ROWS_KNOWN, THE_MODEL, Alert, latched, unless_independent
from .settings import MODEL, TARGET, VERSION, Settings

LEAST_ROWS = 100
"""Ground truths in a day, under which neither their absence nor their shares mean anything."""
LEAST_PARITY = 0.8
"""Of two predicted classes' coverage: beyond it, quality is that of the outcomes that came."""
LEAST_KEPT = 0.5
"""Of the coverage of a week ago."""
WHO = "{{ $labels.model }} ({{ $labels.job }})"


def alerts(settings: Settings) -> list[Alert]:
    """Return the table."""
    return [
        _stopped(settings),
        _unused(settings),
        _uneven(settings),
        _dropped(settings),
    ]


def _of_day(settings: Settings, by: str, outcomes: str, offset: str = "") -> str:
    """Return the ground truths of some outcomes in a day."""
    selected = settings.select("mlmon_ground_truth_total", f'outcome=~"{outcomes}"')
    return f"sum by ({by}) (increase({selected}[{settings.span('1d')}]{offset}))"


def _stopped(settings: Settings) -> Alert:
    a_week_ago = f" offset {settings.span('1w')}"
    rows = settings.select("mlmon_prediction_rows_total")
    return Alert(
        name="MlmonGroundTruthStopped",
        severity="warning",
        expr=f"""\
(
  (
    {_of_day(settings, MODEL, "matched", a_week_ago)} >= {LEAST_ROWS}
    or {latched(settings, "MlmonGroundTruthStopped", MODEL)}
  )
  unless {_of_day(settings, MODEL, "matched")} > 0
)
and sum by ({MODEL}) (increase({rows}[{settings.span("1d")}])) >= {LEAST_ROWS}""",
        labels=("job", "model"),
        # A nightly job may be some hours late.
        hold="6h",
        summary="No ground truth of {{ $labels.model }} comes any more",
        description=(
            f"{WHO} predicts, but no ground truth was joined for a day or more; it was on the same "
            "day a week before. Its quality is not known."
        ),
        board="quality",
    )


def _unused(settings: Settings) -> Alert:
    def of_day(by: str, outcomes: str) -> str:
        return _of_day(settings, by, outcomes)

    model = f"{TARGET}, model"
    return Alert(
        name="MlmonGroundTruthUnused",
        severity="warning",
        # An unknown prediction has no model: its share is of all that the target was sent.
        expr=f"""\
{of_day(model, "late|invalid")}
/
({of_day(model, "matched|late|invalid")} >= {LEAST_ROWS})
> 0.5
or
{of_day(TARGET, "unknown")}
/
({of_day(TARGET, "matched|late|unknown|invalid")} >= {LEAST_ROWS})
> 0.5""",
        labels=("job", "instance", "model"),
        hold="1h",
        keep="1h",
        summary="Most ground truth sent to {{ $labels.instance }} is of no use",
        description=(
            "{{ $value | humanizePercentage }} of a day's ground truth sent to "
            "{{ $labels.instance }} ({{ $labels.job }} {{ $labels.model }}) is counted in no "
            "quality: it came too late, names an unknown prediction, or has an impossible value."
        ),
        board="quality",
    )


def _uneven(settings: Settings) -> Alert:
    parity = settings.select("mlmon_ground_truth_parity_ratio")
    known = unless_independent(settings, ROWS_KNOWN, OUTCOMES_KNOWN)
    coverage = settings.select("mlmon_ground_truth_coverage_ratio", 'predicted_class=""')
    rows = settings.select("mlmon_prediction_rows_total")
    return Alert(
        name="MlmonGroundTruthUneven",
        severity="warning",
        # Low coverage is no fault where outcomes take their time: then it was low a week ago.
        expr=f"""\
min by ({VERSION}) ({parity} {known}) < {LEAST_PARITY:g}
or
max by ({VERSION}) ({coverage})
/
max by ({VERSION}) ({coverage} offset {settings.span("1w")})
< {LEAST_KEPT:g}
and on ({MODEL}) sum by ({MODEL}) (increase({rows}[{settings.span("1d")}])) >= {LEAST_ROWS}""",
        labels=("job", "model", "version"),
        # A nightly job may be some hours late.
        hold="6h",
        keep="1h",
        summary="Ground truth of {{ $labels.model }} comes for a part of its predictions only",
        description=(
            f"Ground truth of {THE_MODEL} has come {{{{ $value | humanizePercentage }}}} as often "
            "for one predicted class as for another, or as a week ago for all. Its quality is that "
            "of the outcomes that came, and may be far from that of all."
        ),
        board="quality",
    )


def _dropped(settings: Settings) -> Alert:
    dropped = settings.select("mlmon_dropped_total", 'reason="pending_full"')
    rows = settings.select("mlmon_prediction_rows_total")
    hour = settings.span("1h")
    return Alert(
        name="MlmonPendingDropped",
        severity="warning",
        # Without ground truth, no prediction is missed.
        expr=f"""\
(
  sum by ({TARGET}) (increase({dropped}[{hour}]))
  / sum by ({TARGET}) (increase({rows}[{hour}]))
) > 0.01
and sum by ({TARGET}) (increase({dropped}[{hour}])) >= {LEAST_ROWS}
and {_of_day(settings, TARGET, "matched|late|unknown")} > 0""",
        labels=("job", "instance"),
        hold="15m",
        keep="1h",
        summary="{{ $labels.instance }} forgets predictions before their ground truth comes",
        description=(
            "{{ $labels.instance }} ({{ $labels.job }}) gives up predictions that wait, as many as "
            "{{ $value | humanizePercentage }} of those it makes, since there are more than "
            "`pending_rows`: their ground truth will be unknown."
        ),
        board="quality",
    )
