"""The reference of a model: of its columns, and of its outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np

from mlmon_exporter.core.derived.reference import DerivedReference
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.form import column_from_dict, column_to_dict
from mlmon_exporter.core.profile.hours import NO_HOURS
from mlmon_exporter.core.profile.merge import merge_columns
from mlmon_exporter.core.settings import Choice
from mlmon_exporter.core.stats.centroids import MOST_ROWS
from mlmon_exporter.core.stats.roc import RocCurve

from .classes import in_order
from .expected import ExpectedLosses
from .hits import ClassHits
from .segments import FeatureSegments, Segments
from .tallies import SegmentLayout, SegmentSums, SegmentTally, aligned
from .task import CLASSIFICATION, REGRESSION, Task, choose_task

NOT_ONE_TASK = (
    "reference: outcomes: expected the same task on both sides; "
    "build both with the same columns and the same classes"
)


@dataclass(frozen=True, eq=False)
class OutcomeReference:
    """Outcomes of the reference's rows."""

    choice: Choice
    """The user's settings of the task, and its kind."""
    classes: tuple[str, ...]
    segments: tuple[FeatureSegments, ...]
    center: float
    """Mean of a regression's ground truths; 0 for classes."""
    tally: SegmentTally
    residuals: ColumnReference | None
    """The column of residuals, log losses, or 0 and 1."""
    expected: ExpectedLosses | None = None
    """Losses of a regression by the values of a row; of older references, and few rows, None."""
    hits: ClassHits | None = None
    """Of many classes, or of classes without probabilities; None of older references."""

    def task(self, outputs: Sequence[ColumnReference], names: Sequence[str]) -> Task | None:
        """Return the task, given the references of the outputs."""
        return choose_task(self.choice, outputs, names, self.classes)

    def layout(self, task: Task) -> SegmentLayout:
        """Return the layout of the tally for a task."""
        return SegmentLayout(task, Segments(self.segments), self.center)

    def sums(self, outputs: Sequence[ColumnReference]) -> SegmentSums | None:
        """Return the sums of the outcomes, given the references of the outputs."""
        task = self.task(outputs, [column.name for column in outputs])
        return SegmentSums(self.layout(task), self.tally) if task is not None else None

    def segments_of(self, feature: str, edges: Sequence[float]) -> FeatureSegments | None:
        """Return the segments of a feature if it has these edges, else None."""
        own = (s for s in self.segments if (s.feature, s.edges) == (feature, tuple(edges)))
        return next(own, None)

    def merge(self, other: OutcomeReference, outputs: Sequence[ColumnReference]) -> Self:
        """Return the outcomes of both sides' rows, given the references of all outputs.

        Losses that were fitted apart do not add up: those of the side with more rows are kept.
        Hits are dropped where one side has them not, or for other classes.

        Raises:
            ValueError: Their tasks differ.
        """
        together = replace(
            self,
            classes=in_order((*self.classes, *other.classes)),
            segments=_united(self.segments, other.segments),
        )
        names = [column.name for column in outputs]
        task, ours, theirs = (side.task(outputs, names) for side in (together, self, other))
        if task is None or ours is None or theirs is None or self.choice != other.choice:
            raise ValueError(NOT_ONE_TASK)
        if len({(each.scores, each.label) for each in (task, ours, theirs)}) > 1:
            raise ValueError(NOT_ONE_TASK)
        wanted = together.layout(task)
        merged = aligned(self.tally, self.layout(ours), wanted)
        merged.merge(aligned(other.tally, other.layout(theirs), wanted))
        known = [side.residuals for side in (self, other) if side.residuals is not None]
        residuals = merge_columns(*known) if len(known) > 1 else next(iter(known), None)
        is_larger = self.tally.rows >= other.tally.rows
        fits = (self.expected, other.expected) if is_larger else (other.expected, self.expected)
        expected = fits[0] or fits[1]
        hits = self.hits.merge(other.hits) if self.hits and other.hits else None
        if together.classes != self.classes or together.classes != other.classes:
            hits = None
        return replace(together, tally=merged, residuals=residuals, expected=expected, hits=hits)

    def to_dict(self) -> dict[str, Any]:
        """Return the form in which reference files hold outcomes."""
        return {
            "task": self.choice._asdict(),
            "classes": list(self.classes),
            "segments": [
                {"feature": s.feature, "values": list(s.values), "edges": list(s.edges)}
                for s in self.segments
            ],
            "center": self.center,
            "rows": self.tally.rows,
            "sums": np.nan_to_num(self.tally.sums).tolist(),
            "curves": [
                {"slice": i, "number": number, "points": curve.points.tolist()}
                for (i, number), curve in self.tally.curves.items()
            ],
            "error": column_to_dict(self.residuals) if self.residuals is not None else None,
            "expected": self.expected.to_dict() if self.expected is not None else None,
            "hits": self.hits.to_dict() if self.hits is not None else None,
        }

    @classmethod
    def from_dict(
        cls, form: Mapping[str, Any], outputs: Sequence[ColumnReference], engine: str
    ) -> Self:
        """Read that form; raises ValueError, KeyError or TypeError if it is damaged."""
        choice = Choice(**{key: str(value) for key, value in form["task"].items()})
        if choice.kind not in (REGRESSION, CLASSIFICATION):
            raise ValueError(f"task: expected regression or classification, got {choice.kind!r}")
        tally = SegmentTally(0, 0)
        tally.rows = int(form["rows"])
        if tally.rows > MOST_ROWS:
            raise ValueError(f"rows: expected {MOST_ROWS} at most, got {tally.rows:.3g}")
        tally.sums = np.array(form["sums"], dtype=np.float64)
        for curve in form["curves"]:
            points = np.array(curve["points"], dtype=np.float64).reshape(-1, 3)
            if not np.isfinite(points).all() or (points[:, 1:] < 0).any():
                raise ValueError("curves: expected finite points of 0 rows or more")
            tally.curves[int(curve["slice"]), int(curve["number"])] = RocCurve(points)
        residuals = form["error"] and column_from_dict(form["error"], engine)
        made = cls(
            choice,
            tuple(str(name) for name in form["classes"]),
            tuple(FeatureSegments(s["feature"], s["values"], s["edges"]) for s in form["segments"]),
            float(form["center"]),
            tally,
            residuals or None,
            ExpectedLosses.from_dict(form["expected"]) if form.get("expected") else None,
        )
        task = made.task(outputs, [column.name for column in outputs])
        if task is None or not all(isinstance(s.feature, str) for s in made.segments):
            raise ValueError("outcomes: expected columns of the reference, got others")
        made.layout(task).check(tally)
        if form.get("hits"):
            made = replace(made, hits=ClassHits.from_dict(form["hits"], len(task.classes)))
        return made


class ModelReference(NamedTuple):
    """The reference of a model's columns."""

    features: tuple[ColumnReference, ...]
    outputs: tuple[ColumnReference, ...]
    created: float
    """Unix seconds."""
    source: str
    """Name of a file, or LEARNED."""
    outcomes: OutcomeReference | None = None
    """None if no ground truth was known."""
    unnamed: tuple[str, ...] = ()
    """Features and outputs whose missing share alone was learned."""
    seconds: float = 0.0
    """Time that its rows were seen in, where it was learned; 0 if not known."""
    derived: DerivedReference | None = None
    """None where rows or features were too few, or the reference is older than derived columns."""

    @property
    def sides(self) -> tuple[tuple[ColumnReference, ...], ...]:
        """Features, outputs and derived columns: the order of `ROLES`."""
        return self.features, self.outputs, self.derived.columns if self.derived else ()

    def at_any_hour(self) -> Self:
        """Return the reference for rows whose time of day is not known."""
        features, outputs, derived = (
            tuple(replace(column, hours=NO_HOURS) for column in side) for side in self.sides
        )
        of_all = self.derived and replace(self.derived, columns=derived)
        return self._replace(features=features, outputs=outputs, derived=of_all)

    @property
    def knows_time(self) -> bool:
        """Natural variation was measured: rows had times, and enough of them."""
        return any(column.variation for side in self.sides for column in side)

    @property
    def rows(self) -> int:
        return max((column.rows for side in self.sides for column in side), default=0)


def _united(
    a: Sequence[FeatureSegments], b: Sequence[FeatureSegments]
) -> tuple[FeatureSegments, ...]:
    united = {(s.feature, s.edges): s for s in a}
    for each in b:
        known = united.get((each.feature, each.edges))
        values = dict.fromkeys((*(known.values if known else ()), *each.values))
        united[each.feature, each.edges] = FeatureSegments(each.feature, [*values], each.edges)
    return tuple(united.values())
