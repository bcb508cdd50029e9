"""Facts about readings that are looked up."""

from __future__ import annotations

import math

from mlmon_exporter.core.records import Histograms, Readings
from mlmon_exporter.page.numbers import Numbers

NUMBERS = Numbers(
    [
        Readings("psi", ("model", "feature"), (("a", "x"), ("a", "y")), [0.5, math.nan]),
        Readings("psi", ("model", "feature"), (("b", "x"),), [1]),
        Histograms("rows", ("model",), (("a",),), [(1.0,)], [[1, 2]], [3.0]),
    ]
)


def test_all_blocks_of_a_name_are_one_table_without_nan() -> None:
    assert NUMBERS.rows("psi") == {("a", "x"): 0.5, ("b", "x"): 1.0}


def test_what_is_absent_is_nan() -> None:
    assert NUMBERS.get("psi", "b", "x") == 1.0
    assert math.isnan(NUMBERS.get("psi", "a", "y"))
    assert math.isnan(NUMBERS.get("ks_statistic", "a", "x"))
    assert NUMBERS.rows("rows") == {}
