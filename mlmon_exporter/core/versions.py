"""The versions of a model: what each of them has counted, side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from . import keys as part_keys
from .counts.version_uses import OTHER_VERSION
from .drift.history import ColumnHistory, WindowSummary
from .drift.readings import FEATURES, OUTPUTS, ColumnReadings, Role
from .drift.tests import count_tests
from .keys import TallyKey
from .outcomes import tally_bytes
from .outcomes.differences import differences
from .outcomes.readings import (
    EstimateReadings,
    QualityReadings,
    ReferenceOutcomes,
    ResidualReadings,
    ScoringContext,
)
from .outcomes.reference import ModelReference
from .outcomes.scorer import OutcomeScorer, Parts
from .outcomes.tallies import SegmentSums
from .outcomes.tally_bytes import AnyTally
from .outcomes.windows import SliceWindows
from .records import Histograms, Readings
from .settings import ModelSettings
from .sides import Side
from .windows.columns import Columns
from .windows.matrix import ReferenceMatrix


class Version(NamedTuple):
    """One version: what takes in its rows, and what gives its readings."""

    features: Columns
    outputs: Columns
    slices: SliceWindows | None
    """None where the model has no task."""
    sides: Mapping[int, Side]
    quality: QualityReadings | None = None
    estimates: EstimateReadings | None = None
    """None where the reference has no probabilities with their outcomes."""


class Versions:
    """The versions of a model, and their parts by key. Each side locks for itself.

    At most `max_versions` are admitted at a time; one that is not used for long gives its slot
    back. Where counts are shared, the state on disk has the last word on which versions there are.
    """

    def __init__(
        self,
        settings: ModelSettings,
        reference: ModelReference,
        outcomes: OutcomeScorer | None,
        on_overflow: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._outcomes = outcomes
        self._on_overflow = on_overflow
        self._versions: dict[str, Version] = {}
        self._last: dict[str, float] = {}  # when they were used here, Unix seconds
        self._stored: Mapping[str, float] | None = None  # what the state on disk has, since when
        self._seconds = [window.seconds for window in settings.windows]
        self.frames = (ReferenceMatrix(reference.features), ReferenceMatrix(reference.outputs))
        self._reference = _reference_outcomes(reference, outcomes)
        self._tests = len(self._seconds) * self._count_tests()
        self.version(settings.version)

    def _count_tests(self) -> int:
        """Return how many tests there are, for one window."""
        tests = sum(map(count_tests, self.frames))
        if self._reference is not None:
            tests += self._reference.tests + 1
        return tests

    def admit(self, version: str, now: float) -> str:
        """Return what rows seen at `now`, Unix seconds, count for: `other` if it is too many."""
        if self.is_full_for(version):
            self._on_overflow("version")
            version = OTHER_VERSION
        self._last[version] = max(now, self._last.get(version, now))
        return version

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
            named: Other versions that something is counted for; those not known are used now.
        """
        for version in (*self._versions, *named):
            self._last.setdefault(version, now)
        return self._drop_unused(now)

    def _drop_unused(self, now: float) -> list[str]:
        """Drop what was not used for long; those of the state on disk stay."""
        before = now - self._settings.version_kept_seconds
        kept = {self._settings.version, *(self._stored or ())}
        # A time to come is from before the clock was set back.
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

    def set_versions(self, stored: Mapping[str, float], now: float) -> bool:
        """Know which versions the state on disk has, and drop those that it has dropped.

        Args:
            stored: Version -> Unix seconds since when it is there.
            now: Unix seconds.

        Returns:
            Whether some part that is there may not be shown yet, so that all must be read anew.
        """
        known, self._stored = self._stored, stored
        dropped = [v for v, since in (known or {}).items() if stored.get(v) != since]
        for version in dropped:
            for side in self._versions[version].sides.values() if version in self._versions else ():
                side.shown.take()
                side.shown.give_back({})
        self._drop_unused(now)
        return known is None or any(version in stored for version in dropped)

    def version(self, name: str) -> Version:
        """Return a version that was admitted, a new one if it was never seen."""
        return self._versions.get(name) or self._versions.setdefault(name, self._new(name))

    def _new(self, name: str) -> Version:
        features, outputs = (Columns(f, self._seconds, self._settings.engine) for f in self.frames)
        sides = {
            part_keys.FEATURES: self._side(features, FEATURES, name),
            part_keys.OUTPUTS: self._side(outputs, OUTPUTS, name),
        }
        version = Version(features, outputs, None, sides)
        return (
            version
            if self._outcomes is None
            else self._with_outcomes(version, self._outcomes, name)
        )

    def _with_outcomes(self, version: Version, outcomes: OutcomeScorer, name: str) -> Version:
        settled, sides = self._settled(name), dict(version.sides)
        slices = SliceWindows(outcomes, self._seconds)
        shown = SliceWindows(outcomes, self._seconds) if self._settings.is_shared else slices
        quality = QualityReadings(shown, self._reference, settled)
        sides[part_keys.SEGMENTS] = Side(slices, shown, quality)
        if outcomes.errors is not None:
            errors = Columns(outcomes.errors, self._seconds, self._settings.engine)
            readings = ResidualReadings(self._shown(errors), settled)
            sides[part_keys.RESIDUALS] = Side(errors, readings.shown, readings)
        calibration = self._reference.calibration if self._reference is not None else None
        estimates = None
        shown_outputs = sides[part_keys.OUTPUTS].shown
        if calibration is not None and isinstance(shown_outputs, Columns):
            estimates = EstimateReadings(shown_outputs, outcomes.layout, calibration, settled)
        return version._replace(slices=slices, sides=sides, quality=quality, estimates=estimates)

    def _settled(self, version: str) -> ScoringContext:
        s = self._settings
        return ScoringContext(s.name, version, s.windows, s.policy, self._tests)

    def _shown(self, columns: Columns) -> Columns:
        """Return what readings are of."""
        if not self._settings.is_shared:
            return columns
        return Columns(columns.frame, self._seconds, self._settings.engine)

    def _side(self, columns: Columns, role: Role, version: str) -> Side:
        s, shown = self._settings, self._shown(columns)
        readings = ColumnReadings(
            shown,
            role,
            (s.name, version),
            s.windows,
            s.policy,
            self._tests,
            s.with_histograms or role is OUTPUTS,
        )
        if not columns.frame.references:
            return Side(columns, shown, None)
        labels = (s.name, version)
        pictures = ColumnHistory(shown, readings, role, labels, s.windows, s.policy, self._tests)
        return Side(columns, shown, readings, pictures)

    def take(self) -> Parts:
        """Return all that was counted since the last call and start again at nothing."""
        return {
            side.key(version, i, part): tally
            for version, i, side in self._all_sides()
            for part, tally in side.counted.take().items()
        }

    def restore(self, parts: Mapping[TallyKey, AnyTally]) -> None:
        """Add what was taken, or what outcomes add."""
        for key, tally in parts.items():
            # Its rows were admitted when they came, mostly.
            version = OTHER_VERSION if self.is_full_for(key.version) else key.version
            side = self.version(version).sides.get(key.side)
            part = side.part(key) if side is not None else None
            if side is not None and part is not None:
                side.counted.give_back({part: tally})

    def load(self, key: TallyKey, data: bytes) -> None:
        """Have a part of what all processes have counted; one of other columns is passed over.

        Raises:
            ValueError: The bytes are no tally.
        """
        side = self.version(key.version).sides.get(key.side)
        part = side.part(key) if side is not None else None
        if side is not None and part is not None:
            side.shown.put(part, tally_bytes.from_bytes(data))

    def loaded(self) -> Parts:
        """Return all parts of what readings are of."""
        return {
            side.key(version, i, part): tally
            for version, i, side in self._all_sides()
            for part, tally in side.shown.parts().items()
        }

    def _all_sides(self) -> Iterator[tuple[str, int, Side]]:
        for version, known in list(self._versions.items()):
            for i, side in known.sides.items():
                yield version, i, side

    def _all_shown(self) -> list[tuple[str, Version]]:
        """Return the versions that the state on disk has, and our own; all if there is none."""
        stored, own = self._stored, self._settings.version
        return [
            (name, version)
            for name, version in list(self._versions.items())
            if stored is None or name == own or name in stored
        ]

    def drain(self, pause: Callable[[], None]) -> None:
        """Tally all rows that were taken in."""
        for _, _, side in self._all_sides():
            side.counted.drain(pause)

    def readings(self, now: float) -> Iterator[Readings | Histograms]:
        """Give the readings of all sides that the reference knows."""
        for _, version in self._all_shown():
            for side in version.sides.values():
                if side.readings is not None:
                    yield from side.readings.at(now)
            if version.estimates is not None:
                yield from version.estimates.at(now)
            champion = self._versions[self._settings.version]
            if version is not champion and version.quality and champion.quality:
                yield from differences(champion.quality, version.quality)

    def pictures(self, now: float) -> Iterator[WindowSummary]:
        """Give a picture of each side in each window; readings come first."""
        for _, version in self._all_shown():
            for side in version.sides.values():
                if side.pictures is not None:
                    yield from side.pictures.at(now)


def _reference_outcomes(
    reference: ModelReference, outcomes: OutcomeScorer | None
) -> ReferenceOutcomes | None:
    if outcomes is None or outcomes.reference is None or reference.outcomes is None:
        return None
    sums = SegmentSums(outcomes.layout, outcomes.reference)
    return ReferenceOutcomes(sums, reference.outcomes.error)
