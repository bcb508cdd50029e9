"""One version of a model: what it counts, and the readings made of that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from mlmon_exporter.core import keys
from mlmon_exporter.core.derived.reference import Derive, DerivedReference
from mlmon_exporter.core.drift.context import ScoringContext
from mlmon_exporter.core.drift.dependence import LiveDependence
from mlmon_exporter.core.drift.history import ColumnHistory, WindowSummary
from mlmon_exporter.core.drift.readings import OUTPUTS, ROLES, ColumnReadings, Role
from mlmon_exporter.core.drift.tests import count_tests
from mlmon_exporter.core.outcomes.estimated import Estimate, EstimateReadings, Tallied, estimate_of
from mlmon_exporter.core.outcomes.predicted import PredictedRows
from mlmon_exporter.core.outcomes.readings import (
    QualityReadings,
    ReferenceOutcomes,
    ResidualReadings,
)
from mlmon_exporter.core.outcomes.reference import ModelReference
from mlmon_exporter.core.outcomes.scorer import OutcomeScorer
from mlmon_exporter.core.outcomes.tallies import SegmentSums
from mlmon_exporter.core.outcomes.task import REGRESSION
from mlmon_exporter.core.outcomes.variation import values_of_bins
from mlmon_exporter.core.records import Batch, Block, SingleRows
from mlmon_exporter.core.settings import LEARNED, ModelSettings
from mlmon_exporter.core.windows.buffer import RowBuffer
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from mlmon_exporter.core.windows.stretches import Stretches
from mlmon_exporter.core.windows.tallier import Derivation, Tallier
from mlmon_exporter.core.windows.tally import Tally
from mlmon_exporter.core.windows.window import TallyLayout, WindowedTallies

Source = Callable[[float], Iterable[Block]]
"""Gives all readings of one kind at a time, Unix seconds."""


COLUMNS: Mapping[int, Role] = dict(
    zip((keys.FEATURES, keys.OUTPUTS, keys.DERIVED), ROLES, strict=True)
)
"""Sides that have columns -> their role in readings."""


class Side(NamedTuple):
    """Features, outputs, derived columns, residuals or segments of one version."""

    counted: WindowedTallies[Any]
    """Counts of this process; where state is shared, those since the last flush."""
    loaded: WindowedTallies[Any]
    """Counts that readings are made of: the same, or those of all processes."""


class VersionSetup(NamedTuple):
    """Settings and references that the versions of a model have in common."""

    settings: ModelSettings
    matrices: Mapping[int, ReferenceMatrix]
    """By the sides of `COLUMNS`."""
    derive: Derive | None
    """Function from rows of features to those of derived columns, if there are any."""
    derived: DerivedReference | None
    scorer: OutcomeScorer | None
    """None where the model has no task."""
    outcomes: ReferenceOutcomes | None
    """None where the reference has no outcomes of the task."""
    estimate: Estimate | None
    """Quality of rows without outcomes; None where the reference does not tell."""
    dependences: Mapping[int, LiveDependence]
    """Side of `COLUMNS`, or RESIDUALS -> how its rows depend on each other, where live traffic must
    say."""

    @property
    def tests(self) -> int:
        """Number of tests of a version in all windows."""
        tests = sum(map(count_tests, self.matrices.values()))
        if self.outcomes is not None:
            tests += self.outcomes.tests + 1
        if self.scorer is not None:
            tests += self.scorer.tests
        return tests * len(self.settings.windows)


class Version:
    """One version: buffers of its rows, the tallies of its sides, and readings of them."""

    def __init__(self, name: str, setup: VersionSetup) -> None:
        settings = setup.settings
        self.sides: dict[int, Side] = {}
        self.quality: QualityReadings | None = None
        self._setup = setup
        self._context = ScoringContext(
            settings.name, name, settings.windows, settings.policy, setup.tests
        )
        self.sources: list[Source] = []
        self._history: list[ColumnHistory] = []
        self._readings: dict[int, ColumnReadings] = {}
        self._predicted: PredictedRows | None = None
        self._features, self._outputs = self._buffers()
        if setup.scorer is not None:
            self._add_outcomes(setup.scorer, setup.outcomes)

    def _side(self, side: int, layout: TallyLayout[Any]) -> Side:
        settings = self._setup.settings
        seconds = [window.seconds for window in settings.windows]
        counted = WindowedTallies(layout, seconds)
        loaded = WindowedTallies(layout, seconds) if settings.is_shared else counted
        self.sides[side] = Side(counted, loaded)
        return self.sides[side]

    def _buffers(self) -> tuple[RowBuffer, RowBuffer]:
        """Return the buffers of features, from which other columns are derived, and of outputs."""
        setup = self._setup
        engine = setup.settings.engine if setup.settings.with_quantiles else ""
        features, outputs, derived = (
            (setup.matrices[side], engine, *self._columns(side)) for side in COLUMNS
        )
        if setup.derived is None or setup.derive is None:
            return RowBuffer(*features), RowBuffer(*outputs)
        derivation = Derivation(
            setup.derive,
            Tallier(*derived),
            setup.derived.measured_names,
            setup.derived.measured_rows if setup.derived.vectors else None,
            setup.derived.numbers,
        )
        return RowBuffer(*features, derivation), RowBuffer(*outputs)

    def _columns(self, side: int) -> tuple[WindowedTallies[Tally], Stretches | None]:
        """Start a side, and give readings of it; return where its rows are to be tallied."""
        matrix, role = self._setup.matrices[side], COLUMNS[side]
        counted, loaded = self._side(side, matrix.layout)
        dependence = self._setup.dependences.get(side)
        if matrix.references:
            readings = ColumnReadings(
                loaded,
                matrix,
                role,
                self._context,
                dependence,
                with_histograms=self._setup.settings.with_histograms or role is OUTPUTS,
            )
            self._readings[side] = readings
            self.sources.append(readings.at)
            self._history.append(ColumnHistory(loaded, matrix, role, self._context, readings))
        return counted, dependence.stretches if dependence is not None else None

    def _add_outcomes(self, scorer: OutcomeScorer, reference: ReferenceOutcomes | None) -> None:
        layout, context = scorer.layout, self._context
        counted, loaded = self._side(keys.SEGMENTS, layout)
        dependence = self._setup.dependences.get(keys.RESIDUALS)
        self.quality = QualityReadings(loaded, layout, reference, context, dependence)
        self.sources.append(self.quality.at)
        if scorer.counts_predicted:
            self._predicted = PredictedRows(scorer, counted)
        if scorer.residuals is not None:
            residuals = self._side(keys.RESIDUALS, scorer.residuals.layout).loaded
            wrong = reference.wrong_share if reference is not None else 0.0
            errors = ResidualReadings(residuals, scorer.residuals, context, dependence, wrong)
            self.sources.append(errors.at)
        if self._setup.estimate is not None:
            sides: Mapping[int, Tallied] = {**self._readings, keys.SEGMENTS: self.quality}
            matrices, estimate = self._setup.matrices, self._setup.estimate
            self.sources.append(EstimateReadings(sides, matrices, estimate, context).at)

    def add(
        self, batch: Batch, now: float, pause: Callable[[], None], request_bytes: int | None
    ) -> None:
        """Add rows seen at `now`, Unix seconds; see `RowBuffer.add`."""
        if batch.features:
            self._features.add(batch.features, batch.rows, now, pause, request_bytes=request_bytes)
        if batch.predictions:
            named = batch.outputs(self._outputs.names)
            self._outputs.add(named, batch.rows, now, pause, request_bytes=request_bytes)
            if self._predicted is not None and self._setup.scorer is not None:
                self._predicted.add(self._setup.scorer.rows(batch), now)

    def add_many(self, rows: SingleRows, pause: Callable[[], None]) -> None:
        """Add rows of small requests that have one each."""
        if rows.features:
            self._features.add_many(rows.features, rows.values, rows.moments, pause)
        if rows.predictions:
            own = self._outputs.names  # a single one takes the name, as in `Batch.outputs`
            names = own if len(own) == len(rows.predictions) == 1 else rows.predictions
            self._outputs.add_many(names, rows.answers, rows.moments, pause)
            if self._predicted is not None and self._setup.scorer is not None:
                self._predicted.add_many(self._setup.scorer.rows(rows), rows.moments)

    def drain(self, pause: Callable[[], None]) -> None:
        """Tally all rows that were added before."""
        self._features.drain(pause)
        self._outputs.drain(pause)
        if self._predicted is not None:
            self._predicted.drain(pause)

    def history(self, now: float) -> Iterator[WindowSummary]:
        """Give a summary of each side in each window; readings come first."""
        for each in self._history:
            yield from each.at(now)


def setup_of(
    settings: ModelSettings, reference: ModelReference, scorer: OutcomeScorer | None
) -> VersionSetup:
    """Return what the versions of a model with this reference have in common."""
    derived = reference.derived
    matrices = dict(zip(COLUMNS, map(ReferenceMatrix, reference.sides), strict=True))
    derive = derived.bind(reference.features) if derived is not None else None
    dependences = {} if reference.knows_time else _dependences(settings, reference, matrices)
    dependences |= _dependence_of_residuals(scorer)
    outcomes = _reference_outcomes(reference, scorer)
    sums = outcomes.sums if outcomes is not None else None
    estimate = estimate_of(matrices, sums, reference.outcomes)
    return VersionSetup(
        settings, matrices, derive, derived, scorer, outcomes, estimate, dependences
    )


def _dependences(
    settings: ModelSettings, reference: ModelReference, matrices: Mapping[int, ReferenceMatrix]
) -> dict[int, LiveDependence]:
    """Return the dependence in time of the sides that have columns, to be measured."""
    seconds = [window.seconds for window in settings.windows]
    # One learned from some hours is one more stretch: they may all have been of a night.
    is_learned = reference.source == LEARNED
    learned_seconds = max(reference.seconds, 1.0) if is_learned else 0.0
    return {
        side: LiveDependence(
            matrix,
            Stretches(matrix.layout, seconds, is_shared=settings.is_shared),
            learned_seconds,
        )
        for side, matrix in matrices.items()
        if matrix.references
    }


def _dependence_of_residuals(scorer: OutcomeScorer | None) -> dict[int, LiveDependence]:
    if scorer is None or scorer.residuals is None or scorer.stretches is None:
        return {}
    matrix, is_regression = scorer.residuals, scorer.task.kind == REGRESSION
    values = values_of_bins(matrix.references[0], is_regression=is_regression)
    return {keys.RESIDUALS: LiveDependence(matrix, scorer.stretches, values=values)}


def _reference_outcomes(
    reference: ModelReference, scorer: OutcomeScorer | None
) -> ReferenceOutcomes | None:
    if scorer is None or scorer.reference is None or reference.outcomes is None:
        return None
    sums = SegmentSums(scorer.layout, scorer.reference)
    return ReferenceOutcomes(sums, reference.outcomes.residuals)
