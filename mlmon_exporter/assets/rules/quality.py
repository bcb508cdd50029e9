"""Alerts on the quality of predictions, each against the exported threshold.

A ticket comes from any replica, version and segment; a page when the replicas of the configured
version agree, over all its rows and in every window that has enough outcomes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mlmon_exporter.core.outcomes.quality import QUALITY

from .alert import OUTCOMES_KNOWN, THE_MODEL, Alert, unless_independent
from .settings import VERSION, Settings

WINDOW = f"{VERSION}, window"
OWN = f"{VERSION}, instance"
SEGMENT = f"{VERSION}, segment_feature, segment"
LABELS = ("job", "model", "version")
OVERALL = 'segment_feature=""'
SEGMENT_NAMED = (
    "{{ with $labels.segment_feature }} for rows whose {{ . }} is {{ $labels.segment }}{{ end }}"
)
"""The segment of an alert in its text; nothing for all rows."""
DECIDING = {name: quality.sign for name, quality in QUALITY.items() if quality.error is not None}
"""The qualities that have thresholds -> 1 where more is better, -1 where less is."""
CALIBRATION_RISE = 0.1
"""Of the calibration error over the reference's: about a grade of ten on the scale of chances."""
LEAST_OUTCOMES = 1000
"""Fewer raise the calibration error of ten bins by more than 0.04 by chance alone."""


def alerts(settings: Settings) -> list[Alert]:
    """Return the table."""
    return [
        _dropped(settings),
        _fleet_dropped(settings),
        _concept_drifted(settings),
        _uncalibrated(settings),
        _versions_differ(settings),
    ]


def by_quality(names: Iterable[str], expression: Callable[[str], str]) -> str:
    """Return the expressions of several qualities as one, told apart by the label `quality`."""
    return "\nor\n".join(
        f'label_replace({expression(name)}, "quality", "{name}", "", "")' for name in names
    )


def indented(text: str) -> str:
    """Return the lines of an expression two spaces further right."""
    return "  " + text.replace("\n", "\n  ")


def worse(settings: Settings, name: str, matchers: str = "", word: str = "") -> str:
    """Return a quality where it is beyond its threshold; with the word `bool`, 1 there, else 0."""
    quality, threshold = (
        settings.select(f"mlmon_quality_{name}{what}", matchers) for what in ("", "_threshold")
    )
    return f"{quality} {'<' if DECIDING[name] > 0 else '>'} {word}{threshold}"


def _dropped(settings: Settings) -> Alert:
    known = unless_independent(settings, OUTCOMES_KNOWN)

    def worst(name: str) -> str:
        of = "min" if DECIDING[name] > 0 else "max"
        return f"{of} by ({SEGMENT}) ({worse(settings, name)} {known})"

    return Alert(
        name="MlmonQualityDrop",
        severity="warning",
        expr=by_quality(DECIDING, worst),
        labels=(*LABELS, "segment_feature", "segment", "quality"),
        hold="15m",
        keep="1h",
        summary="{{ $labels.model }} is worse than its reference",
        description=(
            f"The {{{{ $labels.quality }}}} of {THE_MODEL}{SEGMENT_NAMED} in a window is "
            "{{ $value | printf `%.4g` }}, beyond what chance brings."
        ),
        board="quality",
    )


def _fleet_dropped(settings: Settings) -> Alert:
    def share(name: str) -> str:
        known = unless_independent(settings, OUTCOMES_KNOWN)
        return f"avg by ({WINDOW}) ({worse(settings, name, OVERALL, 'bool ')} {known})"

    info = settings.select("mlmon_model_info")
    return Alert(
        name="MlmonFleetQualityDrop",
        severity="critical",
        expr=f"""\
min by ({VERSION}, quality) (
{indented(by_quality(DECIDING, share))}
) >= 0.5
and on ({VERSION}) group by ({VERSION}) ({info})""",
        labels=(*LABELS, "quality"),
        hold="30m",
        keep="30m",
        summary="{{ $labels.model }} has become worse",
        description=(
            f"The {{{{ $labels.quality }}}} of {THE_MODEL} over all rows is beyond what chance "
            "brings, in every window, in {{ $value | humanizePercentage }} of the replicas that "
            "have enough outcomes."
        ),
        board="quality",
    )


def _concept_drifted(settings: Settings) -> Alert:
    return Alert(
        name="MlmonConceptDrift",
        severity="warning",
        expr=f"""\
max by ({VERSION}) (
  {settings.select("mlmon_concept_drifted")}
  {unless_independent(settings, OUTCOMES_KNOWN)}
) == 1""",
        labels=LABELS,
        hold="15m",
        keep="1h",
        summary="{{ $labels.model }} errs otherwise than it did",
        description=(
            f"At least one replica of {THE_MODEL} says that the distribution of its errors in a "
            "window differs from the reference's by more than chance brings: the "
            "same inputs may lead to other outcomes now."
        ),
        board="quality",
    )


def _uncalibrated(settings: Settings) -> Alert:
    error, reference, rows = (
        settings.select(name, OVERALL)
        for name in (
            "mlmon_quality_calibration_error",
            "mlmon_reference_quality_calibration_error",
            "mlmon_quality_rows",
        )
    )
    return Alert(
        name="MlmonCalibrationOff",
        severity="warning",
        expr=f"""\
max by ({VERSION}) (
  (
    {error}
    - on ({OWN}) group_left () {reference}
    > {CALIBRATION_RISE:g}
  )
  and {rows} >= {LEAST_OUTCOMES}
  {unless_independent(settings, OUTCOMES_KNOWN)}
) > {CALIBRATION_RISE:g}""",
        labels=LABELS,
        hold="30m",
        keep="1h",
        summary="Probabilities of {{ $labels.model }} are off",
        description=(
            f"The probabilities of {THE_MODEL} in a window miss how often the "
            "outcome comes by {{ $value | printf `%.2f` }} more than in the reference."
        ),
        board="quality",
    )


def _versions_differ(settings: Settings) -> Alert:
    def difference(name: str) -> str:
        found = settings.select(f"mlmon_quality_{name}_difference")
        threshold = settings.select(f"mlmon_quality_{name}_difference_threshold")
        differs = f"{found} and abs({found}) > {threshold}"
        return f"avg by ({VERSION}) ({differs} {unless_independent(settings, OUTCOMES_KNOWN)})"

    return Alert(
        name="MlmonVersionsDiffer",
        severity="warning",
        expr=by_quality(DECIDING, difference),
        labels=(*LABELS, "quality"),
        hold="1h",
        keep="1h",
        summary="Versions of {{ $labels.model }} differ in quality",
        description=(
            f"The {{{{ $labels.quality }}}} of {THE_MODEL} in a window is that "
            "of the configured version and {{ $value | printf `%+.4g` }}: more than chance brings "
            "between versions that are alike."
        ),
        board="quality",
    )
