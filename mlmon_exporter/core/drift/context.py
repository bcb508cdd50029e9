"""The version of a model that is scored, and what its scores are held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from mlmon_exporter.core.settings import Policy, WindowName
from mlmon_exporter.core.stats.thresholds import level

Labels = tuple[tuple[str, ...], ...]
MODEL_LABELS = ("model", "version")
WINDOW_LABELS = (*MODEL_LABELS, "window")


@dataclass(frozen=True)
class ScoringContext:
    """A version of a model, its windows, and how strictly they are scored."""

    model: str
    version: str
    windows: Sequence[WindowName]
    policy: Policy
    tests: int
    """Number of tests of the model in all windows, which share its budget of false alarms."""

    def level(self, k: int) -> float:
        """Return the probability that one test of window `k` fails by chance."""
        return level(self.windows[k].seconds, self.policy.budget_seconds, self.tests)

    @property
    def labels(self) -> tuple[str, str]:
        """Values of `MODEL_LABELS`."""
        return self.model, self.version

    @cached_property
    def window_labels(self) -> list[Labels]:
        """Values of `WINDOW_LABELS` for each window."""
        return [((*self.labels, window.label),) for window in self.windows]
