"""Replicas of a model as promtool takes them: series with a sample a minute.

Prometheus extrapolates from the samples in a window to its ends. That is exact for counters that
grow evenly: through restarts, if the first sample after one holds a minute's rows, and for
replicas that start late, at 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Samples = Sequence[float | None]

HOUR = 60
OF_RATE = {"2h": 120, "1d": 1440}
"""Windows whose rows come from the recorded rate, and their minutes."""
NEVER = 1_000_000
NO_SERIES = float("nan")


@dataclass(frozen=True)
class Replica:
    """What one replica serves of one column; times are minutes."""

    rows: Sequence[float]
    """Rows a minute in each bin; NaN where the replica has no series of the bin."""
    start: int = 0
    """When its counters are first seen, at 0."""
    restarts: Sequence[int] = ()
    end: int = NEVER
    """Its last sample."""
    quiet_after: int = NEVER
    failed: Sequence[int] = ()
    """Minutes at which its scrape fails."""
    own_psi: float | None = None
    """PSI that it says it has, where that is not the column's."""

    def is_up(self, minute: int) -> bool:
        return self.start <= minute <= self.end

    def seen(self, value: float, minute: int) -> float | None:
        """Return a sample: NaN where its series ends for now, None where there is none."""
        if minute in self.failed:
            return math.nan
        return value if self.is_up(minute) else None

    def counter(self, bin_number: int, minutes: int) -> Samples:
        """Return samples of a bin's counter, none at all if it has no series."""
        total = 0.0
        samples: list[float | None] = []
        for minute in range(minutes + 1):
            if minute in self.restarts:
                total = 0.0
            if self.start < minute <= self.quiet_after:
                total += self.rows[bin_number]
            samples.append(self.seen(total, minute))
        return [] if np.isnan(self.rows[bin_number]) else samples

    def rows_of_hour(self, now: int) -> Floats:
        first = max(self.start, now - HOUR)
        minutes = max(min(now, self.end, self.quiet_after) - first, 0.0)
        if self.end < now:
            minutes += 0.5  # where a series ends, half a scrape interval is added
        return np.asarray(np.nan_to_num(self.rows) * minutes, dtype=np.float64)

    def rows_of_rate(self, now: int, minutes: int) -> Floats:
        """Return rows by the rates of 5 m, recorded each minute: rows at the ends count in part."""
        last = min(now, self.quiet_after)
        age = now - np.arange(self.start + 1, last + 1)
        counted = np.clip(np.minimum(age + 1, minutes + 4 - age) / 5, 0.0, 1.0)
        return np.asarray(np.nan_to_num(self.rows) * counted.sum(), dtype=np.float64)


@dataclass(frozen=True)
class Column:
    """A feature or an output: its reference, and the replicas that serve it."""

    name: str
    reference: Sequence[float]
    """Reference rows in each bin, missing last."""
    replicas: Sequence[Replica]
    categories: Sequence[str] = ()
    side: str = "feature"
    model: str = "bike"
    job: str = "models"
    version: str = "1"
    own_psi: float = 1.0
    """PSI that each replica says it has; under half of its threshold the fleet is not scored."""

    @property
    def kind(self) -> str:
        return "categorical" if self.categories else "numeric"

    @property
    def bins(self) -> Sequence[str]:
        numbers = [f"{number:02d}" for number in range(len(self.reference) - 1)]
        return self.categories or [*numbers, "missing"]

    @property
    def prefix(self) -> str:
        return {"feature": "mlmon_feature", "output": "mlmon_prediction"}[self.side]

    @property
    def of_model(self) -> dict[str, str]:
        return {"job": self.job, "model": self.model, "version": self.version}

    @property
    def labels(self) -> str:
        """Labels of what is recorded of it."""
        return label_text({**self.of_model, self.side: self.name})

    def current(self, window: str, now: int) -> Floats:
        """Return rows in each bin of a window, over all replicas."""
        if window in OF_RATE:
            rows = [replica.rows_of_rate(now, OF_RATE[window]) for replica in self.replicas]
        else:
            rows = [replica.rows_of_hour(now) for replica in self.replicas]
        return np.asarray(np.sum(rows, axis=0), dtype=np.float64)

    def series(self, minutes: int) -> Iterator[tuple[str, str]]:
        """Give the name and the samples of each series that the replicas expose."""
        total = float(np.sum(self.reference))
        for number, replica in enumerate(self.replicas):
            model = {**self.of_model, "instance": f"replica-{number}"}
            yield f"mlmon_reference_rows{label_text(model)}", constant(total, replica, minutes)
            scored = label_text({**model, self.side: self.name, "window": "1h"})
            own = self.own_psi if replica.own_psi is None else replica.own_psi
            yield f"{self.prefix}_psi{scored}", constant(own, replica, minutes)
            rows = float(HOUR * np.nansum(replica.rows))
            yield f"{self.prefix}_window_rows{scored}", constant(rows, replica, minutes)
            yield f"{self.prefix}_psi_threshold{scored}", constant(0.1, replica, minutes)
            for bin_number, name in enumerate(self.bins):
                bin_ = {**model, self.side: self.name, "kind": self.kind, "bin": name}
                labels, share = label_text(bin_), self.reference[bin_number] / total
                yield f"{self.prefix}_reference_ratio{labels}", constant(share, replica, minutes)
                samples = replica.counter(bin_number, minutes)
                if samples:
                    yield f"{self.prefix}_bin_rows_total{labels}", notation(samples)


def constant(value: float, replica: Replica, minutes: int) -> str:
    return notation([replica.seen(value, minute) for minute in range(minutes + 1)])


ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def label_text(labels: Mapping[str, str]) -> str:
    pairs = (f'{name}="{value.translate(ESCAPES)}"' for name, value in labels.items())
    return "{" + ", ".join(pairs) + "}"


def notation(samples: Samples) -> str:
    """Return samples as promtool reads them: `5+2x3` is 5 7 9 11, `_x2` is two without a value.

    NaN ends the series.
    """
    parts, start = [], 0
    while start < len(samples):
        end = _end_of_run(samples, start)
        first, last = samples[start], samples[end - 1]
        if first is None or last is None:
            parts.append(f"_x{end - start}")
        elif math.isnan(first):
            parts.append("stale")
        else:
            step = (last - first) / max(end - start - 1, 1)
            parts.append(f"{first:.15g}{step:+.15g}x{end - start - 1}")
        start = end
    return " ".join(parts)


def _end_of_run(samples: Samples, start: int) -> int:
    """Return where a run of samples ends that are all absent, or all grow by one step."""
    rest = range(start + 1, len(samples))
    if samples[start] is None:
        return next((i for i in rest if samples[i] is not None), len(samples))
    steps = {i: _step(samples, i) for i in rest}
    step = steps.get(start + 1)
    return next((i for i in rest if steps[i] is None or steps[i] != step), len(samples))


def _step(samples: Samples, i: int) -> float | None:
    before, after = samples[i - 1], samples[i]
    return None if before is None or after is None else after - before
