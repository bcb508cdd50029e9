"""Alarms over time: when verdicts rose and fell, look by look, and what that amounts to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.records import Block, Readings

from .readings import ROLES, Role
from .tests import TESTS

Floats = NDArray[np.float64]

DAY_SECONDS = 86400.0
QUALITY = "quality"
"""Side of verdicts on outcomes, beside the labels of `ROLES`."""
CONCEPT = "concept"


class Alarm(NamedTuple):
    """A feature, output or quality whose verdict rose in some window, until it fell in all."""

    version: str
    side: str
    name: str
    window: str
    """The one that rose first."""
    begin: float
    """Unix seconds of the look that saw it."""
    end: float
    """Unix seconds; NaN while it lasts."""
    score: str
    value: float
    """Of the score, when it rose."""
    threshold: float
    rows: int
    """Rows of the model until then."""


class Track(NamedTuple):
    """One column or quality over the days: shares of the looks of each day, 0 to 1."""

    version: str
    side: str
    name: str
    judged: Floats
    """Looks that had a verdict."""
    alarmed: Floats
    """Looks in alarm."""


class DayQuality(NamedTuple):
    """A quality at the last look of a day, in the longest window; NaN where unknown."""

    day: float
    """Unix seconds of its begin."""
    version: str
    name: str
    value: float
    threshold: float
    estimate: float
    """The value that inputs and predictions alone led to expect."""


@dataclass(frozen=True)
class Account:
    """Totals of alarms over the time that was looked at."""

    begin: float
    """Unix seconds of the first look."""
    end: float
    every: float
    """Seconds between looks."""
    rows: int
    alarms: tuple[Alarm, ...]
    tracks: tuple[Track, ...]
    """Longest in alarm first."""
    qualities: tuple[DayQuality, ...]
    alarm_ratio: float
    """Share of the looks that saw any alarm."""
    changed_at: float
    """Unix seconds at which something is known to have changed; NaN if nothing is."""
    changed_rows: int
    """Rows before that."""

    @property
    def days(self) -> float:
        """Length of the time in days."""
        return (self.end - self.begin + self.every) / DAY_SECONDS

    @property
    def alarms_in_30_days(self) -> float:
        """Alarms in a month of such time."""
        return len(self.alarms) / self.days * 30

    @property
    def first_after_change(self) -> Alarm | None:
        """The first alarm since `changed_at`."""
        return next((alarm for alarm in self.alarms if alarm.begin > self.changed_at), None)

    @property
    def estimate_gaps(self) -> Mapping[str, tuple[float, float]]:
        """Quality -> how far its estimate was off: on the mean of days, and at most."""
        gaps: dict[str, list[float]] = {}
        for q in self.qualities:
            if not math.isnan(q.estimate + q.value):
                gaps.setdefault(q.name, []).append(abs(q.estimate - q.value))
        return {name: (sum(each) / len(each), max(each)) for name, each in gaps.items()}


class _Verdicts(NamedTuple):
    """Verdicts on the columns of one side in one window, or on the segments of a quality."""

    key: tuple[str, str, str]
    """Version, side, and what else tells it apart."""
    names: tuple[str, ...]
    window: str
    risen: Floats
    """1, 0, or NaN where nothing can be told."""
    why: Callable[[int], tuple[str, float, float]]
    """Score, value and threshold of one of them."""


class _State:
    """Verdicts of one side's columns over all windows."""

    def __init__(self, verdicts: _Verdicts) -> None:
        self.version, self.side, _ = verdicts.key
        self.names = verdicts.names
        self.is_judged = self.is_risen = np.zeros(len(self.names), dtype=bool)
        self.open: dict[int, int] = {}
        """Column -> index of its alarm."""
        self.by_day: dict[int, Floats] = {}
        """Day -> looks judged and looks alarmed, shape (2, columns)."""

    def count(self, day: int) -> None:
        """Count a look."""
        if day not in self.by_day:
            self.by_day[day] = np.zeros((2, len(self.names)))
        self.by_day[day] += (self.is_judged, self.is_risen)


class AlarmLog:
    """Follows verdicts from look to look. Memory grows with days and alarms, not with rows."""

    def __init__(
        self, every: float, changed_at: float = math.nan, signs: Mapping[str, int] | None = None
    ) -> None:
        """Start before the first look.

        Args:
            every: Seconds between looks.
            changed_at: Unix seconds at which something is known to have changed.
            signs: Quality -> 1 if greater is better, -1 if less is; those to follow.
        """
        self._every = every
        self._changed_at = changed_at
        self._changed_rows = 0
        self._signs = signs or {}
        self._states: dict[tuple[str, str, str], _State] = {}
        self._alarms: list[Alarm] = []
        self._qualities: dict[tuple[int, str, str], DayQuality] = {}
        self._looks_by_day: dict[int, int] = {}
        self._alarmed_looks = 0
        self._begin = self._end = math.nan
        self._rows = 0
        self._last: Sequence[Readings] = ()
        self._index: _Index = {}

    def look(self, now: float, rows: int, blocks: Iterable[Block]) -> None:
        """Take in the readings at `now`, Unix seconds, after this number of rows."""
        day = math.ceil(now / DAY_SECONDS) - 1  # at midnight, it tells of the day that ends
        self._begin = now if self._begin != self._begin else self._begin
        self._end, self._rows = now, rows
        if now <= self._changed_at:
            self._changed_rows = rows
        self._looks_by_day[day] = self._looks_by_day.get(day, 0) + 1
        of_windows = [b for b in blocks if isinstance(b, Readings) and "window" in b.label_names]
        # Readings are the same objects while no count changes, as by night.
        if [*map(id, of_windows)] != [*map(id, self._last)]:
            self._last = of_windows
            self._judge(of_windows)
        for state in self._states.values():
            state.count(day)
        self._alarmed_looks += any(state.open for state in self._states.values())
        self._keep_qualities(day)

    def _judge(self, blocks: Iterable[Readings]) -> None:
        self._index = {
            (block.name, block.labels[0][1], _window(block)): block
            for block in blocks
            if len(block.labels)
        }
        found: dict[tuple[str, str, str], list[_Verdicts]] = {}
        for verdicts in (*_of_columns(self._index), *_of_outcomes(self._index, self._signs)):
            found.setdefault(verdicts.key, []).append(verdicts)
        for key, windows in found.items():
            state = self._states.get(key)
            if state is None:
                state = self._states[key] = _State(windows[0])
            self._follow(state, windows)

    def _follow(self, state: _State, windows: list[_Verdicts]) -> None:
        risen = np.array([verdicts.risen for verdicts in windows])
        state.is_judged = ~np.isnan(risen).all(axis=0)
        is_risen = (risen == 1.0).any(axis=0)
        for j in np.flatnonzero(is_risen != state.is_risen).tolist():
            if is_risen[j]:
                first = next(v for v, values in zip(windows, risen, strict=True) if values[j] == 1)
                state.open[j] = len(self._alarms)
                where = state.version, state.side, state.names[j], first.window
                self._alarms.append(
                    Alarm(*where, self._end, math.nan, *first.why(j), rows=self._rows)
                )
            else:
                at = state.open.pop(j)
                self._alarms[at] = self._alarms[at]._replace(end=self._end)
        state.is_risen = is_risen

    def _keep_qualities(self, day: int) -> None:
        index = self._index
        for (metric, version, _), block in index.items():  # shortest window first
            name = metric.removeprefix("mlmon_quality_")
            if name not in self._signs:
                continue
            numbers = [
                float(other.values[0]) if other is not None else math.nan
                for other in (
                    block,
                    index.get((f"{metric}_threshold", version, _window(block))),
                    index.get((f"mlmon_estimated_quality_{name}", version, _window(block))),
                )
            ]
            if numbers[0] == numbers[0]:
                quality = DayQuality(day * DAY_SECONDS, version, name, *numbers)
                self._qualities[day, version, name] = quality

    def account(self) -> Account:
        """Return the result of the looks so far."""
        looks = sum(self._looks_by_day.values())
        return Account(
            self._begin,
            self._end,
            self._every,
            self._rows,
            tuple(self._alarms),
            tuple(sorted(self._tracks(), key=lambda track: -float(track.alarmed.sum()))),
            tuple(self._qualities.values()),
            self._alarmed_looks / looks if looks else math.nan,
            self._changed_at,
            self._changed_rows,
        )

    def _tracks(self) -> Iterator[Track]:
        if not self._looks_by_day:
            return
        days = range(min(self._looks_by_day), max(self._looks_by_day) + 1)
        looks = np.array([self._looks_by_day.get(day, 0) for day in days])
        for state in self._states.values():
            absent = np.zeros((2, len(state.names)))
            counts = np.array([state.by_day.get(day, absent) for day in days])
            shares = counts / np.maximum(looks, 1)[:, None, None]
            for j, name in enumerate(state.names):
                yield Track(state.version, state.side, name, shares[:, 0, j], shares[:, 1, j])


_Index = Mapping[tuple[str, str, str], Readings]
"""Metric, version and window -> its block."""


def _window(block: Readings) -> str:
    names = block.label_names
    return block.labels[0][names.index("window")] if "window" in names else ""


def _of_columns(index: _Index) -> Iterator[_Verdicts]:
    for role in ROLES:
        for (name, version, window), block in index.items():
            if name == f"{role.prefix}_drifted":
                yield _Verdicts(
                    (version, role.label, ""),
                    tuple(labels[2] for labels in block.labels),
                    window,
                    np.asarray(block.values),
                    _why(index, role, version, window),
                )


def _why(
    index: _Index, role: Role, version: str, window: str
) -> Callable[[int], tuple[str, float, float]]:
    """Return the score that is farthest over its threshold, for one column."""

    def farthest(j: int) -> tuple[str, float, float]:
        found = []
        for name, test in TESTS.items():
            keys = [(f"{role.prefix}_{what}", version, window) for what in (test.score, name)]
            value, bar = (float(index[key].values[j]) for key in keys)
            if not math.isnan(value / bar if bar else math.nan):
                found.append((value / bar, (test.score, value, bar)))
        return max(found)[1] if found else ("", math.nan, math.nan)

    return farthest


def _of_outcomes(index: _Index, signs: Mapping[str, int]) -> Iterator[_Verdicts]:
    for (metric, version, window), block in index.items():
        values = np.asarray(block.values, dtype=np.float64)
        name = metric.removeprefix("mlmon_quality_")
        key = (version, QUALITY, name)
        if metric == "mlmon_concept_drifted" and signs:
            metrics = ("mlmon_error_ks_statistic", "mlmon_error_ks_threshold")
            pair = [index[each, version, window] for each in metrics]
            why = _pairs("ks_statistic", *(np.asarray(each.values) for each in pair))
            yield _Verdicts(key, (CONCEPT,), window, values, why)
        bars = index.get((f"{metric}_threshold", version, window))
        if name in signs and bars is not None:
            limits = np.asarray(bars.values, dtype=np.float64)
            with np.errstate(invalid="ignore"):
                is_worse = signs[name] * (values - limits) < 0
            risen = np.where(np.isnan(values) | np.isnan(limits), np.nan, is_worse)
            segments = tuple(_named(name, *labels[3:]) for labels in block.labels)
            yield _Verdicts(key, segments, window, risen, _pairs(name, values, limits))


def _pairs(name: str, values: Floats, limits: Floats) -> Callable[[int], tuple[str, float, float]]:
    return lambda j: (name, float(values[j]), float(limits[j]))


def _named(name: str, feature: str, segment: str) -> str:
    return f"{name}, {feature} = {segment}" if feature else name
