"""Outages of a store, on disk or on a server: what fails, since when, and why."""

from __future__ import annotations

import logging
import time
from typing import NamedTuple

from mlmon_exporter.core.counts.counts import Counts
from mlmon_exporter.core.counts.health import Health

from .errors import LostError, StoreError

logger = logging.getLogger(__name__)

WORDS = {
    "full": "its disk is full",
    "read_only": "it is read-only",
    "permission": "this process has no permission",
    "locked": "another process holds its lock",
    "damaged": "its file is damaged",
    "unreachable": "its server takes no connection",
    "other": "the model server's log has the error",
    "": "no model server runs, or none can write",
}
"""Reason, as `WRITE_FAILURES` has it -> words; empty where a reader cannot see any."""


class Trouble(NamedTuple):
    """A store that is not written, and why."""

    where: str
    """Key of the configuration, and the directory."""
    reason: str
    since: float
    """Unix seconds."""

    def __str__(self) -> str:
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(self.since))
        return f"{self.where} has not been written since {at} UTC: {WORDS[self.reason]}"


class Loaded(NamedTuple):
    """Counts to be shown."""

    counts: Counts
    is_partial: bool = False
    """The store was never read: these are of this process alone."""
    is_own: bool = False
    """They include what this process could not write, and nothing that others could not."""


class Outage:
    """The steps that fail now; false if there are none. Not thread-safe: its owner locks.

    The log says when it begins, changes its reason and ends.
    """

    def __init__(self, where: str, health: Health) -> None:
        """Take the store's key in the configuration and its directory, which messages name."""
        self._where = where
        self._health = health
        self._reasons: dict[str, str] = {}  # by step
        self._since = 0.0

    def __bool__(self) -> bool:
        return bool(self._reasons)

    def __contains__(self, step: str) -> bool:
        return step in self._reasons

    @property
    def trouble(self) -> Trouble | None:
        """Return the trouble of the step that failed first; None if there is none."""
        for reason in self._reasons.values():
            return Trouble(self._where, reason, self._since)
        return None

    def lost(self, error: LostError) -> None:
        """Note that the file was lost, and a new one is begun."""
        self._health.internal_error("store")
        if error.reason == "damaged":
            self._health.write_failed(error.reason)
        if not self._reasons:
            logger.error("mlmon: the state file was lost: %s", error)

    def fail(self, step: str, error: Exception, last_written: float) -> None:
        """Note that a step failed, and when all was last written, Unix seconds."""
        reason = error.reason if isinstance(error, StoreError) else "other"
        self._health.internal_error("store")
        self._health.write_failed(reason)
        before = self.trouble
        if before is None:
            self._since = last_written
        self._reasons[step] = reason
        now = self.trouble
        if before is None or (now is not None and now.reason != before.reason):
            logger.error("mlmon: %s; what it lacks waits in memory: %s", now, error)

    def end(self, *steps: str) -> None:
        """Note that steps work."""
        before = self.trouble
        for step in steps:
            self._reasons.pop(step, None)
        if before is not None and not self._reasons:
            logger.warning("mlmon: %s is written again", self._where)
