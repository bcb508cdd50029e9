"""What outcomes amount to, for all slices of a model's rows at once: sums that add up."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .roc import RocCurve, curve_of
from .segments import Segments
from .task import OTHER_CLASSES, REGRESSION, OutcomeRows, Task

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

CALIBRATION_BINS = 10
LEAST_PROBABILITY = float(np.finfo(np.float64).eps)
"""Log loss takes probabilities for no less than this, as scikit-learn does."""


class SliceLayout:
    """Which sums there are of each slice, and where."""

    def __init__(self, task: Task, segments: Segments, center: float = 0.0) -> None:
        """Lay the sums out.

        Args:
            task: Which output is what.
            segments: What rows are sliced by.
            center: A number near a regression's ground truths: sums of squares are about it.
        """
        self.task = task
        self.segments = segments
        self.center = center

    @cached_property
    def fields(self) -> Mapping[str, slice]:
        """Name of a sum -> its place in a slice's sums; for some, one for each class or bin."""
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

    @property
    def width(self) -> int:
        """Sums of a slice."""
        return max(int(place.stop) for place in self.fields.values())

    @property
    def slices(self) -> int:
        """How many slices there are."""
        return len(self.segments.slices)

    @property
    def curves(self) -> int:
        """Curves of a slice: of the positive class, or of each."""
        return len(self.task.scores)

    @cached_property
    def fingerprint(self) -> str:
        """Text that differs where slices or sums do: tallies of another one do not add up."""
        labels = [(f.feature, f.labels) for f in self.segments.features]
        known = repr((self.task, labels, self.center)).encode("utf-8", "replace")
        return hashlib.sha256(known).hexdigest()[:16]


def _regression_sizes() -> dict[str, int]:
    names = ("rows", "squares", "absolutes", "relatives", "truths", "truth_squares")
    return dict.fromkeys(names, 1)


def _places(sizes: Mapping[str, int]) -> dict[str, slice]:
    places, at = {}, 0
    for name, size in sizes.items():
        places[name] = slice(at, at + size)
        at += size
    return places


class SliceTally:
    """Sums and curves of all slices. Not thread-safe: whoever holds it locks."""

    __slots__ = ("curves", "rows", "sums")

    def __init__(self, slices: int, width: int) -> None:
        self.rows = 0
        """Rows that were added, predicted ones and those with an outcome."""
        self.sums: Floats = np.zeros((slices, width))
        self.curves: dict[tuple[int, int], RocCurve] = {}
        """Slice and which of its curves -> curve."""

    def merge(self, other: SliceTally) -> None:
        """Add all that `other` has; it stays as it is."""
        self.rows += other.rows
        self.sums += other.sums
        for where, curve in other.curves.items():
            ours = self.curves.get(where)
            if ours is None:
                ours = self.curves[where] = RocCurve()
            ours.merge(curve)

    def pack(self) -> None:
        """Take less room, for a pane that is over."""
        for curve in self.curves.values():
            curve.pack()


def new_tally(layout: SliceLayout) -> SliceTally:
    """Return a tally without rows."""
    return SliceTally(layout.slices, layout.width)


def slices_of(layout: SliceLayout, labels: Sequence[tuple[str, ...]]) -> Codes:
    """Return the slices of rows, shape (1 + segment features, rows): all, then one a feature.

    A label that is not known any more, since segments were changed, is the feature's last but
    one: `other`.
    """
    which = np.zeros((1 + len(layout.segments.features), len(labels)), dtype=np.intp)
    for f, index in enumerate(layout.segments.indexes):
        other = list(index.values())[-2]
        which[1 + f] = [index.get(row[f], other) if f < len(row) else other for row in labels]
    return which


def tally_predicted(layout: SliceLayout, predicted: Floats, which: Codes) -> SliceTally:
    """Count predicted rows by class, for what is known without outcomes.

    Args:
        layout: Of a classification.
        predicted: Class numbers; NaN where there was no prediction.
        which: Slices of the rows, as `slices_of` gives them.
    """
    tally = new_tally(layout)
    is_known = ~np.isnan(predicted)
    tally.rows = int(is_known.sum())
    _Adder(layout, tally, which[:, is_known]).count("made", predicted[is_known].astype(np.intp))
    return tally


def tally_outcomes(layout: SliceLayout, outcomes: OutcomeRows, which: Codes) -> SliceTally:
    """Add up rows with outcomes; none of them has a problem."""
    tally = new_tally(layout)
    tally.rows = len(outcomes.truth)
    adder = _Adder(layout, tally, which)
    adder.add("rows", np.ones(len(outcomes.truth)))
    with np.errstate(over="ignore", invalid="ignore"):
        if layout.task.kind == REGRESSION:
            _add_numbers(adder, outcomes, layout.center)
        else:
            _add_classes(adder, outcomes)
            if layout.task.scores:
                _add_scores(adder, outcomes, layout.task)
    return tally


class _Adder:
    """Adds rows to the slices that each is in."""

    def __init__(self, layout: SliceLayout, tally: SliceTally, which: Codes) -> None:
        self._layout = layout
        self._fields = layout.fields
        self._tally = tally
        self._which = which

    def of_rows(self, rows: NDArray[np.bool_]) -> _Adder:
        """Return one for some of the rows."""
        return _Adder(self._layout, self._tally, self._which[:, rows])

    def add(self, name: str, values: Floats) -> None:
        """Add a value of each row to a sum."""
        place = self._fields[name].start
        for slices in self._which:
            counts = np.bincount(slices, values, len(self._tally.sums))
            self._tally.sums[:, place] += counts

    def count(self, name: str, codes: Codes, values: Floats | None = None) -> None:
        """Add a value of each row, 1 by default, to the sum of its class or bin."""
        place = self._fields[name]
        size, count = place.stop - place.start, len(self._tally.sums)
        for slices in self._which:
            sums = np.bincount(slices * size + codes, values, count * size)
            self._tally.sums[:, place] += sums.reshape(count, size)

    def curve(self, number: int, scores: Floats, is_positive: NDArray[np.bool_]) -> None:
        """Add rows to a curve."""
        for slices in self._which:
            for each in np.unique(slices).tolist():
                rows = slices == each
                self._tally.curves[each, number] = curve_of(scores[rows], is_positive[rows])


def _add_numbers(adder: _Adder, outcomes: OutcomeRows, center: float) -> None:
    residual = outcomes.truth - outcomes.predicted
    absolute, truth = np.abs(residual), outcomes.truth - center
    adder.add("squares", np.square(residual))
    adder.add("absolutes", absolute)
    adder.add("relatives", absolute / np.maximum(np.abs(outcomes.truth), LEAST_PROBABILITY))
    adder.add("truths", truth)
    adder.add("truth_squares", np.square(truth))


def _add_classes(adder: _Adder, outcomes: OutcomeRows) -> None:
    truth, predicted = (x.astype(np.intp) for x in (outcomes.truth, outcomes.predicted))
    is_hit = truth == predicted
    adder.add("correct", is_hit.astype(np.float64))
    adder.count("true", truth)
    adder.count("predicted", predicted)
    adder.count("hits", truth, is_hit.astype(np.float64))


def _add_scores(adder: _Adder, outcomes: OutcomeRows, task: Task) -> None:
    is_scored = is_scorable(outcomes, task)
    truth, scores = outcomes.truth[is_scored], outcomes.scores[is_scored]
    part = adder.of_rows(is_scored)
    part.add("scored", np.ones(len(truth)))
    chances, happened = class_chances(truth, scores, task)
    for name, loss in (
        ("log_loss", log_loss(truth, scores, task)),
        ("brier", brier(truth, scores, task)),
    ):
        part.add(name, loss)
        part.add(f"{name}_squared", np.square(loss))
    bins = np.minimum((chances * CALIBRATION_BINS).astype(np.intp), CALIBRATION_BINS - 1)
    part.count("bin_rows", bins)
    part.count("bin_scores", bins, chances)
    part.count("bin_hits", bins, happened.astype(np.float64))
    classes = [task.positive or 0] if len(task.scores) == 1 else range(len(task.scores))
    for number, each in enumerate(classes):
        part.curve(number, scores[:, number], truth == each)


def is_scorable(outcomes: OutcomeRows, task: Task) -> NDArray[np.bool_]:
    """Return which rows have all probabilities, and a class that has one."""
    is_known = ~np.isnan(outcomes.scores).any(axis=1)
    if len(task.scores) > 1:
        is_known &= outcomes.truth < len(task.scores)
    return np.asarray(is_known)


def class_chances(truth: Floats, scores: Floats, task: Task) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the probability that calibration is about, and whether it came true.

    The positive class's; with a probability for each class, that of the most probable one.
    """
    if len(task.scores) == 1:
        return scores[:, 0], truth == (task.positive or 0)
    best = np.argmax(scores, axis=1) if len(scores) else np.empty(0, dtype=np.intp)
    return np.take_along_axis(scores, best[:, None], axis=1)[:, 0], truth == best


def log_loss(truth: Floats, scores: Floats, task: Task) -> Floats:
    """Return each row's log loss, nats: minus the logarithm of its class's probability.

    Probabilities are kept off 0 and 1 as scikit-learn does.
    """
    if len(task.scores) == 1:
        chance = np.where(truth == (task.positive or 0), scores[:, 0], 1 - scores[:, 0])
    else:
        chance = np.take_along_axis(scores, truth.astype(np.intp)[:, None], axis=1)[:, 0]
    safe = np.clip(chance, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return np.asarray(-np.log(safe), dtype=np.float64)


def brier(truth: Floats, scores: Floats, task: Task) -> Floats:
    """Return each row's squared error of probabilities; the sum over classes if each has one."""
    if len(task.scores) == 1:
        return np.asarray(np.square(scores[:, 0] - (truth == (task.positive or 0))))
    is_true = truth[:, None] == np.arange(len(task.scores))
    return np.asarray(np.square(scores - is_true).sum(axis=1))
