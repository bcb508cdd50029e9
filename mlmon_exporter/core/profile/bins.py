"""Where a feature's values are counted: cells, and the bins that cells add up to.

Cells are the finest thing counted: up to 512 numeric intervals between reference quantiles, or
categories. The Kolmogorov-Smirnov statistic is taken over the cells' edges, so its error is at
most the reference share of one cell: near 1/256 for a continuous feature (beside a gap in its
values, three times that), 0 for a discrete one, whose every value has a cell of its own. Bins are
runs of cells; PSI and all that is exported use bins. The last cell, and the last bin, counts the
rows without a usable value: `missing`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.coerce import is_missing, scalar
from mlmon_exporter.core.labels import clean_label, distinct_labels

from .hidden_names import NOTHING_HIDDEN, HiddenNames

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

MISSING, OTHER, UNSEEN = "missing", "other", "unseen"
BOOLEANS = ("false", "true")
BINS = 10
OWN_BIN_SHARE = 0.05
CELLS = 256
CATEGORIES = 50
"""The most frequent categories that have a bin of their own, unless the user says otherwise."""
TAIL_SHARE = 0.001


@dataclass(frozen=True)
class NumericBins:
    """Numeric cells `(edge before, edge]`; the outer ones are open."""

    edges: Floats
    """Upper edges of the cells, ascending, finite; one cell more than edges, then missing."""
    bin_edges: Floats
    """The edges that also part bins."""

    kind = "numeric"

    @property
    def cell_count(self) -> int:
        return len(self.edges) + 2

    @cached_property
    def bin_starts(self) -> NDArray[np.intp]:
        """First cell of each bin, missing last."""
        inner = np.searchsorted(self.edges, self.bin_edges) + 1
        return np.concatenate(([0], inner, [self.cell_count - 1])).astype(np.intp)

    @cached_property
    def bin_names(self) -> tuple[str, ...]:
        return (*(f"{number:02d}" for number in range(len(self.bin_edges) + 1)), MISSING)

    @cached_property
    def intervals(self) -> tuple[str, ...]:
        """Each bin in words, such as `(0.24, 0.31]`; a bin of one value as `[0, 0]`."""
        with np.errstate(over="ignore"):
            values = np.nextafter(self.bin_edges, np.inf)
        # The edge just under a value's own cell reads best as that value, left out.
        excludes = np.isin(values, self.edges)
        shown = [format_edge(edge) for edge in np.where(excludes, values, self.bin_edges)]
        opening = [
            "(-Inf",
            *(f"{'[' if x else '('}{e}" for e, x in zip(shown, excludes, strict=True)),
        ]
        closing = [
            *(f"{e}{')' if x else ']'}" for e, x in zip(shown, excludes, strict=True)),
            "+Inf)",
        ]
        return (*(f"{a}, {b}" for a, b in zip(opening, closing, strict=True)), MISSING)

    def count(self, values: Floats) -> tuple[Counts, Floats, int]:
        """Count one column.

        Args:
            values: 1-D; NaN is missing, an infinity is invalid and counts as missing.

        Returns:
            Rows per cell, the finite values in ascending order, and how many were invalid.
        """
        finite, invalid = _finite(np.sort(values))
        counts = np.empty(self.cell_count, dtype=np.int64)
        below = np.searchsorted(finite, self.edges, side="right")
        counts[:-2] = below
        counts[-2] = len(finite)
        counts[1:-1] -= below
        counts[-1] = len(values) - len(finite)
        return counts, finite, invalid


def _finite(ordered: Floats) -> tuple[Floats, int]:
    """Return the finite ones of ascending values, NaN last, and how many are infinite."""
    if len(ordered) and ordered[0] > -np.inf and ordered[-1] < np.inf:
        return ordered, 0  # as nearly always: there is nothing to look for
    low, high = np.searchsorted(ordered, [-np.inf, np.inf], side="right")
    first_infinite = np.searchsorted(ordered, np.inf, side="left")
    return ordered[low:first_infinite], int(low + high - first_infinite)


@dataclass(frozen=True)
class CategoryBins:
    """A cell and a bin for each kept category, then `other`, `unseen` and missing."""

    categories: tuple[str, ...]
    """The kept categories, most frequent first."""
    rare: frozenset[str] = frozenset()
    """Categories of the reference that are not kept: they count as `other`."""
    is_complete: bool = True
    """Whether the reference knew all its categories; if not, nothing is ever `unseen`."""
    hidden: HiddenNames = NOTHING_HIDDEN
    """Categories that are rare, too, and whose names are not kept."""

    kind = "categorical"

    @property
    def cell_count(self) -> int:
        return len(self.categories) + 3

    @cached_property
    def bin_starts(self) -> NDArray[np.intp]:
        return np.arange(self.cell_count, dtype=np.intp)

    @cached_property
    def bin_names(self) -> tuple[str, ...]:
        kept = distinct_labels(self.categories, reserved=(OTHER, UNSEEN, MISSING))
        return (*kept, OTHER, UNSEEN, MISSING)

    @property
    def intervals(self) -> tuple[str, ...]:
        return self.bin_names

    @property
    def names_all(self) -> bool:
        """Whether the names of all the reference's categories are here."""
        return self.is_complete and not self.hidden.hashes

    @cached_property
    def codes(self) -> Mapping[Any, int]:
        """The cell of each known value: as text, and as a number where the text is one."""
        kept = {name: cell for cell, name in enumerate(self.categories)}
        codes: dict[Any, int] = {name: len(self.categories) for name in self.rare} | kept
        # Numbers before booleans: True is the "1" of a reference only if it has no "true".
        for name, cell in sorted(codes.items(), key=lambda code: code[0] in BOOLEANS):
            number = _as_number(name)
            if number is not None:
                codes.setdefault(number, cell)
        codes.update({None: self.cell_count - 1, "": self.cell_count - 1})
        return codes

    @cached_property
    def _booleans(self) -> tuple[Any, Any]:
        """What to look False and True up as, which equal 0 and 1 and may be other categories."""
        no, yes = BOOLEANS
        knows = {name: name in self.codes or self.hidden.has(name) for name in BOOLEANS}
        return (no if knows[no] else 0), (yes if knows[yes] else 1)

    def code(self, value: Any) -> float:
        """Return the cell of one value; NaN where it cannot be a category (a list, an object)."""
        if type(value) in _BOOLEAN_TYPES:
            value = self._booleans[bool(value)]
        try:
            cell = self.codes.get(value)
        except Exception:  # noqa: BLE001 - a list, an object that raises what it likes
            cell = None
        if cell is not None:
            return cell
        value = scalar(value)
        if is_missing(value):
            return self.cell_count - 1
        name = category_name(value)
        if name is None:
            return math.nan
        cell = self.codes.get(name)
        if cell is not None:
            return cell
        is_seen = not self.is_complete or self.hidden.has(name)
        return self.cell_count - (3 if is_seen else 2)

    def count(self, values: Floats) -> tuple[Counts, Floats, int]:
        """Count one column of cell numbers; NaN is invalid and counts as missing."""
        invalid = np.isnan(values)
        cells = np.where(invalid, self.cell_count - 1, values).astype(np.intp)
        counts = np.bincount(cells, minlength=self.cell_count)
        return counts, values[:0], int(np.count_nonzero(invalid))


Bins = NumericBins | CategoryBins
_BOOLEAN_TYPES = frozenset((bool, np.bool_))


def category_name(value: Any) -> str | None:
    """Return one name for a category however it is spelt: 1, 1.0 and "1" are the same.

    None where it cannot be a category: a list, an object, an infinity.
    """
    if isinstance(value, str):
        return clean_label(str(value))
    if isinstance(value, bool | np.bool_):
        return BOOLEANS[bool(value)]
    if isinstance(value, float | np.floating):
        number = float(value)
        if not number.is_integer():
            return repr(number) if math.isfinite(number) else None
        value = int(number)
    if isinstance(value, int | np.integer):
        try:
            return str(int(value))
        except ValueError:  # more digits than Python turns into text
            return None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else None


def _as_number(name: str) -> float | None:
    if name in BOOLEANS:
        return float(BOOLEANS.index(name))
    try:
        number = float(name)
    except ValueError:
        return None
    return number if math.isfinite(number) and category_name(number) == name else None


def format_edge(edge: float) -> str:
    """Return an edge as short text that is still exact to ten digits."""
    return f"{edge + 0.0:.10g}"  # the sum of -0 and 0 is 0


def atom_values(bins: NumericBins, counts: Counts) -> Iterator[tuple[float, int]]:
    """Give the values that have a cell of their own, and the rows of each."""
    is_atom = np.nextafter(bins.edges[:-1], np.inf) == bins.edges[1:]
    cells = np.flatnonzero(is_atom) + 1
    yield from zip(bins.edges[cells].tolist(), counts[cells].tolist(), strict=True)


def choose_bin_edges(edges: Floats, counts: Counts) -> Floats:
    """Choose the edges that part bins: about ten bins of equal reference rows.

    Tied edges collapse. A cell that is one value with 5 % or more of the rows becomes a bin of
    its own. A bin without reference rows is made only where there would else be a single bin.

    Args:
        edges: Upper edges of the cells, ascending.
        counts: Reference rows per cell, length `edges` + 1 (without missing).
    """
    total = counts.sum()
    if not total or not len(edges):
        return edges[:0]
    below = np.cumsum(counts)[:-1]
    is_atom = np.zeros(len(edges), dtype=bool)
    is_atom[1:] = np.nextafter(edges[:-1], np.inf) == edges[1:]
    own = np.flatnonzero(is_atom & (counts[:-1] >= OWN_BIN_SHARE * total))
    targets = np.arange(1, BINS) * total / BINS
    deciles = np.minimum(np.searchsorted(below, targets), len(edges) - 1)
    wanted = np.unique(np.concatenate((deciles, own, own[own > 0] - 1)))
    # Keep an edge only if it parts reference rows from reference rows.
    kept, last = [], 0
    for edge in wanted:
        if last < below[edge] < total:
            kept.append(edge)
            last = below[edge]
    if kept or not len(own):
        return edges[kept]
    return edges[[own[0] - 1, own[0]]] if own[0] else edges[[own[0]]]
