"""Long work in short slices, so that the threads that serve requests hardly wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable

Pause = Callable[[], None]

SLICE_SECONDS = 0.0005
REST_RATIO = 0.25
"""Rest by work where somebody waits for the work to be done: enough to hand over."""
LONGEST_REST_SECONDS = 0.05
LOOK_SECONDS = 0.1


class Pace:
    """Rests whenever a slice of work is over; call it between steps of the work.

    Python switches threads every 5 ms at most while one computes; a thread that sleeps hands
    over at once, and gets its turn again when the others wait for something. Some steps take
    longer than a slice and cannot be parted, such as reading a large body: a rest is so many
    times as long as what was worked before it as `rest_ratio` says then, so that those who serve
    requests find the interpreter free most of the time. Each working thread has a `Pace` of its
    own.
    """

    __slots__ = ("_end", "_rest_ratio", "_worked")

    def __init__(self, rest_ratio: Callable[[], float] = lambda: REST_RATIO) -> None:
        self._rest_ratio = rest_ratio
        self.start()

    def start(self) -> None:
        """Begin a slice: what was before was no work."""
        self._worked = time.thread_time()
        self._end = time.perf_counter() + SLICE_SECONDS

    @property
    def is_due(self) -> bool:
        """Whether the next call rests."""
        return time.perf_counter() >= self._end

    def __call__(self) -> None:
        if time.perf_counter() >= self._end:
            # Of the thread alone: it may have waited for the interpreter for most of the time.
            worked = time.thread_time() - self._worked
            time.sleep(min(self._rest_ratio() * worked, LONGEST_REST_SECONDS))
            self.start()


class Others:
    """How busy the process's other threads are. Asked by one thread, which leaves itself out."""

    def __init__(self) -> None:
        self._at = time.perf_counter()
        self._seconds = time.process_time()
        self._busy = 0.0

    @property
    def busy(self) -> float:
        """CPU seconds of theirs a second, over the last tenth of a second or more."""
        now = time.perf_counter()
        if now - self._at >= LOOK_SECONDS:
            seconds = time.process_time() - time.thread_time()
            self._busy = (seconds - self._seconds) / (now - self._at)
            self._at, self._seconds = now, seconds
        return self._busy
