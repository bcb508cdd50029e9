"""Facts about estimates of real data, in short: `make soak ARGS=estimates` prints all."""

from __future__ import annotations

import pytest

from .estimates import bikes, digits, gaps, ours

pytestmark = pytest.mark.slow


def test_the_error_of_a_regression_is_told_four_times_as_well_as_by_the_reference() -> None:
    found = ours(bikes(0))
    estimate, reference = gaps(found, "mae")
    assert 4 * estimate < reference
    estimate, reference = gaps(found, "rmse")
    assert 2 * estimate < reference


def test_the_accuracy_of_many_classes_is_told_far_better_than_by_the_reference() -> None:
    estimate, reference = gaps(ours(digits(1)), "accuracy")
    assert 2 * estimate < reference


def test_labels_alone_tell_something() -> None:
    estimate, reference = gaps(ours(digits(1), labels_alone=True), "accuracy")
    assert estimate < 0.8 * reference
