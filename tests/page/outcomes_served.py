"""A host's state with outcomes, for the page: a classification in two versions, a regression."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mlmon_exporter import Monitor, Reference
from mlmon_exporter.core.outcomes.pending import GroundTruth

from .served import HOSTILE, LONG, NOW, PANE, Rows

CREDIT, RENTALS = "credit", "rentals"


def credit_rows(count: int, seed: int, *, drifted: bool = False) -> Rows:
    """Return people and whether they paid; drifted, what region means is turned round."""
    rng = np.random.default_rng(seed)
    region = rng.choice(["north", HOSTILE, LONG], count, p=[0.6, 0.3, 0.1])
    age = rng.integers(18, 80, count).astype(float)
    chance = 1 / (1 + np.exp(-(age - 50) / 12 - np.where(region == "north", 0.8, -0.8)))
    real = np.where((region == HOSTILE) & drifted, 1 - chance, chance)
    paid = np.where(rng.random(count) < real, "yes", "no")
    said = np.where(chance >= 0.5, "yes", "no")
    return {"age": age, "region": region, "p": chance.round(4), "said": said, "paid": paid}


def rental_rows(count: int, seed: int) -> Rows:
    """Return hours, the rentals that were predicted, and those that were."""
    rng = np.random.default_rng(seed)
    hour = rng.integers(0, 24, count).astype(float)
    predicted = 100 + 60 * np.sin(hour / 4)
    return {"hour": hour, "rentals": predicted, "cnt": predicted + rng.normal(0, 12, count)}


def options(folder: Path, **more: Any) -> dict[str, Any]:
    """Build the references in a folder; return a monitor's options."""
    segments = ("region", {"feature": "age", "edges": [30.0, 60.0]})
    Reference.build(
        credit_rows(6000, 1),
        model=CREDIT,
        predictions=["p", "said"],
        ground_truth="paid",
        segments=("region", ("age", (30.0, 60.0))),
    ).save(folder / "credit.json")
    Reference.build(
        rental_rows(4000, 2), model=RENTALS, predictions="rentals", ground_truth="cnt"
    ).save(folder / "rentals.json")
    credit = {
        "name": CREDIT,
        "version": "1",
        "reference": str(folder / "credit.json"),
        "routes": (f"/{CREDIT}",),
        "segments": segments,
    }
    rentals = {
        "name": RENTALS,
        "reference": str(folder / "rentals.json"),
        "routes": (f"/{RENTALS}",),
    }
    return {"models": [credit, rentals], **more}


def fill_outcomes(monitor: Monitor, *, now: float = NOW, drifted: bool = True) -> None:
    """Give both models a day of predictions, and most of what came true of them."""
    for pane in range(12):
        at = now - (11 - pane) * PANE
        bad = drifted and pane >= 8
        _tell(monitor, CREDIT, credit_rows(500, pane, drifted=bad), ("p", "said", "paid"), "1", at)
        _tell(monitor, RENTALS, rental_rows(200, pane), ("rentals", "cnt"), "", at)
    rows = credit_rows(400, 99)
    _tell(monitor, CREDIT, rows, ("p", "said", "paid"), "2", now)
    monitor._desk.ground_truths([GroundTruth("nobody", "yes")], now)
    for i in range(30):
        monitor.observe_kpi("revenue", 10.5 + i, f"credit-1-{now}-{i}", now=now)
    monitor.observe_kpi("calls", 2.0, now=now)


def _tell(
    monitor: Monitor, model: str, rows: Rows, outputs: tuple[str, ...], version: str, at: float
) -> None:
    *names, truth = outputs
    ids = [f"{model}-{version}-{at}-{i}" for i in range(len(rows[truth]))]
    features = {name: values for name, values in rows.items() if name not in outputs}
    predictions = {name: rows[name] for name in names}
    monitor.observe(
        features, predictions, model=model, version=version or None, prediction_ids=ids, now=at
    )
    truths = rows[truth].tolist()
    known = [GroundTruth(i, t) for i, t in zip(ids, truths, strict=True)][: len(ids) * 7 // 10]
    monitor._desk.ground_truths(known, at)
