"""Facts about which versions are alive."""

from __future__ import annotations

from typing import Any

import pytest

from mlmon_exporter.core.counts.version_uses import IDLE_SECONDS, Use, VersionUses

NOW = 1.75e9


def uses_of(**last: float) -> VersionUses:
    """Version of model m -> when it was last used."""
    return VersionUses({("m", version): Use(0.0, seconds) for version, seconds in last.items()})


def test_a_version_has_a_slot_while_there_is_one_and_other_takes_none() -> None:
    uses = VersionUses()
    assert [uses.admit(("m", v), 2, NOW) for v in "abc"] == [True, True, False]
    assert uses.of("m") == {"a": NOW, "b": NOW, "other": NOW}
    assert uses.admit(("m", "other"), 2, NOW)
    assert uses.admit(("m", "a"), 2, NOW + 5)
    assert uses.admit(("n", "a"), 2, NOW)
    assert uses.uses["m", "a"] == Use(NOW, NOW + 5)


def test_what_is_not_used_for_long_is_dropped() -> None:
    uses = uses_of(old=NOW - 101, edge=NOW - 100, new=NOW)
    assert uses.expire(NOW, 100.0) == {("m", "old")}
    assert uses.of("m").keys() == {"edge", "new"}
    assert uses.expire(NOW, 100.0) == set()


def test_a_time_to_come_counts_as_now() -> None:
    uses = uses_of(ahead=NOW + 1e9)
    assert uses.expire(NOW, 100.0) == set()
    assert uses.expire(NOW + 101, 100.0) == {("m", "ahead")}


def test_of_too_many_those_unused_for_longest_give_way_unless_used_of_late() -> None:
    idle = NOW - IDLE_SECONDS
    last = {"a": idle - 3, "b": idle - 1, "c": idle - 2, "d": idle, "e": NOW, "other": 0.0}
    assert uses_of(**last).give_way("m", 5, NOW) == set()
    assert uses_of(**last).give_way("m", 3, NOW) == {("m", "a"), ("m", "c")}
    uses = uses_of(**last)
    assert uses.give_way("m", 1, NOW) == {("m", "a"), ("m", "b"), ("m", "c")}
    assert uses.of("m").keys() == {"d", "e", "other"}
    assert uses.give_way("n", 0, NOW) == set()


def test_what_was_dropped_is_known_by_when_it_came_back() -> None:
    before = VersionUses({("m", v): Use(1.0, 2.0) for v in "abc"})
    after = VersionUses(
        {("m", "a"): Use(1.0, 9.0), ("m", "b"): Use(8.0, 9.0), ("m", "d"): Use(9.0, 9.0)}
    )
    assert before.gone(after) == {("m", "b"), ("m", "c")}


@pytest.mark.parametrize("how", ["merge", "merge_max"])
def test_of_two_files_the_later_times_count(how: str) -> None:
    ours = VersionUses({("m", "a"): Use(1.0, 5.0), ("m", "b"): Use(1.0, 1.0)})
    theirs = VersionUses({("m", "a"): Use(2.0, 3.0), ("m", "c"): Use(4.0, 4.0)})
    getattr(ours, how)(theirs)
    assert ours.uses == {
        ("m", "a"): Use(2.0, 5.0),
        ("m", "b"): Use(1.0, 1.0),
        ("m", "c"): Use(4.0, 4.0),
    }


def test_the_form_on_disk_is_read_back_the_same() -> None:
    uses = VersionUses({("m", "a"): Use(1.0, 5.0), ("n", ""): Use(1.5, 1.5)})
    assert VersionUses().loaded(uses.to_form()).uses == uses.uses


@pytest.mark.parametrize(
    "form",
    [{}, None, "x", [1], [[]], [["m", "a", 1]], [["m", 1, 2, 3]], [["m", "a", 1, float("inf")]]],
)
def test_a_damaged_form_is_refused(form: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        VersionUses().loaded(form)
