"""What a model is set up with: the user's settings, and its reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .drift.readings import WindowName
from .drift.tests import Policy
from .outcomes.reference import OutcomeReference
from .outcomes.segments import MOST_SEGMENTS, SegmentFeature
from .outcomes.task import Choice
from .profile.column import ColumnReference

UNUSED_SECONDS = 86400.0
"""So long after it has left the longest window a version is kept that is not used: a day, so that
what is used by night only, or not on a day of maintenance, does not begin anew each time."""
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
    score: str = ""
    """The output with the positive class's probability; empty: found out."""
    label: str = ""
    """The output with the predicted class, or a regression's number; empty: found out."""
    positive: str = ""
    """The class that counts as positive; empty: of two the last."""
    segments: tuple[SegmentFeature, ...] = ()
    """Features by which rows are sliced; none: as in the reference."""
    max_segments: int = MOST_SEGMENTS
    is_shared: bool = False
    """Whether counts are kept with those of other processes, and read from there."""

    @property
    def version_kept_seconds(self) -> float:
        """How long a version is kept that is not used: its windows are empty long before."""
        return max(window.seconds for window in self.windows) + UNUSED_SECONDS

    @property
    def choice(self) -> Choice:
        """What is said of the task."""
        return Choice(self.task, self.score, self.label, self.positive)


class ModelReference(NamedTuple):
    """The reference of a model's columns."""

    features: tuple[ColumnReference, ...]
    outputs: tuple[ColumnReference, ...]
    created: float
    """Unix seconds when it was made."""
    source: str
    """Where it came from: a file's name, or LEARNED."""
    outcomes: OutcomeReference | None = None
    """None where no ground truth was known."""
    unnamed: tuple[str, ...] = ()
    """Features and outputs of which nothing but the missing share was learned."""

    @property
    def rows(self) -> int:
        return max((column.rows for column in (*self.features, *self.outputs)), default=0)


def window_names(windows: Sequence[tuple[str, float]]) -> tuple[WindowName, ...]:
    """Return windows by length, shortest first."""
    named = (WindowName(label, seconds) for label, seconds in windows)
    return tuple(sorted(named, key=lambda window: window.seconds))
