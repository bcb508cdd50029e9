"""Cells that values are counted in, and the bins that cells add up to.

Cells are the finest thing counted: up to 512 numeric intervals between reference quantiles, or
categories. The Kolmogorov-Smirnov statistic is taken over the cells' edges, so its error is at
most the reference share of one cell: near 1/256 for a continuous feature (beside a gap in its
values, three times that), 0 for a discrete one, whose every value has its own cell. Bins are
runs of cells; PSI and all that is exported use bins. The last cell, and the last bin, counts the
rows without a usable value: `missing`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.coerce import BOOLEANS, Cell, is_missing, scalar
from mlmon_exporter.core.labels import distinct_labels

from .hidden_names import NOTHING_HIDDEN, HiddenNames
from .names import category_name, category_number, format_edge, whole_name

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

MISSING, OTHER, UNSEEN = "missing", "other", "unseen"
BINS = 10
OWN_BIN_SHARE = 0.05
CELLS = 256
CATEGORIES = 50
"""Most categories that have their own bin, the most frequent first, unless configured."""
TAIL_SHARE = 0.001
ONCE_SHARE = 0.002
"""If a larger share of the rows has a value that comes once, other values are expected."""


@dataclass(frozen=True)
class NumericBins:
    """Numeric cells `(edge before, edge]`; the outer ones are open."""

    edges: Floats
    """Upper edges of the cells, ascending, finite; one cell more than edges, then missing."""
    bin_edges: Floats
    """The edges that also part bins."""
    atoms: Floats = field(default_factory=lambda: np.empty(0))
    """Values that have their own cell, ascending. The cell also holds what equals them but for the
    rounding of 32-bit floats."""
    is_discrete: bool = False
    """True if the reference has no values but the atoms: others are in a bin, `unseen`."""

    kind = "numeric"

    @property
    def cell_count(self) -> int:
        """Cells, missing included."""
        return len(self.edges) + 2

    @property
    def bin_of_cell(self) -> NDArray[np.intp]:
        """Index of the bin of each cell: ascending, then `unseen` where it exists, then missing."""
        bins = np.append(np.searchsorted(self.bin_edges, self.edges), len(self.bin_edges))
        if self.is_discrete:
            is_atom = np.zeros(len(bins), dtype=bool)
            is_atom[np.searchsorted(self.edges, self.atoms)] = True
            bins[~is_atom] = len(self.bin_edges) + 1
        return np.append(bins, len(self.bin_names) - 1).astype(np.intp)

    @cached_property
    def bin_starts(self) -> NDArray[np.intp]:
        """The first cell of each interval between bin edges, missing last."""
        inner = np.searchsorted(self.edges, self.bin_edges) + 1
        return np.concatenate(([0], inner, [self.cell_count - 1])).astype(np.intp)

    @cached_property
    def bounds(self) -> tuple[float, ...]:
        """The bin edges as a histogram shows them: an atom's own cell ends at the atom."""
        ends = self.edges[np.minimum(np.searchsorted(self.edges, self.atoms), len(self.edges) - 1)]
        shown = dict(zip(ends.tolist(), self.atoms.tolist(), strict=True))
        return tuple(shown.get(edge, edge) for edge in self.bin_edges.tolist())

    @cached_property
    def bin_names(self) -> tuple[str, ...]:
        """The bins' labels: numbers from "00", and words."""
        words = (UNSEEN, MISSING) if self.is_discrete else (MISSING,)
        return (*(f"{number:02d}" for number in range(len(self.bin_edges) + 1)), *words)

    @cached_property
    def intervals(self) -> tuple[str, ...]:
        """Each bin in words, such as `(0.24, 0.31]`; a bin of one value as `[0, 0]`."""
        return self._intervals_of_atoms() if self.is_discrete else self._intervals()

    def _intervals_of_atoms(self) -> tuple[str, ...]:
        ends = np.searchsorted(self.atoms, self.bin_edges, side="right")
        groups = np.split(self.atoms, ends)
        known = [f"[{format_edge(g[0])}, {format_edge(g[-1])}]" for g in groups]
        return (*known, UNSEEN, MISSING)

    def _intervals(self) -> tuple[str, ...]:
        shown, excludes = [], []
        for edge in self.bin_edges.tolist():
            # The edge just under a value's own cell reads best as that value, left out.
            cell = int(np.searchsorted(self.edges, edge)) + 1
            under = np.searchsorted(self.edges, self.atoms) == cell
            excludes.append(bool(under.any()))
            shown.append(format_edge(self.atoms[under][0] if under.any() else edge))
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
    """True if the reference knew all its categories; if not, nothing is ever `unseen`."""
    hidden: HiddenNames = NOTHING_HIDDEN
    """Other rare categories, of which only hashes of the names are kept."""

    kind = "categorical"

    @property
    def cell_count(self) -> int:
        return len(self.categories) + 3

    @cached_property
    def bin_starts(self) -> NDArray[np.intp]:
        """The first cell of each bin: each has one."""
        return np.arange(self.cell_count, dtype=np.intp)

    @property
    def bin_of_cell(self) -> NDArray[np.intp]:
        """Index of the bin of each cell: one bin a cell."""
        return self.bin_starts

    @cached_property
    def bin_names(self) -> tuple[str, ...]:
        kept = distinct_labels(self.categories, reserved=(OTHER, UNSEEN, MISSING))
        return (*kept, OTHER, UNSEEN, MISSING)

    @property
    def intervals(self) -> tuple[str, ...]:
        return self.bin_names

    @property
    def names_all(self) -> bool:
        """The names of all the reference's categories are here."""
        return self.is_complete and not self.hidden.hashes

    @cached_property
    def codes(self) -> Mapping[Any, int]:
        """The cell of each known value: as text in each of its spellings, and as a number."""
        codes: dict[Any, int] = dict.fromkeys(self.rare, len(self.categories))
        codes |= {name: cell for cell, name in enumerate(self.categories)}
        names = [*codes.items()]
        for name, cell in names:
            for spelling in (category_name(name), whole_name(name)):
                codes.setdefault(spelling, cell)
        # A number is the category that is spelt as it, before "1.10"; and before a boolean: True
        # is the "1" of a reference only if it has no "true".
        names.sort(key=lambda each: (each[0] in BOOLEANS, not _is_plain(each[0])))
        for name, cell in names:
            number = category_number(name)
            if number is not None:
                codes.setdefault(number, cell)
        codes.update({None: self.cell_count - 1, "": self.cell_count - 1})
        return codes

    @cached_property
    def _rounded(self) -> Mapping[float, int]:
        """The cell of each number as 32-bit floats have it; of several that they confuse, none."""
        cells: dict[float, int] = {}
        for number, cell in self.codes.items():
            if type(number) is float and number % 1:
                near = _as_32_bits(number)
                cells[near] = cell if cells.get(near, cell) == cell else -1
        return {near: cell for near, cell in cells.items() if cell >= 0}

    @cached_property
    def _booleans(self) -> tuple[Any, Any]:
        """The keys of False and True, which equal 0 and 1 and may be other categories."""
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
        return self._other_spelling(value) if cell is None else cell

    def _other_spelling(self, value: Any) -> float:
        """Return the cell of a value that is not spelt as the reference has it."""
        value = scalar(value)
        if is_missing(value):
            return self.cell_count - 1
        name = category_name(value)
        if name is None:
            return math.nan
        cell = self._known(value, name)
        if cell is not None:
            return cell
        is_seen = not self.is_complete or self.hidden.has(name)
        return self.cell_count - (3 if is_seen else 2)

    def _known(self, value: Any, name: str) -> int | None:
        """Return the cell of a value, given its name; None where the reference has no such."""
        if name in BOOLEANS:
            return self.codes.get(self._booleans[BOOLEANS.index(name)])
        found = self.codes.get(name, self.codes.get(whole_name(name)))
        if found is not None or (isinstance(value, str) and not isinstance(value, Cell)):
            return found
        number = category_number(name)
        found = self.codes.get(number) if number is not None else None
        if found is not None or type(number) is not float:
            return found
        return self._rounded.get(_as_32_bits(number))

    def count(self, values: Floats) -> tuple[Counts, Floats, int]:
        """Count one column of cell numbers; NaN is invalid and counts as missing."""
        invalid = np.isnan(values)
        cells = np.where(invalid, self.cell_count - 1, values).astype(np.intp)
        counts = np.bincount(cells, minlength=self.cell_count)
        return counts, values[:0], int(np.count_nonzero(invalid))


Bins = NumericBins | CategoryBins
_BOOLEAN_TYPES = frozenset((bool, np.bool_))


def bin_order(bins: Bins) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the cells in the order of their bins, and where among them each bin begins."""
    bin_of_cell = bins.bin_of_cell
    order = np.argsort(bin_of_cell, kind="stable")
    starts = np.searchsorted(bin_of_cell[order], np.arange(len(bins.bin_names)))
    return order.astype(np.intp), starts.astype(np.intp)


def per_bin(bins: Bins, counts: NDArray[Any]) -> Counts:
    """Add rows per cell, the last axis, up to rows per bin."""
    order, starts = bin_order(bins)
    return np.asarray(np.add.reduceat(counts[..., order], starts, axis=-1), dtype=np.int64)


def _is_plain(name: str) -> bool:
    """Return whether a name is that of the number it spells."""
    return category_name(category_number(name)) == name


def _as_32_bits(number: float) -> float:
    with np.errstate(over="ignore", under="ignore"):
        return float(np.float32(number))


def atom_values(bins: NumericBins, counts: Counts) -> Iterator[tuple[float, int]]:
    """Give the values that have their own cell, and the rows of each."""
    rows = counts[np.searchsorted(bins.edges, bins.atoms)]
    yield from zip(bins.atoms.tolist(), rows.tolist(), strict=True)


def has_all_values(edges: Floats, counts: Counts, atoms: Floats) -> bool:
    """Return whether another value than a column's atoms would be news.

    All rows are at the atoms, and few of those have one row: by Good (1953), that is the share of
    rows whose value is new.
    """
    rows = counts[np.searchsorted(edges, atoms)]
    total = int(counts.sum())
    is_known = 0 < int(rows.sum()) == total
    return is_known and int((rows == 1).sum()) <= ONCE_SHARE * total


def choose_bin_edges(edges: Floats, counts: Counts, atoms: Floats) -> Floats:
    """Choose the edges that part bins: about ten bins of equal reference rows.

    Tied edges collapse. A cell that is one value with 5 % or more of the rows becomes its
    own bin. A bin without reference rows is made only where there would else be a single bin, and
    other values would not be news.

    Args:
        edges: Upper edges of the cells, ascending.
        counts: Reference rows per cell, length `edges` + 1 (without missing).
        atoms: Values that have their own cell.
    """
    total = counts.sum()
    if not total or not len(edges):
        return edges[:0]
    below = np.cumsum(counts)[:-1]
    cells = np.searchsorted(edges, atoms)
    own = cells[(counts[cells] >= OWN_BIN_SHARE * total) & (cells < len(edges))]
    targets = np.arange(1, BINS) * total / BINS
    deciles = np.minimum(np.searchsorted(below, targets), len(edges) - 1)
    wanted = np.unique(np.concatenate((deciles, own, own[own > 0] - 1)))
    # Keep an edge only if it parts reference rows from reference rows.
    kept, last = [], 0
    for edge in wanted:
        if last < below[edge] < total:
            kept.append(edge)
            last = below[edge]
    if kept or not len(own) or has_all_values(edges, counts, atoms):
        return edges[kept]
    return edges[[own[0] - 1, own[0]]] if own[0] else edges[[own[0]]]
