"""Threads of our own for work off the event loop: the app's may all be taken, and by slow calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

T = TypeVar("T")


class Threads:
    """At most `most` at a time, in each event loop; who comes then waits."""

    def __init__(self, name: str, most: int) -> None:
        """Have a name that no others have."""
        self._most = most
        self._limiter: RunVar[CapacityLimiter] = RunVar(f"mlmon_{name}")

    async def run(self, work: Callable[..., T], *args: object) -> T:
        """Return what the work returns, or raise what it raises."""
        try:
            limiter = self._limiter.get()
        except LookupError:
            limiter = CapacityLimiter(self._most)
            self._limiter.set(limiter)
        return await to_thread.run_sync(work, *args, limiter=limiter)
