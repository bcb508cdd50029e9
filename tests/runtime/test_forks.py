"""Facts about what runs when the process forks."""

from __future__ import annotations

import gc
import os
import signal
import threading
import weakref

import pytest

from mlmon_exporter.runtime import forks
from mlmon_exporter.runtime.flusher import Flusher
from mlmon_exporter.runtime.forks import ForkLock, after_fork, around_fork

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


class Notes:
    """Notes the hooks that were called."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def before(self) -> None:
        self.calls.append("before")

    def parent(self) -> None:
        self.calls.append("parent")

    def child(self) -> None:
        self.calls.append("child")


def is_true_in_a_child(check: object) -> bool:
    """Return whether a function is true when it is called in a forked child."""
    assert callable(check)
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        os._exit(0 if check() else 1)
    return os.waitpid(child, 0)[1] == 0


def test_hooks_run_around_a_fork_in_the_process_that_they_are_for() -> None:
    notes = Notes()
    around_fork(before=notes.before, parent=notes.parent, child=notes.child)
    after_fork(notes.child)
    assert is_true_in_a_child(lambda: notes.calls == ["before", "child", "child"])
    assert notes.calls == ["before", "parent"]


def test_an_object_is_not_kept_for_the_sake_of_its_hooks() -> None:
    notes = Notes()
    after_fork(notes.child)
    gone = weakref.ref(notes)
    del notes
    gc.collect()
    assert gone() is None
    assert is_true_in_a_child(lambda: True)


def test_a_fork_waits_for_a_lock_and_the_child_has_a_free_one() -> None:
    lock = ForkLock()
    is_held, has_forked = threading.Event(), threading.Event()
    order: list[str] = []

    def hold() -> None:
        with lock:
            is_held.set()
            has_forked.wait(0.05)
            order.append("released")

    thread = threading.Thread(target=hold)
    thread.start()
    assert is_held.wait(120.0)

    def is_free() -> bool:
        with lock:
            return lock.was_held

    assert is_true_in_a_child(lambda: is_free() and order == ["released"])
    has_forked.set()
    thread.join()
    with lock:
        assert order == ["released"]


def test_a_fork_does_not_wait_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks, "FORK_WAIT_SECONDS", 0.01)
    lock = ForkLock()
    is_held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            is_held.set()
            go_on.wait(60.0)

    thread = threading.Thread(target=hold)
    thread.start()
    assert is_held.wait(120.0)

    def is_free() -> bool:
        with lock:
            return not lock.was_held

    assert is_true_in_a_child(is_free)
    go_on.set()
    thread.join()


def test_a_flusher_runs_in_a_forked_child_on_its_first_use() -> None:
    flushed = threading.Event()
    flusher = Flusher(flushed.set, 0.001)
    flusher.ensure_running()
    assert flushed.wait(120.0)
    flushed.clear()

    def flushes() -> bool:
        flushed.clear()
        flusher.ensure_running()
        return flushed.wait(120.0)

    assert is_true_in_a_child(flushes)
    flusher.close()
