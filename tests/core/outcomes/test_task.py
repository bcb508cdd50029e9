"""Facts about finding out which output is what."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlmon_exporter.core.outcomes.task import Task, choose_task
from mlmon_exporter.core.settings import Choice
from tests.core.build import references

RNG = np.random.default_rng(0)
P, Q = RNG.random(100), RNG.random(100)
WORDS = np.array(["a", "b"] * 50, dtype=object)
NUMBERS = RNG.normal(50, 10, 100)
BITS = np.array([0.0, 1.0] * 50)


def task_of(
    outputs: dict[str, Any],
    classes: tuple[str, ...] = (),
    kind: str = "classification",
    **said: str,
) -> Task | None:
    return choose_task(Choice(kind, **said), references(outputs), tuple(outputs), classes)


CASES: dict[str, tuple[Task | None, Task]] = {
    "a probability alone": (
        task_of({"p": P}),
        Task("classification", ("p",), ("0", "1"), 1, None, (0,)),
    ),
    "a probability and a class": (
        task_of({"class": WORDS, "p": P}, ("a", "b")),
        Task("classification", ("class", "p"), ("a", "b"), 1, 0, (1,)),
    ),
    "a class in numbers is no probability": (
        task_of({"class": BITS, "p": P}, ("0", "1")),
        Task("classification", ("class", "p"), ("0", "1"), 1, 0, (1,)),
    ),
    "a class alone says which classes there are": (
        task_of({"class": WORDS}),
        Task("classification", ("class",), ("a", "b"), 1, 0),
    ),
    "a probability for each of two classes is one": (
        task_of({"a": P, "b": 1 - P}, ("a", "b")),
        Task("classification", ("a", "b"), ("a", "b"), 1, None, (1,)),
    ),
    "the other class is positive": (
        task_of({"a": P, "b": 1 - P}, ("a", "b"), positive="a"),
        Task("classification", ("a", "b"), ("a", "b"), 0, None, (0,)),
    ),
    "three classes by name, in any order": (
        task_of({"c": P, "a": Q, "b": P}, ("a", "b", "c")),
        Task("classification", ("c", "a", "b"), ("a", "b", "c"), None, None, (1, 2, 0)),
    ),
    "three classes by place, and their class": (
        task_of({"x": P, "y": Q, "z": P, "class": WORDS}, ("a", "b", "c")),
        Task("classification", ("x", "y", "z", "class"), ("a", "b", "c"), None, 3, (0, 1, 2)),
    ),
    "two probabilities, one is named": (
        task_of({"p": P, "q": Q}, ("0", "1"), score="q"),
        Task("classification", ("p", "q"), ("0", "1"), 1, None, (1,)),
    ),
    "numbers": (task_of({"n": NUMBERS}, kind="regression"), Task("regression", ("n",), label=0)),
    "the second number": (
        task_of({"n": NUMBERS, "m": P}, kind="regression", label="m"),
        Task("regression", ("n", "m"), label=1),
    ),
    "a number beside a text": (
        task_of({"w": WORDS, "m": P}, kind="regression"),
        Task("regression", ("w", "m"), label=1),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_outputs_are_told_apart(case: str) -> None:
    found, expected = CASES[case]
    assert found == expected


def test_what_fits_no_task_is_none() -> None:
    assert task_of({"p": P}, kind="") is None
    assert task_of({"w": WORDS}, kind="regression") is None
    assert task_of({"n": NUMBERS, "m": NUMBERS}, ("a", "b")) is None
    assert choose_task(Choice("classification"), (), (), ()) is None


def test_outputs_and_classes_that_are_not_there_are_told() -> None:
    with pytest.raises(ValueError, match="label: expected one of the outputs p, got 'q'"):
        task_of({"p": P}, label="q")
    with pytest.raises(ValueError, match="positive: expected one of the classes 0, 1, got 'yes'"):
        task_of({"p": P}, positive="yes")
