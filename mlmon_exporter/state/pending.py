"""Predictions that wait for their ground truth: held in memory, put into a table in batches."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

from mlmon_exporter.core.counts.feedback import Feedback
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.pending import DUPLICATE, FULL, GroundTruth
from mlmon_exporter.core.records import Prediction
from mlmon_exporter.runtime.forks import after_fork

from .errors import StoreError
from .joiner import Joined, Limits, Transaction, join
from .outage import Trouble
from .pending_table import ALL

Transactions = Callable[[float], AbstractContextManager[Transaction]]
"""Begins a transaction at a time, Unix seconds; raises StoreError where it cannot."""


class Pending:
    """The pending predictions of a process, and of all that share its table. Thread-safe.

    Predictions are held until the next flush, or until a ground truth comes to this process: at
    most `limits.rows`, and of more the oldest go. `on_drop` is called with the reason and the
    number of these, and of those whose id is taken.
    """

    def __init__(
        self,
        transactions: Transactions,
        models: Mapping[str, Model],
        limits: Limits,
        on_drop: Callable[[str, int], None],
        close: Callable[[], None] = lambda: None,
        trouble: Callable[[], Trouble | None] = lambda: None,
    ) -> None:
        self._transactions = transactions
        self._models = models
        self._limits = limits
        self._on_drop = on_drop
        self.close = close
        self.trouble = trouble
        """Gives why a table of its own is not written."""
        self._is_used = False
        self._forget_held()
        after_fork(self._forget_held)

    def _forget_held(self) -> None:
        # In a forked child they are the parent's, which puts them away itself.
        self._lock = threading.Lock()
        self._held: deque[tuple[str, Prediction]] = deque()

    def keep(self, predictions: Iterable[tuple[str, Prediction]], now: float) -> None:
        """Hold predictions, each with its model, until the next flush; never raises."""
        over = 0
        self._is_used = True
        with self._lock:
            self._held.extend(predictions)
            while len(self._held) > self._limits.rows:
                self._held.popleft()
                over += 1
        if over:
            self._on_drop(FULL, over)
        most = self._limits.held_rows
        if most is not None and len(self._held) >= most:
            self.flush(now)

    @contextmanager
    def transaction(self, now: float) -> Iterator[Transaction]:
        """Begin a transaction, in which held predictions are put away first.

        Raises:
            StoreError: The table cannot be used now; predictions are still held.
        """
        self._is_used = True
        with self._lock:
            held, self._held = self._held, deque()
        try:
            with self._transactions(now) as transaction:
                duplicates = transaction.table.add(held)
                early = transaction.table.take_early([prediction.id for _, prediction in held])
                if early:
                    join(transaction, early, self._models, self._limits, now)
                yield transaction
        except BaseException:
            with self._lock:
                held.extend(self._held)
                self._held = held
            raise
        if duplicates:
            self._on_drop(DUPLICATE, duplicates)

    def join(self, truths: Sequence[GroundTruth], now: float) -> Joined:
        """Join ground truths that arrived at `now`, Unix seconds; raises StoreError."""
        with self.transaction(now) as transaction:
            return join(transaction, truths, self._models, self._limits, now)

    def flush(self, now: float) -> Mapping[str, int]:
        """Put held predictions away, and forget those that are too old or too many.

        Returns:
            Model -> predictions that wait. Nothing if the table cannot be used now: predictions
            stay held.
        """
        # Without a task nothing waits: no flush and no scrape opens a transaction.
        if not self._is_used and not any(model.has_task for model in self._models.values()):
            return {}
        try:
            with self.transaction(now) as transaction:
                over = self._forget(transaction, now)
                counts = transaction.table.counts()
        except StoreError:
            return {}
        if over:
            self._on_drop(FULL, over)
        return {model: count for model, count in counts.items() if model != ALL}

    def _forget(self, transaction: Transaction, now: float) -> int:
        """Forget old predictions and ground truths; return the number over the limit."""
        unknown = transaction.table.take_unknown(now - self._limits.early_seconds)
        if unknown:
            counts = Feedback()
            counts.ground_truths({("", "", "unknown"): len(unknown)})
            transaction.merge({}, counts)
        return transaction.table.forget(now - self._limits.seconds, self._limits.rows)
