"""Joins ground truths with the predictions that they are about, a transaction for many callers."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from mlmon_exporter.core.counts.feedback import Feedback, Status
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.pending import Found, GroundTruth, sort_out
from mlmon_exporter.core.records import Prediction

Parts = Mapping[str, Mapping[Any, Any]]
"""Model -> what `Model.outcome_tallies` gave."""


class Session(Protocol):
    """A transaction with the pending predictions: all of it happens, or nothing."""

    def find(self, ids: Collection[str]) -> Mapping[str, Found]:
        """Return what is known of these ids."""

    def settle(self, found: Mapping[str, Found]) -> None:
        """Keep of predictions that were matched only that they were."""

    def keep_early(self, truths: Sequence[GroundTruth], now: float, /) -> bool:
        """Keep ground truths whose prediction may be on its way; False if none can be."""

    def merge(self, parts: Parts, counts: Feedback) -> None:
        """Add outcomes to the models' windows, and what became of the ground truths."""


class PendingStore(Protocol):
    """Where predictions wait."""

    def keep(self, predictions: Iterable[tuple[str, Prediction]], now: float) -> None:
        """Take predictions, each with its model; neither blocks on a disk nor raises."""

    def session(self, now: float, /) -> AbstractContextManager[Session]:
        """Begin a transaction. Raises StoreError where that cannot be done now."""

    def waiting(self, now: float, /) -> Mapping[str, int]:
        """Return how many predictions of each model wait; nothing where that is not known now."""

    def flush(self, now: float, /) -> None:
        """Put away what is held; what cannot be put away now is held on."""

    def forget(self) -> None:
        """Drop what a forked process has from its parent."""

    def close(self) -> None:
        """Let go of what is open; the next use opens it again."""


class Joined(NamedTuple):
    """What became of ground truths, one by one."""

    statuses: list[Status]
    reasons: list[str]
    """Why it is invalid; empty where it is not."""


class _Ticket:
    """One caller's ground truths, and the answer once somebody has joined them."""

    __slots__ = ("answer", "fault", "truths")

    def __init__(self, truths: Sequence[GroundTruth]) -> None:
        self.truths = truths
        self.answer: Joined | None = None
        self.fault: Exception | None = None


class Joiner:
    """Joins for many threads at a time: who comes first takes along all who wait."""

    def __init__(
        self, store: PendingStore, models: Mapping[str, Model], longest_seconds: float
    ) -> None:
        self._store = store
        self._models = models
        self._longest_seconds = longest_seconds
        self._tickets: list[_Ticket] = []
        self._lock = threading.Lock()
        self._busy = threading.Lock()

    def join(self, truths: Sequence[GroundTruth], now: float) -> Joined:
        """Join ground truths that arrived at `now`, Unix seconds.

        What it returns has been kept for good: it survives the end of this process.

        Raises:
            StoreError: Nothing was joined, since the store cannot be used now.
        """
        ticket = _Ticket(truths)
        with self._lock:
            self._tickets.append(ticket)
        with self._busy:
            if ticket.answer is None and ticket.fault is None:
                with self._lock:
                    tickets, self._tickets = self._tickets, []
                self._answer(tickets, now)
        if ticket.answer is None:
            raise ticket.fault or RuntimeError("joiner: expected an answer, got none")
        return ticket.answer

    def _answer(self, tickets: Sequence[_Ticket], now: float) -> None:
        truths = [truth for ticket in tickets for truth in ticket.truths]
        try:
            with self._store.session(now) as session:
                joined = join(session, truths, self._models, now, self._longest_seconds)
        except Exception as fault:  # noqa: BLE001 - each caller is told, and raises it
            for ticket in tickets:
                ticket.fault = fault
            return
        start = 0
        for ticket in tickets:
            part = slice(start, start + len(ticket.truths))
            ticket.answer = Joined(joined.statuses[part], joined.reasons[part])
            start = part.stop


def join(
    session: Session,
    truths: Sequence[GroundTruth],
    models: Mapping[str, Model],
    now: float,
    longest_seconds: float,
) -> Joined:
    """Join ground truths within a transaction."""
    found = session.find({truth.prediction_id for truth in truths})
    result = sort_out(truths, found, now, longest_seconds)
    joined = Joined(result.statuses, [""] * len(truths))
    parts: dict[str, Mapping[Any, Any]] = {}
    for name, matched in result.matched.items():
        if name in models:
            parts[name] = _score(models[name], truths, found, matched, joined, now)
    done = {
        truth.prediction_id: found[truth.prediction_id]
        for truth, status in zip(truths, joined.statuses, strict=True)
        if status in ("matched", "late")
    }
    session.settle(done)
    unknown = [t for t, s in zip(truths, joined.statuses, strict=True) if s == "unknown"]
    are_kept = bool(unknown) and session.keep_early(unknown, now)
    session.merge(parts, _counts(truths, found, joined, now, without_unknown=are_kept))
    return joined


def _score(
    model: Model,
    truths: Sequence[GroundTruth],
    found: Mapping[str, Found],
    matched: Sequence[int],
    joined: Joined,
    now: float,
) -> Mapping[Any, Any]:
    """Return what the matched ones add up to; those that the model cannot take become invalid."""
    outcomes = []
    for i in matched:
        prediction = found[truths[i].prediction_id].prediction
        if prediction is not None:
            outcomes.append((prediction, truths[i].value))
    parts, problems = model.outcome_tallies(outcomes, now)
    for i, problem in zip(matched, problems, strict=True):
        if problem is not None:
            joined.statuses[i], joined.reasons[i] = "invalid", problem
    return parts


def _counts(
    truths: Sequence[GroundTruth],
    found: Mapping[str, Found],
    joined: Joined,
    now: float,
    *,
    without_unknown: bool,
) -> Feedback:
    counts: dict[tuple[str, str, Status], int] = {}
    delays: dict[tuple[str, str], list[float]] = {}
    for truth, status in zip(truths, joined.statuses, strict=True):
        known = found.get(truth.prediction_id)
        labels = (known.model, known.version) if known is not None else ("", "")
        if status != "unknown" or not without_unknown:
            counts[*labels, status] = counts.get((*labels, status), 0) + 1
        if known is not None and status in ("matched", "late"):
            arrived = now if truth.at is None else truth.at
            delays.setdefault(labels, []).append(arrived - known.at)
    feedback = Feedback()
    feedback.ground_truths(counts)
    for labels, seconds in delays.items():
        feedback.delayed(*labels, seconds)
    return feedback
