"""One column of a model, a feature or an output: how its scores are asked for."""

from __future__ import annotations

from typing import NamedTuple

from mlmon_exporter.core.drift.readings import DERIVED, FEATURES, OUTPUTS, Role

from .promql import MODEL, WINDOW, by_place, greatest

SCORES = {
    "PSI": ("psi", "psi_threshold"),
    "KS": ("ks_statistic", "ks_threshold"),
    "missing": ("missing_ratio", "missing_threshold"),
    "unseen": ("unseen_ratio", "unseen_threshold"),
    "PSI by hour": ("hour_psi", "hour_threshold"),
    "tail": ("tail_ratio", "tail_threshold"),
}
"""The scores that decide, and what they are compared with."""


class Side(NamedTuple):
    """A side of a model, and how a board picks one of its columns."""

    role: Role
    word: str

    @property
    def prefix(self) -> str:
        return self.role.prefix

    @property
    def label(self) -> str:
        return self.role.label

    @property
    def picked(self) -> str:
        """The matcher of the column that the board shows."""
        return f'{self.label}="${self.label}"'


FEATURE, OUTPUT = Side(FEATURES, "feature"), Side(OUTPUTS, "prediction")
TOGETHER = Side(DERIVED, "derived column")


def over_threshold(side: Side, where: str, by: str) -> str:
    """Return how many times its threshold the worst score of a column is; drifted is over 1."""
    parts = []
    for name, (score, threshold) in SCORES.items():
        both = f"{where}, {WINDOW}"
        share = f"{side.prefix}_{score}{{{both}}} / {side.prefix}_{threshold}{{{both}}}"
        parts.append(f'label_replace({share}, "score", "{name}", "", "")')
    return f"max by ({by_place(by)}) (\n  " + "\n  or\n  ".join(parts) + "\n)"


def where_of(side: Side) -> str:
    """Return the matchers of the column that the board shows."""
    return f"{MODEL}, {side.picked}"


def windowed(side: Side, metric: str, by: str = "version") -> str:
    """Return a gauge of the column that the board shows, in the window."""
    return greatest(f"{side.prefix}_{metric}", f"{where_of(side)}, {WINDOW}", by)
