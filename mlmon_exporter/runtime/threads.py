"""Threads of ours for work off the event loop: the app's may all be busy with slow calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

T = TypeVar("T")


class LimitedThreads:
    """At most `most` threads at a time in each event loop; further calls wait."""

    def __init__(self, name: str, most: int) -> None:
        """Make a pool.

        Args:
            name: Unique among the pools.
            most: Threads at a time.
        """
        self._most = most
        self._limiter: RunVar[CapacityLimiter] = RunVar(f"mlmon_{name}")

    async def run(self, work: Callable[..., T], *args: object) -> T:
        """Run a function in a thread; return its result or raise its exception."""
        try:
            limiter = self._limiter.get()
        except LookupError:
            limiter = CapacityLimiter(self._most)
            self._limiter.set(limiter)
        return await to_thread.run_sync(work, *args, limiter=limiter)
