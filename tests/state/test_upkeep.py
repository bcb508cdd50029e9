"""Facts about the upkeep of a process: flushes, and their absence."""

from __future__ import annotations

import gc
import threading
import time
from pathlib import Path

import pytest

from mlmon_exporter import Config, Monitor
from mlmon_exporter.cli.server import Reader
from mlmon_exporter.state.processes import ALIVE_SECONDS
from tests.monitor.served import value
from tests.state.several import monitor_of, observe

from .harms import HARMS


@pytest.mark.parametrize("reason", ["full"])
def test_a_reader_says_since_when_nobody_has_written_and_why(
    reason: str, reference: str, folder: Path
) -> None:
    options = {"model": "m", "reference": reference, "state_dir": str(folder)}
    with monitor_of(reference, folder) as monitor:
        observe(monitor, 500)
    reader = Reader(Config.from_options(None, flush_seconds=0.01, **options))
    now = time.time()
    assert reader._readout.trouble(now + ALIVE_SECONDS - 5.0) is None
    stale = reader._readout.trouble(now + 2 * ALIVE_SECONDS)
    assert stale is not None
    assert (stale.reason, stale.where) == ("", f"state_dir {folder}")
    assert now - 60.0 < stale.since <= now
    with HARMS[reason](folder):
        stale = reader._readout.trouble(now + 2 * ALIVE_SECONDS)
        assert stale is not None
        assert stale.reason == reason
        report = reader.report(now=now + 2 * ALIVE_SECONDS)
        assert f"state_dir {folder} has not been written since" in report
        assert "its disk is full" in report
        assert "Nothing has drifted<" not in report
    reader.close()


def test_what_a_monitor_has_counted_is_flushed_when_it_is_gone(
    reference: str, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    monitor = Monitor(model="m", reference=reference, state_dir=state, flush_seconds=3600.0)
    monitor.observe({"age": 30, "income": 1e4, "city": "Uri"}, 0.5)
    del monitor
    gc.collect()
    again = Monitor(model="m", reference=reference, state_dir=state)
    deadline = time.monotonic() + 120.0
    while value(again, "mlmon_prediction_rows_total") != 1 and time.monotonic() < deadline:
        threading.Event().wait(0.05)
    assert value(again, "mlmon_prediction_rows_total") == 1
    again.close()
