"""Predictions that wait in a table that processes share, and are put there with each flush."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

from mlmon_exporter.core.counts.feedback import Feedback
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.pending import DUPLICATE, FULL, GroundTruth
from mlmon_exporter.core.records import Prediction

from .joiner import Parts, join
from .pending_table import ALL, Connection, Dialect, PendingTable
from .store import StoreError


class Transaction(NamedTuple):
    """What happens whole or not at all."""

    connection: Connection
    """Of the database that has the pending predictions."""
    merge: Callable[[Parts, Feedback], None]
    """Adds outcomes to what is shown, with the same transaction where that can be."""


class Limits(NamedTuple):
    """How much waits, and how long."""

    rows: int
    seconds: float
    """How old a prediction may become."""
    early_seconds: float
    """How long a ground truth waits for a prediction that another process has not put away yet."""
    window_seconds: float
    """Length of the longest window."""


class _Session:
    """A Session of joiner within a transaction."""

    def __init__(self, transaction: Transaction, dialect: Dialect) -> None:
        self.table = PendingTable(transaction.connection, dialect)
        self.find, self.settle = self.table.find, self.table.settle
        self.duplicates = 0
        """Predictions that were held and not put away, since their id was there."""
        self.merge = transaction.merge

    def keep_early(self, truths: Sequence[GroundTruth], now: float, /) -> bool:
        self.table.keep_early(truths, now)
        return True


class SharedPending:
    """A PendingStore of several processes. Thread-safe.

    Predictions are held until the next flush, or until a ground truth comes to this process: at
    most `limits.rows`, and of more the oldest go. `on_drop` is told of these, and of those whose
    id is taken.
    """

    def __init__(
        self,
        transaction: Callable[[float], AbstractContextManager[Transaction]],
        dialect: Dialect,
        models: Mapping[str, Model],
        limits: Limits,
        on_drop: Callable[[str, int], None],
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self._transaction = transaction
        self._dialect = dialect
        self._models = models
        self._limits = limits
        self._on_drop = on_drop
        self.close = close
        self._is_used = False
        self.forget()

    def forget(self) -> None:
        """Drop what is held: in a forked process it is the parent's, who puts it away itself."""
        self._lock = threading.Lock()
        self._held: deque[tuple[str, Prediction]] = deque()

    def keep(self, predictions: Iterable[tuple[str, Prediction]], _now: float, /) -> None:
        """Hold predictions, each with its model, until the next flush."""
        over = 0
        self._is_used = True
        with self._lock:
            self._held.extend(predictions)
            while len(self._held) > self._limits.rows:
                self._held.popleft()
                over += 1
        if over:
            self._on_drop(FULL, over)

    @contextmanager
    def session(self, now: float, /) -> Iterator[_Session]:
        """Begin a transaction, in which what was held is put away first."""
        self._is_used = True
        with self._lock:
            held, self._held = self._held, deque()
        try:
            with self._transaction(now) as transaction:
                session = _Session(transaction, self._dialect)
                self._put_away(session, held, now)
                yield session
        except BaseException:
            with self._lock:
                held.extend(self._held)
                self._held = held
            raise
        if session.duplicates:
            self._on_drop(DUPLICATE, session.duplicates)

    def _put_away(
        self, session: _Session, held: Collection[tuple[str, Prediction]], now: float
    ) -> None:
        """Add predictions, and join those whose ground truth was there before them."""
        table, limits = session.table, self._limits
        session.duplicates = table.add(held)
        early = table.take_early([prediction.id for _, prediction in held])
        if early:
            join(session, early, self._models, now, limits.window_seconds)

    def flush(self, now: float, /) -> None:
        """Put away what is held, and forget what is too old; held on, if that cannot be done."""
        limits, over = self._limits, 0
        if not self._is_needed():
            return
        try:
            with self.session(now) as session:
                unknown = session.table.take_unknown(now - limits.early_seconds)
                if unknown:
                    counts = Feedback()
                    counts.ground_truths({("", "", "unknown"): len(unknown)})
                    session.merge({}, counts)
                over = session.table.forget(now - limits.seconds, limits.rows)
        except StoreError:
            return
        if over:
            self._on_drop(FULL, over)

    def waiting(self, now: float, /) -> Mapping[str, int]:
        """Return how many predictions of each model wait; nothing where that is not known now."""
        if not self._is_needed():
            return {}
        try:
            with self.session(now) as session:
                counts = session.table.counts()
        except StoreError:
            return {}
        return {model: count for model, count in counts.items() if model != ALL}

    def _is_needed(self) -> bool:
        """Return whether anything may wait: without, a flush or a scrape opens no transaction."""
        return self._is_used or any(model.has_task for model in self._models.values())
