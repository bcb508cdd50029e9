"""A short attack on the labels of a real server; `make soak ARGS=attack` makes a long one."""

from __future__ import annotations

from tests.soak.attack import CAPPED, attack

MIB = 2**20
REQUESTS = 2400


def test_new_names_in_each_request_add_neither_series_nor_memory_for_ever() -> None:
    found = attack([REQUESTS // 2, REQUESTS])
    halfway, after = found.seen.values()
    assert set(found.statuses) == {200}
    assert after.series <= halfway.series
    assert after.resident_bytes < halfway.resident_bytes + 16 * MIB
    assert after.pending <= 1000
    for label in CAPPED:
        assert after.overflows[label] > halfway.overflows[label] > 0, label
    # Who behaves is counted right in between.
    assert after.honest == found.honest
    assert after.honest_rows == found.honest
