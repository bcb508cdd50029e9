"""Settings of a model, and the fixed numbers beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

PANES = 12
"""Panes of each window."""
BUFFER_ROWS = 1024
"""Rows that are gathered before they are tallied: one sort and one digest update for all."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)
"""Shares of the rows whose values are shown."""
MOST_SEGMENTS = 20
"""Segments of one feature, `other` and `missing` aside, unless configured."""
NAMED_ROWS = 10
"""A category with fewer rows is `other`: its name may be a person's, and its share is chance."""
UNUSED_SECONDS = 86400.0
"""An unused version is kept so long after it left the longest window: a day, so that one used by
night only, or not on a day of maintenance, does not start again each time."""
LEARNED = "learned"
"""Source of a reference that was learned from the first rows."""


class WindowName(NamedTuple):
    """A window as the user wrote it, and its length."""

    label: str
    seconds: float


class Policy(NamedTuple):
    """Changes that count as drift."""

    budget_seconds: float = 30 * 86400.0
    """At most one false alarm of the model in this time."""
    min_window_rows: int = 100
    psi_floor: float = 0.1
    ks_floor: float = 0.1
    share_floor: float = 0.01
    """Above the reference's share."""


class Choice(NamedTuple):
    """The user's settings of a task; empty ones are inferred."""

    kind: str = ""
    score: str = ""
    label: str = ""
    positive: str = ""

    def filled(self, other: Choice, names: Sequence[str]) -> Choice:
        """Return these settings, filled up from others; of outputs only these names."""
        score, label = (name if name in names else "" for name in (other.score, other.label))
        return Choice(
            self.kind or other.kind,
            self.score or score,
            self.label or label,
            self.positive or other.positive,
        )


class SegmentFeature(NamedTuple):
    """A feature that makes segments: by its values, or by the ranges between edges."""

    feature: str
    edges: tuple[float, ...] = ()
    """Ascending; a value at an edge belongs to the range above it."""


class ModelSettings(NamedTuple):
    """The user's settings of a model."""

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
    with_quantiles: bool = True
    """Digests are kept, for quantiles and the Wasserstein distance; no verdict needs them."""
    outputs: tuple[str, ...] = ()
    score: str = ""
    """The output with the probability of the positive class; empty: inferred."""
    label: str = ""
    """The output with the predicted class, or a regression's number; empty: inferred."""
    positive: str = ""
    """The positive class; empty: the last of two."""
    segments: tuple[SegmentFeature, ...] = ()
    """Features that make segments; none: those of the reference."""
    max_segments: int = MOST_SEGMENTS
    is_shared: bool = False
    """Counts are kept in a store that several processes share."""

    @property
    def version_kept_seconds(self) -> float:
        """Seconds for which an unused version is kept; its windows are empty long before."""
        return max(window.seconds for window in self.windows) + UNUSED_SECONDS

    @property
    def choice(self) -> Choice:
        """The settings of the task."""
        return Choice(self.task, self.score, self.label, self.positive)


def window_names(windows: Sequence[tuple[str, float]]) -> tuple[WindowName, ...]:
    """Return named windows, shortest first."""
    named = (WindowName(label, seconds) for label, seconds in windows)
    return tuple(sorted(named, key=lambda window: window.seconds))
