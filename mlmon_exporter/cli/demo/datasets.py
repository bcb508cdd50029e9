"""The packaged data as rows, split into training, reference and traffic.

A row is a dictionary as in a request: feature -> value, None if missing. No row is in two splits.
"""

from __future__ import annotations

import csv
import gzip
import random
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

Row = dict[str, Any]

DATA = Path(__file__).parent / "data"
SEASONS = ("winter", "spring", "summer", "autumn")
"""The numbers 1 to 4 in the data."""
BIKE_FEATURES = tuple(
    "season mnth hr holiday weekday workingday weathersit temp atemp hum windspeed".split()
)
BIKE_CATEGORICAL = ("season", "mnth", "holiday", "weekday", "workingday", "weathersit")
INCOME_TEXTS = tuple(
    "workclass education marital_status occupation relationship race sex native_country".split()
)
INCOME_NUMBERS = ("age", "education_num", "capital_gain", "capital_loss", "hours_per_week")
ALL = "all"
"""The only period of incomes."""


class Labelled(NamedTuple):
    """Rows and the outcome of each."""

    rows: Sequence[Row]
    outcomes: Sequence[Any]


class Splits(NamedTuple):
    """The splits of a data set."""

    training: Labelled
    reference: Labelled
    traffic: dict[str, Labelled]
    """Period -> the rows sent in it."""


def bike_splits() -> Splits:
    """Return the hours of 2011 and 2012, days dealt to the splits in turn.

    Neighbouring days have similar weather, so the splits of one season are alike. Random days would
    not be: a season has only 180, and the hours of a day are alike.

    Training and reference hold winter only.
    """
    splits: list[dict[str, list[tuple[Row, float]]]] = [{s: [] for s in SEASONS} for _ in range(3)]
    for record in _records("bike_sharing_hour"):
        day = date.fromisoformat(record["dteday"]).toordinal()
        row = {name: float(record[name]) for name in BIKE_FEATURES}
        row |= {name: int(row[name]) for name in (*BIKE_CATEGORICAL, "hr")}
        season = SEASONS[int(record["season"]) - 1]
        splits[day % 3][season].append((row, float(record["cnt"])))
    training, reference, traffic = splits
    return Splits(
        _labelled(training["winter"]),
        _labelled(reference["winter"]),
        {season: _labelled(pairs) for season, pairs in traffic.items()},
    )


def income_splits() -> Splits:
    """Return people at random: half for training, a quarter each for reference and traffic."""
    pairs = [(_income_row(record), record["income"]) for record in _records("adult_census_income")]
    random.Random(1).shuffle(pairs)
    half, three_quarters = len(pairs) // 2, len(pairs) * 3 // 4
    return Splits(
        _labelled(pairs[:half]),
        _labelled(pairs[half:three_quarters]),
        {ALL: _labelled(pairs[three_quarters:])},
    )


def _income_row(record: dict[str, str]) -> Row:
    row: Row = {name: float(record[name]) for name in INCOME_NUMBERS}
    return row | {name: None if record[name] == "?" else record[name] for name in INCOME_TEXTS}


def _records(name: str) -> Iterator[dict[str, str]]:
    with gzip.open(DATA / f"{name}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _labelled(pairs: Sequence[tuple[Row, Any]]) -> Labelled:
    return Labelled([row for row, _ in pairs], [outcome for _, outcome in pairs])
