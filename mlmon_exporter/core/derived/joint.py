"""Joint drift: how a row's features go together, which no single column shows.

Normal scores of features are turned into principal components of variance 1 each. Of a row remain:

- `joint_distance`, its Mahalanobis distance: the root of the squares of all components;
- `joint_residual`, the same over the lesser components, in which related features nearly cancel;
- `last_component`, the one in which they cancel best: a correlation that flips moves it at once;
- `least_explained`, the feature that is farthest from what the others lead to expect: when the
  columns above drift, the features that it names more often than in the reference carry the change.

Sources: Jackson and Mudholkar (1979), Control Procedures for Residuals Associated With Principal
Component Analysis; Jolliffe (2002), Principal Component Analysis, section 10.1, on last components.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.profile.column import ColumnReference

from .moments import LEAST_VARIANCE, Floats, Moments, principal_of, product
from .normal_scores import NormalScores, normal_scores, scorer

DISTANCE, RESIDUAL, COMPONENT = "joint_distance", "joint_residual", "last_component"
LEAST_EXPLAINED = "least_explained"
MOST_INPUTS = 128
"""Features that take part, the first in the reference's order: time grows with their square.
A power of 2: see `_greatest`."""
LEAST_ROWS = 1000
DECIMALS = 6
"""Of derived values: the order of sums differs between machines, and so may the last digits."""


@dataclass(frozen=True)
class JointColumns:
    """The four derived columns of joint drift, as functions of a row of features."""

    inputs: tuple[NormalScores, ...]
    center: Floats
    """Mean normal scores of the inputs."""
    axes: Floats
    """Components of variance 1, greatest eigenvalue first, shape (components, inputs)."""
    principal: int
    """Components that are no residual."""

    kind = "joint"
    names = (DISTANCE, RESIDUAL, COMPONENT, LEAST_EXPLAINED)

    @property
    def categories(self) -> Mapping[str, tuple[str, ...]]:
        """Columns that are categories -> their names, by the number that stands for each."""
        return {LEAST_EXPLAINED: tuple(each.name for each in self.inputs)}

    def bind(self, features: Sequence[ColumnReference]) -> Callable[[Floats], Floats]:
        """Return the function from rows of features to derived columns, shape (4, rows).

        Values are numbers of categories where a column has those. See `scorer` for its argument
        and for errors.
        """
        scores = scorer(self.inputs, features)
        precision = self.axes.T @ self.axes
        spread = np.sqrt(np.diag(precision))
        # An input that never varied is never the least explained.
        unexplained = precision / np.where(spread > 0, spread, 1.0)[:, None]

        def derived(block: Floats) -> Floats:
            rows = scores(block)
            rows -= self.center[:, None]
            components = product(self.axes, rows)
            found = np.empty((len(self.names), rows.shape[1]))
            found[2] = components[-1]
            squares = np.square(components, out=components)
            found[1] = squares[self.principal :].sum(axis=0)
            found[0] = squares[: self.principal].sum(axis=0) + found[1]
            np.sqrt(found[:2], out=found[:2])
            found[3] = _greatest(product(unexplained, rows))
            found[3, np.isnan(rows[0])] = np.nan
            return np.round(found, DECIMALS, out=found)

        return derived

    def to_dict(self) -> dict[str, Any]:
        """Return the form in which a reference file holds them."""
        return {
            "kind": self.kind,
            "inputs": [each.to_dict() for each in self.inputs],
            "center": self.center.tolist(),
            "axes": self.axes.tolist(),
            "principal": self.principal,
        }

    @classmethod
    def from_dict(cls, form: Mapping[str, Any]) -> Self:
        """Read that form; raises ValueError, KeyError or TypeError where it is damaged."""
        inputs = tuple(map(NormalScores.from_dict, form["inputs"]))
        center, axes = (np.array(form[key], dtype=np.float64) for key in ("center", "axes"))
        width, principal = len(inputs), int(form["principal"])
        if center.shape != (width,) or axes.shape != (width, width) or not 0 < principal < width:
            raise ValueError(f"axes: expected those of {width} inputs, got others")
        if not np.isfinite(axes).all() or not np.isfinite(center).all():
            raise ValueError("axes: expected finite numbers")
        return cls(inputs, center, axes, principal)


def inputs_of(features: Sequence[ColumnReference]) -> tuple[NormalScores, ...]:
    """Return the normal scores of features that take part; none unless two or more are numbers."""
    found = (normal_scores(column) for column in features)
    inputs = tuple(each for each in found if each is not None)[:MOST_INPUTS]
    return inputs if sum(each.is_numeric for each in inputs) > 1 else ()


class JointFit:
    """Fits joint drift to rows in one pass, in memory that does not grow with them."""

    def __init__(self, features: Sequence[ColumnReference]) -> None:
        self.inputs = inputs_of(features)
        self._scores = scorer(self.inputs, features)
        self._moments = Moments(len(self.inputs))

    @property
    def least_rows(self) -> float:
        """Rows that a fit needs, so that it suits other rows as well as its own; or infinity.

        Distances of its own rows are less by some width ** 1.5 / rows of their standard deviation.
        At 1 / 20 that is a Kolmogorov-Smirnov statistic of 0.02: a fifth of what counts as drift.
        """
        width = len(self.inputs)
        return max(LEAST_ROWS, 20 * width**1.5) if width else np.inf

    def add(self, block: Floats) -> None:
        """Learn from rows of features, shape (features, rows)."""
        self._moments.add(self._scores(block))

    def fitted(self) -> JointColumns | None:
        """Return the derived columns; None if rows are too few."""
        width, moments = len(self.inputs), self._moments
        if moments.rows < self.least_rows:
            return None
        sd = np.sqrt(np.diag(moments.products) / moments.rows)
        sd = np.where(sd > 0, sd, np.inf)  # an input that never varied says nothing
        correlation = moments.products / moments.rows / np.outer(sd, sd)
        variances, vectors = np.linalg.eigh(correlation)
        variances, vectors = variances[::-1], vectors[:, ::-1]
        principal = principal_of(variances)
        scale = np.sqrt(np.maximum(variances, LEAST_VARIANCE))
        axes = vectors.T / scale[:, None] / sd
        # A component has no sign: its greatest weight is positive.
        axes *= np.sign(axes[np.arange(width), np.abs(axes).argmax(axis=1)])[:, None]
        return JointColumns(self.inputs, moments.mean, axes, min(principal, width - 1))


def _greatest(values: Floats) -> NDArray[np.int64]:
    """Return which row has the value farthest from 0, by column: of nearly equal ones the first."""
    # The row's number takes the place of the last bits: a maximum alone takes a third of the time.
    bits = np.abs(values).view(np.int64)
    bits &= -MOST_INPUTS
    bits |= np.arange(MOST_INPUTS - 1, MOST_INPUTS - 1 - len(values), -1)[:, None]
    first: NDArray[np.int64] = MOST_INPUTS - 1 - (bits.max(axis=0) & (MOST_INPUTS - 1))
    return first
