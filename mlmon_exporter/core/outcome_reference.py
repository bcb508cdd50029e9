"""What the reference knows of a model's outcomes: how good it was, and how its errors lay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .reference import ColumnReference
from .segments import FeatureSegments
from .slices import SliceTally
from .task import Choice


@dataclass(frozen=True, eq=False)
class OutcomeReference:
    """The outcomes of the reference's rows."""

    choice: Choice
    """What the task was found to be."""
    classes: tuple[str, ...]
    segments: tuple[FeatureSegments, ...]
    center: float
    """Mean of a regression's ground truths; 0 of classes."""
    tally: SliceTally
    error: ColumnReference | None
    """The column of errors: log losses, residuals, or 0 and 1."""

    def segments_of(self, feature: str, edges: Sequence[float]) -> FeatureSegments | None:
        """Return the segments of a feature, if these are its edges."""
        own = (s for s in self.segments if (s.feature, s.edges) == (feature, tuple(edges)))
        return next(own, None)
