"""A page on drift of what matters: optional, not loaded by default.

Drift is a cause, not a symptom, and of many features that drift few decide. Where no outcomes come
for weeks, drift of those that carry a share of the importance may be worth waking somebody.
"""

from __future__ import annotations

from .alert import THE_MODEL, Alert
from .settings import VERSION, Settings

LABELS = ("job", "model", "version")


def alerts(settings: Settings) -> list[Alert]:
    """Return the table."""
    by = f"{VERSION}, feature"
    importance = settings.select("mlmon_feature_importance_ratio")
    verdicts = settings.select("mlmon_feature_drifted")
    known = settings.select("mlmon_dependence_known")
    return [
        Alert(
            name="MlmonImportantDrift",
            severity="critical",
            expr=f"""\
sum by ({VERSION}) (
  max by ({by}) ({importance})
  and on ({by}) max by ({by}) (
    {verdicts}
    unless on ({VERSION}, instance) {known} == 0
  ) == 1
) >= {settings.drift_importance:g}""",
            labels=LABELS,
            hold="30m",
            keep="1h",
            summary="Features that matter to {{ $labels.model }} have drifted",
            description=(
                f"Features with {{{{ $value | humanizePercentage }}}} of the importance for the "
                f"predictions of {THE_MODEL} have drifted in a replica; "
                f"{100 * settings.drift_importance:g} % page."
            ),
            board="drift",
        )
    ]
