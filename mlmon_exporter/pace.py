"""Long work in short slices, so that the threads that serve requests never wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable

Pause = Callable[[], None]

SLICE_SECONDS = 0.001
REST_SECONDS = 0.0005


class Pace:
    """Rests a little whenever a slice of work is over; call it between steps of the work.

    Python switches threads every 5 ms at most while one computes; a thread that sleeps hands
    over at once. Each working thread has a `Pace` of its own.
    """

    __slots__ = ("_end", "rest_seconds")

    def __init__(self, rest_seconds: float = REST_SECONDS) -> None:
        self.rest_seconds = rest_seconds
        self._end = 0.0

    @property
    def is_due(self) -> bool:
        """Whether the next call rests."""
        return time.perf_counter() >= self._end

    def __call__(self) -> None:
        now = time.perf_counter()
        if now >= self._end:
            # The first call after idle time begins a slice: it need not rest.
            if now - self._end < SLICE_SECONDS:
                time.sleep(self.rest_seconds)
                now = time.perf_counter()
            self._end = now + SLICE_SECONDS
