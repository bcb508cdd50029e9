"""Blocks of code in README and docs, and what they need to run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from mlmon_exporter import Monitor, Reference
from tests.cli.commands.test_captures import captured

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```|^#+ ([^\n]+)$", re.MULTILINE | re.DOTALL)
ROWS = 600
PREDICTION_ID = "41c8f2a4d39e0b17c6d25e08"
CONFIG = """\
windows = ["1h", "24h", "7d"]
state_dir = "state"
[[models]]
name = "bike-demand"
reference = "bike-demand.reference.json"
routes = ["/predict"]
task = "regression"
"""
BEGINS = {"backtest.md": "2012-05-31T12:00"}
"""Page -> when its log begins, if not when that of other pages does."""


class Block(NamedTuple):
    """A block of code, and the heading that it stands under."""

    page: str
    heading: str
    language: str
    text: str

    @property
    def name(self) -> str:
        first = self.text.strip().splitlines()[0]
        return f"{self.page}: {self.heading}: {first}"


def blocks() -> Iterator[Block]:
    """Give all blocks of all pages, in their order."""
    for page in PAGES:
        heading = ""
        for indent, language, text, title in FENCE.findall(page.read_text()):
            if title:
                heading = title
            else:
                plain = re.sub(rf"^{indent}", "", text, flags=re.MULTILINE)
                yield Block(page.name, heading, language, plain)


def prepare(folder: Path, page: str) -> None:
    """Write the files that the commands and the code of a page read."""
    rng = np.random.default_rng(7)
    begin = BEGINS.get(page, "2026-11-01")
    for name, at in (("train", "2011-01-01"), ("today", begin), ("log", begin)):
        parquet.write_table(pa.table(bikes(rng, at)), folder / f"{name}.parquet")
    parquet.write_table(pa.table(people(rng)), folder / "held-out.parquet")
    vectors = rng.normal(size=(2000, 8))
    parquet.write_table(pa.table({"embedding": [*vectors]}), folder / "requests.parquet")
    numbers = {f"emb_{i}": column for i, column in enumerate(vectors.T)}
    csv.write_csv(pa.table(numbers), folder / "requests.csv")
    seasons = bikes(rng, "2011-01-01")
    bike = Reference.build(
        {k: v for k, v in seasons.items() if k != "ts"},
        predictions="cnt_hat",
        ground_truth="cnt",
        categorical=["season", "weathersit"],
        model="bike-demand",
    )
    for name in ("bike-demand", "old"):
        bike.save(folder / f"{name}.reference.json")
    options: dict[str, Any] = {"predictions": ["p", "class"], "ground_truth": "income"}
    Reference.build(people(rng), **options, model="income").save(folder / "income.reference.json")
    small = Reference.build({"age": rng.normal(size=ROWS), "fare": rng.normal(size=ROWS)})
    for name in ("m", "iris", "fraud", "churn"):
        small.save(folder / f"{name}.reference.json")
    for name in ("part-1.json", "part-2.json"):
        small.save(folder / name)
    (folder / "mlmon.toml").write_text(CONFIG)
    (folder / "request.json").write_text('{"instances": [{"season": "1", "temp": 0.5}]}')
    (folder / "response.json").write_text('{"predictions": [41.5]}')
    (folder / "outcomes.csv").write_text("prediction_id,ground_truth\na,<=50K\nb,>50K\n")
    (folder / "shap.csv").write_text("temp,3.2\nhum,1.5\n")
    if page == "backtest.md":
        apart(folder, bikes(rng, begin))
    (folder / "s3-copy" / "AllTraffic").mkdir(parents=True)
    captured(str(folder / "s3-copy" / "AllTraffic" / "a.jsonl"), ROWS, 1_763_000_000.0)


def apart(folder: Path, rows: dict[str, Any]) -> None:
    """Write rows with ids, and their outcomes in a log of their own, an hour later."""
    ids = [f"id-{i}" for i in range(ROWS)]
    known = rows["ts"] + np.timedelta64(1, "h")
    outcomes = {"prediction_id": ids, "label": rows.pop("cnt"), "known_at": known}
    csv.write_csv(pa.table(outcomes), folder / "outcomes.csv")
    parquet.write_table(pa.table(rows | {"prediction_id": ids}), folder / "predictions.parquet")


def bikes(rng: np.random.Generator, begin: str) -> dict[str, Any]:
    """Return rentals of a day, every two minutes."""
    temp = rng.random(ROWS)
    times = np.datetime64(begin, "s") + np.timedelta64(120, "s") * np.arange(ROWS)
    return {
        "season": rng.choice(["1", "2", "3", "4"], ROWS),
        "weathersit": rng.choice(["1", "2", "3"], ROWS),
        "temp": temp,
        "hum": rng.random(ROWS),
        "ts": times,
        "cnt_hat": 200 * temp,
        "cnt": 200 * temp + rng.normal(0, 20, ROWS),
    }


def people(rng: np.random.Generator) -> dict[str, Any]:
    """Return incomes, their predictions, and what is known of the people."""
    p = rng.random(ROWS)
    return {
        "season": rng.choice(["1", "2"], ROWS),
        "temp": rng.random(ROWS),
        "sex": rng.choice(["f", "m"], ROWS),
        "age": rng.uniform(18, 80, ROWS),
        "p": p,
        "class": np.where(p > 0.5, ">50K", "<=50K"),
        "income": np.where(rng.random(ROWS) < p, ">50K", "<=50K"),
    }


def serve_rows(folder: Path) -> None:
    """Count rows in the state of the configuration, as a server does."""
    with Monitor(folder / "mlmon.toml") as monitor:
        rows = bikes(np.random.default_rng(8), "2026-11-01")
        predicted = {"cnt_hat": rows.pop("cnt_hat")}
        monitor.observe({k: v for k, v in rows.items() if k not in ("ts", "cnt")}, predicted)
