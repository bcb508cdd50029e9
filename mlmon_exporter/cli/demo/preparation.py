"""Prepares the demo: trains models, builds references, writes the configuration."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from rich.console import Console

from mlmon_exporter import Monitor
from mlmon_exporter.reference.reference import Reference

from .datasets import BIKE_CATEGORICAL, Labelled, Row, Splits, bike_splits, income_splits
from .server import create_app
from .traffic import Latencies
from .verdict import BIKE, INCOME

OUTCOME, SENT = "outcome", "sent"
WINDOW = "60s"
ROWS_PER_WINDOW = 150
CHAMPION, CHALLENGER = "1", "2"
"""Versions of the model of incomes: the second was trained on every `FEWER`th row."""
FEWER = 3
CONFIG = """\
windows = ["{window}"]
pending_age = "60s"
page_path = "/mlmon"
token = "{token}"

[[models]]
name = "bike-demand"
reference = "bike-demand.reference.json"
routes = ["/bike/predict", "/bike/stream"]
features = "instances"
predictions = "predictions"

[[models]]
name = "income"
version = "{champion}"
reference = "income.reference.json"
segments = ["sex"]
routes = ["/income/predict"]
features = "instances"
predictions = "predictions"
"""


def prepare(
    console: Console, folder: Path, added: Latencies, token: str
) -> tuple[Splits, Splits, FastAPI, Monitor]:
    """Train the models, write references and configuration to a folder, and make the app.

    Returns:
        The data of both models, the app and its monitor.
    """
    with step(console, "Reading two real data sets"):
        bike, income = bike_splits(), income_splits()
    with step(console, f"Training on {len(bike.training.rows)} hours of bicycle rentals, winter"):
        from .models import BikeModel, IncomeModel

        bike_model = BikeModel(bike.training)
    with step(console, f"Training on {len(income.training.rows)} incomes"):
        income_model = IncomeModel(income.training)
        fewer = Labelled(*(part[::FEWER] for part in income.training))
        versions = {CHAMPION: income_model, CHALLENGER: IncomeModel(fewer)}
    with step(console, "Building references from rows that the models have not seen"):
        rentals = {"rentals": bike_model.predict(bike.reference.rows)}
        _save_reference(folder, BIKE, bike.reference, rentals, categorical=BIKE_CATEGORICAL)
        outputs = _columns(income_model.predict(income.reference.rows))
        _save_reference(folder, INCOME, income.reference, outputs, segments=["sex"])
    config = folder / "mlmon.toml"
    text = CONFIG.format(token=token, window=WINDOW, champion=CHAMPION)
    config.write_text(text, encoding="utf-8")
    examples = bike.reference.rows[0], income.reference.rows[0]
    app, monitor = create_app(bike_model, versions, config, examples, added)
    return bike, income, app, monitor


def _save_reference(
    folder: Path,
    model: str,
    held_out: Labelled,
    outputs: dict[str, list[Any]],
    *,
    categorical: Sequence[str] = (),
    segments: Sequence[str] = (),
) -> None:
    data = _columns(held_out.rows) | outputs | {OUTCOME: [*held_out.outcomes]}
    reference = Reference.build(
        data | {SENT: _times(len(held_out.rows))},
        model=model,
        time_column=SENT,
        windows=[WINDOW],
        predictions=list(outputs),
        ground_truth=OUTCOME,
        categorical=categorical,
        segments=segments,
    )
    reference.save(folder / f"{model}.reference.json")


def _times(rows: int) -> list[float]:
    """Return when rows would be sent, Unix seconds: at random, as the traffic draws its own.

    So thresholds know that rows of the demo do not depend on each other in time.
    """
    seconds = 60.0 * max(1, rows // ROWS_PER_WINDOW)
    return [random.random() * seconds for _ in range(rows)]


def _columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


@contextmanager
def step(console: Console, title: str) -> Iterator[None]:
    """Show a step under way, and then its duration."""
    started = time.perf_counter()
    with console.status(f"{title} ..."):
        yield
    console.print(f"{title}: {time.perf_counter() - started:.1f} s", highlight=False)
