"""Rows that a feature's shift needs to be seen, as `check` and `build-reference` print them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from statistics import median

from mlmon_exporter.config.keys import Config, Duration
from mlmon_exporter.core.drift.power import rows_needed, rows_until_seen
from mlmon_exporter.core.drift.readings import FEATURES, OUTPUTS
from mlmon_exporter.core.drift.tests import count_tests
from mlmon_exporter.core.outcomes.thresholds import LEAST_OF_CLASS
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.variation import LEAST_ROWS
from mlmon_exporter.core.records import Reading
from mlmon_exporter.core.stats.thresholds import level
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from mlmon_exporter.reference.reference import Reference

from .terminal import thousands

SHIFTS = (1.0, 0.5, 0.25)
"""Of a feature's mean, in standard deviations."""
DAY_SECONDS = 86400.0


def sensitivity(
    reference: Reference,
    windows: Sequence[Duration],
    settings: Config | None = None,
    rows_per_day: float | None = None,
) -> Iterator[str]:
    """Give a line for each window: the rows, and the time, that a typical feature's shift needs.

    Args:
        reference: The reference.
        windows: The monitor's.
        settings: Floors and budget; their defaults if None.
        rows_per_day: Traffic; without it no time is said.
    """
    settings = Config() if settings is None else settings
    columns = [c for c in reference.features if c.kind == "numeric" and c.sd > 0]
    sides = reference.sides.values()
    tests = len(windows) * sum(count_tests(ReferenceMatrix(side)) for side in sides)
    for window in windows if columns else ():
        at = level(window.seconds, settings.false_alarm_every.seconds, tests)
        rows = None if rows_per_day is None else rows_per_day * window.seconds / DAY_SECONDS
        needed = (_typical(columns, shift, window, at, settings, rows) for shift in SHIFTS)
        each = zip(SHIFTS, needed, strict=True)
        said = ", ".join(f"{shift:g} sd {_said(count, rows, window)}" for shift, count in each)
        yield f"A shift of a typical feature's mean in a window of {window.label}: {said}"


ROWS = frozenset(f"{role.prefix}_window_rows" for role in (FEATURES, OUTPUTS))
OUTCOMES = frozenset(("mlmon_quality_rows",))


def rows_a_day(
    readings: Iterable[Reading], windows: Sequence[Duration], names: frozenset[str] = ROWS
) -> dict[str, float]:
    """Return the rows of a day of each model that has rows in its longest window.

    Args:
        readings: Of a monitor.
        windows: Its windows. Of one that is filling, less than the rows that come.
        names: Of the readings that count rows.
    """
    longest = max(windows, key=lambda window: window.seconds)
    found: dict[str, float] = {}
    for reading in readings:
        if reading.name in names and reading.labels["window"] == longest.label and reading.value:
            model = reading.labels["model"]
            found[model] = max(found.get(model, 0.0), reading.value)
    return {model: rows * DAY_SECONDS / longest.seconds for model, rows in found.items()}


def rare_positives(
    reference: Reference, windows: Sequence[Duration], rows_per_day: float | None
) -> Iterator[str]:
    """Advise a longer window where the longest has too few positives to tell of quality.

    Args: as for `sensitivity`.
    """
    outcomes = reference.outcomes
    sums = outcomes.sums(reference.outputs) if outcomes is not None else None
    positive = sums.layout.task.positive if sums is not None else None
    if sums is None or positive is None or rows_per_day is None:
        return
    share = float(sums.each("true")[0, positive] / sums["rows"][0])
    longest = max(windows, key=lambda window: window.seconds)
    expected = share * rows_per_day * longest.seconds / DAY_SECONDS
    if share > 0 and expected < LEAST_OF_CLASS:
        days = math.ceil(LEAST_OF_CLASS / (share * rows_per_day))
        yield (
            f"one row in {thousands(round(1 / share))} is positive, so that a window of "
            f"{longest.label} has about {expected:.2g} of them, and so few tell little of quality: "
            f"add a window of {days}d or more"
        )


def few_outcomes(
    reference: Reference, settings: Config, outcomes_per_day: float | None
) -> Iterator[str]:
    """Say where outcomes are too few for quality, or for what its alerts wait for.

    Args:
        reference: The reference.
        settings: Windows and the least rows of one.
        outcomes_per_day: At most; None if not known.
    """
    if reference.outcomes is None or outcomes_per_day is None:
        return
    least = settings.min_window_rows
    longest = max(settings.windows, key=lambda window: window.seconds)
    expected = outcomes_per_day * longest.seconds / DAY_SECONDS
    if expected < least:
        days = math.ceil(least / outcomes_per_day)
        yield (
            f"a window of {longest.label} has about {expected:.2g} outcomes, and quality needs "
            f"{least} (min_window_rows): add a window of {days}d or more"
        )
    if outcomes_per_day < LEAST_ROWS and not reference.for_model("").knows_time:
        yield (
            f"alerts on quality never come with fewer than {LEAST_ROWS} outcomes a day, as live "
            "traffic does not show how outcomes depend on each other; a reference with "
            "--time-column knows it"
        )


def _typical(
    columns: Sequence[ColumnReference],
    shift: float,
    window: Duration,
    at: float,
    settings: Config,
    rows: float | None,
) -> float:
    """Return the median of the rows that columns need, of a full window's if these are given."""
    floor = settings.ks_floor
    if rows is None:
        each = [rows_needed(c, shift, window.seconds, at, floor) for c in columns]
        return max(median(each), float(settings.min_window_rows))
    each = [rows_until_seen(c, shift, rows, window.seconds, at, floor) for c in columns]
    return median(each) if rows >= settings.min_window_rows else math.inf


def _said(needed: float, rows: float | None, window: Duration) -> str:
    if math.isinf(needed):
        return "is not seen"
    if rows is None:
        return f"is seen with {thousands(round(needed))} rows"
    hours = needed / rows * window.seconds / 3600
    span = f"{hours:.0f} h" if hours >= 1 else f"{60 * hours:.0f} min"
    return f"is seen after {thousands(round(needed))} rows, {span}"
