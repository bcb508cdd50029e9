"""Joins ground truths in batches: one transaction serves all threads that wait for one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from mlmon_exporter.core.outcomes.pending import GroundTruth

from .joining import Joined


class _Waiter:
    """One caller's ground truths, and their answer once a leader has joined them."""

    __slots__ = ("answer", "fault", "truths")

    def __init__(self, truths: Sequence[GroundTruth]) -> None:
        self.truths = truths
        self.answer: Joined | None = None
        self.fault: Exception | None = None


class Joiner:
    """Joins ground truths in batches: the first caller leads, and joins everything queued."""

    def __init__(self, join: Callable[[Sequence[GroundTruth], float], Joined]) -> None:
        """Take the function that joins ground truths at a time in one transaction."""
        self._join = join
        self._waiters: list[_Waiter] = []
        self._lock = threading.Lock()
        self._busy = threading.Lock()

    def join(self, truths: Sequence[GroundTruth], now: float) -> Joined:
        """Join ground truths that arrived at `now`, Unix seconds.

        What it returns has been kept for good: it survives the end of this process.

        Raises:
            StoreError: Nothing was joined, since the store cannot be used now.
        """
        waiter = _Waiter(truths)
        with self._lock:
            self._waiters.append(waiter)
        with self._busy:
            if waiter.answer is None and waiter.fault is None:
                with self._lock:
                    waiters, self._waiters = self._waiters, []
                self._answer(waiters, now)
        if waiter.answer is None:
            raise waiter.fault or RuntimeError("joiner: expected an answer, got none")
        return waiter.answer

    def _answer(self, waiters: Sequence[_Waiter], now: float) -> None:
        truths = [truth for waiter in waiters for truth in waiter.truths]
        try:
            joined = self._join(truths, now)
        except Exception as fault:  # noqa: BLE001 - each caller raises it
            for waiter in waiters:
                waiter.fault = fault
            return
        start = 0
        for waiter in waiters:
            own = slice(start, start + len(waiter.truths))
            waiter.answer = Joined(joined.statuses[own], joined.reasons[own])
            start = own.stop
