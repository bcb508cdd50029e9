"""Facts about the natural variation of all columns at once."""

from __future__ import annotations

import math

from mlmon_exporter.core.profile.column import Lengths
from mlmon_exporter.core.stats.scatter import Scatter
from mlmon_exporter.core.windows.natural import NaturalVariation

HOUR, DAY = 3600.0, 86400.0
BY_COLUMN: tuple[Lengths, ...] = (
    {HOUR: {"psi": Scatter(0.4, 9.0, 0.3)}, DAY: {"psi": Scatter(0.1, 9.0, 0.1)}},
    {},
)


def test_each_column_has_its_own_and_others_none() -> None:
    variance, degrees, strongest = NaturalVariation(BY_COLUMN).of("psi", 6 * HOUR)
    assert variance.tolist() == [0.4, 0.0]
    assert degrees.tolist() == [9.0, math.inf]
    assert strongest.tolist() == [0.3, 0.0]


def test_a_short_reference_varies_as_its_own_length_does() -> None:
    variance, _, strongest = NaturalVariation(BY_COLUMN, 2 * HOUR).of("psi", DAY)
    assert variance.tolist() == [0.5, 0.0]
    assert strongest.tolist() == [0.4, 0.0]


def test_no_columns_have_none() -> None:
    assert [each.tolist() for each in NaturalVariation(()).of("psi", HOUR)] == [[], [], []]
