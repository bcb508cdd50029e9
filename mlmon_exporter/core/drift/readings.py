"""Numbers of one side of a model, a column's each: counts, scores, thresholds and quantiles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import compress
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.labels import distinct_labels
from mlmon_exporter.core.profile.bins import NumericBins
from mlmon_exporter.core.records import Deferred, Histograms, Readings
from mlmon_exporter.core.settings import QUANTILES
from mlmon_exporter.core.windows.matrix import ReferenceMatrix, Sums
from mlmon_exporter.core.windows.natural import NaturalVariation
from mlmon_exporter.core.windows.stretches import DAY_SECONDS
from mlmon_exporter.core.windows.tally import Tally
from mlmon_exporter.core.windows.window import Memo, WindowedTallies

from .context import MODEL_LABELS, WINDOW_LABELS, Labels, ScoringContext
from .dependence import Followed, LiveDependence
from .risen import risen
from .tests import DIGEST_SCORE, SCORES, Comparison, score

Floats = NDArray[np.float64]


HELD_SECONDS = 3 * 86400.0
"""So long a verdict of drift stays while rows are too few for another: nights, a weekend."""


class Role(NamedTuple):
    """A side of a model in the names of readings."""

    prefix: str
    label: str


FEATURES = Role("mlmon_feature", "feature")
OUTPUTS = Role("mlmon_prediction", "output")
DERIVED = Role("mlmon_derived", "derived")
ROLES = (FEATURES, OUTPUTS, DERIVED)
"""All sides that have columns."""


class ReferenceReadings:
    """Readings of the reference itself; computed once."""

    def __init__(self, matrix: ReferenceMatrix, role: Role, model_labels: tuple[str, str]) -> None:
        self.names = distinct_labels(matrix.layout.names)
        self.columns: Labels = tuple((*model_labels, name) for name in self.names)
        sizes = np.diff(matrix.layout.bin_starts)
        # A derived category has as many bins as there are features: see `_risen` for what is shown.
        is_shown = matrix.is_numeric | (role is not DERIVED)
        self.shown = np.repeat(is_shown, sizes)
        """Bins that have readings."""
        bins = [
            (name, b.kind, bin_name, interval)
            for name, b in compress(zip(self.names, matrix.layout.bins, strict=True), is_shown)
            for bin_name, interval in zip(b.bin_names, b.intervals, strict=True)
        ]
        self.bins: Labels = tuple((*model_labels, *bin_[:3]) for bin_ in bins)
        intervals: Labels = tuple((*model_labels, *bin_) for bin_ in bins)
        rows = np.add.reduceat(matrix.reference.bins, matrix.bin_starts)
        ratios = matrix.reference.bins / np.repeat(np.where(rows > 0, rows, np.nan), sizes)
        names = (*MODEL_LABELS, role.label)
        by_bin = (*names, "kind", "bin", "interval")
        shares = ratios[self.shown]
        self.readings = [Readings(f"{role.prefix}_reference_ratio", by_bin, intervals, shares)]
        importance = np.array([column.importance for column in matrix.references])
        known = np.flatnonzero(~np.isnan(importance)).tolist()
        if known:
            of = tuple(self.columns[j] for j in known)
            metric = f"{role.prefix}_importance_ratio"
            self.readings.append(Readings(metric, names, of, importance[known]))


class ColumnReadings:
    """All readings of one side of a version; the same objects while no count changes."""

    def __init__(
        self,
        tallies: WindowedTallies[Tally],
        matrix: ReferenceMatrix,
        role: Role,
        context: ScoringContext,
        dependence: LiveDependence | None = None,
        *,
        with_histograms: bool = True,
    ) -> None:
        self._tallies = tallies
        self._followed = Followed(dependence) if dependence is not None else None
        self.live: NaturalVariation | None = None
        """Natural variation in place of the reference's, when it was last scored."""
        self.tallies: list[Tally] = []
        """Of each window when it was last scored."""
        self._matrix = matrix
        self._role = role
        self._context = context
        self._with_histograms = with_histograms
        self._reference = ReferenceReadings(matrix, role, context.labels)
        self._names = (*MODEL_LABELS, role.label)
        windows = [window.label for window in context.windows]
        columns = self._reference.columns
        self._by_window: list[Labels] = [tuple((*c, w) for c in columns) for w in windows]
        self._numeric: Labels = tuple(columns[j] for j in matrix.layout.numeric)
        self._categorical: Labels = tuple(
            column
            for column, is_numeric in zip(columns, matrix.is_numeric, strict=True)
            if not is_numeric
        )
        self._by_quantile: list[Labels] = [
            tuple((*c, str(q), w) for c in self._numeric for q in QUANTILES) for w in windows
        ]
        self._totals: Memo[list[Readings | Histograms]] = Memo()
        self._windows: Memo[list[list[Readings]]] = Memo()
        self._results: dict[int, Mapping[str, Floats]] = {}
        self._judged: dict[int, float] = {}  # window -> Unix seconds when rows were enough

    def at(self, now: float) -> Iterator[Readings | Histograms]:
        """Give all readings at `now`, Unix seconds."""
        yield from self._reference.readings
        yield from self._totals.get(self._tallies.generation, lambda: [*self._of_totals()])
        for readings in self._windows.get(self._tallies.revision(now), lambda: self._scored(now)):
            yield from readings

    def revision(self, now: float) -> tuple[int, ...]:
        """Return a key that changes whenever `at` may give something else."""
        return self._tallies.revision(now)

    def scores(self, k: int) -> Mapping[str, Floats]:
        """Return the scores and thresholds of window `k` that `at` last gave, by name."""
        return self._results.get(k, {})

    def _drifted_before(self, k: int, now: float) -> NDArray[np.bool_] | None:
        """Return the columns of window `k` that had drifted when rows last were enough to say."""
        before = self._results.get(k)
        is_old = now - self._judged.get(k, now) > HELD_SECONDS
        return None if before is None or is_old else before["drifted"] == 1.0

    def _of_totals(self) -> Iterator[Readings | Histograms]:
        totals = self._tallies.totals()
        sums = self._matrix.sums_of_counts(totals)
        prefix, labels = self._role.prefix, self._reference.columns
        by_bin = (*self._names, "kind", "bin")
        bins = sums.bins[self._reference.shown]
        yield Readings(f"{prefix}_bin_rows_total", by_bin, self._reference.bins, bins)
        if self._role is DERIVED:  # the columns that they are derived from have the rest
            return
        for what, values in (("missing", sums.missing), ("invalid", totals.invalid)):
            yield Readings(f"{prefix}_{what}_total", self._names, labels, values)
        for what, of, values in (
            ("unseen", self._categorical, sums.unseen[~self._matrix.is_numeric]),
            ("out_of_range", self._numeric, sums.outside[self._matrix.is_numeric]),
        ):
            yield Readings(f"{prefix}_{what}_total", self._names, of, values)
        if self._with_histograms:
            yield self._histograms(sums, totals.sums)

    def _histograms(self, sums: Sums, totals: Floats) -> Histograms:
        layout, cell_starts = self._matrix.layout, self._matrix.cell_starts
        numeric = [b for b in layout.bins if isinstance(b, NumericBins)]
        firsts = [b.bin_starts[:-1] + at for b, at in zip(numeric, cell_starts, strict=True)]
        rows = np.add.reduceat(sums.cells, np.concatenate(firsts)) if numeric else sums.cells
        ends = np.cumsum([len(first) for first in firsts])[:-1]
        return Histograms(
            f"{self._role.prefix}_value",
            self._names,
            tuple(self._reference.columns[j] for j in layout.numeric),
            [b.bounds for b in numeric],
            np.split(rows, ends) if numeric else [],
            [float(totals[j]) for j in layout.numeric],
        )

    def _scored(self, now: float) -> list[list[Readings]]:
        tallies = self.tallies = self._tallies.merged(now)
        if self._followed is not None:
            effects = self._matrix.effects(tallies[-1])
            self.live, is_anew = self._followed.at(now, effects)
            if is_anew:
                self._results.clear()
        each = zip(tallies, self._tallies.held(now, lambda tally: tally.rows), strict=True)
        # Longest first: what longer windows say holds the verdicts of shorter ones.
        found = [[*self._of_window(k, *window, now)] for k, window in reversed([*enumerate(each)])]
        return found[::-1]

    def _of_window(
        self, k: int, tally: Tally, panes: Mapping[float, int], now: float
    ) -> Iterator[Readings]:
        names, labels, prefix = (*self._names, "window"), self._by_window[k], self._role.prefix
        sums = self._matrix.sums_of_counts(tally)
        policy = self._context.policy
        comparison = self._comparison(k, sums, panes)
        longer = [self._results[j]["drifted"] for j in range(k + 1, len(self._by_window))]
        is_longer = (np.array(longer).reshape(-1, len(labels)) == 1.0).any(axis=0)
        self._results[k] = results = score(comparison, self._drifted_before(k, now), is_longer)
        # Digests take most of the time, and no verdict needs them: they are read on demand.
        full = cache(lambda: comparison._replace(current=self._matrix.sums(tally)))
        shown: dict[str, Floats | Deferred] = {**results}
        if sums.rows >= policy.min_window_rows:
            self._judged[k] = now
            shown[DIGEST_SCORE] = Deferred(len(labels), lambda: SCORES[DIGEST_SCORE](full()))
        for name, values in shown.items():
            yield Readings(f"{prefix}_{name}", names, labels, values)
        yield Readings(f"{prefix}_window_rows", names, labels, np.full(len(labels), sums.rows))
        if self._role is not DERIVED:
            by_quantile = (*self._names, "quantile", "window")
            of = self._by_quantile[k]
            quantiles = Deferred(len(of), lambda: np.ravel(full().current.quantiles))
            yield Readings(f"{prefix}_quantile", by_quantile, of, quantiles)
        elif (results["drifted"] == 1.0).any():
            yield from self._risen(k, sums)
        if self._role is FEATURES and len(labels):
            ratio = float(results["drifted"].mean())
            labels = self._context.window_labels[k]
            yield Readings("mlmon_drifted_features_ratio", WINDOW_LABELS, labels, [ratio])

    def _comparison(self, k: int, sums: Sums, panes: Mapping[float, int]) -> Comparison:
        """Return the rows of window `k` against the reference, given its panes' rows by start."""
        policy, level = self._context.policy, self._context.level(k)
        window = self._tallies.windows[k]
        held = len(panes) * window.pane_seconds
        by_hour = panes if window.seconds < DAY_SECONDS / 2 else None
        return Comparison(self._matrix, sums, policy, level, held, self.live, by_hour)

    def _risen(self, k: int, sums: Sums) -> Iterator[Readings]:
        """Give the categories that carry a drift, which a derived column has one of a feature."""
        matrix, names = self._matrix, (*self._names, "bin", "window")
        window = self._context.windows[k].label
        for j in np.flatnonzero(~matrix.is_numeric).tolist():
            bins = slice(*matrix.layout.bin_starts[j : j + 2])
            sides = (matrix.reference.bins[bins], sums.bins[bins])
            before, now = ((rows / max(rows.sum(), 1)).tolist() for rows in sides)
            found = risen(matrix.layout.bins[j].bin_names, before, now, sums.rows)
            of = tuple((*self._reference.columns[j], each.name, window) for each in found)
            prefix = f"{self._role.prefix}_risen"
            yield Readings(f"{prefix}_ratio", names, of, [each.now for each in found])
            yield Readings(f"{prefix}_reference_ratio", names, of, [each.before for each in found])
