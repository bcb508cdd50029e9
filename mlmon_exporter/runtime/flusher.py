"""The thread that adds a process's counts to the shared state every few seconds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from .forks import after_fork
from .once import Once

logger = logging.getLogger(__name__)


class Flusher:
    """Calls `flush` every `seconds`, in a thread that starts on first use in each process."""

    def __init__(self, flush: Callable[[], object], seconds: float) -> None:
        self._flush = flush
        self._seconds = seconds
        self._is_first_fault = Once()
        self._forget_thread()
        after_fork(self._forget_thread)

    def _forget_thread(self) -> None:
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def ensure_running(self) -> None:
        """Start the thread unless it runs; cheap enough for every request."""
        if self._thread is None:
            self._stopped = threading.Event()
            self._thread = threading.Thread(target=self._run, name="mlmon-flusher", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        stopped = self._stopped
        is_last = False
        while not is_last:
            is_last = stopped.wait(self._seconds)
            if is_last and self._thread is None:
                return  # closed, by the thread that flushes the rest
            try:
                self._flush()
            except Exception:
                if self._is_first_fault():
                    logger.exception("mlmon: counts were not added; will retry")

    def end(self) -> None:
        """Have the thread flush a last time and end, without waiting for it."""
        self._stopped.set()

    def close(self) -> None:
        """End the thread; `ensure_running` starts it again."""
        thread, self._thread = self._thread, None
        self._stopped.set()
        if thread is not None:
            thread.join(5.0)
