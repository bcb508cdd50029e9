"""Rows that a feature's shift needs to be seen, as `check` and `build-reference` print them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from mlmon_exporter.config.keys import Config, Duration
from mlmon_exporter.core.drift.power import rows_needed
from mlmon_exporter.core.drift.tests import count_tests
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.stats.thresholds import level
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from mlmon_exporter.reference.reference import Reference

from .terminal import thousands

SHIFTS = (1.0, 0.5, 0.25)
"""Of a feature's mean, in standard deviations."""
MOST_ROWS = 10_000_000
DAY_SECONDS = 86400.0


def sensitivity(
    reference: Reference,
    windows: Sequence[Duration],
    settings: Config | None = None,
    rows_per_day: float | None = None,
) -> Iterator[str]:
    """Give a line for each window: the rows, and the time, until a typical feature's shift is seen.

    Args:
        reference: The reference.
        windows: The monitor's.
        settings: Floors and budget; their defaults if None.
        rows_per_day: Traffic; without it no time is said.
    """
    settings = Config() if settings is None else settings
    columns = [c for c in reference.features if c.kind == "numeric" and c.sd > 0]
    sides = (reference.features, reference.outputs)
    tests = len(windows) * sum(count_tests(ReferenceMatrix(side)) for side in sides)
    for window in windows if columns else ():
        at = level(window.seconds, settings.false_alarm_every.seconds, tests)
        shifts = []
        for shift in SHIFTS:
            needed = _typical(columns, shift, window.seconds, at, settings)
            shifts.append(f"{shift:g} sd {_said(needed, window.seconds, rows_per_day)}")
        yield f"A shift of a typical feature's mean is seen in {window.label}: {', '.join(shifts)}"


def _typical(
    columns: Sequence[ColumnReference], shift: float, seconds: float, at: float, settings: Config
) -> float:
    each = (rows_needed(column, shift, seconds, at, settings.ks_floor) for column in columns)
    return max(median(each), float(settings.min_window_rows))


def _said(rows: float, window_seconds: float, rows_per_day: float | None) -> str:
    if rows > MOST_ROWS:
        return "never"
    said = f"after {thousands(round(rows))} rows"
    if rows_per_day is None:
        return said
    seconds = rows / rows_per_day * DAY_SECONDS
    if seconds > window_seconds:
        return f"{said}: more than the window has"
    hours = seconds / 3600
    return f"{said} ({hours:.0f} h)" if hours >= 1 else f"{said} ({60 * hours:.0f} min)"
