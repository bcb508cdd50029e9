"""Hooks that run when the process forks, for as long as the object that asked for them lives.

A forked child has a copy of everything but the threads: locks may be held for ever, connections
are the parent's, and counts that wait would be counted twice.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import cache

Hook = Callable[[], None]

FORK_WAIT_SECONDS = 1.0
"""A fork waits so long for a lock, then goes on without it."""


def after_fork(child: Hook) -> None:
    """Call a bound method in each forked child, in the order in which hooks were given."""
    _hooks().add(child=child)


def around_fork(*, before: Hook, parent: Hook, child: Hook) -> None:
    """Call bound methods before a fork, and after it in the parent and in the child."""
    _hooks().add(before=before, parent=parent, child=child)


class _Hooks:
    """All hooks of the process. The system's cannot be taken back, so there is one set of them."""

    def __init__(self) -> None:
        self._methods: dict[str, list[weakref.WeakMethod[Hook]]] = {}
        os.register_at_fork(
            before=lambda: self._call("before"),
            after_in_parent=lambda: self._call("parent"),
            after_in_child=lambda: self._call("child"),
        )

    def add(self, **methods: Hook) -> None:
        for when, method in methods.items():
            alive = [weak for weak in self._methods.get(when, ()) if weak() is not None]
            self._methods[when] = [*alive, weakref.WeakMethod(method)]

    def _call(self, when: str) -> None:
        methods = self._methods.get(when, [])
        # The last to come is the first to wait, as with the system's own hooks.
        for weak in reversed(methods) if when == "before" else methods:
            method = weak()
            if method is not None:
                with suppress(Exception):  # the others run all the same
                    method()


@cache
def _hooks() -> _Hooks:
    return _Hooks()


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
