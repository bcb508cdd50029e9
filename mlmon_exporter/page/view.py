"""The page as data, from readings and summaries: models, versions, ranked columns, faults."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import NamedTuple

import numpy as np

from mlmon_exporter.core.drift.history import ScoreHistory, Snapshot, WindowSummary
from mlmon_exporter.core.drift.moved import Move
from mlmon_exporter.core.drift.readings import DERIVED, ROLES
from mlmon_exporter.core.drift.tests import TESTS
from mlmon_exporter.core.records import Requests

from .numbers import Block, Labels, Numbers
from .outcome_view import ModelOutcomes
from .recent import Faults, fault_counts

SIDES = tuple(role.label for role in ROLES)


class Verdict(NamedTuple):
    """A column in one window: its score of the greatest severity."""

    is_drifted: bool | None
    """None while rows are too few."""
    test: str
    """Name of that score's threshold; empty without a score."""
    severity: float
    """0 unchanged, 1 at the threshold."""
    value: float
    threshold: float


class Run(NamedTuple):
    """The last panes of a window whose score is over the threshold."""

    start: float
    """Unix seconds; NaN without any."""
    panes: int
    is_begun: bool
    """A calm pane precedes them."""


@dataclass(frozen=True)
class ColumnView:
    """A feature or an output of a model's version."""

    numbers: Numbers
    summaries: Mapping[str, WindowSummary]
    """Window -> its summary."""
    index: int
    """Of the column in the summaries."""

    @cached_property
    def _any(self) -> WindowSummary:
        return next(iter(self.summaries.values()))

    @property
    def model(self) -> str:
        return self._any.model

    @property
    def version(self) -> str:
        return self._any.version

    @property
    def side(self) -> str:
        """One of `SIDES`."""
        return self._any.role.label

    @property
    def is_derived(self) -> bool:
        """True of a function of features, which is not counted among them."""
        return self._any.role is DERIVED

    @property
    def name(self) -> str:
        return self._any.bars.names[self.index]

    @property
    def kind(self) -> str:
        return self._any.bars.kinds[self.index]

    def number(self, what: str, *more: str) -> float:
        """Return a reading of this column by the end of its name, such as `psi`; NaN if absent."""
        name = f"{self._any.role.prefix}_{what}"
        return self.numbers.get(name, self.model, self.version, self.name, *more)

    def history(self, test: str, window: str) -> ScoreHistory:
        """Return one deciding score pane by pane, each array of length panes."""
        history = self.summaries[window].history[test]
        return ScoreHistory(*(part[:, self.index] for part in history))

    def severities(self, window: str) -> dict[str, float]:
        """Return the severity of each deciding score that the column has."""
        summary = self.summaries[window]
        found = {test: float(values[self.index]) for test, values in summary.severity.items()}
        return {test: value for test, value in found.items() if not math.isnan(value)}

    def verdict(self, window: str) -> Verdict:
        """Return the verdict on the column in a window."""
        drifted = self.number("drifted", window)
        severities = self.severities(window)
        if math.isnan(drifted) or not severities:
            return Verdict(None, "", math.nan, math.nan, math.nan)
        test = max(severities, key=lambda name: severities[name])
        value, threshold = self.number(TESTS[test].score, window), self.number(test, window)
        return Verdict(drifted == 1.0, test, severities[test], value, threshold)

    def since(self) -> float:
        """Return when the drift of now began, Unix seconds, as well as panes show; NaN if none do.

        The panes over the threshold up to now begin there, in the shortest window that has a calm
        one before them; else in the window that reaches back the farthest, where that is more than
        the pane that is being filled.
        """
        runs = [run for run in map(self._run, self.drifted_windows()) if run.panes]
        begun = [run.start for run in runs if run.is_begun]
        long = [run.start for run in runs if run.panes > 1]
        if begun or not runs:
            return begun[0] if begun else math.nan
        return min(long) if long else max(run.start for run in runs)

    def _run(self, window: str) -> Run:
        """Return the last panes over the threshold of a window."""
        severities = self.history(self.verdict(window).test, window).severity.tolist()
        panes = zip(severities, self.summaries[window].pane_starts.tolist(), strict=True)
        scored = [pane for pane in panes if not math.isnan(pane[0])]
        over = [*takewhile(lambda pane: pane[0] > 1.0, reversed(scored))]
        return Run(over[-1][1] if over else math.nan, len(over), len(over) < len(scored))

    def scored_panes(self, window: str) -> int:
        """Return how many panes of a window have the score that its verdict rests on."""
        test = self.verdict(window).test
        return int(np.isfinite(self.history(test, window).severity).sum()) if test else 0

    @property
    def importance(self) -> float:
        """Share of the importance of all features, 0 to 1; NaN where it is not known."""
        return float(self._any.bars.importance[self.index])

    def impact(self, window: str) -> float:
        """Return severity times importance over its mean; NaN without a score."""
        return self.verdict(window).severity * self._any.bars.weight(self.index)

    def moved(self, window: str) -> Move | None:
        """Return what moved in a window, for its words; None unless it drifted there."""
        verdict = self.verdict(window)
        if not verdict.is_drifted:
            return None
        return self.summaries[window].moved(self.index, verdict.test, verdict.value)

    def drifted_windows(self) -> list[str]:
        """Return the windows in which the column drifted, shortest first."""
        return [window for window in self.summaries if self.number("drifted", window) == 1.0]


@dataclass(frozen=True)
class VersionView:
    """One version of a model: its columns."""

    version: str
    features: tuple[ColumnView, ...]
    outputs: tuple[ColumnView, ...]
    derived: tuple[ColumnView, ...]

    @property
    def columns(self) -> tuple[ColumnView, ...]:
        return (*self.features, *self.outputs, *self.derived)

    def rows(self, window: str) -> float:
        """Return the rows in a window."""
        return max((column.summaries[window].rows for column in self.columns), default=0)


@dataclass(frozen=True)
class ModelView:
    """A model: its versions that have rows, and its request numbers."""

    name: str
    task: str
    reference: str
    """Source of the reference: a file's name, `learned` or `learning`."""
    reference_rows: float
    reference_time: float
    """Unix seconds; NaN while it is being learned."""
    requests: Requests | None
    versions: tuple[VersionView, ...]
    outcomes: ModelOutcomes

    @property
    def columns(self) -> Iterator[ColumnView]:
        return (column for version in self.versions for column in version.columns)


class Fault(NamedTuple):
    """A counter of the monitor's faults that is not 0."""

    counter: str
    labels: str
    """The label values, such as `json, not_json`."""
    total: float
    """Since the start."""
    risen: float
    """Increase over the last minutes; NaN if unknown."""


@dataclass(frozen=True)
class View:
    """The whole page."""

    now: float
    windows: tuple[str, ...]
    """Shortest first."""
    models: tuple[ModelView, ...]
    faults: tuple[Fault, ...]
    build: Labels
    """Version, digest and state of the monitor; empty if unknown."""
    numbers: Numbers
    trouble: str
    """Why the numbers are not those of all processes up to now; empty if they are."""
    host: str

    @property
    def firing_faults(self) -> list[Fault]:
        """The faults of the last minutes."""
        return [fault for fault in self.faults if fault.risen > 0]

    @property
    def drifted(self) -> list[ColumnView]:
        """The columns that drifted in any window, by severity times importance."""
        columns = (column for model in self.models for column in model.columns)
        drifted = [column for column in columns if column.drifted_windows()]
        return sorted(drifted, key=lambda column: -worst_impact(column))

    def find(self, model: str, version: str, side: str, name: str) -> ColumnView | None:
        """Return a column by its names, None if there is none."""
        wanted = (model, version, side, name)
        for known in self.models:
            for column in known.columns:
                if (column.model, column.version, column.side, column.name) == wanted:
                    return column
        return None


def worst_window(column: ColumnView) -> str:
    """Return the window, of those that drifted, in which a column's severity is greatest."""
    return max(column.drifted_windows(), key=lambda window: column.verdict(window).severity)


def worst_impact(column: ColumnView) -> float:
    """Return the greatest impact of a column over its windows, 0 without any."""
    found = [column.impact(window) for window in column.summaries]
    return max((impact for impact in found if not math.isnan(impact)), default=0.0)


def ranked(columns: Iterable[ColumnView], window: str) -> list[ColumnView]:
    """Return columns, the drifted ones first, then by impact; those without a score last."""

    def rank(column: ColumnView) -> tuple[bool, float]:
        impact = column.impact(window)
        return (not column.verdict(window).is_drifted, 1.0 if math.isnan(impact) else -impact)

    return sorted(columns, key=rank)


def view_of(snapshot: Snapshot, risen: Faults) -> View:
    """Return the view of a snapshot, and of faults that rose of late."""
    numbers = Numbers(snapshot.blocks)
    sides = _sides(snapshot.summaries)
    windows = {p.window.label: p.window.seconds for p in snapshot.summaries}
    models = tuple(
        _model(numbers, info, sides, snapshot.traffic.get(info[0]))
        for info in numbers.rows("mlmon_model_info")
    )
    build = next(iter(numbers.rows("mlmon_build_info")), ())
    return View(
        snapshot.now,
        tuple(sorted(windows, key=lambda label: windows[label])),
        models,
        tuple(_faults(snapshot.blocks, risen)),
        build,
        numbers,
        snapshot.trouble,
        snapshot.host,
    )


Sides = dict[tuple[str, str], dict[str, dict[str, WindowSummary]]]
"""Model and version -> side -> window -> summary."""


def _sides(summaries: Iterable[WindowSummary]) -> Sides:
    sides: Sides = {}
    for p in summaries:
        side = sides.setdefault((p.model, p.version), {}).setdefault(p.role.label, {})
        side[p.window.label] = p
    return sides


def _model(numbers: Numbers, info: Labels, sides: Sides, requests: Requests | None) -> ModelView:
    name, configured, task, reference = info
    versions = [
        VersionView(version, *(_columns(numbers, of.get(side, {})) for side in SIDES))
        for (model, version), of in sides.items()
        if model == name
    ]
    # A configured version is there from the start; where all rows name another, it stays empty.
    longest = [list(v.columns[0].summaries)[-1] if v.columns else "" for v in versions]
    used = [v for v, window in zip(versions, longest, strict=True) if v.columns and v.rows(window)]
    return ModelView(
        name,
        task,
        reference,
        numbers.get("mlmon_reference_rows", name, configured),
        numbers.get("mlmon_reference_timestamp_seconds", name, configured),
        requests,
        tuple(used or versions[:1]),
        ModelOutcomes(numbers, name, configured),
    )


def _columns(numbers: Numbers, summaries: Mapping[str, WindowSummary]) -> tuple[ColumnView, ...]:
    count = max((len(p.bars.names) for p in summaries.values()), default=0)
    return tuple(ColumnView(numbers, summaries, index) for index in range(count))


def _faults(blocks: Iterable[Block], risen: Faults) -> Iterator[Fault]:
    for key, value in fault_counts(blocks).items():
        if value:
            yield Fault(key[0], ", ".join(key[1:]), value, risen.get(key, math.nan))
