"""Tallies of rows: exact counts over the cells of all columns, and digests of numeric ones.

Tallies merge, whether of batches, panes, workers or hosts. All scores are computed from them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.coerce import summable
from mlmon_exporter.core.profile.bins import Bins, CategoryBins, NumericBins
from mlmon_exporter.core.stats.design_effect import RequestRows, merged
from mlmon_exporter.core.stats.digests import ENGINES, FastDigest, PureDigest, of_engine

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
AnyDigest = FastDigest | PureDigest


@dataclass(frozen=True)
class Layout:
    """Places of the columns' cells and bins in the vectors of a tally."""

    names: tuple[str, ...]
    bins: tuple[Bins, ...]

    @cached_property
    def cell_starts(self) -> NDArray[np.intp]:
        """First cell of each column, and the number of all cells at the end; length columns + 1."""
        return _starts([bins.cell_count for bins in self.bins])

    @cached_property
    def bin_starts(self) -> NDArray[np.intp]:
        """First bin of each column, and the number of all bins at the end; length columns + 1."""
        return _starts([len(bins.bin_names) for bins in self.bins])

    @cached_property
    def numeric(self) -> tuple[int, ...]:
        """Numbers of the numeric columns."""
        return tuple(j for j, bins in enumerate(self.bins) if isinstance(bins, NumericBins))

    @cached_property
    def categorical(self) -> tuple[int, ...]:
        """Numbers of the categorical columns."""
        return tuple(j for j, bins in enumerate(self.bins) if isinstance(bins, CategoryBins))

    @cached_property
    def fingerprint(self) -> str:
        """Text that differs between layouts whose tallies do not add up."""
        digest = hashlib.sha256()
        for name, bins in zip(self.names, self.bins, strict=True):
            cells = bins.edges.tobytes() if isinstance(bins, NumericBins) else repr(bins.categories)
            digest.update(repr((name, cells)).encode("utf-8", "replace"))
        return digest.hexdigest()[:16]

    def new(self) -> Tally:
        """Return a tally of no rows."""
        return Tally(self)

    def check(self, tally: Tally) -> None:
        """Raise ValueError if a tally that was read has other cells or columns."""
        cells, columns = int(self.cell_starts[-1]), len(self.names)
        vectors = ("counts", "invalid", "sums", "digests")
        sizes = [len(getattr(tally, name, ())) for name in vectors]
        requests = getattr(tally, "requests", None)
        of_requests = columns if requests is None else requests.sums.shape[1]
        if sizes != [cells, columns, columns, columns] or of_requests != columns:
            raise ValueError(
                f"tally: expected the {cells} cells and {columns} columns of {self.fingerprint}, "
                "got others"
            )


def _starts(sizes: Sequence[int]) -> NDArray[np.intp]:
    return np.concatenate(([0], np.cumsum(sizes))).astype(np.intp)


class Tally:
    """Counts and digests of some rows. Not thread-safe."""

    __slots__ = ("counts", "digests", "invalid", "requests", "rows", "sums")

    def __init__(self, layout: Layout) -> None:
        self.rows = 0
        self.counts: NDArray[Any] = np.zeros(int(layout.cell_starts[-1]), dtype=np.int64)
        self.invalid: Counts = np.zeros(len(layout.names), dtype=np.int64)
        self.sums: Floats = np.zeros(len(layout.names))
        self.digests: list[AnyDigest | None] = [None] * len(layout.names)
        self.requests: RequestRows | None = None

    def merge(self, other: Tally) -> None:
        """Add the counts of `other`, which stays as it is."""
        self.merge_counts(other)
        self.requests = merged(self.requests, other.requests)
        for j, theirs in enumerate(other.digests):
            if theirs is not None:
                ours = self.digests[j]
                if ours is None:
                    ours = self.digests[j] = type(theirs)()
                ours.merge(of_engine(type(ours), theirs))  # type: ignore[arg-type]

    def merge_max(self, other: Tally) -> None:
        """Keep the greater of each count, and the digests of the side with more rows.

        For two states of one tally, neither of which includes the other.
        """
        if other.rows > self.rows:
            self.rows, self.digests = other.rows, other.digests
            self.requests = other.requests
        self.counts = np.maximum(self.counts, other.counts)
        self.invalid = np.maximum(self.invalid, other.invalid)
        self.sums = np.maximum(self.sums, other.sums)

    def copy(self) -> Tally:
        """Return a copy."""
        other = Tally.__new__(Tally)
        other.rows, other.counts, other.sums = self.rows, self.counts.copy(), self.sums.copy()
        other.invalid, other.digests = self.invalid.copy(), [None] * len(self.digests)
        other.requests = self.requests
        for j, digest in enumerate(self.digests):
            if digest is not None:
                copied = other.digests[j] = type(digest)()
                copied.merge(digest)  # type: ignore[arg-type]
        return other

    def pack(self) -> None:
        """Shrink in memory, for a pane that is over; adding rows unpacks it."""
        # The narrowest type that fits; never uint64, as uint64 + int64 is floating-point.
        most = int(self.counts.max(initial=0))
        narrow = np.min_scalar_type(most) if most < 2**32 else np.int64
        self.counts = self.counts.astype(narrow, copy=False)
        for digest in self.digests:
            if digest is not None:
                digest.pack()

    def without_digests(self) -> Tally:
        """Return the counts alone, not copied: for totals since the start."""
        other = Tally.__new__(Tally)
        other.rows, other.counts, other.sums = self.rows, self.counts, self.sums
        other.invalid, other.requests = self.invalid, None
        other.digests = [None] * len(self.digests)
        return other

    def merge_counts(self, other: Tally) -> None:
        """Add the counts of `other`, but not its digests."""
        self.rows += other.rows
        self.counts = np.add(self.counts, other.counts, dtype=np.int64)
        self.invalid += other.invalid
        self.sums += other.sums


def tally_columns(
    layout: Layout, columns: Floats, engine: str, pause: Callable[[], None] = lambda: None
) -> Tally:
    """Count rows.

    Args:
        layout: Layout of the columns.
        columns: Shape (columns, rows): values of numeric columns, cell numbers of categorical
            ones. NaN is missing in a numeric column and invalid in a categorical one.
        engine: A key of `digests.ENGINES`; empty for counts alone.
        pause: Called between columns, so that a long tally does not hold the interpreter.
    """
    tally = Tally(layout)
    tally.rows = columns.shape[1]
    new_digest = ENGINES[engine] if engine else None
    for j, bins in enumerate(layout.bins):
        start, end = layout.cell_starts[j : j + 2]
        tally.counts[start:end], finite, tally.invalid[j] = bins.count(columns[j])
        if len(finite):
            finite = summable(finite)
            tally.sums[j] = finite.sum()
            if new_digest is not None:
                tally.digests[j] = new_digest.of_ascending(finite)
        pause()
    return tally
