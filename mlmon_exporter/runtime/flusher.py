"""The thread that adds a process's counts to the shared state every few seconds."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

from .once import Once

logger = logging.getLogger(__name__)


class Flusher:
    """Calls `flush` every `seconds`, in a thread that starts on first use in each process."""

    def __init__(self, flush: Callable[[], object], seconds: float) -> None:
        self._flush = flush
        self._seconds = seconds
        self._process = 0
        self._is_first_fault = Once()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def ensure_running(self) -> None:
        """Start the thread, unless it runs in this process; cheap enough for every request."""
        if self._process != os.getpid():
            self._process = os.getpid()
            self._stopped = threading.Event()
            self._thread = threading.Thread(target=self._run, name="mlmon-flusher", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        stopped = self._stopped
        while not stopped.wait(self._seconds):
            try:
                self._flush()
            except Exception:
                if self._is_first_fault():
                    logger.exception("mlmon: counts were not added; it is tried again")

    def close(self) -> None:
        """End the thread; `ensure_running` starts it again."""
        self._stopped.set()
        if self._thread is not None and self._process == os.getpid():
            self._thread.join(5.0)
        self._process, self._thread = 0, None
