from __future__ import annotations

import math

from mlmon_exporter.core.counts.exemplars import Exemplars
from mlmon_exporter.core.records import Exemplar

LABELS = ("m", "1", "/p")


def mark(value: float, at: float) -> Exemplar:
    return Exemplar("t", "s", value, at)


def test_the_newest_of_each_bucket_is_shown_unless_it_is_old() -> None:
    table = Exemplars(("model", "version", "route"), (1.0, 2.0))
    for value, at in ((0.5, 1.0), (0.7, 5.0), (2.0, 2.0), (9.0, 9.0)):
        table.mark(LABELS, mark(value, at))
    assert table.cells[LABELS] == {0: mark(0.7, 5.0), 1: mark(2.0, 2.0), 2: mark(9.0, 9.0)}
    shown = table.since([LABELS, ("m", "2", "/p")], oldest=5.0)
    assert shown == [{0: mark(0.7, 5.0), 2: mark(9.0, 9.0)}, None]


def test_an_unknown_value_has_no_exemplar() -> None:
    table = Exemplars(("model", "version", "route"), (1.0,))
    for value in (math.nan, -1.0):
        table.mark(LABELS, mark(value, 1.0))
    assert not table.cells
