"""`make bench ARGS="p99 overload"` in short: what is sent is answered, and all of it counted."""

from __future__ import annotations

import math

import pytest

from . import overload
from .latency import FIRST, compare

pytestmark = pytest.mark.timeout(120)


def test_both_servers_answer_at_the_same_rate() -> None:
    found = compare(features=1, rows=1, pairs=1, seconds=0.5)
    assert found.rate > FIRST / 60
    assert all(0 < half <= most for half, most in (found.without_ms, found.with_ms))
    assert math.isclose(found.ratios[0], found.with_ms[1] / found.without_ms[1])


def test_of_too_many_requests_each_is_taken_in_or_counted_as_dropped() -> None:
    found = overload.run(seconds=1.0)
    assert found.dropped > 0
    assert found.taken_in >= overload.QUEUE
    assert found.taken_in + found.dropped == found.sent
    assert found.other_losses == 0
