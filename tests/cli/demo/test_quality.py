"""Facts about the quality of the demo's predictions."""

from __future__ import annotations

import math
import random
import re
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from mlmon_exporter import Monitor
from mlmon_exporter.cli.demo.display import quality_table
from mlmon_exporter.cli.demo.models import BikeModel, IncomeModel
from mlmon_exporter.cli.demo.quality import measures
from mlmon_exporter.cli.demo.verdict import BIKE, INCOME
from mlmon_exporter.core.outcomes.pending import GroundTruth
from tests.cli.demo.replayed import NOW, Prepared, quality


def worse(prepared: Prepared, model: str, stretch: str, rows: int) -> set[str]:
    """The qualities that are worse than chance explains, once all outcomes are known."""
    monitor = Monitor(prepared.folder / "mlmon.toml")
    parts = prepared.bike if model == BIKE else prepared.income
    chosen = random.Random(0).choices(range(len(parts.traffic[stretch].rows)), k=rows)
    sent = [parts.traffic[stretch].rows[i] for i in chosen]
    outputs: Any
    if model == BIKE:
        outputs = BikeModel(parts.training).predict(sent)
    else:
        answers = IncomeModel(parts.training).predict(sent)
        outputs = {name: [answer[name] for answer in answers] for name in answers[0]}
    columns = {name: [row[name] for row in sent] for name in sent[0]}
    ids = [str(i) for i in range(rows)]
    monitor.observe(columns, outputs, model=model, prediction_ids=ids, now=NOW)
    outcomes = [parts.traffic[stretch].outcomes[i] for i in chosen]
    truths = [GroundTruth(i, outcome) for i, outcome in zip(ids, outcomes, strict=True)]
    monitor._desk.ground_truths(truths, NOW)
    found = measures(monitor.readings(now=NOW))
    assert {m.rows for m in found if m.model == model} == {rows}
    return {measure.name for measure in found if measure.is_worse}


@pytest.mark.parametrize("rows", [150, 2000])
def test_predictions_are_as_good_as_in_the_reference_while_nothing_changes(
    prepared: Prepared, rows: int
) -> None:
    assert worse(prepared, BIKE, "winter", rows) == set()
    assert worse(prepared, INCOME, "all", rows) == set()


@pytest.mark.parametrize("season", ["summer", "autumn"])
def test_rentals_are_predicted_worse_in_a_season_that_the_model_never_saw(
    prepared: Prepared, season: str
) -> None:
    assert worse(prepared, BIKE, season, 500) == {"mae"}


def test_quality_that_is_not_known_yet_is_not_worse() -> None:
    console = Console(width=80, record=True, file=StringIO())
    measure = quality(INCOME, "accuracy", math.nan, threshold=math.nan)
    console.print(quality_table([measure], []))
    assert not measure.is_worse
    assert re.search(r"income: accuracy +- +43\.6 +- +4405", console.export_text())
