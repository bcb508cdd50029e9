"""Per-segment aggregates of outcomes; additive, so panes and workers merge."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.stats.roc import RocCurve

from .segments import Segments
from .task import OTHER_CLASSES, REGRESSION, Task

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

CALIBRATION_BINS = 10
NO_CURVE = RocCurve()
_COUNTS = {"made", "rows", "correct", "true", "predicted", "hits", "scored", "bin_rows", "bin_hits"}


class SegmentLayout:
    """Names and places of the sums of each segment."""

    def __init__(self, task: Task, segments: Segments, center: float = 0.0) -> None:
        """Lay out the sums.

        Args:
            task: Roles of the outputs, and classes.
            segments: Segments of the rows.
            center: A number near a regression's ground truths: sums of squares are about it.
        """
        self.task = task
        self.segments = segments
        self.center = center

    @cached_property
    def fields(self) -> Mapping[str, slice]:
        """Name of a sum -> its place in a segment's sums; some have one for each class or bin."""
        return _places(_regression_sizes() if self.task.kind == REGRESSION else self._class_sizes())

    def _class_sizes(self) -> dict[str, int]:
        classes = len(self.task.classes) + OTHER_CLASSES
        sizes = {"made": classes, "rows": 1, "correct": 1}
        sizes |= dict.fromkeys(("true", "predicted", "hits"), classes)
        if self.task.scores:
            losses = ("scored", "log_loss", "log_loss_squared", "brier", "brier_squared")
            bins = ("bin_rows", "bin_scores", "bin_hits")
            sizes |= dict.fromkeys(losses, 1) | dict.fromkeys(bins, CALIBRATION_BINS)
        return sizes

    @cached_property
    def width(self) -> int:
        """Number of sums of a segment."""
        return max(int(place.stop) for place in self.fields.values())

    @cached_property
    def _counts(self) -> list[int]:
        """Places of the sums that are counts of rows."""
        places = [place for name, place in self.fields.items() if name in _COUNTS]
        return [i for place in places for i in range(place.start, place.stop)]

    def new(self) -> SegmentTally:
        """Return a tally of no rows."""
        return SegmentTally(self.segment_count, self.width)

    def check(self, tally: SegmentTally) -> None:
        """Raise ValueError if a tally that was read has another layout or impossible counts."""
        shape = self.segment_count, self.width
        if np.shape(getattr(tally, "sums", ())) != shape:
            raise ValueError(f"tally: expected the {shape} sums of {self.fingerprint}, got others")
        counts = tally.sums[:, self._counts]
        is_count = (counts >= 0) & (counts <= tally.rows) & (counts == np.floor(counts))
        if not is_count.all():
            raise ValueError(f"tally: expected counts of its {tally.rows} rows, got others")
        if not all(0 <= i < self.segment_count and 0 <= n < self.curves for i, n in tally.curves):
            raise ValueError(f"tally: expected curves of {self.segment_count} segments, got others")

    @property
    def segment_count(self) -> int:
        """Number of segments, all rows being one."""
        return len(self.segments.all)

    @property
    def curves(self) -> int:
        """Curves of a segment: for the positive class, or for each class."""
        return len(self.task.scores)

    @cached_property
    def fingerprint(self) -> str:
        """Text that differs between layouts whose tallies do not add up."""
        labels = [(f.feature, f.labels) for f in self.segments.features]
        known = repr((self.task, labels, self.center)).encode("utf-8", "replace")
        return hashlib.sha256(known).hexdigest()[:16]


def _regression_sizes() -> dict[str, int]:
    names = ("rows", "squares", "fourths", "absolutes", "relatives", "truths", "truth_squares")
    return dict.fromkeys(names, 1)


def _places(sizes: Mapping[str, int]) -> dict[str, slice]:
    places, at = {}, 0
    for name, size in sizes.items():
        places[name] = slice(at, at + size)
        at += size
    return places


class SegmentTally:
    """Sums and curves of all segments. Not thread-safe."""

    __slots__ = ("curves", "rows", "sums")

    def __init__(self, segments: int, width: int) -> None:
        self.rows = 0
        """Rows that were added: predicted ones, and those with an outcome."""
        self.sums: Floats = np.zeros((segments, width))
        self.curves: dict[tuple[int, int], RocCurve] = {}
        """Number of the segment, and of the curve -> curve."""

    def merge(self, other: SegmentTally) -> None:
        """Add the counts of `other`, which stays as it is."""
        self.rows += other.rows
        self.sums += other.sums
        for where, curve in other.curves.items():
            ours = self.curves.get(where)
            if ours is None:
                ours = self.curves[where] = RocCurve()
            ours.merge(curve)

    def copy(self) -> SegmentTally:
        """Return a copy."""
        other = SegmentTally(*self.sums.shape)
        other.merge(self)
        return other

    def merge_max(self, other: SegmentTally) -> None:
        """Take over another state of this tally if it has more rows, as it is the later one."""
        if other.rows > self.rows:
            self.rows, self.sums, self.curves = other.rows, other.sums, other.curves

    def pack(self) -> None:
        """Shrink in memory, for a pane that is over."""
        for curve in self.curves.values():
            curve.pack()


def segment_indexes(layout: SegmentLayout, labels: Sequence[tuple[str, ...]]) -> Codes:
    """Return the segments of rows, shape (1 + segment features, rows): all, then one a feature.

    An unknown label, from before segments were changed, is in the segment `other`.
    """
    which = np.zeros((1 + len(layout.segments.features), len(labels)), dtype=np.intp)
    for f, index in enumerate(layout.segments.indexes):
        other = list(index.values())[-2]
        which[1 + f] = [index.get(row[f], other) if f < len(row) else other for row in labels]
    return which


def tally_predicted(layout: SegmentLayout, predicted: Floats, which: Codes) -> SegmentTally:
    """Count predicted rows by class.

    Args:
        layout: Layout of a classification.
        predicted: Class numbers; NaN where there was no prediction.
        which: Segments of the rows, as `segment_indexes` gives them.
    """
    tally = layout.new()
    is_known = ~np.isnan(predicted)
    tally.rows = int(is_known.sum())
    place = layout.fields["made"]
    size = place.stop - place.start
    for segments in which[:, is_known]:
        cells = segments * size + predicted[is_known].astype(np.intp)
        counts = np.bincount(cells, minlength=layout.segment_count * size)
        tally.sums[:, place] += counts.reshape(layout.segment_count, size)
    return tally


def aligned(tally: SegmentTally, own: SegmentLayout, wanted: SegmentLayout) -> SegmentTally:
    """Return a tally in another layout: segments and classes keep their names.

    Both tasks are of one kind, with as many scores. Names that `wanted` lacks are left out.
    """
    columns = _class_columns(own, wanted)
    sums = np.zeros((own.segment_count, wanted.width))
    sums[:, columns[1]] = tally.sums[:, columns[0]]
    _move_center(sums, own, wanted)
    other = wanted.new()
    other.rows = tally.rows
    where = {each: i for i, each in enumerate(wanted.segments.all)}
    for i, each in enumerate(own.segments.all):
        if each in where:
            other.sums[where[each]] = sums[i]
            for number in range(own.curves):
                if (i, number) in tally.curves:
                    other.curves[where[each], number] = tally.curves[i, number]
    return other


def _class_columns(own: SegmentLayout, wanted: SegmentLayout) -> tuple[list[int], list[int]]:
    """Return the places of sums in `own`, and those of the same sums in `wanted`."""
    classes = (*wanted.task.classes, None, True)
    names = (*own.task.classes, None, True)
    here, there = [], []
    for name, place in own.fields.items():
        is_by_class = name in ("made", "true", "predicted", "hits")
        for i in range(place.stop - place.start):
            if is_by_class and names[i] not in classes:
                continue
            here.append(place.start + i)
            there.append(
                wanted.fields[name].start + (classes.index(names[i]) if is_by_class else i)
            )
    return here, there


def _move_center(sums: Floats, own: SegmentLayout, wanted: SegmentLayout) -> None:
    if wanted.task.kind != REGRESSION:
        return
    gap = own.center - wanted.center
    rows, truths, squares = (
        sums[:, wanted.fields[name].start] for name in ("rows", "truths", "truth_squares")
    )
    squares += 2 * gap * truths + gap * gap * rows
    truths += gap * rows


class SegmentSums:
    """Sums of a tally by name, for each segment."""

    def __init__(self, layout: SegmentLayout, tally: SegmentTally) -> None:
        self.layout = layout
        self.tally = tally

    def __getitem__(self, name: str) -> Floats:
        """Return a sum of each segment, shape (segments,)."""
        return self.tally.sums[:, self.layout.fields[name].start]

    def each(self, name: str) -> Floats:
        """Return sums by class or bin, shape (segments, classes or bins)."""
        return self.tally.sums[:, self.layout.fields[name]]

    def mean(self, name: str, rows: str = "rows") -> Floats:
        """Return a sum's mean over rows, shape (segments,); NaN without rows."""
        return ratio(self[name], self[rows])

    def points(self, segment: int, number: int = 0) -> Floats:
        """Return the points of a segment's curve."""
        return self.tally.curves.get((segment, number), NO_CURVE).points


def ratio(part: Floats, whole: Floats) -> Floats:
    """Return part / whole; NaN where the whole is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole != 0, part / whole, np.nan)
