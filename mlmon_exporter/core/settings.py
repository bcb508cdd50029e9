"""What a model is set up with: the user's settings, and its reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .drift import Policy
from .readings import WindowName
from .reference import ColumnReference


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


class ModelReference(NamedTuple):
    """The reference of a model's columns."""

    features: tuple[ColumnReference, ...]
    outputs: tuple[ColumnReference, ...]
    created: float
    """Unix seconds when it was made."""
    source: str
    """Where it came from: a file's name, or `learned`."""

    @property
    def rows(self) -> int:
        return max((column.rows for column in (*self.features, *self.outputs)), default=0)


def window_names(windows: Sequence[tuple[str, float]]) -> tuple[WindowName, ...]:
    """Return windows by length, shortest first."""
    named = (WindowName(label, seconds) for label, seconds in windows)
    return tuple(sorted(named, key=lambda window: window.seconds))
