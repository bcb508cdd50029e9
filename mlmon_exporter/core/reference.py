"""What the reference knows of one column, and how two such merge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from . import digests
from .bins import (
    CELLS,
    TAIL_SHARE,
    Bins,
    CategoryBins,
    NumericBins,
    atom_edges,
    choose_bin_edges,
)
from .digests import REFERENCE_CENTROIDS, FastDigest, PureDigest

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

RANKS = 100
"""Mid-ranks at which quantile functions are compared."""
MID_RANKS: tuple[float, ...] = tuple((i + 0.5) / RANKS for i in range(RANKS))


@dataclass(frozen=True, eq=False)
class ColumnReference:
    """The reference of one feature or output."""

    name: str
    bins: Bins
    counts: Counts
    """Rows per cell, missing last."""
    digest: FastDigest | PureDigest | None = None
    """The shape of a numeric column's values."""
    mean: float = np.nan
    sd: float = np.nan
    rank_error: float = 0.0
    """How far the counts may be off, as a share of the rows; 0 where they were counted exactly."""
    singletons: int = 0
    """Categories that the reference has just once."""

    @property
    def kind(self) -> str:
        return self.bins.kind

    @property
    def rows(self) -> int:
        """All rows, missing ones included."""
        return int(self.counts.sum())

    @property
    def missing(self) -> int:
        return int(self.counts[-1])

    @cached_property
    def quantiles(self) -> Floats:
        """The values at `MID_RANKS`; NaN for a category or an empty column."""
        if self.digest is None:
            return np.full(RANKS, np.nan)
        return np.asarray(self.digest.quantiles(MID_RANKS), dtype=np.float64)

    @cached_property
    def tail_cells(self) -> tuple[int, int]:
        """The cells beyond the 0.1 and 99.9 percentiles: those before the first, from the second.

        A column without tails (a category) gives (0, its missing cell).
        """
        last = self.bins.cell_count - 1
        if isinstance(self.bins, CategoryBins):
            return 0, last
        counts = self.counts[:-1]
        allowed = TAIL_SHARE * counts.sum()
        low = int(np.searchsorted(np.cumsum(counts), allowed, side="right"))
        high = int(np.searchsorted(np.cumsum(counts[::-1]), allowed, side="right"))
        return min(low, last), max(min(low, last), last - high)

    @cached_property
    def outer_cells(self) -> tuple[int, int]:
        """The same for the cells under the reference's least and over its greatest value."""
        last = self.bins.cell_count - 1
        used = np.flatnonzero(self.counts[:-1])
        if isinstance(self.bins, CategoryBins) or not len(used):
            return 0, last
        return int(used[0]), int(used[-1]) + 1

    def merge(self, other: ColumnReference) -> ColumnReference:
        """Return the reference of both sides' rows.

        Counts add exactly where both sides have the same cells, where the column is discrete,
        and for categories; else each side's are read between its own edges.
        """
        if self.kind != other.kind:
            raise ValueError(
                f"reference: {self.name}: expected the same kind on both sides, "
                f"got {self.kind} and {other.kind}"
            )
        if isinstance(self.bins, NumericBins) and isinstance(other.bins, NumericBins):
            return _merge_numeric(self, other, self.bins.edges, other.bins.edges)
        return _merge_categories(self, other)

    def to_dict(self) -> dict[str, Any]:
        """Return the form in which a reference file holds the column."""
        form: dict[str, Any] = {"name": self.name, "kind": self.kind}
        if isinstance(self.bins, CategoryBins):
            form |= {
                "categories": list(self.bins.categories),
                "rare": sorted(self.bins.rare),
                "complete": self.bins.is_complete,
                "singletons": self.singletons,
            }
        else:
            form |= {
                "edges": self.bins.edges.tolist(),
                "bin_edges": self.bins.bin_edges.tolist(),
                "mean": _finite(self.mean),
                "sd": _finite(self.sd),
                "digest": digests.to_dict(self.digest) if self.digest is not None else None,
            }
        return form | {"counts": self.counts.tolist(), "rank_error": self.rank_error}

    @classmethod
    def from_dict(cls, form: Mapping[str, Any], engine: str) -> Self:
        """Read that form; raises ValueError, KeyError or TypeError where it is damaged."""
        counts = np.array(form["counts"], dtype=np.int64)
        name, rank_error = str(form["name"]), float(form.get("rank_error", 0.0))
        if form["kind"] == "categorical":
            categories = tuple(map(str, form["categories"]))
            rare = frozenset(map(str, form["rare"]))
            bins: Bins = CategoryBins(categories, rare, bool(form["complete"]))
            digest, mean, sd, singletons = None, np.nan, np.nan, int(form["singletons"])
        elif form["kind"] == "numeric":
            edges = np.array(form["edges"], dtype=np.float64)
            bin_edges = np.array(form["bin_edges"], dtype=np.float64)
            _check_edges(edges, bin_edges)
            bins = NumericBins(edges, bin_edges)
            mean, sd, singletons = _number(form["mean"]), _number(form["sd"]), 0
            digest = form["digest"] and digests.from_dict(
                form["digest"], engine, REFERENCE_CENTROIDS
            )
        else:
            raise ValueError(f"kind: expected numeric or categorical, got {form['kind']!r}")
        if counts.shape != (bins.cell_count,) or (counts < 0).any():
            raise ValueError(f"counts: expected {bins.cell_count} numbers of 0 or more")
        return cls(name, bins, counts, digest or None, mean, sd, rank_error, singletons)


def _check_edges(edges: Floats, bin_edges: Floats) -> None:
    if not np.isfinite(edges).all() or (np.diff(edges) <= 0).any():
        raise ValueError("edges: expected finite numbers in ascending order")
    if not np.isin(bin_edges, edges).all() or (np.diff(bin_edges) <= 0).any():
        raise ValueError("bin_edges: expected some of the edges in ascending order")


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def choose_edges(quantiles: Floats, atoms: Floats, least: float, greatest: float) -> Floats:
    """Choose a continuous column's cell edges.

    Args:
        quantiles: Values at evenly spaced ranks, ascending.
        atoms: Values that hold more than a cell's rows: each gets a cell of its own.
        least: The smallest value.
        greatest: The greatest value.
    """
    inner = _rounded(np.unique(quantiles))
    outer = np.array([np.nextafter(least, -np.inf), greatest])
    edges = np.union1d(np.union1d(inner, outer), atom_edges(atoms))
    return np.asarray(edges[np.isfinite(edges)], dtype=np.float64)


def _rounded(edges: Floats) -> Floats:
    """Round each edge to the digits that its distance to its neighbours needs."""
    if len(edges) < 2:
        return edges
    gaps = np.diff(edges)
    gap = np.minimum(np.append(gaps, gaps[-1]), np.insert(gaps, 0, gaps[0]))
    with np.errstate(all="ignore"):
        scale = 10.0 ** (1 - np.floor(np.log10(gap)))
        rounded = np.round(edges * scale) / scale
    return np.unique(np.where(np.isfinite(rounded), rounded, edges))


def edge_ranks() -> Floats:
    """Return the ranks, 0 to 1, whose values become the edges of a continuous column's cells."""
    inner = np.arange(1, CELLS) / CELLS
    return np.union1d(inner, [TAIL_SHARE, 1 - TAIL_SHARE])


def rows_below(edges: Floats, counts: Counts, points: Floats) -> Floats:
    """Return how many rows of a numeric column with a value are at or below each point.

    Exact at the column's own edges; between two edges the rows are spread evenly.
    """
    below = np.cumsum(counts[:-1]).astype(np.float64)
    total = below[-1]
    return np.asarray(np.interp(points, edges, below[:-1], left=0.0, right=total), dtype=np.float64)


def numeric_column(
    name: str,
    edges: Floats,
    counts: Counts,
    digest: FastDigest | PureDigest | None = None,
    mean: float = np.nan,
    sd: float = np.nan,
    rank_error: float = 0.0,
) -> ColumnReference:
    """Return a numeric column's reference, its bins chosen by its counts."""
    bins = NumericBins(edges, choose_bin_edges(edges, counts[:-1]))
    return ColumnReference(name, bins, counts, digest, mean, sd, rank_error)


def _merge_numeric(
    a: ColumnReference, b: ColumnReference, a_edges: Floats, b_edges: Floats
) -> ColumnReference:
    digest = _merged_digest(a, b)
    n, m = int(a.counts[:-1].sum()), int(b.counts[:-1].sum())
    mean, sd = _pooled((n, a.mean, a.sd), (m, b.mean, b.sd))
    rank_error = max(a.rank_error, b.rank_error)
    if np.array_equal(a_edges, b_edges):
        return numeric_column(a.name, a_edges, a.counts + b.counts, digest, mean, sd, rank_error)
    union = np.union1d(a_edges, b_edges)
    below = rows_below(a_edges, a.counts, union) + rows_below(b_edges, b.counts, union)
    if len(union) > 2 * CELLS:
        rank_error += 0.5 / CELLS
    edges = _fewer_edges(union, below)
    inner = np.rint(below[np.searchsorted(union, edges)])
    counts = np.diff(np.concatenate(([0], inner, [n + m]))).astype(np.int64)
    return numeric_column(
        a.name, edges, np.append(counts, a.missing + b.missing), digest, mean, sd, rank_error
    )


def _merged_digest(a: ColumnReference, b: ColumnReference) -> FastDigest | PureDigest | None:
    sides = [side.digest for side in (a, b) if side.digest is not None]
    if not sides:
        return None
    merged = type(sides[0])(REFERENCE_CENTROIDS)
    for side in sides:
        merged.merge(side)  # type: ignore[arg-type]
    return merged


def _fewer_edges(edges: Floats, below: Floats) -> Floats:
    """Return as many of these edges as a continuous column has, given the rows below each."""
    if len(edges) <= 2 * CELLS:
        return edges
    total = below[-1]
    is_atom = np.nextafter(edges[:-1], np.inf) == edges[1:]
    atoms = edges[1:][is_atom & (np.diff(below) >= total / CELLS)]
    ranks = np.searchsorted(below, edge_ranks() * total)
    quantiles = edges[np.minimum(ranks, len(edges) - 1)]
    return np.union1d(np.union1d(quantiles, edges[[0, -1]]), atom_edges(atoms))


def _pooled(a: tuple[int, float, float], b: tuple[int, float, float]) -> tuple[float, float]:
    """Pool rows, mean and population sd of two sides. Source: Chan et al. (1983)."""
    (n, mean_a, sd_a), (m, mean_b, sd_b) = a, b
    if not n or not m:
        return (mean_a, sd_a) if n else (mean_b, sd_b)
    gap = mean_b - mean_a
    squares = n * sd_a**2 + m * sd_b**2 + gap**2 * n * m / (n + m)
    return mean_a + gap * m / (n + m), float(np.sqrt(squares / (n + m)))


def _merge_categories(a: ColumnReference, b: ColumnReference) -> ColumnReference:
    rows: dict[str, int] = {}
    kept, rest = 0, UncountedRows()
    for side in (a, b):
        if isinstance(side.bins, CategoryBins):
            kept = max(kept, len(side.bins.categories))
            rest = rest.add(side, side.bins)
            for name, count in zip(side.bins.categories, side.counts.tolist(), strict=False):
                rows[name] = rows.get(name, 0) + count
    return category_column(a.name, rows, kept, rest)


class UncountedRows(NamedTuple):
    """Rows of a categorical column whose category is not counted one by one."""

    other: int = 0
    missing: int = 0
    rare: frozenset[str] = frozenset()
    """Names of some of these categories."""
    is_complete: bool = True
    """Whether all of them are named."""
    singletons: int = 0
    """How many of them have a single row."""

    def add(self, side: ColumnReference, bins: CategoryBins) -> UncountedRows:
        """Return these rows and those of a reference; one row on each side may be two of one."""
        *kept, other, unseen, missing = side.counts.tolist()
        return UncountedRows(
            self.other + other + unseen,
            self.missing + missing,
            self.rare | bins.rare,
            self.is_complete and bins.is_complete,
            self.singletons + side.singletons - kept.count(1),
        )


def category_column(
    name: str, rows: Mapping[str, int], kept: int, rest: UncountedRows
) -> ColumnReference:
    """Return a categorical column's reference that keeps its `kept` most frequent categories."""
    ranked = sorted(rows, key=lambda category: (-rows[category], category))
    top, low = ranked[:kept], ranked[kept:]
    other = rest.other + sum(rows[category] for category in low)
    counts = [*(rows[category] for category in top), other, 0, rest.missing]
    bins = CategoryBins(tuple(top), (rest.rare - set(top)) | set(low), rest.is_complete)
    once = rest.singletons + sum(count == 1 for count in rows.values())
    return ColumnReference(name, bins, np.array(counts, dtype=np.int64), singletons=once)


def reference_from_digest(name: str, digest: FastDigest | PureDigest) -> ColumnReference:
    """Return the reference of a column of which only a digest is left."""
    means, weights = digest.centroids()
    total = weights.sum()
    if not total:
        return numeric_column(name, np.empty(0), np.zeros(2, dtype=np.int64), None)
    # A single value many times over makes several centroids with the same mean.
    values, where = np.unique(means, return_inverse=True)
    atoms = values[np.bincount(where) > 1]
    quantiles = np.array(digest.quantiles(edge_ranks().tolist()))
    edges = choose_edges(quantiles, atoms, means[0], means[-1])
    below = np.rint(digests.cdf_of(means, weights, edges) * total)
    counts = np.diff(np.concatenate(([0], below, [np.rint(total)]))).astype(np.int64)
    mean = float(np.average(means, weights=weights))
    sd = float(np.sqrt(np.average((means - mean) ** 2, weights=weights)))
    rank_error = float(weights.max() / total / 2)
    return numeric_column(
        name, edges, np.append(counts, 0), digest, mean=mean, sd=sd, rank_error=rank_error
    )
