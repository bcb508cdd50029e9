"""Logged rows in their own time, through the same `Model` as a server's, looked at now and then."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.coerce import is_missing, scalar, times
from mlmon_exporter.core.drift.alarms import Account, AlarmLog
from mlmon_exporter.core.drift.readings import HELD_SECONDS
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.pending import DUPLICATE, FULL
from mlmon_exporter.core.outcomes.quality import QUALITY
from mlmon_exporter.core.outcomes.reference import ModelReference
from mlmon_exporter.core.records import Batch, Block, Prediction
from mlmon_exporter.core.settings import PANES, ModelSettings

from .later_truths import LaterTruths
from .rows import each_row

Columns = Mapping[str, Any]
Floats = NDArray[np.float64]
SIGNS = {name: q.sign for name, q in QUALITY.items() if q.error is not None}
"""Quality with a threshold -> 1 if greater is better, -1 if less is."""


class LogColumns(NamedTuple):
    """Names of the columns of a log; empty where there is none."""

    time: str
    truth: str = ""
    truth_time: str = ""
    """Time when the ground truth became known; at once by default."""
    version: str = ""
    id: str = ""
    """By which truths in a log of their own are joined."""
    outputs: Mapping[str, str] = MappingProxyType({})
    """Output of the reference -> its column, where that has another name."""


class Counts(NamedTuple):
    """Rows and ground truths of a log that did not come in as the rest."""

    untimed_rows: int = 0
    """Without a usable time: left out."""
    late_rows: int = 0
    """Of a time that had been looked at already: they count for their own pane from then on."""
    late_truths: int = 0
    """Known only after the longest window: left out."""
    invalid_truths: int = 0
    unknown_truths: int = 0
    """Of an id that no row has, or has any more: left out."""
    duplicate_truths: int = 0
    """Of a row that had its truth already: left out."""
    duplicate_ids: int = 0
    """Rows of an id that another row has: they wait for no truth."""
    forgotten_rows: int = 0
    """Too many waited for their truth."""


def take_in(
    model: Model,
    columns: Columns,
    rows: int,
    at: float,
    ids: Sequence[str] | None = None,
    version: str = "",
) -> list[Prediction]:
    """Add rows that were seen at `at`, Unix seconds; return what truths are held against.

    That is a prediction for each row, if they have ids and the model has a task; else nothing.
    """
    sides = [
        {name: columns[name] for name in names if name in columns}
        for names in (model.feature_names(), model.output_names())
    ]
    if rows == 1:
        sides = [{name: values[0] for name, values in side.items()} for side in sides]
    batch = Batch(sides[0], sides[1], rows, version or None, ids)
    model.observe(batch, at)
    return model.pending_of(batch, at)


def numbered(rows: int) -> list[str]:
    """Return ids for rows that need none but to be told apart."""
    return [str(i) for i in range(1, rows + 1)]


def settle(
    model: Model, outcomes: Sequence[tuple[Prediction, Any]], now: float
) -> list[str | None]:
    """Add outcomes that are known at `now`; return for each None or why it is invalid."""
    tallies, problems = model.outcome_tallies(outcomes, now)
    model.versions.restore(tallies)
    return problems


class Replay:
    """A model that is served again from a log: rows in, readings at each look. Not thread-safe.

    Memory does not grow with the rows, but for predictions whose ground truth is not known yet.
    """

    def __init__(
        self,
        reference: ModelReference,
        settings: ModelSettings,
        columns: LogColumns,
        every: float,
        changed_at: float = math.nan,
        on_look: Callable[[float, Sequence[Block]], None] = lambda now, blocks: None,
    ) -> None:
        """Start before the first row.

        Args:
            reference: What rows are compared with.
            settings: Of the model.
            columns: The log's.
            every: Seconds between looks.
            changed_at: Unix seconds at which something is known to have changed.
            on_look: Gets the time and the readings of each look.

        Raises:
            ValueError: There is ground truth, but the model has no task.
        """
        own = settings._replace(is_shared=False, with_histograms=False, with_quantiles=False)
        self._model = Model(own, reference)
        if columns.truth and not self._model.has_task:
            raise ValueError(
                f"ground truth {columns.truth!r}: expected a reference with outcomes, got one "
                "without; build it with predictions and ground truth, or set task"
            )
        self._columns = columns
        self._every = every
        self._log = AlarmLog(every, changed_at, SIGNS if columns.truth else {})
        self._on_look = on_look
        self._steps = [every, *(window.seconds / PANES for window in own.windows)]
        self._longest = max(window.seconds for window in own.windows)
        self._next = math.nan  # Unix seconds of the next look
        self._last = -math.inf  # of the latest row
        self._rows = self._truths = 0
        self._waiting: list[tuple[float, int, Prediction, Any]] = []  # by the time truth is known
        self._later: LaterTruths | None = None
        self._counts = Counts()

    def join(self, later: LaterTruths) -> None:
        """Take truths of a log of their own, too; before the first row."""
        self._later = later

    @property
    def counts(self) -> Counts:
        """Rows and truths that did not come in as the rest."""
        if self._later is None:
            return self._counts
        later = self._later.counts
        return self._counts._replace(
            late_truths=self._counts.late_truths + later["late"],
            invalid_truths=self._counts.invalid_truths + later["invalid"],
            unknown_truths=later["unknown"],
            duplicate_truths=later["duplicate"],
            duplicate_ids=later[DUPLICATE],
            forgotten_rows=later[FULL],
        )

    @property
    def names(self) -> list[str]:
        """Columns that it reads, besides those of times."""
        c = self._columns
        outputs = (c.outputs.get(name, name) for name in self._model.output_names())
        names = (*self._model.feature_names(), *outputs, c.truth, c.version, c.id)
        return [name for name in dict.fromkeys(names) if name]

    def add(self, columns: Columns, on_share: Callable[[float], None] = lambda share: None) -> None:
        """Add a chunk of the log: name -> a value for each row. Its rows may be in any order.

        `on_share` is called with the share of them that is added, 0 to 1.

        Raises:
            ValueError: Some are no times.
        """
        seen = times(columns[self._columns.time])
        order = np.argsort(seen, kind="stable")
        order = order[: int(np.count_nonzero(~np.isnan(seen)))]
        late = int(np.count_nonzero(seen < self._next - self._every))
        self._count(untimed_rows=len(seen) - len(order), late_rows=late)
        own_names = {column: output for output, column in self._columns.outputs.items()}
        values = {
            own_names.get(name, name): _in_order(columns[name], order)
            for name in (*self.names, self._columns.truth_time)
            if name in columns
        }
        seen = seen[order]
        for first, last in self._slices(seen):
            part = {name: column[first:last] for name, column in values.items()}
            self._look_until(float(seen[first]))
            for version, rows in _by_version(part.get(self._columns.version), last - first):
                own = {name: _in_order(column, rows) for name, column in part.items()}
                self._add(own, float(seen[first]), len(rows), version)
            self._last = max(self._last, float(seen[last - 1]))
            on_share(last / len(seen))

    def _slices(self, times: Floats) -> Iterator[tuple[int, int]]:
        """Give the first row of each pane and look, and the one after its last."""
        if not len(times):
            return
        is_new = np.zeros(len(times), dtype=bool)
        is_new[0] = True
        for step in self._steps:
            is_new[1:] |= np.diff(times // step) > 0
        yield from pairwise((*np.flatnonzero(is_new).tolist(), len(times)))

    def _add(self, columns: Columns, at: float, rows: int, version: str) -> None:
        c = self._columns
        ids = numbered(rows) if c.truth else None
        if self._later is not None and c.id in columns:
            ids = ["" if is_missing(each) else str(each) for each in columns[c.id]]
        predictions = take_in(self._model, columns, rows, at, ids, version)
        self._rows += rows
        truths = columns.get(c.truth, [None] * rows)
        known_at = [at] * rows
        if c.truth_time in columns:
            known_at = times(columns[c.truth_time]).tolist()
        waiting = []
        for known, prediction, truth in zip(known_at, predictions, truths, strict=False):
            if is_missing(truth) or known != known:
                waiting.append(prediction)
            else:
                self._truths += 1
                heapq.heappush(self._waiting, (known, self._truths, prediction, truth))
        if self._later is not None:
            self._later.keep(waiting)

    def _look_until(self, at: float) -> None:
        """Look at all times up to `at`; not while nothing is left that could change."""
        if self._next != self._next:
            self._next = (at // self._every + 1) * self._every
        while self._next <= at:
            if self._next > self._last + self._longest + HELD_SECONDS + self._every:
                # Nothing is left in the windows: truths of their rows come too late.
                self._next = max(self._next, at // self._every * self._every)
            self._look(self._next)
            self._next += self._every

    def _look(self, now: float) -> None:
        self._settle(now)
        self._model.versions.expire(now)
        blocks = [*self._model.readings(now)]
        self._log.look(now, self._rows, blocks)
        self._on_look(now, blocks)

    def _settle(self, now: float) -> None:
        known, late = [], 0
        while self._waiting and self._waiting[0][0] < now:
            at, _, prediction, truth = heapq.heappop(self._waiting)
            if prediction.at < at - self._longest:
                late += 1
            else:
                known.append((prediction, truth))
        if self._later is not None:
            known += self._later.known(now, self._longest)
        problems = settle(self._model, known, now) if known else []
        self._count(late_truths=late, invalid_truths=len(problems) - problems.count(None))

    def _count(self, **more: int) -> None:
        own = self._counts._asdict()
        self._counts = Counts(**{name: n + more.get(name, 0) for name, n in own.items()})

    def account(self) -> Account:
        """Look once more after the last row, and return the result of all looks."""
        if self._next == self._next:
            self._look(self._next)
            self._next += self._every
        return self._log.account()


def _by_version(versions: Any, rows: int) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Give each version and the indexes of its rows; all rows are of one if there is no column."""
    if versions is None:
        yield "", np.arange(rows)
        return
    names = np.array(["" if is_missing(each) else str(scalar(each)) for each in versions])
    for name in dict.fromkeys(names.tolist()):
        yield name, np.flatnonzero(names == name)


def _in_order(column: Any, order: NDArray[np.intp]) -> Any:
    values = each_row(column)
    if isinstance(values, np.ndarray):
        return values[order]
    return [values[i] for i in order.tolist()]


def replay(
    replays: Sequence[Replay],
    chunks: Iterable[Columns],
    on_share: Callable[[float], None] = lambda share: None,
) -> list[Account]:
    """Feed the chunks of a log to several replays at once; return their accounts.

    `on_share` is called with the share of the current chunk that is done, 0 to 1.

    Raises:
        ValueError: There are no rows with a time.
    """
    for columns in chunks:
        for i, each in enumerate(replays):
            each.add(columns, _part(on_share, i, len(replays)))
    accounts = [each.account() for each in replays]
    if any(not account.rows for account in accounts):
        raise ValueError("expected rows with times, got none")
    return accounts


def _part(on_share: Callable[[float], None], number: int, parts: int) -> Callable[[float], None]:
    """Return a function that takes the share of one of several parts that is done."""
    return lambda share: on_share((number + share) / parts)
