"""Facts about the values that cross rooms."""

from __future__ import annotations

import numpy as np

from mlmon_exporter.core.records import Deferred, Floats


def test_deferred_numbers_are_computed_once_and_only_when_read() -> None:
    computed: list[Floats] = []

    def compute() -> Floats:
        computed.append(np.array([1.0, 2.5]))
        return computed[-1]

    numbers = Deferred(2, compute)
    assert (len(numbers), len(computed)) == (2, 0)
    assert [*numbers] == [1.0, 2.5]
    assert (numbers[1], numbers[:1], len(computed)) == (2.5, [1.0], 1)
