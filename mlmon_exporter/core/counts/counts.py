"""All counts of a process that merge: requests, feedback and health."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

from .feedback import Feedback
from .health import Health
from .requests import RequestCounts


class Counts(NamedTuple):
    """Counts that are taken, merged and shown together."""

    requests: RequestCounts
    feedback: Feedback
    health: Health

    def take(self) -> Self:
        """Return all counts since the last call and start again at nothing."""
        return type(self)(self.requests.take(), self.feedback.take(), self.health.take())

    def merge(self, other: Counts) -> None:
        """Add the counts of another; they stay as they are."""
        theirs: Any
        for ours, theirs in zip(self, other, strict=True):
            ours.merge(theirs)

    def plus(self, other: Counts) -> Counts:
        """Return the sum with another; both stay as they are."""
        requests, feedback, health = self
        copy = Counts(requests.as_other(()), feedback.as_other(()), health.as_other(()))
        copy.merge(other)
        return copy
