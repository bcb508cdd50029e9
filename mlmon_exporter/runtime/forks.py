"""Hooks that run when the process forks, for as long as the object that asked for them lives.

A forked child has a copy of everything but the threads: locks may be held for ever, connections
are the parent's, and counts that wait would be counted twice.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable

Hook = Callable[[], None]

FORK_WAIT_SECONDS = 1.0
"""A fork waits so long for a lock, then goes on without it."""


def after_fork(child: Hook) -> None:
    """Call a bound method in each forked child, in the order in which hooks were given."""
    os.register_at_fork(after_in_child=_weak(child))


def around_fork(*, before: Hook, parent: Hook, child: Hook) -> None:
    """Call bound methods before a fork, and after it in the parent and in the child."""
    os.register_at_fork(
        before=_weak(before), after_in_parent=_weak(parent), after_in_child=_weak(child)
    )


def _weak(method: Hook) -> Hook:
    # A hook cannot be taken back: it must not keep its object alive.
    weak = weakref.WeakMethod(method)

    def call() -> None:
        bound = weak()
        if bound is not None:
            bound()

    return call


class ForkLock:
    """A reentrant lock that forks wait for, so that a child finds the guarded objects at rest."""

    def __init__(self) -> None:
        self.was_held = False
        """In a child: the fork that made it got the lock."""
        self._lock = threading.RLock()
        around_fork(before=self._hold, parent=self._release, child=self._renew)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def _hold(self) -> None:
        self.was_held = self._lock.acquire(timeout=FORK_WAIT_SECONDS)

    def _release(self) -> None:
        if self.was_held:
            self._lock.release()

    def _renew(self) -> None:
        self._lock = threading.RLock()
