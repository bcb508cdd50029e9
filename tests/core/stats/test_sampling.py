"""Facts about the share of requests that is read."""

from __future__ import annotations

import pytest

from mlmon_exporter.core.stats.sampling import may_be_read, place


@pytest.mark.parametrize("prefix", ["", "order-", "2026-11-30/"])
def test_ids_that_count_up_are_spread_evenly(prefix: str) -> None:
    places = sorted(place(f"{prefix}{i}") for i in range(4000))
    # Kolmogorov's distance to the uniform law, which chance exceeds once in 10 million times.
    assert max(abs(at - i / 4000) for i, at in enumerate(places)) < 2.9 / 4000**0.5


def test_an_id_has_the_same_place_in_each_process() -> None:
    assert place("a") == int("433911c6eb0d", 16) / 2**48  # as `b2sum --length 48` has it
    assert 0 <= place("\ud800") < 1


def test_rows_are_read_with_their_request() -> None:
    read, other = ("a", "b") if place("a") < place("b") else ("b", "a")
    ratio = (place("a") + place("b")) / 2
    assert may_be_read(read, ratio)
    assert may_be_read(f"{read}:7", ratio)
    assert not may_be_read(other, ratio)
    assert may_be_read(other, 1.0)
