"""While the state cannot be written, a process serves what it held and what it counts since."""

from __future__ import annotations

import logging
import time
from itertools import pairwise
from pathlib import Path

import pytest

from mlmon_exporter import Monitor
from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.state import store as store_module
from mlmon_exporter.state.errors import LostError, StoreError
from mlmon_exporter.state.outage import Outage
from tests.asgi import get
from tests.e2e.load import total
from tests.state.several import ROWS, monitor_of, observe, scraped

from .harms import HARMS

BINS = "mlmon_feature_bin_rows_total"


def settle(monitor: Monitor) -> None:
    """Have all in the file itself, and no file open."""
    assert monitor._upkeep.shared is not None
    monitor._upkeep.shared.close()


@pytest.mark.parametrize("reason", HARMS)
def test_counts_and_verdicts_go_on_and_are_exact_afterwards(
    reason: str,
    reference: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(store_module, "WAIT_SECONDS", 0.05)
    ours, other = monitor_of(reference, folder), monitor_of(reference, folder)
    observe(other, 500)
    scraped(other)
    observe(ours, 700)
    before, text = scraped(ours)
    assert total(before, ROWS) == 1200
    assert "mlmon_state_writable 1\n" in text
    assert 'mlmon_feature_drifted{model="m",version="",feature="x",window="1h"} 0' in text
    for each in (ours, other):
        settle(each)
    shown = [before]
    with HARMS[reason](folder):
        for count in (301, 302, 303):
            observe(ours, count, shift=3.0)
            found, text = scraped(ours)
            shown.append(found)
            assert total(found, ROWS) == 1200 + sum(range(301, count + 1))
            assert total(found, BINS, feature="x") == total(found, ROWS)
            assert "mlmon_state_writable 0\n" in text
        assert 'mlmon_feature_drifted{model="m",version="",feature="x",window="1h"} 1' in text
        failures = "mlmon_state_write_failures_total"
        assert total(found, failures, reason=reason) >= 3
        assert total(found, failures) == total(found, failures, reason=reason)
        page = get(ours.page_app(), "/").text
        assert f"state_dir {folder} has not been written since" in page
    [line] = [r.message for r in caplog.records if r.levelno == logging.ERROR]
    assert f"state_dir {folder} has not been written since" in line
    observe(other, 100)
    shown.append(scraped(ours)[0])
    assert total(shown[-1], ROWS) == 1200 + 301 + 302 + 303
    assert {total(scraped(each)[0], ROWS) for each in (other, ours)} == {2206}
    assert "mlmon_state_writable 1\n" in scraped(ours)[1]
    for earlier, later in pairwise(shown):
        assert all(later[series] >= value for series, value in earlier.items())
    assert "is written again" in caplog.text
    for each in (ours, other):
        each.close()


def test_the_log_says_when_an_outage_begins_changes_and_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outage = Outage("state_dir state", Health())
    for reason in ("full", "full", "read_only", "read_only"):
        outage.fail("flush", StoreError("no", reason), time.time())
    outage.fail("load", StoreError("no", "locked"), time.time())
    outage.end("flush")
    assert outage.trouble is not None
    assert outage.trouble.reason == "locked"
    outage.end("load")
    outage.end("load")
    said = [record.message for record in caplog.records]
    assert ["its disk is full" in line for line in said] == [True, False, False]
    assert ["it is read-only" in line for line in said] == [False, True, False]
    assert said[2] == "mlmon: state_dir state is written again"


def test_a_damaged_file_that_is_set_aside_is_counted_and_no_outage() -> None:
    health = Health()
    outage = Outage("state_dir state", health)
    outage.lost(LostError("damaged", "damaged"))
    assert not outage
    cells = health.counters["mlmon_state_write_failures_total"].cells
    assert {reason: count for (reason,), count in cells.items() if count} == {"damaged": 1}
