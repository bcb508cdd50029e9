"""Facts about the thread that flushes; tests/runtime/test_forks.py has those about forks."""

from __future__ import annotations

import logging
import threading

import pytest

from mlmon_exporter.runtime.flusher import Flusher


def test_it_flushes_again_and_again_until_it_is_closed_and_can_be_started_anew() -> None:
    calls: list[int] = []
    enough = threading.Event()

    def flush() -> None:
        calls.append(1)
        if len(calls) >= 3:
            enough.set()

    flusher = Flusher(flush, 0.001)
    for _ in range(2):
        enough.clear()
        calls.clear()
        flusher.ensure_running()
        assert enough.wait(120.0)
        thread = flusher._thread
        flusher.close()
        assert thread is not None
        assert not thread.is_alive()


def test_a_flush_that_fails_is_logged_once_and_the_thread_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls: list[int] = []
    enough = threading.Event()

    def fail() -> None:
        calls.append(1)
        if len(calls) >= 3:
            enough.set()
        raise RuntimeError("planted")

    flusher = Flusher(fail, 0.001)
    with caplog.at_level(logging.ERROR):
        flusher.ensure_running()
        assert enough.wait(120.0)
        flusher.close()
    assert caplog.text.count("counts were not added") == 1
