"""A short attack on the labels of a real server; `make soak ARGS=attack` makes a long one."""

from __future__ import annotations

from tests.soak.attack import CAPPED, attack

MIB = 2**20
REQUESTS = 2400


def test_new_names_in_each_request_add_neither_series_nor_memory_for_ever() -> None:
    found = attack(REQUESTS)
    assert set(found.statuses) == {200}
    assert found.after.series <= found.halfway.series
    assert found.after.resident_bytes < found.halfway.resident_bytes + 16 * MIB
    assert found.after.pending <= 1000
    for label in CAPPED:
        assert found.after.overflows[label] > found.halfway.overflows[label] > 0, label
    # Who behaves is counted right in between.
    assert found.after.honest == found.honest
    assert found.after.honest_rows == found.honest
