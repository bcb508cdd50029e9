"""`make soak ARGS=endurance` in short: one round of load with faults, one kill."""

from __future__ import annotations

from itertools import chain

import pytest

from .endurance import EACH, Found, run


@pytest.fixture(scope="module")
def found() -> Found:
    return run(seconds=6.0)


def test_what_the_server_counts_is_what_the_clients_sent(found: Found) -> None:
    assert min(found.sent[name] for name in EACH) > 0
    assert found.wrong
    assert [*chain(*found.wrong)] == []


def test_a_killed_worker_takes_along_what_it_had_not_put_away_yet(found: Found) -> None:
    for lost, most in zip(found.lost, found.may_lose, strict=True):
        assert -found.sent["unsure"] <= lost <= most


def test_nothing_is_left_over_when_the_load_ends(found: Found) -> None:
    assert set(found.left.values()) == {0.0}
