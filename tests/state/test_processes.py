"""Facts about processes that share a state."""

from __future__ import annotations

import os
from pathlib import Path

from tests.e2e.load import total
from tests.state.several import ROWS, monitor_of, observe, scraped

from .harms import forbidden


def test_counts_of_a_process_that_never_read_the_state_are_series_of_their_own(
    reference: str, tmp_path: Path
) -> None:
    folder = tmp_path / "state"
    with monitor_of(reference, folder) as before:
        observe(before, 500)
    monitor = monitor_of(reference, folder)
    with forbidden(folder):
        observe(monitor, 100)
        found = scraped(monitor)[0]
        assert total(found, ROWS, worker=str(os.getpid())) == total(found, ROWS) == 100
        observe(monitor, 20)
    observe(monitor, 3)
    found = scraped(monitor)[0]
    assert total(found, ROWS) == 500 + 100 + 20 + 3
    assert not any("worker" in dict(labels) for _, labels in found)
    monitor.close()
