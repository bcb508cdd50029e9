"""The versions of a model: what each of them has counted, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from . import tally_bytes
from .columns import TOTALS, Columns
from .drift import count_tests
from .frame import Frame
from .readings import FEATURES, OUTPUTS, ColumnReadings, Role
from .records import Histograms, Readings
from .settings import ModelReference, ModelSettings
from .tally import Tally

OTHER_VERSION = "other"


class PartKey(NamedTuple):
    """Which part of a model's counts a tally is."""

    version: str
    side: int
    """0 features, 1 outputs."""
    layout: str
    """Fingerprint of the columns' cells."""
    window_seconds: float
    """0 for the totals since the start."""
    pane: int


class Side(NamedTuple):
    """The features of a version, or its outputs."""

    columns: Columns
    """Takes rows in."""
    shown: Columns
    """What readings are of: the same, or what all processes have counted."""
    readings: ColumnReadings

    def key(self, version: str, side: int, part: tuple[int, int]) -> PartKey:
        k, number = part
        seconds = self.columns.windows[k].seconds if part != TOTALS else 0.0
        return PartKey(version, side, self.columns.frame.layout.fingerprint, seconds, number)

    def part(self, key: PartKey) -> tuple[int, int] | None:
        """Return which part of these columns a key means, None if there is none such."""
        if key.layout != self.columns.frame.layout.fingerprint:
            return None
        if not key.window_seconds:
            return TOTALS
        seconds = [window.seconds for window in self.columns.windows]
        return (
            (seconds.index(key.window_seconds), key.pane) if key.window_seconds in seconds else None
        )


class Versions:
    """The sides of each version, and their parts by key. Each side locks for itself."""

    def __init__(
        self, settings: ModelSettings, reference: ModelReference, on_overflow: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._on_overflow = on_overflow
        self._versions: dict[str, tuple[Side, ...]] = {}
        self.frames = (Frame(reference.features), Frame(reference.outputs))
        self.sides(settings.version)

    def admit(self, version: str) -> str:
        """Return the version that rows are counted for: `other` where there are too many."""
        if version not in self._versions and len(self._versions) >= self._settings.max_versions:
            self._on_overflow()
            return OTHER_VERSION
        return version

    def sides(self, version: str) -> tuple[Side, ...]:
        """Return the sides of a version that was admitted, new ones if it was never seen."""
        return self._versions.get(version) or self._add(version)

    def _add(self, version: str) -> tuple[Side, ...]:
        tests = sum(map(count_tests, self.frames)) * len(self._settings.windows)
        sides = tuple(
            self._side(frame, role, version, tests)
            for frame, role in zip(self.frames, (FEATURES, OUTPUTS), strict=True)
        )
        return self._versions.setdefault(version, sides)

    def _side(self, frame: Frame, role: Role, version: str, tests: int) -> Side:
        s = self._settings
        seconds = [window.seconds for window in s.windows]
        columns = Columns(frame, seconds, s.engine)
        shown = Columns(frame, seconds, s.engine) if s.is_shared else columns
        readings = ColumnReadings(
            shown,
            role,
            (s.name, version),
            s.windows,
            s.policy,
            tests,
            s.with_histograms or role is OUTPUTS,
        )
        return Side(columns, shown, readings)

    def take(self) -> dict[PartKey, Tally]:
        """Return all that was counted since the last call and start again at nothing."""
        return {
            side.key(version, i, part): tally
            for version, i, side in self._all_sides()
            for part, tally in side.columns.take().items()
        }

    def give_back(self, parts: Mapping[PartKey, Tally]) -> None:
        """Add what was taken, since it could not be kept elsewhere."""
        for key, tally in parts.items():
            side = self.sides(self.admit(key.version))[key.side]
            part = side.part(key)
            if part is not None:
                side.columns.give_back({part: tally})

    def show(self, key: PartKey, data: bytes) -> None:
        """Have a part of what all processes have counted; one of other columns is passed over.

        Raises:
            ValueError: The bytes are no tally.
        """
        side = self.sides(self.admit(key.version))[key.side]
        part = side.part(key)
        if part is None:
            return
        tally = tally_bytes.from_bytes(data)
        if len(tally.counts) != side.shown.frame.layout.cell_starts[-1]:
            raise ValueError(f"tally: expected the cells of {key.layout}, got {len(tally.counts)}")
        side.shown.put(part, tally)

    def shown(self) -> dict[PartKey, Tally]:
        """Return all parts of what readings are of."""
        return {
            side.key(version, i, part): tally
            for version, i, side in self._all_sides()
            for part, tally in side.shown.parts().items()
        }

    def _all_sides(self) -> Iterator[tuple[str, int, Side]]:
        for version, sides in list(self._versions.items()):
            for i, side in enumerate(sides):
                yield version, i, side

    def settle(self, pause: Callable[[], None]) -> None:
        """Tally all rows that were taken in."""
        for _, _, side in self._all_sides():
            side.columns.settle(pause)

    def readings(self, now: float) -> Iterator[Readings | Histograms]:
        """Give the readings of all sides that the reference knows."""
        for _, _, side in self._all_sides():
            if side.columns.frame.references:
                yield from side.readings.at(now)
