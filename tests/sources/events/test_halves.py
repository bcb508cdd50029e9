"""Each event is joined, waits, or is given up for one reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmon_exporter.sources.events import halves
from mlmon_exporter.sources.events.event import Address, Event
from mlmon_exporter.sources.events.halves import OVERHEAD, Bounds, Halves

BOUNDS = Bounds(events=100, bytes=10**6, seconds=60.0)


def half(key: int, is_request: bool, data: bytes = b"") -> Event:
    address = Address("n", "s", "", "", "")
    return Event(is_request, str(key), "pod", address, 0.0, {}, len(data), data)


def test_the_two_directions_are_joined_in_any_order() -> None:
    asked, told = half(1, True), half(1, False)
    for first, second in [(asked, told), (told, asked)]:
        waiting = Halves(BOUNDS)
        assert waiting.join(first, 0.0) is None
        assert waiting.join(second, 59.9) == (asked, told)
        assert len(waiting) == 0


def test_an_event_that_comes_again_is_a_duplicate_before_and_after_its_call_is_joined() -> None:
    waiting = Halves(BOUNDS)
    assert waiting.join(half(1, True), 0.0) is None
    assert waiting.join(half(1, True), 1.0) == "event_duplicate"
    assert waiting.join(half(1, False), 2.0) == (half(1, True), half(1, False))
    assert waiting.join(half(1, False), 3.0) == "event_duplicate"
    assert waiting.join(half(1, True), 4.0) == "event_duplicate"
    assert waiting.join(half(1, True), 60.0) == "event_duplicate"


def test_one_id_of_two_pods_is_two_calls() -> None:
    waiting = Halves(BOUNDS)
    waiting.join(half(1, True), 0.0)
    assert waiting.join(half(1, False)._replace(source="other"), 0.0) is None
    assert len(waiting) == 2


def test_what_waits_for_too_long_is_given_up() -> None:
    waiting = Halves(BOUNDS)
    waiting.join(half(1, True), 0.0)
    waiting.join(half(2, False), 10.0)
    assert [*waiting.lost(59.9)] == []
    assert [*waiting.lost(60.0)] == ["event_unanswered"]
    assert [*waiting.lost(70.0)] == ["event_unasked"]
    assert len(waiting) == 0


def test_the_oldest_are_given_up_where_there_are_too_many_or_too_many_bytes() -> None:
    waiting = Halves(BOUNDS)
    for key in range(101):
        waiting.join(half(key, True), 0.0)
    assert [*waiting.lost(0.0)] == ["events_full"]
    assert waiting.join(half(0, False), 0.0) is None
    assert isinstance(waiting.join(half(1, False), 0.0), tuple)
    waiting = Halves(BOUNDS._replace(bytes=2 * (OVERHEAD + 500)))
    for key in range(3):
        waiting.join(half(key, True, bytes(500)), 0.0)
    assert [*waiting.lost(0.0)] == ["events_full"]
    assert len(waiting) == 2


def test_at_the_end_all_that_wait_are_given_up() -> None:
    waiting = Halves(BOUNDS)
    waiting.join(half(1, True), 0.0)
    waiting.join(half(2, False), 0.0)
    assert [*waiting.all_lost()] == ["event_unanswered", "event_unasked"]
    assert [*waiting.lost(0.0)] == []


def test_of_joined_calls_a_bounded_number_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(halves, "REMEMBERED", 10)
    waiting = Halves(BOUNDS)
    for key in range(1000):
        waiting.join(half(key, True), 0.0)
        waiting.join(half(key, False), 0.0)
    assert sum(map(len, waiting._joined)) <= 20
    assert waiting.join(half(990, True), 0.0) == "event_duplicate"


events = st.lists(st.tuples(st.integers(0, 20), st.booleans(), st.floats(0, 30)), max_size=200)


@given(events, st.integers(1, 10))
def test_each_event_is_counted_once(coming: list[tuple[int, bool, float]], most: int) -> None:
    waiting = Halves(BOUNDS._replace(events=most))
    now, counted = 0.0, 0
    for number, (key, is_request, pause) in enumerate(coming, 1):
        now += pause
        found = waiting.join(half(key, is_request), now)
        counted += isinstance(found, str) + 2 * isinstance(found, tuple)
        counted += len([*waiting.lost(now)])
        assert len(waiting) <= most
        assert counted + len(waiting) == number
