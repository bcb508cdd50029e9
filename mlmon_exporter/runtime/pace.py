"""Long work in short slices, so that threads that serve requests hardly wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable

Pause = Callable[[], None]

SLICE_SECONDS = 0.0005
REST_RATIO = 0.25
"""Seconds of rest per second of work that a caller waits for: enough to hand over."""
LONGEST_REST_SECONDS = 0.05
LOOK_SECONDS = 0.1


class Pace:
    """Rests whenever a slice of work is over; call it between steps of the work.

    While one thread computes, Python switches every 5 ms at most; a thread that sleeps hands over
    at once, and runs again when the others wait. Some steps take longer than a slice and cannot be
    split, such as reading a large body: a rest lasts `rest_ratio` times the work before it, so that
    requests find the interpreter free most of the time. One `Pace` per working thread.
    """

    __slots__ = ("_end", "_rest_ratio", "_worked")

    def __init__(self, rest_ratio: Callable[[], float] = lambda: REST_RATIO) -> None:
        self._rest_ratio = rest_ratio
        self.start()

    def start(self) -> None:
        """Begin a slice; the time before it was no work."""
        self._worked = time.thread_time()
        self._end = time.perf_counter() + SLICE_SECONDS

    @property
    def is_due(self) -> bool:
        """True if the next call rests."""
        return time.perf_counter() >= self._end

    def __call__(self) -> None:
        if time.perf_counter() >= self._end:
            # CPU time of this thread: it may have spent most of the slice without the interpreter.
            worked = time.thread_time() - self._worked
            time.sleep(min(self._rest_ratio() * worked, LONGEST_REST_SECONDS))
            self.start()


class OtherThreads:
    """CPU use of the process's other threads. Asked by one thread, which leaves itself out."""

    def __init__(self) -> None:
        self._at = time.perf_counter()
        self._seconds = time.process_time()
        self._busy = 0.0

    @property
    def busy(self) -> float:
        """CPU seconds a second of the other threads, over the last tenth of a second or more."""
        now = time.perf_counter()
        if now - self._at >= LOOK_SECONDS:
            seconds = time.process_time() - time.thread_time()
            self._busy = (seconds - self._seconds) / (now - self._at)
            self._at, self._seconds = now, seconds
        return self._busy
