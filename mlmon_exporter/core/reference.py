"""What the reference knows of one column, and how two such merge."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from . import digests
from .bins import (
    CATEGORIES,
    CELLS,
    TAIL_SHARE,
    Bins,
    CategoryBins,
    NumericBins,
    atom_edges,
    choose_bin_edges,
)
from .digests import MOST_ROWS, REFERENCE_CENTROIDS, FastDigest, PureDigest
from .labels import clean_label
from .thresholds import Tail

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

MOST_NAMED = 10_000
"""Categories that are counted one by one."""
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
    rare_rows: Mapping[str, int] = field(default_factory=dict)
    """Rows of each category that is not kept, as far as they are counted one by one."""
    max_categories: int = CATEGORIES
    """How many categories may be kept."""
    variation: Mapping[float, Mapping[str, Tail]] = field(default_factory=dict)
    """Window's length in seconds -> deciding score -> what unchanged time brings."""

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
    def rows_by_category(self) -> dict[str, int]:
        """Rows of each category that is counted; empty for a numeric column."""
        if not isinstance(self.bins, CategoryBins):
            return {}
        kept = zip(self.bins.categories, self.counts.tolist(), strict=False)
        return {**dict(kept), **self.rare_rows}

    @property
    def singletons(self) -> int:
        """Categories that the reference has just once."""
        return sum(rows == 1 for rows in self.rows_by_category.values())

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
        low, high = (_tail_size(counts) for counts in (self.counts[:-1], self.counts[-2::-1]))
        return low, max(low, last - high)

    @cached_property
    def outer_cells(self) -> tuple[int, int]:
        """The same for the cells under the reference's least and over its greatest value."""
        last = self.bins.cell_count - 1
        used = np.flatnonzero(self.counts[:-1])
        if isinstance(self.bins, CategoryBins) or not len(used):
            return 0, last
        return int(used[0]), int(used[-1]) + 1

    def natural_tail(self, score: str, window_seconds: float) -> Tail | None:
        """Return what unchanged time brings a score in a window; None where it is not known.

        Of windows that the reference was not scored for, the next shorter one's is taken, since
        shorter stretches vary more; the shortest's where there is none.
        """
        shorter = [seconds for seconds in self.variation if seconds <= window_seconds]
        nearest = max(shorter, default=min(self.variation, default=None))
        return None if nearest is None else self.variation[nearest].get(score)

    def merge(self, other: ColumnReference) -> ColumnReference:
        """Return the reference of both sides' rows.

        Counts add exactly where both sides have the same cells, where the column is discrete,
        and for up to `MOST_NAMED` categories; else each side's are read between its own edges.
        """
        if self.kind != other.kind:
            raise ValueError(
                f"reference: {self.name}: expected the same kind on both sides, "
                f"got {self.kind} and {other.kind}"
            )
        if isinstance(self.bins, NumericBins) and isinstance(other.bins, NumericBins):
            merged = _merge_numeric(self, other, self.bins.edges, other.bins.edges)
        else:
            merged = _merge_categories(self, other)
        return replace(merged, variation=_greater_variation(self, other))

    def to_dict(self) -> dict[str, Any]:
        """Return the form in which a reference file holds the column."""
        form: dict[str, Any] = {"name": clean_label(self.name), "kind": self.kind}
        if isinstance(self.bins, CategoryBins):
            form |= {
                "categories": list(self.bins.categories),
                "rare": sorted(self.bins.rare),
                "rare_counts": [self.rare_rows.get(name, 0) for name in sorted(self.bins.rare)],
                "complete": self.bins.is_complete,
                "max_categories": self.max_categories,
            }
        else:
            form |= {
                "edges": self.bins.edges.tolist(),
                "bin_edges": self.bins.bin_edges.tolist(),
                "mean": _finite(self.mean),
                "sd": _finite(self.sd),
                "digest": digests.to_dict(self.digest) if self.digest is not None else None,
            }
        variation = {
            f"{seconds:g}": {score: list(tail) for score, tail in tails.items()}
            for seconds, tails in self.variation.items()
        }
        return form | {
            "counts": self.counts.tolist(),
            "rank_error": self.rank_error,
            "variation": variation,
        }

    @classmethod
    def from_dict(cls, form: Mapping[str, Any], engine: str) -> Self:
        """Read that form; raises ValueError, KeyError or TypeError where it is damaged."""
        name, rank_error = str(form["name"]), _number(form, "rank_error")
        if not rank_error >= 0:
            raise ValueError(f"rank_error: expected a share, got {form['rank_error']!r}")
        variation = _variation(form.get("variation") or {})
        if form["kind"] == "categorical":
            bins: Bins = _category_bins(form)
            counts = _counts(form, "counts", bins.cell_count)
            rare, most = _rare_rows(form, int(counts[-3])), _max_categories(form)
            return cls(name, bins, counts, variation=variation, rare_rows=rare, max_categories=most)
        if form["kind"] != "numeric":
            raise ValueError(f"kind: expected numeric or categorical, got {form['kind']!r}")
        bins = _numeric_bins(form)
        counts = _counts(form, "counts", bins.cell_count)
        mean, sd = _number(form, "mean"), _number(form, "sd")
        digest = form["digest"] and digests.from_dict(form["digest"], engine, REFERENCE_CENTROIDS)
        return cls(name, bins, counts, digest or None, mean, sd, rank_error, variation=variation)


def _tail_size(counts: Counts) -> int:
    """Return how many cells, from the first, hold about `TAIL_SHARE` of the rows, none if empty.

    Where the edge was read off a digest, it is the percentile but for some rows.
    """
    below = np.concatenate(([0], np.cumsum(counts)))
    if not below[-1]:
        return 0
    nearest = below[np.argmin(np.abs(below - TAIL_SHARE * below[-1]))]
    return int(np.searchsorted(below, nearest, side="right")) - 1


def _variation(form: Mapping[str, Any]) -> Mapping[float, Mapping[str, Tail]]:
    return {
        float(seconds): {
            score: Tail(float(start), float(scale)) for score, (start, scale) in tails.items()
        }
        for seconds, tails in form.items()
    }


def _greater_variation(
    a: ColumnReference, b: ColumnReference
) -> Mapping[float, Mapping[str, Tail]]:
    """Return what is known of either side's time; of what both know, the greater."""
    merged = {seconds: dict(tails) for seconds, tails in a.variation.items()}
    for seconds, tails in b.variation.items():
        ours = merged.setdefault(seconds, {})
        for score, tail in tails.items():
            known = ours.get(score, tail)
            ours[score] = Tail(max(tail.start, known.start), max(tail.scale, known.scale))
    return merged


def _category_bins(form: Mapping[str, Any]) -> CategoryBins:
    names: list[str] = []
    for key in ("categories", "rare"):
        if not isinstance(form[key], list) or not all(isinstance(name, str) for name in form[key]):
            raise ValueError(f"{key}: expected a list of texts")
        names += form[key]
    if len(set(names)) < len(names):
        raise ValueError("categories, rare: expected each category once")
    return CategoryBins(tuple(form["categories"]), frozenset(form["rare"]), bool(form["complete"]))


def _rare_rows(form: Mapping[str, Any], other: int) -> dict[str, int]:
    rows = _counts(form, "rare_counts", len(form["rare"]))
    if rows.sum() > other:
        raise ValueError(f"rare_counts: expected at most the {other} rows of other")
    return dict(zip(form["rare"], rows.tolist(), strict=True))


def _max_categories(form: Mapping[str, Any]) -> int:
    most = form["max_categories"]
    if not isinstance(most, int) or most < 0:
        raise ValueError(f"max_categories: expected a whole number, got {most!r}")
    return most


def _numeric_bins(form: Mapping[str, Any]) -> NumericBins:
    edges, bin_edges = _numbers(form, "edges"), _numbers(form, "bin_edges")
    if (edges[1:] <= edges[:-1]).any():
        raise ValueError("edges: expected numbers in ascending order")
    if not np.isin(bin_edges, edges).all() or (bin_edges[1:] <= bin_edges[:-1]).any():
        raise ValueError("bin_edges: expected some of the edges in ascending order")
    return NumericBins(edges, bin_edges)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _numbers(form: Mapping[str, Any], key: str) -> Floats:
    values = form[key]
    is_list = isinstance(values, list)
    if not is_list or not all(isinstance(v, int | float) and math.isfinite(v) for v in values):
        raise ValueError(f"{key}: expected a list of numbers")
    return np.array(values, dtype=np.float64)


def _counts(form: Mapping[str, Any], key: str, length: int) -> Counts:
    counts = _numbers(form, key)
    if len(counts) != length or (counts < 0).any() or (counts % 1).any():
        raise ValueError(f"{key}: expected {length} whole numbers of 0 or more")
    if counts.sum() > MOST_ROWS:
        raise ValueError(f"{key}: expected at most {MOST_ROWS} rows, got {counts.sum():g}")
    return counts.astype(np.int64)


def _number(form: Mapping[str, Any], key: str) -> float:
    value = form[key]
    if value is not None and not isinstance(value, int | float):
        raise ValueError(f"{key}: expected a number, got {value!r}")
    return np.nan if value is None else float(value)


def choose_edges(quantiles: Floats, atoms: Floats, least: float, greatest: float) -> Floats:
    """Choose a continuous column's cell edges.

    Args:
        quantiles: Values at evenly spaced ranks, ascending.
        atoms: Values that hold more than a cell's rows: each gets a cell of its own.
        least: The smallest value.
        greatest: The greatest value.
    """
    # A quantile that is an atom but for rounding would part it from the cell beside it.
    with np.errstate(over="ignore", invalid="ignore"):
        near = 8 * np.spacing(np.abs(atoms))
        is_near = (np.abs(np.subtract.outer(quantiles, atoms)) <= near).any(axis=1)
        outer = np.array([np.nextafter(least, -np.inf), greatest])
    inner = _rounded(np.unique(quantiles[~is_near]))
    edges = np.union1d(np.union1d(inner, outer), atom_edges(atoms))
    return np.asarray(edges[np.isfinite(edges)], dtype=np.float64)


def _rounded(edges: Floats) -> Floats:
    """Round each edge to the digits that its distance to its neighbours needs."""
    if len(edges) < 2:
        return edges
    with np.errstate(all="ignore"):
        gaps = np.diff(edges)
        gap = np.minimum(np.append(gaps, gaps[-1]), np.insert(gaps, 0, gaps[0]))
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
    if not len(edges):
        return np.zeros(len(points))
    below = np.cumsum(counts[:-1]).astype(np.float64)
    inside = digests.between(points, edges, below[:-1])
    return np.where(points < edges[0], 0.0, np.where(points > edges[-1], below[-1], inside))


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
    union = np.union1d(a_edges, b_edges)
    errors = (
        (n, a.rank_error, _split_share(a_edges, a.counts, union)),
        (m, b.rank_error, _split_share(b_edges, b.counts, union)),
    )
    rank_error = sum(rows * math.hypot(own, split) for rows, own, split in errors) / max(n + m, 1)
    below = rows_below(a_edges, a.counts, union) + rows_below(b_edges, b.counts, union)
    edges = union if len(union) == len(a_edges) else _fewer_edges(union, below)
    inner = np.rint(below[np.searchsorted(union, edges)])
    counts = np.diff(np.concatenate(([0], inner, [n + m]))).astype(np.int64)
    return numeric_column(
        a.name, edges, np.append(counts, a.missing + b.missing), digest, mean, sd, rank_error
    )


def _split_share(edges: Floats, counts: Counts, union: Floats) -> float:
    """Return the greatest share of rows in a cell that more edges split: so far ranks may be off.

    Where rows are in the cell is not known. The errors of several merges add like those of
    chance: in squares.
    """
    cells = np.searchsorted(edges, union)
    is_own = edges[np.minimum(cells, len(edges) - 1)] == union if len(edges) else cells < 0
    split = counts[:-1][cells[~is_own]]
    return float(split.max(initial=0) / max(counts[:-1].sum(), 1))


def _merged_digest(a: ColumnReference, b: ColumnReference) -> FastDigest | PureDigest | None:
    sides = [side.digest for side in (a, b) if side.digest is not None]
    if not sides:
        return None
    engine = type(sides[0])
    merged = engine(REFERENCE_CENTROIDS)
    for side in sides:
        if isinstance(side, engine):
            merged.merge(side)  # type: ignore[arg-type]
        else:  # one was loaded, the other made from digests
            merged.merge(engine.from_centroids(*side.centroids(), REFERENCE_CENTROIDS))  # type: ignore[arg-type]
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
    # Products, since a power that overflows raises.
    squares = n * (sd_a * sd_a) + m * (sd_b * sd_b) + gap * gap * n * m / (n + m)
    return mean_a + gap * m / (n + m), math.sqrt(squares / (n + m))


def _merge_categories(a: ColumnReference, b: ColumnReference) -> ColumnReference:
    rows = dict(a.rows_by_category)
    for name, count in b.rows_by_category.items():
        rows[name] = rows.get(name, 0) + count
    missing = a.missing + b.missing
    rest = UncountedRows(
        other=a.rows + b.rows - missing - sum(rows.values()),
        missing=missing,
        is_complete=all(isinstance(c.bins, CategoryBins) and c.bins.is_complete for c in (a, b)),
    )
    return category_column(a.name, rows, max(a.max_categories, b.max_categories), rest)


class UncountedRows(NamedTuple):
    """Rows of a categorical column that are not counted by category."""

    other: int
    """Rows of categories that are not named."""
    missing: int
    is_complete: bool
    """Whether all categories are named."""


def category_column(
    name: str, rows: Mapping[str, int], kept: int, rest: UncountedRows
) -> ColumnReference:
    """Return a categorical column's reference that keeps its `kept` most frequent categories.

    Of the others, too, only the most frequent are named where there are more than `MOST_NAMED`.
    """
    ranked = sorted(rows, key=lambda category: (-rows[category], category))
    top, low = ranked[:kept], {category: rows[category] for category in ranked[kept:MOST_NAMED]}
    other = rest.other + sum(rows[category] for category in ranked[kept:])
    counts = [*(rows[category] for category in top), other, 0, rest.missing]
    is_complete = rest.is_complete and len(rows) <= MOST_NAMED
    return ColumnReference(
        name,
        CategoryBins(tuple(top), frozenset(low), is_complete),
        np.array(counts, dtype=np.int64),
        rare_rows=low,
        max_categories=kept,
    )


def reference_from_digest(name: str, form: Mapping[str, Any]) -> ColumnReference:
    """Return the reference of a column of which only a digest is left, in its dictionary form.

    Raises ValueError as `digests.from_dict` does.
    """
    means, weights = digests.centroids_of(form)
    if not len(means):
        return numeric_column(name, np.empty(0), np.zeros(2, dtype=np.int64))
    digest = FastDigest.from_centroids(means, weights, REFERENCE_CENTROIDS)
    atoms = digests.atoms_of(means, weights, float(form.get("delta", 0.01)))
    quantiles = np.array(digest.quantiles(edge_ranks().tolist()))
    edges = choose_edges(quantiles, atoms[0], means[0], means[-1])
    shares, rank_error = digests.cdf_of(means, weights, edges, atoms)
    total = np.rint(weights.sum())
    counts = np.diff(np.concatenate(([0], np.rint(shares * total), [total]))).astype(np.int64)
    mean = float(np.average(means, weights=weights))
    sd = float(np.sqrt(np.average((means - mean) ** 2, weights=weights)))
    if means[0] == means[-1]:  # but for the rounding of sums
        mean, sd = float(means[0]), 0.0
    return numeric_column(name, edges, np.append(counts, 0), digest, mean, sd, rank_error)
