"""`make bench ARGS="p99 overload"` in short: what is sent is answered, and all of it counted."""

from __future__ import annotations

import math

import pytest

from . import overload
from .latency import BARE, FIRST, PATHS, compare
from .peers import OURS


@pytest.mark.parametrize("path", PATHS)
def test_all_servers_answer_at_the_same_rate(path: str) -> None:
    # The peer is not installed with the tests.
    rate, found = compare(path, 1, 1, exporters=(BARE, OURS), rounds=1, seconds=0.5)
    assert rate > FIRST / 60
    assert tuple(found) == (BARE, OURS)
    for measured in found.values():
        assert 0 < measured.half_ms <= measured.most_ms
        assert math.isclose(measured.ratios[0], measured.most_ms / found[BARE].most_ms)


def test_of_too_many_requests_each_is_taken_in_or_counted_as_dropped() -> None:
    found = overload.run(seconds=1.0)
    assert found.dropped > 0
    # Of those that wait, too, fewer are read once the queue was full.
    assert found.taken_in > 0
    assert found.taken_in + found.dropped == found.sent
    assert found.other_losses == 0
