"""Rows compared with a reference all at once, as a batch job or a pipeline does.

They are spread evenly over the panes of one window of a `Model`, so that scores, thresholds and
verdicts are those of a server whose window holds these rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.config.keys import Config, ModelConfig
from mlmon_exporter.core.drift.history import Snapshot, WindowSummary
from mlmon_exporter.core.drift.tests import TESTS
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.quality import QUALITY
from mlmon_exporter.core.outcomes.reference import ModelReference
from mlmon_exporter.core.records import Readings
from mlmon_exporter.core.settings import PANES, QUANTILES, ModelSettings

from .replay import numbered, settle, take_in
from .rows import each_row

Columns = Mapping[str, Any]
Floats = NDArray[np.float64]
Part = tuple[Columns, int, float]
"""Name -> values, the number of rows, and the share of all rows that are read with these."""
CONSTANT_SHARE = 0.9
CENTRAL = QUANTILES.index(0.95) + 1
"""Quantiles from 0.05 to 0.95, between which this share is."""
CONCEPT = "concept"
"""Name of the check that residuals are as in the reference."""


class ColumnCheck(NamedTuple):
    """The verdict on a feature or an output, and its score nearest to or farthest over its bar."""

    side: str
    """`feature` or `output`."""
    name: str
    score: str
    """Such as `psi`; empty while nothing is scored."""
    value: float
    threshold: float
    severity: float
    """0 unchanged, 1 at the threshold, more beyond it."""
    is_drifted: bool | None
    """None while it is unknown; `inactive` says why."""
    inactive: str = ""
    is_constant: bool = False
    """It drifted to one value: `CONSTANT_SHARE` of its rows have it, and did not in the reference.

    A name for drift that scores found: no test, so no false alarms.
    """
    moved: str = ""
    """Words for what moved; empty unless it drifted."""
    importance: float = math.nan
    """Share of the importance of all features, 0 to 1; NaN where it is not known."""


class QualityCheck(NamedTuple):
    """The verdict on a quality of the predictions, or on the concept."""

    name: str
    """Such as `accuracy`; or `CONCEPT`."""
    segment: tuple[str, str]
    """Feature and value; empty texts for all rows."""
    value: float
    reference: float
    threshold: float
    is_worse: bool | None
    inactive: str = ""


@dataclass(frozen=True)
class Comparison:
    """The outcome of a comparison. Numbers are NaN where they are unknown."""

    rows: int
    window: str
    columns: tuple[ColumnCheck, ...]
    """Most drifted first."""
    qualities: tuple[QualityCheck, ...]
    """Worse ones first; empty without ground truth."""
    snapshot: Snapshot
    """All readings, and what the page draws."""

    @cached_property
    def drifted(self) -> tuple[ColumnCheck, ...]:
        """The columns that drifted."""
        return tuple(check for check in self.columns if check.is_drifted)

    @cached_property
    def worse(self) -> tuple[QualityCheck, ...]:
        """The qualities that are worse than chance explains."""
        return tuple(check for check in self.qualities if check.is_worse)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it, unknown numbers as None."""
        return {
            "rows": self.rows,
            "window": self.window,
            "columns": [_plain(check) for check in self.columns],
            "quality": [_plain(check) for check in self.qualities],
        }


def _plain(check: ColumnCheck | QualityCheck) -> dict[str, Any]:
    return {
        key: None if isinstance(value, float) and math.isnan(value) else value
        for key, value in check._asdict().items()
    }


def chosen(config: Config, name: str) -> ModelConfig:
    """Return the configuration of the model of this name; of another, it takes the name over."""
    own = (model for model in config.models if model.name == name)
    first = config.models[0]
    return next(own, first.model_copy(update={"name": name or first.name}))


def compare(
    reference: ModelReference,
    settings: ModelSettings,
    parts: Iterable[Part],
    truth: str | None,
    now: float,
) -> Comparison:
    """Compare rows with a reference in memory that does not grow with them.

    Args:
        reference: What they are compared with.
        settings: Of the model; its longest window says how much time the rows are of.
        parts: The rows.
        truth: The column with the ground truth.
        now: Unix seconds of the comparison.

    Raises:
        ValueError: There are no rows, no column of the reference, or no such ground truth.
    """
    longest = max(settings.windows, key=lambda window: window.seconds)
    model = Model(settings._replace(windows=(longest,), is_shared=False), reference.at_any_hour())
    if truth is not None and not model.has_task:
        raise ValueError(
            f"ground truth {truth!r}: expected a reference with outcomes, got one without; "
            "build it with predictions and ground truth, or set task"
        )
    rows, begin, seen = 0, 0.0, dict[str, None]()
    for columns, count, end in parts:
        seen.update(dict.fromkeys(columns))
        _check(model, columns, truth)
        for part, size, pane in _panes(columns, count, begin, end):
            pane_seconds = longest.seconds / PANES
            at = (now // pane_seconds - PANES + 1 + pane) * pane_seconds
            ids = None if truth is None else numbered(size)
            predictions = take_in(model, part, size, at, ids)
            if truth is not None:
                settle(model, [*zip(predictions, part[truth], strict=True)], now)
        rows, begin = rows + count, end
    if not rows:
        raise ValueError("compare: expected rows, got none")
    blocks = [*model.readings(now)]
    summaries = [*model.history(now)]
    return _result(Snapshot(now, blocks, summaries), model, rows, set(seen))


def _check(model: Model, columns: Columns, truth: str | None) -> None:
    known = (*model.feature_names(), *model.output_names())
    if not any(name in columns for name in known):
        raise ValueError(
            f"compare: expected columns of the reference, {', '.join(known[:20])}; "
            f"got {', '.join([*columns][:20])}"
        )
    if truth is not None and truth not in columns:
        raise ValueError(f"ground truth: there is no column {truth!r}")


def _panes(
    columns: Columns, rows: int, begin: float, end: float
) -> Iterator[tuple[Columns, int, int]]:
    """Give the rows of each pane, how many they are, and its number from 0, the oldest."""
    shares = begin + (end - begin) * (np.arange(rows) + 0.5) / max(rows, 1)
    panes = np.minimum((PANES * shares).astype(np.intp), PANES - 1)
    starts = np.flatnonzero(np.diff(panes, prepend=-1)).tolist()
    values = {name: each_row(columns[name]) for name in columns}
    for first, last in pairwise((*starts, rows)):
        yield {name: v[first:last] for name, v in values.items()}, last - first, int(panes[first])


def _result(snapshot: Snapshot, model: Model, rows: int, seen: set[str]) -> Comparison:
    numbers = {
        (block.name, labels): float(value)
        for block in snapshot.blocks
        if isinstance(block, Readings)
        for labels, value in zip(block.labels, block.values, strict=True)
    }
    columns = [
        check for summary in snapshot.summaries for check in _columns(summary, numbers, model)
    ]
    columns.sort(key=_rank_by(columns))
    qualities = [*_qualities(numbers)]
    qualities.sort(key=lambda check: not check.is_worse)
    absent = {*model.feature_names(), *model.output_names()} - seen
    columns = [
        check._replace(inactive="not among the columns, so missing in all rows")
        if check.name in absent and not check.inactive
        else check
        for check in columns
    ]
    window = model.settings.windows[-1].label
    return Comparison(rows, window, tuple(columns), tuple(qualities), snapshot)


def _rank_by(checks: Sequence[ColumnCheck]) -> Callable[[ColumnCheck], tuple[bool, float]]:
    """Return the order of checks: drifted ones first, then by severity times importance."""
    known = sum(not math.isnan(check.importance) for check in checks)

    def rank(check: ColumnCheck) -> tuple[bool, float]:
        weight = 1.0 if math.isnan(check.importance) else check.importance * known
        impact = check.severity * weight
        return (not check.is_drifted, 1.0 if math.isnan(impact) else -impact)

    return rank


Numbers = Mapping[tuple[str, tuple[str, ...]], float]


def _columns(summary: WindowSummary, numbers: Numbers, model: Model) -> Iterator[ColumnCheck]:
    side, prefix, window = summary.role.label, summary.role.prefix, summary.window.label
    least = model.settings.policy.min_window_rows
    for j, name in enumerate(summary.bars.names):
        labels = (summary.model, summary.version, name, window)
        drifted = numbers.get((f"{prefix}_drifted", labels), math.nan)
        severities = {
            test: float(values[j])
            for test, values in summary.severity.items()
            if not math.isnan(values[j])
        }
        if math.isnan(drifted) or not severities:
            why = f"{summary.rows} rows, of {least} at least"
            if summary.rows >= least:
                why = "no rows in the reference"
            yield ColumnCheck(side, name, "", math.nan, math.nan, math.nan, None, why)
            continue
        test = max(severities, key=lambda each: severities[each])
        score = TESTS[test].score
        value, bar = (numbers[f"{prefix}_{what}", labels] for what in (score, test))
        is_drifted = drifted == 1.0
        constant = is_drifted and _is_constant(summary, j, numbers)
        yield ColumnCheck(
            *(side, name, score, value, bar, severities[test], is_drifted),
            is_constant=constant,
            moved=str(summary.moved(j, test, value) or "") if is_drifted else "",
            importance=float(summary.bars.importance[j]),
        )


def _is_constant(summary: WindowSummary, j: int, numbers: Numbers) -> bool:
    """Return whether nearly all rows of a column have one value, and the reference's have not."""
    bars = summary.bars
    if bars.kinds[j] != "numeric":
        now, before = (np.nanmax(side[j]) for side in (summary.current, bars.reference))
        return bool(now >= CONSTANT_SHARE > before)
    metric = f"{summary.role.prefix}_quantile"
    place = (summary.model, summary.version, bars.names[j])
    labels = ((*place, str(q), summary.window.label) for q in QUANTILES[:CENTRAL])
    values = [numbers.get((metric, each), np.nan) for each in labels]
    return _are_one(values) and not _are_one(bars.quantiles[j][:CENTRAL])


def _are_one(quantiles: Sequence[float] | Floats) -> bool:
    """Return whether quantiles are one value."""
    return len({*map(float, quantiles)}) == 1 and not np.isnan(quantiles).any()


def _qualities(numbers: Numbers) -> Iterator[QualityCheck]:
    """Give the qualities that have a threshold, and the concept."""
    for (metric, labels), value in numbers.items():
        name = metric.removeprefix("mlmon_quality_")
        if metric == "mlmon_concept_drifted" and value == value:
            score, bar = (
                numbers[f"mlmon_error_ks_{w}", labels] for w in ("statistic", "threshold")
            )
            yield QualityCheck(CONCEPT, ("", ""), score, 0.0, bar, value == 1.0)
        if name not in QUALITY or QUALITY[name].error is None:
            continue
        segment = (labels[3], labels[4])
        own = numbers.get((f"mlmon_reference_quality_{name}", (*labels[:2], *segment)), math.nan)
        bar = numbers.get((f"{metric}_threshold", labels), math.nan)
        rows = numbers.get(("mlmon_quality_rows", labels), 0.0)
        if math.isnan(value) and not rows > 0:
            continue
        if math.isnan(value) or math.isnan(bar):
            why = f"too few of its {rows:.0f} rows with ground truth"
            if own != own:
                why = "the reference has no such rows with ground truth"
            yield QualityCheck(name, segment, value, own, bar, None, why)
        else:
            is_worse = QUALITY[name].sign * (value - bar) < 0
            yield QualityCheck(name, segment, value, own, bar, is_worse)
