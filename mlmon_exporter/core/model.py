"""One served model's whole state: what it is fed, and what it can say."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from . import tally_bytes
from .columns import BUFFER_ROWS, TOTALS, Columns
from .drift import Policy, count_tests
from .frame import Frame
from .pictures import ColumnPictures, Picture
from .profile import Profiler
from .readings import FEATURES, OUTPUTS, ColumnReadings, Role, WindowName
from .records import Batch, Column, Histograms, Readings
from .reference import ColumnReference
from .tally import Tally

OTHER_VERSION = "other"
LEARNED = "learned"
"""Where a reference came from that was learned from the first rows."""


class ModelSettings(NamedTuple):
    """What the user settled for a model."""

    name: str
    version: str = ""
    task: str = ""
    windows: tuple[WindowName, ...] = (WindowName("1h", 3600.0), WindowName("24h", 86400.0))
    policy: Policy = Policy()
    engine: str = "fastdigest"
    learn_rows: int = 10_000
    max_categories: int = 50
    max_versions: int = 8
    max_features: int = 2000
    with_histograms: bool = True
    outputs: tuple[str, ...] = ()
    is_shared: bool = False
    """Whether counts are kept with those of other processes, and read from there."""


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


class ModelReference(NamedTuple):
    """The reference of a model's columns."""

    features: tuple[ColumnReference, ...]
    outputs: tuple[ColumnReference, ...]
    created: float
    """Unix seconds when it was made."""
    source: str
    """Where it came from: a file's name, or LEARNED."""

    @property
    def rows(self) -> int:
        return max((column.rows for column in (*self.features, *self.outputs)), default=0)


class Learner:
    """The reference in the making, from the first rows that are served.

    Rows wait for others: a profile takes a hundred in hardly more time than one.
    """

    def __init__(self, settings: ModelSettings) -> None:
        self._max_columns = settings.max_features
        self._features, self._outputs = (
            Profiler(settings.engine, kept=settings.max_categories, columns=settings.max_features)
            for _ in range(2)
        )
        self.rows = 0
        self._waiting: list[Batch] = []
        self._waiting_rows = 0

    def observe(self, batch: Batch) -> None:
        if not batch.features and not batch.predictions:
            return
        self.rows += batch.rows
        self._waiting.append(batch)
        self._waiting_rows += batch.rows
        if self._waiting_rows >= BUFFER_ROWS:
            self._profile()

    def _profile(self) -> None:
        waiting, self._waiting, self._waiting_rows = self._waiting, [], 0
        features = [(batch.features, batch.rows) for batch in waiting if batch.features]
        outputs = [(batch.predictions, batch.rows) for batch in waiting if batch.predictions]
        for profiler, parts in ((self._features, features), (self._outputs, outputs)):
            if parts:
                profiler.profile(*_together(parts, profiler.names, self._max_columns))

    def reference(self, now: float) -> ModelReference:
        self._profile()
        return ModelReference(self._features.references(), self._outputs.references(), now, LEARNED)


def _together(
    parts: Sequence[tuple[Mapping[str, Column], int]], known: Sequence[str], max_columns: int
) -> tuple[dict[str, list[Any]], int]:
    """Return the columns of several batches as one, and the rows; no new names over a limit."""
    names = dict.fromkeys((*known, *(name for columns, _ in parts for name in columns)))
    together: dict[str, list[Any]] = {name: [] for name in [*names][:max_columns]}
    for columns, rows in parts:
        for name, values in together.items():
            value = columns.get(name)
            if value is None:
                values.extend([None] * rows)
            elif rows == 1:
                values.append(value)
            else:
                values.extend(value)
    return together, sum(rows for _, rows in parts)


class _Side(NamedTuple):
    columns: Columns
    """Takes rows in."""
    shown: Columns
    """What readings are of: the same, or what all processes have counted."""
    readings: ColumnReadings
    pictures: ColumnPictures

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


class Model:
    """A model and its versions. Thread-safe.

    Without a reference it learns one from its first rows, which are not scored; `on_learned` is
    told when it is there, and says which one to use.
    """

    def __init__(
        self,
        settings: ModelSettings,
        reference: ModelReference | None,
        on_learned: Callable[[ModelReference], ModelReference] = lambda reference: reference,
        on_overflow: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._on_learned = on_learned
        self._on_overflow = on_overflow
        self._learner: Learner | None = None
        self._versions: dict[str, tuple[_Side, ...]] = {}
        self.reference = reference
        if reference is None:
            self._learner = Learner(settings)
        else:
            self._use(reference)

    def _use(self, reference: ModelReference) -> None:
        self.reference = reference
        self._frames = (Frame(reference.features), Frame(reference.outputs))
        self._sides(self.settings.version)

    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs, as configured or as the reference has them."""
        if self.settings.outputs or self.reference is None:
            return self.settings.outputs
        return tuple(column.name for column in self.reference.outputs)

    def feature_names(self) -> tuple[str, ...]:
        """Names of the features in the reference's order; empty while it is being learned."""
        if self.reference is None:
            return ()
        return tuple(column.name for column in self.reference.features)

    def observe(self, batch: Batch, now: float, pause: Callable[[], None] = lambda: None) -> str:
        """Take in rows seen at `now`, Unix seconds; see `Columns.add`.

        Returns:
            The version that they are counted for; `other` where there are too many.
        """
        if self._learner is not None and self._learn(batch, now):
            return self.settings.version
        version = self._admit(batch.version or self.settings.version)
        features, outputs = self._sides(version)
        if batch.features:
            features.columns.add(batch.features, batch.rows, now, pause)
        if batch.predictions:
            outputs.columns.add(self._named_outputs(batch), batch.rows, now, pause)
        return version

    def _admit(self, version: str) -> str:
        if version not in self._versions and len(self._versions) >= self.settings.max_versions:
            self._on_overflow()
            return OTHER_VERSION
        return version

    def _named_outputs(self, batch: Batch) -> Mapping[str, Column]:
        """Return the predictions; the only one of a response is the only one of the reference."""
        names = self._frames[1].layout.names
        if len(names) == 1 and len(batch.predictions) == 1 and names[0] not in batch.predictions:
            return {names[0]: next(iter(batch.predictions.values()))}
        return batch.predictions

    def _learn(self, batch: Batch, now: float) -> bool:
        with self._lock:
            learner = self._learner
            if learner is None:
                return False
            learner.observe(batch)
            if learner.rows >= self.settings.learn_rows:
                self._use(self._on_learned(learner.reference(now)))
                self._learner = None
        return True

    def _sides(self, version: str) -> tuple[_Side, ...]:
        return self._versions.get(version) or self._add(version)

    def _add(self, version: str) -> tuple[_Side, ...]:
        tests = sum(map(count_tests, self._frames)) * len(self.settings.windows)
        sides = tuple(
            self._side(frame, role, version, tests)
            for frame, role in zip(self._frames, (FEATURES, OUTPUTS), strict=True)
        )
        return self._versions.setdefault(version, sides)

    def _side(self, frame: Frame, role: Role, version: str, tests: int) -> _Side:
        s = self.settings
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
        labels = (s.name, version)
        pictures = ColumnPictures(shown, readings, role, labels, s.windows, s.policy, tests)
        return _Side(columns, shown, readings, pictures)

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
            side = self._sides(self._admit(key.version))[key.side]
            part = side.part(key)
            if part is not None:
                side.columns.give_back({part: tally})

    def show(self, key: PartKey, data: bytes) -> None:
        """Have a part of what all processes have counted; one of other columns is passed over.

        Raises:
            ValueError: The bytes are no tally.
        """
        if self.reference is None:
            return
        side = self._sides(self._admit(key.version))[key.side]
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

    def adopt(self, reference: ModelReference) -> None:
        """Use a reference that another process has learned."""
        with self._lock:
            if self._learner is not None:
                self._use(reference)
                self._learner = None

    def _all_sides(self) -> Iterator[tuple[str, int, _Side]]:
        for version, sides in list(self._versions.items()):
            for i, side in enumerate(sides):
                yield version, i, side

    def settle(self, pause: Callable[[], None] = lambda: None) -> None:
        """Tally all rows that were taken in, so that readings show them."""
        for sides in list(self._versions.values()):
            for side in sides:
                side.columns.settle(pause)

    def readings(
        self, now: float, pause: Callable[[], None] = lambda: None
    ) -> Iterator[Readings | Histograms]:
        """Give all readings at `now`, Unix seconds."""
        if not self.settings.is_shared:
            self.settle(pause)
        yield from self._reference_readings()
        for sides in list(self._versions.values()):
            for side in sides:
                if side.columns.frame.references:
                    yield from side.readings.at(now)

    def pictures(self, now: float, pause: Callable[[], None] = lambda: None) -> Iterator[Picture]:
        """Give a picture of each side in each window at `now`; readings come first."""
        for _, _, side in self._all_sides():
            if side.columns.frame.references:
                for picture in side.pictures.at(now):
                    yield picture
                    pause()

    def _reference_readings(self) -> Iterator[Readings]:
        # The learner is asked for first: another thread may just be done with it.
        learner = self._learner
        s, reference = self.settings, self.reference
        names, labels = ("model", "version"), ((s.name, s.version),)
        learned = learner.rows if learner is not None else 0
        rows = reference.rows if reference is not None else learned
        yield Readings("mlmon_reference_rows", names, labels, [rows])
        yield Readings("mlmon_reference_learning", names, labels, [float(reference is None)])
        if reference is not None:
            created = [reference.created]
            yield Readings("mlmon_reference_timestamp_seconds", names, labels, created)
        source = reference.source if reference is not None else "learning"
        info = ((s.name, s.version, s.task, source),)
        yield Readings("mlmon_model_info", (*names, "task", "reference"), info, [1])


def window_names(windows: Sequence[tuple[str, float]]) -> tuple[WindowName, ...]:
    """Return windows by length, shortest first."""
    named = (WindowName(label, seconds) for label, seconds in windows)
    return tuple(sorted(named, key=lambda window: window.seconds))
