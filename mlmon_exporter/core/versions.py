"""The versions of a model: which are admitted, and what each has counted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from . import keys
from .counts.version_uses import OTHER_VERSION
from .drift.context import ScoringContext
from .drift.history import ColumnHistory, WindowSummary
from .drift.readings import FEATURES, OUTPUTS, ColumnReadings, Role
from .drift.tests import count_tests
from .keys import TallyKey
from .outcomes import tally_bytes
from .outcomes.differences import differences
from .outcomes.predicted import PredictedRows
from .outcomes.readings import (
    EstimateReadings,
    QualityReadings,
    ReferenceOutcomes,
    ResidualReadings,
)
from .outcomes.reference import ModelReference
from .outcomes.scorer import OutcomeScorer, Tallies
from .outcomes.tallies import SegmentSums
from .outcomes.tally_bytes import AnyTally
from .records import Batch, Block, SingleRows
from .settings import ModelSettings
from .windows.buffer import RowBuffer
from .windows.matrix import ReferenceMatrix
from .windows.window import TallyLayout, WindowedTallies

Source = Callable[[float], Iterable[Block]]
"""Gives all readings of one kind at a time, Unix seconds."""


class Side(NamedTuple):
    """Features, outputs, residuals or segments of one version."""

    counted: WindowedTallies[Any]
    """Counts of this process; where state is shared, those since the last flush."""
    loaded: WindowedTallies[Any]
    """Counts that readings are made of: the same, or those of all processes."""


class VersionSetup(NamedTuple):
    """Settings and references that the versions of a model have in common."""

    settings: ModelSettings
    features: ReferenceMatrix
    outputs: ReferenceMatrix
    scorer: OutcomeScorer | None
    """None where the model has no task."""
    outcomes: ReferenceOutcomes | None
    """None where the reference has no outcomes of the task."""

    @property
    def tests(self) -> int:
        """Number of tests of a version in all windows."""
        tests = count_tests(self.features) + count_tests(self.outputs)
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
        self._predicted: PredictedRows | None = None
        self._features = self._columns(keys.FEATURES, FEATURES, setup.features)
        self._outputs = self._columns(keys.OUTPUTS, OUTPUTS, setup.outputs)
        if setup.scorer is not None:
            self._add_outcomes(setup.scorer, setup.outcomes)

    def _side(self, side: int, layout: TallyLayout[Any]) -> Side:
        settings = self._setup.settings
        seconds = [window.seconds for window in settings.windows]
        counted = WindowedTallies(layout, seconds)
        loaded = WindowedTallies(layout, seconds) if settings.is_shared else counted
        self.sides[side] = Side(counted, loaded)
        return self.sides[side]

    def _columns(self, side: int, role: Role, matrix: ReferenceMatrix) -> RowBuffer:
        settings = self._setup.settings
        counted, loaded = self._side(side, matrix.layout)
        if matrix.references:
            readings = ColumnReadings(
                loaded,
                matrix,
                role,
                self._context,
                with_histograms=settings.with_histograms or role is OUTPUTS,
            )
            self.sources.append(readings.at)
            self._history.append(ColumnHistory(loaded, matrix, role, self._context, readings))
        return RowBuffer(matrix, settings.engine if settings.with_quantiles else "", counted)

    def _add_outcomes(self, scorer: OutcomeScorer, reference: ReferenceOutcomes | None) -> None:
        layout, context = scorer.layout, self._context
        counted, loaded = self._side(keys.SEGMENTS, layout)
        self.quality = QualityReadings(loaded, layout, reference, context)
        self.sources.append(self.quality.at)
        if scorer.counts_predicted:
            self._predicted = PredictedRows(scorer, counted)
        if scorer.residuals is not None:
            residuals = self._side(keys.RESIDUALS, scorer.residuals.layout).loaded
            self.sources.append(ResidualReadings(residuals, scorer.residuals, context).at)
        calibration = reference.calibration if reference is not None else None
        if calibration is not None:
            outputs, layouts = self.sides[keys.OUTPUTS].loaded, self._setup.outputs.layout
            score = scorer.task.outputs[scorer.task.scores[0]]
            estimates = EstimateReadings(outputs, layouts, score, calibration, context)
            self.sources.append(estimates.at)

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
                for batch, moment in zip(rows.batches(), rows.moments, strict=True):
                    self._predicted.add(self._setup.scorer.rows(batch), moment)

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


class Versions:
    """The versions of a model, and their tallies by key. Each side locks for itself.

    At most `max_versions` are admitted at a time; a version that is not used for long gives its
    slot back. Where counts are shared, the store decides which versions there are.
    """

    def __init__(
        self,
        settings: ModelSettings,
        reference: ModelReference,
        scorer: OutcomeScorer | None,
        on_overflow: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._on_overflow = on_overflow
        features, outputs = map(ReferenceMatrix, (reference.features, reference.outputs))
        outcomes = _reference_outcomes(reference, scorer)
        self._setup = VersionSetup(settings, features, outputs, scorer, outcomes)
        self._versions: dict[str, Version] = {}
        self._last: dict[str, float] = {}  # version -> Unix seconds of its last use here
        self._stored: Mapping[str, float] | None = None  # version -> Unix seconds of its start
        self._shows_waiting = False
        self._version(settings.version)

    def admit(self, name: str, now: float) -> tuple[str, Version]:
        """Return the version that rows seen at `now`, Unix seconds, count for, and its name.

        It is `other` if there are too many.
        """
        if self.is_full_for(name):
            self._on_overflow("version")
            name = OTHER_VERSION
        self._last[name] = max(now, self._last.get(name, now))
        return name, self._version(name)

    def is_full_for(self, version: str) -> bool:
        """Return whether a version is one too many."""
        if version in self._versions:
            return False
        known = {OTHER_VERSION, *self._versions, *self._last, *(self._stored or ())}
        return version not in known and len(known) - 1 >= self._settings.max_versions

    def expire(self, now: float, named: Iterable[str] = ()) -> list[str]:
        """Drop the versions that were not used for long, and return them.

        Args:
            now: Unix seconds.
            named: Other versions that have counts; those not known count as used now.
        """
        for version in (*self._versions, *named):
            self._last.setdefault(version, now)
        return self._drop_unused(now)

    def _drop_unused(self, now: float) -> list[str]:
        """Drop what was not used for long; those of the store stay."""
        before = now - self._settings.version_kept_seconds
        kept = {self._settings.version, *(self._stored or ())}
        # A time in the future is from before the clock was set back.
        self._last.update({v: now for v, last in list(self._last.items()) if last > now})
        unused = [
            version
            for version in {*self._versions, *self._last} - kept
            if self._last.get(version, -math.inf) < before
        ]
        for version in unused:
            self._versions.pop(version, None)
            self._last.pop(version, None)
        return unused

    def follow(self, stored: Mapping[str, float], now: float) -> bool:
        """Follow the versions of the store: drop those that it has dropped.

        Args:
            stored: Version -> Unix seconds of its start.
            now: Unix seconds.

        Returns:
            Whether all stored tallies must be loaded again, as some may not be.
        """
        known, self._stored = self._stored, stored
        dropped = [v for v, start in (known or {}).items() if stored.get(v) != start]
        for version in dropped:
            for side in self._versions[version].sides.values() if version in self._versions else ():
                side.loaded.take()
        self._drop_unused(now)
        return known is None or any(version in stored for version in dropped)

    def _version(self, name: str) -> Version:
        """Return a version that was admitted, a new one if it was never seen."""
        known = self._versions.get(name)
        return known or self._versions.setdefault(name, Version(name, self._setup))

    def take(self) -> Tallies:
        """Remove and return all that was counted since the last call."""
        self.drain(lambda: None)
        return self._each(lambda side: side.counted.take())

    def loaded(self) -> Tallies:
        """Return all tallies that readings are made of; they are not copied."""
        return self._each(lambda side: side.loaded.panes())

    def show_waiting(self, is_shown: bool) -> None:
        """Have readings include what `take` would give, or no longer; for state that is shared."""
        self._shows_waiting = is_shown
        for version in list(self._versions.values()):
            for side in version.sides.values():
                side.loaded.lay_over(side.counted if is_shown else None)

    def _each(self, of: Callable[[Side], Mapping[tuple[float, int], AnyTally]]) -> Tallies:
        return {
            TallyKey(name, i, side.counted.layout.fingerprint, *pane): tally
            for name, version in list(self._versions.items())
            for i, side in version.sides.items()
            for pane, tally in of(side).items()
        }

    def restore(self, tallies: Mapping[TallyKey, AnyTally]) -> None:
        """Add tallies that were taken, or those of outcomes; those of other columns are ignored."""
        for key, tally in tallies.items():
            # Mostly, its rows were admitted when they came.
            name = OTHER_VERSION if self.is_full_for(key.version) else key.version
            side = self._side(name, key)
            if side is not None:
                side.counted.restore(key.pane_key, tally)

    def load(self, key: TallyKey, data: bytes) -> None:
        """Replace a tally with the stored one; one of other columns is ignored.

        Raises:
            ValueError: The bytes are no tally.
        """
        side = self._side(key.version, key)
        if side is not None:
            side.loaded.load(key.pane_key, tally_bytes.from_bytes(data))

    def _side(self, version: str, key: TallyKey) -> Side | None:
        side = self._version(version).sides.get(key.side)
        is_ours = side is not None and side.counted.has_place(key.layout, key.window_seconds)
        return side if is_ours else None

    def drain(self, pause: Callable[[], None] = lambda: None) -> None:
        """Tally all rows that were added before."""
        for version in list(self._versions.values()):
            version.drain(pause)

    def _stored_versions(self) -> list[Version]:
        """Return our own version, and those of the store; all where there is none, or shown too."""
        stored, own = None if self._shows_waiting else self._stored, self._settings.version
        known = list(self._versions.items())
        return [v for name, v in known if stored is None or name == own or name in stored]

    def sources(self) -> Iterator[Source]:
        """Give the sources of readings of all versions, to be asked in this order."""
        champion = self._versions[self._settings.version]
        for version in self._stored_versions():
            yield from version.sources
            if version is not champion and version.quality and champion.quality:
                yield partial(differences, champion.quality, version.quality)

    def history(self, now: float) -> Iterator[WindowSummary]:
        """Give a summary of each side of all versions in each window; readings come first."""
        for version in self._stored_versions():
            yield from version.history(now)


def _reference_outcomes(
    reference: ModelReference, scorer: OutcomeScorer | None
) -> ReferenceOutcomes | None:
    if scorer is None or scorer.reference is None or reference.outcomes is None:
        return None
    sums = SegmentSums(scorer.layout, scorer.reference)
    return ReferenceOutcomes(sums, reference.outcomes.residuals)
