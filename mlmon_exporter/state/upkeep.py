"""Upkeep of a process: its counts go to the shared state, and the sums of all come back."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from mlmon_exporter.runtime.flusher import Flusher

from .outage import Loaded, Trouble
from .pending import Pending
from .shared import SharedState


class Upkeep:
    """Flushes the counts and pending predictions of a process every few seconds.

    A reader flushes nothing: it shows the counts of other processes. Without a shared state or
    a store of predictions no thread runs.
    """

    def __init__(
        self,
        shared: SharedState | None,
        pending: Pending,
        adopt_learned: Callable[[], None],
        *,
        seconds: float,
        has_store: bool,
        is_reader: bool,
    ) -> None:
        """Wire it up; nothing runs yet.

        Args:
            shared: The state shared by the host's processes, if there is any.
            pending: Predictions that wait for their ground truth.
            adopt_learned: Uses references that other processes have learned.
            seconds: Between two flushes.
            has_store: There is a store to flush to, on disk or on a server.
            is_reader: The process only shows the counts of others.
        """
        self.shared = shared
        self._pending = pending
        self._adopt_learned = adopt_learned
        self._is_reader = is_reader
        self.has_store = has_store
        self._runs = has_store and not is_reader
        self._flusher = Flusher(self.tick, seconds)

    def ensure_running(self) -> None:
        """Start the flushes, unless they run in this process; cheap enough for every request."""
        if self._runs:
            self._flusher.ensure_running()

    def tick(self, now: float | None = None) -> None:
        """Flush once, at `now`, Unix seconds."""
        moment = time.time() if now is None else now
        if self.shared is not None:
            self._adopt_learned()
        if not self._is_reader:
            self._pending.flush(moment)
            if self.shared is not None:
                self.shared.flush(moment)

    def reading(self, shared: SharedState, now: float) -> AbstractContextManager[Loaded | None]:
        """Flush, then load the counts of all processes; see `SharedState.reading`."""
        # Scrapes start the flushes, too: if the file is lost, it must be recovered soon.
        self.ensure_running()
        self.tick(now)
        return shared.reading(now)

    def trouble(self, now: float) -> Trouble | None:
        """Return why a store is not written, as far as was seen; None if each is, or there is none.

        Its reason is empty where a reader sees none.
        """
        shared, trouble = self.shared, self._pending.trouble()
        if shared is None:
            return trouble
        is_stale = self._is_reader and not shared.outage
        return (shared.stale(now) if is_stale else shared.outage.trouble) or trouble

    def last_flush(self, taken_in: float) -> float:
        """Return when all was last counted and shared, Unix seconds.

        Args:
            taken_in: When the queue was last seen empty.
        """
        if self.shared is None or self._is_reader:
            return taken_in
        return min(taken_in, self.shared.last_flush)

    def end(self) -> None:
        """Have the thread flush a last time and end, without waiting for it."""
        self._flusher.end()

    def close(self) -> None:
        """Flush a last time and close the state; the next use opens it again."""
        self._flusher.close()
        self.tick()
        self._pending.close()
        if self.shared is not None:
            self.shared.close()
