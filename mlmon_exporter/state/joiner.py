"""The join of ground truths with their predictions, in batches: one transaction serves many."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from mlmon_exporter.core.coerce import unit_of
from mlmon_exporter.core.counts.feedback import Feedback, Status
from mlmon_exporter.core.keys import TallyKey
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.pending import Found, GroundTruth, sort_out
from mlmon_exporter.core.outcomes.tally_bytes import AnyTally
from mlmon_exporter.core.stats.sampling import may_be_read

from .pending_table import PendingTable

Tallies = Mapping[str, Mapping[TallyKey, AnyTally]]
"""Model -> tallies by key."""
Add = Callable[[Tallies, Feedback], None]
"""Adds tallies of outcomes, and counts of feedback."""


class Transaction:
    """A transaction with pending predictions: all of it happens, or nothing."""

    def __init__(self, table: PendingTable) -> None:
        self.table = table
        self.merged: list[tuple[Tallies, Feedback]] = []
        """Tallies of outcomes and counts of feedback, which the opener adds last."""

    def merge(self, tallies: Tallies, counts: Feedback) -> None:
        """Add outcomes to the models' windows, and counts of feedback."""
        self.merged.append((tallies, counts))


class Limits(NamedTuple):
    """Bounds of pending predictions: their number and age."""

    rows: int
    seconds: float
    """Age at which a prediction is forgotten."""
    early_seconds: float
    """Time that a ground truth waits for a prediction that another process still holds; 0 where
    no other process can."""
    window_seconds: float
    """Length of the longest window."""
    sample_ratio: float = 1.0
    """Share of the requests whose predictions are kept."""
    held_rows: int | None = None
    """Predictions that are put away before the next flush; None where that is too slow."""


class Joined(NamedTuple):
    """Statuses of ground truths, one by one."""

    statuses: list[Status]
    reasons: list[str]
    """Why it is invalid; empty where it is not."""


def join(
    transaction: Transaction,
    truths: Sequence[GroundTruth],
    models: Mapping[str, Model],
    limits: Limits,
    now: float,
) -> Joined:
    """Join ground truths that arrived at `now`, Unix seconds, in the order they came."""
    table = transaction.table
    found = table.find({truth.prediction_id for truth in truths})
    result = sort_out(truths, found, now, limits.window_seconds)
    joined = Joined(result.statuses, [""] * len(truths))
    _refuse_other_units(truths, joined)
    tallies = {
        name: _score(
            models[name],
            truths,
            found,
            [i for i in matched if joined.statuses[i] != "invalid"],
            joined,
            now,
        )
        for name, matched in result.matched.items()
        if name in models
    }
    answered = [
        (truth, status)
        for truth, status in zip(truths, joined.statuses, strict=True)
        if status != "unknown" or may_be_read(truth.prediction_id, limits.sample_ratio)
    ]
    done = [truth.prediction_id for truth, status in answered if status in ("matched", "late")]
    table.mark_matched({prediction_id: found[prediction_id] for prediction_id in done})
    if limits.early_seconds:
        unknown = [truth for truth, status in answered if status == "unknown"]
        table.keep_early(unknown, now)
        answered = [(truth, status) for truth, status in answered if status != "unknown"]
    transaction.merge(tallies, _counts(answered, found, now))
    return joined


def _refuse_other_units(truths: Sequence[GroundTruth], joined: Joined) -> None:
    """Make ground truths invalid whose time cannot be Unix seconds: their delay would stay."""
    for i, truth in enumerate(truths):
        unit = "" if truth.at is None else unit_of(truth.at)
        if unit:
            joined.statuses[i] = "invalid"
            joined.reasons[i] = f"timestamp: expected Unix seconds, got {truth.at:g}: {unit}?"


def _score(
    model: Model,
    truths: Sequence[GroundTruth],
    found: Mapping[str, Found],
    matched: Sequence[int],
    joined: Joined,
    now: float,
) -> Mapping[TallyKey, AnyTally]:
    """Return the tallies of matched ones; those that the model cannot take become invalid."""
    outcomes = []
    for i in matched:
        prediction = found[truths[i].prediction_id].prediction
        if prediction is not None:
            outcomes.append((prediction, truths[i].value))
    tallies, problems = model.outcome_tallies(outcomes, now)
    for i, problem in zip(matched, problems, strict=True):
        if problem is not None:
            joined.statuses[i], joined.reasons[i] = "invalid", problem
    return tallies


def _counts(
    answered: Sequence[tuple[GroundTruth, Status]], found: Mapping[str, Found], now: float
) -> Feedback:
    counts: dict[tuple[str, str, Status], int] = {}
    delays: dict[tuple[str, str], list[float]] = {}
    for truth, status in answered:
        known = found.get(truth.prediction_id)
        labels = (known.model, known.version) if known is not None else ("", "")
        counts[*labels, status] = counts.get((*labels, status), 0) + 1
        if known is not None and status in ("matched", "late"):
            arrived = now if truth.at is None else truth.at
            delays.setdefault(labels, []).append(arrived - known.at)
    feedback = Feedback()
    feedback.ground_truths(counts)
    for labels, seconds in delays.items():
        feedback.delayed(*labels, seconds)
    return feedback


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

        The answer is final: where the state is on disk, it survives the end of this process.

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
