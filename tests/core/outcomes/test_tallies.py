"""Facts about tallies of outcomes: they add up over panes and workers."""

from __future__ import annotations

import numpy as np
import pytest

from mlmon_exporter.core.outcomes import tally_bytes
from mlmon_exporter.core.outcomes.tallies import SegmentTally
from mlmon_exporter.core.stats.roc import RocCurve
from tests.core.outcome_rows import NOW, SETTINGS, overall, told
from tests.core.outcomes.people import (
    assert_equal,
    binary_oracle,
    feed,
    people,
    people_model,
)


def test_outcomes_add_up_over_panes_workers_and_any_order() -> None:
    workers = [people_model() for _ in range(3)]
    rng, rows = np.random.default_rng(3), people(6000, 3)
    for i, chosen in enumerate(np.array_split(rng.permutation(6000), 60)):
        own = {name: values[chosen] for name, values in rows.items()}
        feed(workers[i % 3], own, at=NOW - float(rng.integers(0, 3000)))
    for worker in workers[1:]:
        workers[0].versions.restore(worker.versions.take())
    assert_equal(overall(told(workers[0])), binary_oracle(rows))
    assert_equal(overall(told(workers[0], window="24h")), binary_oracle(rows))


def test_what_all_processes_have_is_shown_from_bytes() -> None:
    counting, showing = people_model(), people_model(SETTINGS._replace(is_shared=True))
    rows = people(1000, 4)
    feed(counting, rows)
    for key, tally in counting.versions.take().items():
        showing.versions.load(key, tally_bytes.to_bytes(tally))
    assert_equal(overall(told(showing)), binary_oracle(rows))
    assert told(showing)["concept_drifted", "v1"] == 0.0


def _forged(tally: SegmentTally, damage: str) -> bytes:
    if damage == "negative":
        tally.sums[0, 0] = -1.0
    elif damage == "a part of a row":
        tally.sums[-1] += 0.25
    elif damage == "over its rows":
        tally.sums[0] = tally.rows + 1
    elif damage == "too many rows":
        tally.rows = 2**60
    elif damage == "other curve":
        tally.curves[9999, 0] = next(iter(tally.curves.values()))
    else:
        where, curve = next(iter(tally.curves.items()))
        tally.curves[where] = RocCurve(curve.points * [1.0, -1.0, 1.0])
    return tally_bytes.to_bytes(tally)


@pytest.mark.parametrize(
    "damage",
    ["negative", "a part of a row", "over its rows", "too many rows", "other curve", "curve"],
)
def test_counts_that_cannot_be_are_refused_before_they_are_shown(damage: str) -> None:
    counting, showing = people_model(), people_model(SETTINGS._replace(is_shared=True))
    feed(counting, people(1000, 4))
    key, tally = next(
        (key, part)
        for key, part in counting.versions.take().items()
        if isinstance(part, SegmentTally) and part.curves
    )
    with pytest.raises(ValueError, match="tally: expected"):
        showing.versions.load(key, _forged(tally, damage))
