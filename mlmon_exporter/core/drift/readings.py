"""The numbers of one side of a model: what its rows say about each column, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.labels import distinct_labels
from mlmon_exporter.core.profile.bins import NumericBins
from mlmon_exporter.core.records import Histograms, Readings
from mlmon_exporter.core.settings import Policy, WindowName
from mlmon_exporter.core.stats.thresholds import level
from mlmon_exporter.core.windows.columns import Columns
from mlmon_exporter.core.windows.matrix import QUANTILES, ReferenceMatrix, Sums

from .tests import Comparison, score

Labels = tuple[tuple[str, ...], ...]
Floats = NDArray[np.float64]


class Role(NamedTuple):
    """Which side of a model columns are: decides the names of readings."""

    prefix: str
    label: str


FEATURES = Role("mlmon_feature", "feature")
OUTPUTS = Role("mlmon_prediction", "output")


class ReferenceReadings:
    """What a reference itself says; computed once."""

    def __init__(self, frame: ReferenceMatrix, role: Role, model: str, version: str) -> None:
        self.base = (model, version)
        self.names = distinct_labels(frame.layout.names)
        self.columns: Labels = tuple((*self.base, name) for name in self.names)
        names = ("model", "version", role.label)
        bins = [
            (name, b.kind, bin_name, interval)
            for name, b in zip(self.names, frame.layout.bins, strict=True)
            for bin_name, interval in zip(b.bin_names, b.intervals, strict=True)
        ]
        self.bins: Labels = tuple((*self.base, *bin_[:3]) for bin_ in bins)
        info: Labels = tuple((*self.base, name, bin_, text) for name, _, bin_, text in bins)
        rows = np.add.reduceat(frame.reference.bins, frame.bin_starts)
        sizes = np.diff(frame.layout.bin_starts)
        ratios = frame.reference.bins / np.repeat(np.where(rows > 0, rows, np.nan), sizes)
        self.readings = [
            Readings(f"{role.prefix}_reference_ratio", (*names, "kind", "bin"), self.bins, ratios),
            Readings(f"{role.prefix}_bin_info", (*names, "bin", "interval"), info, [1] * len(info)),
        ]


class ColumnReadings:
    """All readings of one side of a model's version, kept while nothing has changed."""

    def __init__(
        self,
        columns: Columns,
        role: Role,
        model_version: tuple[str, str],
        windows: Sequence[WindowName],
        policy: Policy,
        tests: int,
        with_histograms: bool = True,
    ) -> None:
        self._columns = columns
        self._role = role
        self._windows = tuple(windows)
        self._policy = policy
        self._tests = tests
        self._with_histograms = with_histograms
        self._reference = ReferenceReadings(columns.frame, role, *model_version)
        self._names = ("model", "version", role.label)
        self._of_window: list[Labels] = [((*model_version, window.label),) for window in windows]
        self._by_window: list[Labels] = [
            tuple((*labels, window.label) for labels in self._reference.columns)
            for window in windows
        ]
        self._by_quantile: list[Labels] = [self._quantile_labels(w.label) for w in windows]
        self._totals: tuple[int, list[Readings | Histograms]] = (-1, [])
        self._drifted: dict[int, NDArray[np.bool_]] = {}
        self._drift: dict[int, tuple[tuple[int, int], list[Readings]]] = {}

    def _quantile_labels(self, window: str) -> Labels:
        columns = [self._reference.columns[j] for j in self._columns.frame.layout.numeric]
        return tuple((*labels, str(q), window) for labels in columns for q in QUANTILES)

    def at(self, now: float) -> Iterator[Readings | Histograms]:
        """Give all readings at `now`; those that did not change are the same objects as before."""
        yield from self._reference.readings
        yield from self._total_readings()
        yield from self._drift_readings(now)

    def scores(self, k: int) -> Mapping[str, Floats]:
        """Return the scores and thresholds of a window as `at` last gave them, by name."""
        prefix = f"{self._role.prefix}_"
        readings = self._drift[k][1] if k in self._drift else ()
        return {r.name.removeprefix(prefix): np.asarray(r.values) for r in readings}

    def _total_readings(self) -> list[Readings | Histograms]:
        generation = self._columns.generation
        if self._totals[0] != generation:
            self._totals = (generation, list(self._count_totals()))
        return self._totals[1]

    def _count_totals(self) -> Iterator[Readings | Histograms]:
        frame, totals = self._columns.frame, self._columns.totals()
        prefix, names, labels = self._role.prefix, self._names, self._reference.columns
        sums = frame.sums_of_counts(totals)
        yield Readings(
            f"{prefix}_bin_rows_total", (*names, "kind", "bin"), self._reference.bins, sums.bins
        )
        for what, values in (
            ("missing", sums.missing),
            ("invalid", totals.invalid),
            ("unseen", sums.unseen),
            ("out_of_range", sums.outside),
        ):
            yield Readings(f"{prefix}_{what}_total", names, labels, values)
        if self._with_histograms:
            yield self._histograms(sums, totals.sums)

    def _histograms(self, sums: Sums, totals: Floats) -> Histograms:
        frame = self._columns.frame
        numeric = frame.layout.numeric
        starts = frame.layout.bin_starts
        bounds = [b.bin_edges for b in frame.layout.bins if isinstance(b, NumericBins)]
        return Histograms(
            f"{self._role.prefix}_value",
            self._names,
            tuple(self._reference.columns[j] for j in numeric),
            [tuple(edges.tolist()) for edges in bounds],
            [sums.bins[starts[j] : starts[j + 1] - 1] for j in numeric],
            [float(totals[j]) for j in numeric],
        )

    def _drift_readings(self, now: float) -> Iterator[Readings]:
        generation = self._columns.generation
        keys = [(generation, window.pane_number(now)) for window in self._columns.windows]
        if any(k not in self._drift or self._drift[k][0] != key for k, key in enumerate(keys)):
            for k, tally in enumerate(self._columns.merged(now)):
                sums = self._columns.frame.sums(tally)
                self._drift[k] = (keys[k], list(self._score(k, sums)))
        for k in range(len(keys)):
            yield from self._drift[k][1]

    def _score(self, k: int, sums: Sums) -> Iterator[Readings]:
        window = self._windows[k]
        frame, prefix = self._columns.frame, self._role.prefix
        names, labels = (*self._names, "window"), self._by_window[k]
        chance = level(window.seconds, self._policy.budget_seconds, self._tests)
        comparison = Comparison(frame, sums, self._policy, chance, window.seconds)
        results = score(comparison, self._drifted.get(k))
        self._drifted[k] = results["drifted"] == 1.0
        for name, values in results.items():
            yield Readings(f"{prefix}_{name}", names, labels, values)
        rows = np.full(len(labels), sums.rows)
        yield Readings(f"{prefix}_window_rows", names, labels, rows)
        quantiles = (*self._names, "quantile", "window")
        yield Readings(
            f"{prefix}_quantile", quantiles, self._by_quantile[k], sums.quantiles.ravel()
        )
        if self._role is FEATURES and len(labels):
            yield Readings(
                "mlmon_drifted_features_ratio",
                ("model", "version", "window"),
                self._of_window[k],
                [float(results["drifted"].mean())],
            )
