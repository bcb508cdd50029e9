"""Alert on quality that is to be expected from scores: optional, not loaded by default.

Where ground truth takes weeks, the estimate is all there is until then. It sees that inputs are
harder, and not that they have come to mean something else.
"""

from __future__ import annotations

from .alert import THE_MODEL, Alert
from .quality import LABELS, OVERALL, OWN, WINDOW, by_quality, indented, worse
from .settings import VERSION, Settings

EXPECTED = ("accuracy", "roc_auc")
"""The estimated qualities whose fall means the same for all models: both are from 0 to 1."""
EXPECTED_DROP = 0.05
"""Under the reference. The estimate of accuracy is off by 0.006 on average (docs/quality.md)."""
EXPECTED_RISE = 1.25
"""Times the reference's error. The estimate is off by 2 % on average (docs/quality.md)."""


def alerts(settings: Settings) -> list[Alert]:
    """Return the table."""
    return [_expected_to_drop(settings), _expected_to_err(settings)]


def _expected_to_drop(settings: Settings) -> Alert:
    def fall(name: str) -> str:
        reference = settings.select(f"mlmon_reference_quality_{name}", OVERALL)
        estimate = settings.select(f"mlmon_estimated_quality_{name}")
        return f"max by ({WINDOW}) ({reference} - on ({OWN}) group_right () {estimate})"

    known = worse(settings, "accuracy", OVERALL, "bool ")
    return Alert(
        name="MlmonEstimatedQualityDrop",
        severity="warning",
        # No guess where ground truth of the same window says that all is well.
        expr=f"""\
min by ({VERSION}, quality) (
  (
{indented(indented(by_quality(EXPECTED, fall)))}
  )
  unless on ({WINDOW}) max by ({WINDOW}) ({known}) == 0
) > {EXPECTED_DROP:g}""",
        labels=(*LABELS, "quality"),
        hold="1h",
        keep="1h",
        summary="{{ $labels.model }} is expected to do worse than its reference",
        description=(
            f"By its scores, the {{{{ $labels.quality }}}} of {THE_MODEL} is to be expected "
            "{{ $value | printf `%.2f` }} under the reference's: inputs are harder than they were. "
            "Ground truth has not come yet, or agrees."
        ),
        board="quality",
    )


def _expected_to_err(settings: Settings) -> Alert:
    reference = settings.select("mlmon_reference_quality_mae", OVERALL)
    estimate = settings.select("mlmon_estimated_quality_mae")
    known = worse(settings, "mae", OVERALL, "bool ")
    return Alert(
        name="MlmonEstimatedErrorRise",
        severity="warning",
        expr=f"""\
min by ({VERSION}) (
  max by ({WINDOW}) ({estimate} / on ({OWN}) group_left {reference})
  unless on ({WINDOW}) max by ({WINDOW}) ({known}) == 0
) > {EXPECTED_RISE:g}""",
        labels=LABELS,
        hold="1h",
        keep="1h",
        summary="{{ $labels.model }} is expected to err more than its reference",
        description=(
            f"By inputs and predictions, the mean absolute error of {THE_MODEL} is to be expected "
            "{{ $value | printf `%.2f` }} times the reference's: inputs are harder than they were. "
            "Ground truth has not come yet, or agrees."
        ),
        board="quality",
    )
