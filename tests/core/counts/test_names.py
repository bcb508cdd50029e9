from __future__ import annotations

from mlmon_exporter.core.counts.names import BoundedNames
from mlmon_exporter.core.labels import OTHER


def test_names_over_the_cap_are_other_and_told_each_time() -> None:
    overflows: list[int] = []
    names = BoundedNames(2, lambda: overflows.append(1))
    assert [names.admit(name) for name in "abcab"] == ["a", "b", OTHER, "a", "b"]
    assert names.admit(OTHER) == OTHER
    assert len(overflows) == 1


def test_a_label_can_be_asked_for_without_admitting_the_name() -> None:
    names = BoundedNames(1, lambda: None)
    assert [names.label("a"), names.label("b")] == ["a", "b"]
    names.admit("a")
    assert [names.label("a"), names.label("b")] == ["a", OTHER]


def test_stored_names_are_known_whatever_the_cap() -> None:
    names = BoundedNames(1, lambda: None)
    names.add("abc")
    assert [names.admit(name) for name in "abcd"] == ["a", "b", "c", OTHER]


def test_a_name_that_cannot_be_encoded_is_cleaned() -> None:
    assert BoundedNames(1, lambda: None).admit("a\ud800").encode() == "a\ufffd\ufffd\ufffd".encode()
