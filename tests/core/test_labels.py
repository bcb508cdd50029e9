"""Facts about text that becomes a label value."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mlmon_exporter.core.labels import LABEL_LENGTH, clean_label, distinct_labels, short_label

ANY_TEXT = st.text(st.characters(codec=None))  # lone surrogates, too


@given(ANY_TEXT)
def test_a_clean_label_can_be_encoded_and_is_the_text_if_that_can(text: str) -> None:
    clean = clean_label(text)
    clean.encode("utf-8")
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert clean == text


def test_lone_surrogates_become_replacement_characters() -> None:
    assert set(clean_label("\ud800")) == {"\N{REPLACEMENT CHARACTER}"}
    assert clean_label("a\udc00b")[0] == "a"
    assert clean_label("a\udc00b")[-1] == "b"


def test_a_long_label_is_cut_and_says_so() -> None:
    assert short_label("x" * LABEL_LENGTH) == "x" * LABEL_LENGTH
    assert short_label("x" * (LABEL_LENGTH + 1)) == "x" * (LABEL_LENGTH - 1) + "…"


@given(st.lists(st.text("ab (2)…x", max_size=200)), st.sets(st.text("ab", max_size=2)))
def test_labels_are_short_and_all_different(names: list[str], reserved: set[str]) -> None:
    labels = distinct_labels(names, reserved)
    assert len(labels) == len(names)
    assert len(set(labels) | reserved) == len(labels) + len(reserved)
    assert all(len(label) <= LABEL_LENGTH for label in labels)


def test_names_that_differ_only_after_the_cut_stay_apart() -> None:
    names = ["x" * 200 + ending for ending in "abc"]
    labels = distinct_labels(names)
    assert labels[0].startswith("xxx")
    assert len(set(labels)) == 3


def test_a_reserved_label_is_numbered() -> None:
    assert distinct_labels(["missing", "a"], reserved=["missing"]) == ("missing (2)", "a")


def test_many_names_of_one_beginning_are_told_apart() -> None:
    assert len(set(distinct_labels(["x" * 200 + str(n) for n in range(2000)]))) == 2000


def test_a_numbered_label_leaves_out_names_that_are_there() -> None:
    assert distinct_labels(["a (2)", "a", "a", "a"]) == ("a (2)", "a", "a (3)", "a (4)")
