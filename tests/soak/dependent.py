"""Thirty days of rows that depend on each other in time: rises of `drifted`, and delays.

Panes are counted once, and the product's own thresholds and verdicts are asked at each look: a
run takes seconds where one through a monitor takes minutes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter import Reference
from mlmon_exporter.core.derived.reference import as_columns
from mlmon_exporter.core.drift.context import ScoringContext
from mlmon_exporter.core.drift.dependence import LiveDependence
from mlmon_exporter.core.drift.tests import Comparison, count_tests, score
from mlmon_exporter.core.profile.variation import cells_of
from mlmon_exporter.core.settings import PANES, Policy, WindowName
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from mlmon_exporter.core.windows.natural import NaturalVariation
from mlmon_exporter.core.windows.stretches import Stretches
from mlmon_exporter.core.windows.tally import Layout, Tally

from .processes import HOUR, PROCESSES, times_of_rows
from .streams import DAY

Floats = NDArray[np.float64]
SLOT_SECONDS = 300.0
"""Rows are counted in slots of this length, the panes of an hour."""


@dataclass(frozen=True)
class Stream:
    """One kind of reference and traffic."""

    process: str
    reference_days: float = 14.0
    rows_a_day: float = 2000.0
    features: int = 5
    days: float = 30.0
    is_timed: bool = True
    learned_from: float | None = None
    """Hour of the day from which the reference is learned, for three hours."""
    begins: float = 0.0
    """Hours after which traffic begins: a restart, whose windows are empty."""
    shift: float = 0.0
    """Standard deviations by which all features move after `shift_after` days."""
    shift_after: float = 4.0
    look_seconds: float = 900.0
    is_joint: bool = False
    """Columns derived from the features are watched in their place."""


class Rise(NamedTuple):
    """A verdict that became 1."""

    day: float
    window: str
    column: str


WINDOWS = (WindowName("1h", HOUR), WindowName("24h", DAY))


class Look(NamedTuple):
    """Scores, thresholds and verdicts of a window at one time, by name; each by column."""

    seconds: float
    window: str
    results: Mapping[str, Floats]
    is_known: bool
    """Dependence in time was known: verdicts of 1 are tickets."""


def rises(stream: Stream, seed: int, *, is_known: bool = True) -> list[Rise]:
    """Run a stream once; return each verdict that became 1 while dependence was known, or not."""
    found: list[Rise] = []
    was: dict[str, NDArray[np.bool_]] = {}
    for look in looks(stream, seed):
        drifted = (look.results["drifted"] == 1.0) & (look.is_known == is_known)
        new = np.flatnonzero(drifted & ~was.get(look.window, np.zeros_like(drifted)))
        found += [Rise(look.seconds / DAY, look.window, f"x{j}") for j in new]
        was[look.window] = drifted
    return found


def looks(stream: Stream, seed: int) -> Iterator[Look]:
    """Run a stream once; give each look, one window after the other."""
    rng = np.random.default_rng(seed)
    of_reference, columns = rows_of(stream, stream.reference_days, rng)
    if stream.learned_from is not None:
        hour = of_reference % DAY / HOUR - stream.learned_from
        is_learned = (hour >= 0) & (hour < 3)
        of_reference = of_reference[is_learned]
        columns = {name: values[is_learned] for name, values in columns.items()}
    reference = _reference(stream, of_reference, columns)
    matrix = ReferenceMatrix(reference.sides["derived" if stream.is_joint else "feature"])
    times, columns = rows_of(stream, stream.days, rng)
    began = times >= stream.begins * HOUR
    if stream.shift:
        by = stream.shift * (times >= stream.shift_after * DAY)
        columns = {name: values + by * np.std(values) for name, values in columns.items()}
    columns = {name: values[began] for name, values in columns.items()}
    if stream.is_joint and reference.derived is not None:
        function = reference.derived.function
        assert function is not None
        block = np.array([columns[column.name] for column in reference.features])
        columns = as_columns(function, function.bind(reference.features)(block))
    counts, rows = _counts(stream, matrix.layout, times[began], columns)
    tests = count_tests(matrix) * len(WINDOWS)
    context = ScoringContext("soak", "", WINDOWS, Policy(), tests)
    learned = 3 * HOUR if stream.learned_from is not None else 0.0
    stretches = Stretches(matrix.layout, [window.seconds for window in WINDOWS])
    needed = None if stream.is_timed else LiveDependence(matrix, stretches, learned)
    live = _Live(matrix.layout, needed, stretches, counts, rows)
    yield from _looks(stream, context, matrix, live)


def rows_of(
    stream: Stream, days: float, rng: np.random.Generator
) -> tuple[Floats, dict[str, NDArray[Any]]]:
    """Return times of rows, and the columns."""
    times = times_of_rows(days, stream.rows_a_day, rng)
    process = PROCESSES[stream.process]
    return times, {f"x{i}": process(times, rng) for i in range(stream.features)}


def _reference(stream: Stream, times: Floats, columns: Mapping[str, Any]) -> Reference:
    if not stream.is_timed or stream.learned_from is not None:
        return Reference.build(columns)
    return Reference.build({**columns, "ts": times}, time_column="ts", windows=["1h", "24h"])


def _counts(
    stream: Stream, layout: Layout, times: Floats, columns: Mapping[str, Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows per cell before each slot, shape (slots + 1, cells), and rows."""
    slots = round(stream.days * DAY / SLOT_SECONDS)
    slot = (times // SLOT_SECONDS).astype(np.int64)
    counts = np.zeros((slots + 1, int(layout.cell_starts[-1])), dtype=np.int64)
    for name, bins, start in zip(layout.names, layout.bins, layout.cell_starts, strict=False):
        width = bins.cell_count
        flat = np.bincount(slot * width + cells_of(bins, columns[name]), minlength=slots * width)
        counts[1:, start : start + width] = flat.reshape(slots, width)
    rows = np.concatenate(([0], np.bincount(slot, minlength=slots)))
    return np.cumsum(counts, axis=0), np.cumsum(rows)


class _Live:
    """Traffic in slots, and the dependence that it shows until a slot."""

    def __init__(
        self,
        layout: Layout,
        dependence: LiveDependence | None,
        stretches: Stretches,
        counts: NDArray[np.int64],
        rows: NDArray[np.int64],
    ) -> None:
        self.counts, self.rows = counts, rows
        self._layout = layout
        self._dependence = dependence
        self._stretches = stretches
        self._hour = 0

    def tally(self, first: int, last: int) -> Tally:
        """Return the rows of slots."""
        tally = self._layout.new()
        tally.counts = self.counts[last] - self.counts[first]
        tally.rows = int(self.rows[last] - self.rows[first])
        return tally

    def at(self, slot: int) -> tuple[bool, NaturalVariation | None]:
        """Return whether dependence is known, and the variation of live traffic."""
        if self._dependence is None:
            return True, None
        a_hour = round(HOUR / SLOT_SECONDS)
        while (self._hour + 1) * a_hour <= slot:
            tally = self.tally(self._hour * a_hour, (self._hour + 1) * a_hour)
            if tally.rows:
                self._stretches.add(tally, self._hour * HOUR)
            self._hour += 1
        now, columns = slot * SLOT_SECONDS, len(self._stretches.layout.names)
        return self._dependence.is_known(now), self._dependence.at(now, np.ones(columns))


def _looks(
    stream: Stream, context: ScoringContext, matrix: ReferenceMatrix, traffic: _Live
) -> Iterator[Look]:
    was_known = True
    was = [np.zeros(len(matrix.references), dtype=bool) for _ in WINDOWS]
    first = int(stream.begins * HOUR / SLOT_SECONDS)
    step = round(stream.look_seconds / SLOT_SECONDS)
    for now in range(first + step, len(traffic.rows), step):
        is_known, variation = traffic.at(now)
        longer = np.zeros_like(was[0])
        for k in reversed(range(len(WINDOWS))):
            comparison = _comparison(k, context, matrix, traffic, (first, now))
            comparison = comparison._replace(live=variation)
            # A verdict of before dependence was known is judged anew.
            before = was[k] & (is_known == was_known)
            results = score(comparison, before, longer)
            yield Look(now * SLOT_SECONDS, WINDOWS[k].label, results, is_known)
            was[k] = results["drifted"] == 1.0
            longer = longer | was[k]
        was_known = is_known


def _comparison(
    k: int,
    context: ScoringContext,
    matrix: ReferenceMatrix,
    traffic: _Live,
    span: tuple[int, int],
) -> Comparison:
    """Return what window `k` holds of the slots from a first one until now."""
    (first, now), window = span, WINDOWS[k]
    pane = round(window.seconds / PANES / SLOT_SECONDS)
    oldest = max(first, -(-now // pane) * pane - PANES * pane, 0)
    # Scores that decide need no digests.
    sums = matrix.sums_of_counts(traffic.tally(oldest, now))
    held = min(window.seconds, -(-(now - oldest) // pane) * pane * SLOT_SECONDS)
    comparison = Comparison(matrix, sums, context.policy, context.level(k), held)
    if window.seconds >= DAY:
        return comparison
    rows = np.diff(traffic.rows[oldest : now + 1]).tolist()
    slots = {n * SLOT_SECONDS: rows[n - oldest] for n in range(oldest, now)}
    return comparison._replace(panes=slots)


def streams() -> Iterator[Stream]:
    """Give the streams of the table."""
    for process in PROCESSES:
        for days in (14.0, 60.0):
            yield Stream(process, days)
        yield Stream(process, 14.0, is_timed=False)
    for rows_a_day in (200.0, 20_000.0):
        yield Stream("independent", rows_a_day=rows_a_day)
    yield Stream("independent", rows_a_day=200_000.0, features=2, is_timed=False)
    for process in ("independent", "AR(1) .99", "nights +1.5 sd"):
        yield Stream(process, features=30)
    yield Stream("independent", is_timed=False, learned_from=3.0, reference_days=2.0)
    yield Stream("nights +1.5 sd", is_timed=False, learned_from=3.0, reference_days=2.0)


def restarts(process: str, seed: int) -> int:
    """Return how many of 24 restarts, one at each hour of a day, raise an alarm."""
    started = (Stream(process, days=3.0, features=1, begins=24.0 + hour) for hour in range(24))
    return sum(bool(rises(stream, seed + i)) for i, stream in enumerate(started))


def standing(shift: float, seed: int) -> int:
    """Return the rises of one feature in the eight days after its mean has moved."""
    stream = Stream("independent", days=12.0, features=1, shift=shift)
    return len(rises(stream, seed))


def hours_until_seen(stream: Stream, seed: int) -> float:
    """Return the hours after a shift until a verdict is 1; NaN where none is."""
    seen = [r.day for r in rises(stream, seed) if r.day >= stream.shift_after]
    return (min(seen) - stream.shift_after) * 24 if seen else math.nan


def table(runs: int) -> None:
    """Print rises in 30 days, restarts, standing changes and delays."""
    with ProcessPoolExecutor(max(1, (os.cpu_count() or 2) // 2)) as pool:
        print("| process | features | rows a day | reference | rises in 30 days, each run |")
        print("|---|---|---|---|---|")
        for stream in streams():
            raised = pool.map(rises, [stream] * runs, range(runs))
            print(f"| {_said(stream)} | {', '.join(str(len(run)) for run in raised)} |", flush=True)
        print("\n| change | hours until seen |\n|---|---|")
        for stream, name in _changes():
            hours = pool.map(hours_until_seen, [stream] * runs, range(runs))
            print(f"| {name} | {', '.join(f'{each:.1f}' for each in hours)} |", flush=True)
    for process in ("nights +1.5 sd",):
        print(f"\nRestarts over the clock that alarm, {process}: {restarts(process, 0)} of 24")
    for shift in (0.5, 1.0):
        print(f"Rises in 8 days after +{shift} sd: {[standing(shift, s) for s in range(runs)]}")


def _changes() -> Iterator[tuple[Stream, str]]:
    changes = (("independent", 0.5), ("nights +1.5 sd", 1.0), ("days differ by .3 sd", 1.0))
    for process, shift in changes:
        stream = Stream(process, 60.0, days=12.0, features=1, shift=shift)
        yield stream, f"{process}, then +{shift} sd"


def _said(stream: Stream) -> str:
    reference = f"{stream.reference_days:g} days, {'timed' if stream.is_timed else 'untimed'}"
    if stream.learned_from is not None:
        reference = f"learned at {stream.learned_from:g}:00"
    return f"{stream.process} | {stream.features} | {stream.rows_a_day:,.0f} | {reference}"


SHORT = (
    Stream("AR(1) .99", days=10.0, features=2, look_seconds=3600.0),
    Stream("days differ by .3 sd", days=10.0, features=2, look_seconds=3600.0),
    Stream("hours differ by .5 sd", days=10.0, features=2, look_seconds=3600.0),
    Stream("nights +1.5 sd", days=10.0, features=2, look_seconds=3600.0),
    Stream("bursts of 50 alike", days=10.0, features=2, look_seconds=3600.0),
    Stream("Zipf 1.3", days=10.0, features=1, is_timed=False, look_seconds=3600.0),
)
"""What tests run of it."""


def without_times(stream: Stream) -> Stream:
    """Return the same stream, its reference built without a time column."""
    return replace(stream, is_timed=False)
