"""Vectors: an embedding or a picture, turned into a few numbers that the reference knows.

Of a row's vector remain its length, and where it lies among those of the reference:

- `NAME_norm`, its Euclidean norm; of a large tensor also `NAME_mean` and `NAME_spread`, the mean
  and standard deviation of its numbers;
- `NAME_distance`, its Mahalanobis distance: the root of the squares of all components of its
  numbers in standard deviations, each divided by its variance. Of vectors longer than `ALL_AXES`,
  the variances beyond `MOST_AXES` components count as their mean;
- `NAME_residual`, the same over the lesser components;
- `NAME_component_1` to `_3`, the greatest components, of variance 1.

Source: Tipping and Bishop (1999), Probabilistic Principal Component Analysis.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .moments import LEAST_VARIANCE, Floats, Moments, principal_of, product
from .vector_input import COMPONENTS, FOLDED, VectorInput

Singles = NDArray[np.float32]

MOST_AXES = 64
"""Components that are kept of long vectors: 192 KiB of 768 numbers, in 32 bits."""
ALL_AXES = 128
"""Vectors up to this long keep all components: their distance is exact."""
LEAST_ROWS = 1000
FARTHEST = 4.0
"""Standard deviations that a number counts as at most, so that no outlier outweighs all others."""
LEAST_SPREAD = 1e-6
"""Share of a number's size, or of the greatest spread, that counts as rounding."""


@dataclass(frozen=True)
class VectorScale:
    """Numbers of a vector in standard deviations from their mean, up to `FARTHEST`."""

    mean: Floats
    sd: Floats
    """Infinite where a number never varied in the reference."""

    def of(self, block: Floats) -> Floats:
        """Return numbers on that scale, shape (numbers, rows)."""
        found = block - self.mean[:, None]
        found /= self.sd[:, None]
        np.maximum(found, -FARTHEST, out=found)
        return np.minimum(found, FARTHEST, out=found)


@dataclass(frozen=True)
class VectorColumns:
    """The derived columns of one vector, as functions of it."""

    source: VectorInput
    scale: VectorScale
    center: Floats
    """Mean of the reference's vectors, in standard deviations as `scale` has it."""
    axes: Singles
    """The greatest components, divided by their standard deviation, shape (axes, numbers)."""
    spread: Floats
    """Standard deviations of these components."""
    rest: float
    """Standard deviation of every other component."""
    principal: int
    """Components that are no residual."""

    def measured(self, columns: Mapping[str, Any], rows: int) -> Floats:
        """Return the derived columns of rows, shape (names, rows).

        NaN where the vector is missing, infinite where it is none of this width.
        """
        blocks = [self.of_block(block) for block in self.source.blocks(columns, rows)]
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)

    def of_block(self, block: Floats) -> Floats:
        """Return the derived columns of vectors as `VectorInput.blocks` gives them."""
        marks = block[:, 0].copy()
        is_unusable = ~np.isfinite(marks)
        if is_unusable.any():
            block = np.where(is_unusable[:, None], 0.0, block)
        rows = self.scale.of(self.source.folded(block))
        rows -= self.center[:, None]
        parts = product(self.axes, rows.astype(np.float32)).astype(np.float64)
        squares = np.square(parts)
        rest = 0.0
        if len(self.axes) < len(self.center):
            beyond = np.square(rows).sum(axis=0) - self.spread**2 @ squares
            rest = np.maximum(beyond, 0.0) / self.rest**2
        found = [
            np.sqrt(np.square(block).sum(axis=1)),
            np.sqrt(squares.sum(axis=0) + rest),
            np.sqrt(squares[self.principal :].sum(axis=0) + rest),
            *(parts[i] if i < len(parts) else np.zeros(len(block)) for i in range(COMPONENTS)),
        ]
        if self.source.is_folded:
            found += [block.mean(axis=1), block.std(axis=1)]
        made = np.array(found)
        made[:, is_unusable] = marks[is_unusable]
        return made

    def to_dict(self) -> dict[str, Any]:
        """Return the form in which a reference file holds them: 32-bit floats in hexadecimal."""
        return {
            "name": self.source.name,
            "width": self.source.width,
            "parts": list(self.source.parts),
            "principal": self.principal,
            "rest": self.rest,
            "center": _packed(self.center),
            "mean": _packed(self.scale.mean),
            "sd": _packed(self.scale.sd),
            "spread": _packed(self.spread),
            "axes": _packed(self.axes),
        }

    @classmethod
    def from_dict(cls, form: Mapping[str, Any]) -> Self:
        """Read that form; raises ValueError, KeyError or TypeError where it is damaged."""
        parts = tuple(map(str, form["parts"]))
        source = VectorInput(str(form["name"]), int(form["width"]), parts)
        numbers = FOLDED if source.is_folded else source.width
        keys = ("mean", "sd", "center", "spread", "axes")
        mean, sd, center, spread, axes = (_unpacked(form[key]) for key in keys)
        principal, rest, count = int(form["principal"]), float(form["rest"]), len(spread)
        is_whole = {len(mean), len(sd), len(center)} == {numbers} and 0 < count <= numbers
        if not is_whole or len(axes) != numbers * count or not 0 < principal <= count:
            raise ValueError(f"axes: expected those of {numbers} numbers, got others")
        if (
            not all(np.isfinite(each).all() for each in (mean, center, spread, axes))
            or not rest > 0
        ):
            raise ValueError("axes: expected finite numbers")
        return cls(
            source,
            VectorScale(mean.astype(np.float64), sd.astype(np.float64)),
            center.astype(np.float64),
            axes.reshape(count, numbers),
            spread.astype(np.float64),
            rest,
            principal,
        )


def _packed(values: NDArray[Any]) -> str:
    return values.astype("<f4").tobytes().hex()


def _unpacked(text: str) -> Singles:
    return np.frombuffer(bytes.fromhex(text), "<f4").astype(np.float32)


class VectorFit:
    """Fits the derived columns of one vector in two passes, in memory that does not grow with rows.

    It has the square of the vector's width in numbers: 4.5 MiB for 768.
    """

    def __init__(self, source: VectorInput) -> None:
        self.source = source
        width = FOLDED if source.is_folded else source.width
        self._rows, self._sums, self._squares = 0, np.zeros(width), np.zeros(width)
        self._moments = Moments(width)

    def look(self, columns: Mapping[str, Any], rows: int, chosen: NDArray[np.bool_]) -> None:
        """Learn the scale from the chosen ones of some rows."""
        for block in self._folded(columns, rows, chosen):
            if not self._rows and block.size:
                self._first = block[:, :1]  # sums of what is far from 0 would lose digits
            self._rows += block.shape[1]
            if block.size:
                self._sums += (block - self._first).sum(axis=1)
                self._squares += np.square(block - self._first).sum(axis=1)

    def add(self, columns: Mapping[str, Any], rows: int, chosen: NDArray[np.bool_]) -> None:
        """Learn components from the same rows again.

        Raises:
            ValueError: Rows are too few, or all vectors are the same.
        """
        scale = self._scale
        for block in self._folded(columns, rows, chosen):
            self._moments.add(scale.of(block))

    def _folded(
        self, columns: Mapping[str, Any], rows: int, chosen: NDArray[np.bool_]
    ) -> Iterable[Floats]:
        start = 0
        for block in self.source.blocks(columns, rows):
            is_usable = np.isfinite(block[:, 0]) & chosen[start : start + len(block)]
            yield self.source.folded(block[is_usable])
            start += len(block)

    @cached_property
    def _scale(self) -> VectorScale:
        least, name = max(LEAST_ROWS // 2, 2 * len(self._sums)), self.source.name
        if self._rows < least:
            raise ValueError(
                f"{name}: expected {2 * least} vectors or more, got {2 * self._rows}; "
                "a fit to fewer would suit no others"
            )
        gap = self._sums / self._rows
        sd = np.sqrt(np.maximum(self._squares / self._rows - gap**2, 0.0))
        mean = self._first[:, 0] + gap
        varies = sd > LEAST_SPREAD * np.maximum(np.abs(mean), sd.max())
        if not varies.any():
            raise ValueError(f"{name}: expected vectors that differ, got one")
        # A number that never varied says nothing.
        return VectorScale(mean, np.where(varies, sd, np.inf))

    def fitted(self) -> VectorColumns:
        """Return the derived columns."""
        moments, width = self._moments, len(self._sums)
        variances, vectors = np.linalg.eigh(moments.products / moments.rows)
        variances, vectors = np.maximum(variances[::-1], 0.0), vectors[:, ::-1]
        kept = width if width <= ALL_AXES else MOST_AXES
        principal = min(principal_of(variances), kept)
        floored = np.maximum(variances, LEAST_VARIANCE)
        spread = np.sqrt(floored[:kept])
        axes = vectors[:, :kept].T / spread[:, None]
        # A component has no sign: its greatest weight is positive.
        axes *= np.sign(axes[np.arange(kept), np.abs(axes).argmax(axis=1)])[:, None]
        rest = float(np.sqrt(floored[kept:].mean())) if kept < width else 1.0
        singles = axes.astype(np.float32)
        return VectorColumns(
            self.source, self._scale, moments.mean, singles, spread, rest, principal
        )
