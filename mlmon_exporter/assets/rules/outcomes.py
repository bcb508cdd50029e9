"""Alerts on ground truth: that it comes, in time, and finds its predictions.

Jobs that send it run nightly or weekly, so a day is compared with the same day a week ago.
"""

from __future__ import annotations

from .alert import Alert
from .settings import Settings

MODEL = "job, model"
LEAST_ROWS = 100
"""Ground truths in a day, under which neither their absence nor their shares mean anything."""
WHO = "{{ $labels.model }} ({{ $labels.job }})"


def alerts(settings: Settings) -> list[Alert]:
    """Return the table."""
    return [_stopped(settings), _late(settings), _unknown(settings), _dropped(settings)]


def _of_day(settings: Settings, by: str, outcomes: str, offset: str = "") -> str:
    """Return how many ground truths of some outcomes came in a day."""
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
  {_of_day(settings, MODEL, "matched", a_week_ago)} >= {LEAST_ROWS}
  unless {_of_day(settings, MODEL, "matched")} > 0
)
and sum by ({MODEL}) (increase({rows}[{settings.span("1d")}])) >= {LEAST_ROWS}""",
        labels=("job", "model"),
        # A nightly job may be some hours late.
        hold="6h",
        summary="No ground truth of {{ $labels.model }} comes any more",
        description=(
            f"{WHO} predicts, but no ground truth was joined for a day; on the same day a week ago "
            "it was {{ $value | humanize }}. Its quality is not known."
        ),
        board="quality",
    )


def _late(settings: Settings) -> Alert:
    joined = _of_day(settings, MODEL, "matched|late")
    return Alert(
        name="MlmonGroundTruthLate",
        severity="warning",
        expr=f"""\
{_of_day(settings, MODEL, "late")}
/
({joined} >= {LEAST_ROWS})
> 0.5""",
        labels=("job", "model"),
        hold="1h",
        keep="1h",
        summary="Ground truth of {{ $labels.model }} comes too late to be scored",
        description=(
            f"{{{{ $value | humanizePercentage }}}} of a day's ground truth of {WHO} came when its "
            "prediction was older than the longest window: it is counted, but in no quality."
        ),
        board="quality",
    )


def _unknown(settings: Settings) -> Alert:
    # Of what is unknown, the model is unknown, too.
    sent = _of_day(settings, "job", "matched|late|unknown|invalid")
    return Alert(
        name="MlmonGroundTruthUnknown",
        severity="warning",
        expr=f"""\
{_of_day(settings, "job", "unknown|invalid")}
/
({sent} >= {LEAST_ROWS})
> 0.5""",
        labels=("job",),
        hold="1h",
        keep="1h",
        summary="Ground truth of {{ $labels.job }} finds no prediction",
        description=(
            "{{ $value | humanizePercentage }} of a day's ground truth sent to {{ $labels.job }} "
            "names a prediction that is not known, or is none that its model can have."
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
        # Where nobody sends ground truth, nobody misses them.
        expr=f"""\
(
  sum by (job) (increase({dropped}[{hour}]))
  / sum by (job) (increase({rows}[{hour}]))
) > 0.01
and sum by (job) (increase({dropped}[{hour}])) >= {LEAST_ROWS}
and {_of_day(settings, "job", "matched|late|unknown")} > 0""",
        labels=("job",),
        hold="15m",
        keep="1h",
        summary="Predictions of {{ $labels.job }} are forgotten before their ground truth comes",
        description=(
            "{{ $labels.job }} gives up predictions that wait, as many as "
            "{{ $value | humanizePercentage }} of those it makes, since there are more than "
            "`pending_rows`: their ground truth will be unknown."
        ),
        board="quality",
    )
