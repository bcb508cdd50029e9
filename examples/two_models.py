"""Two models in one FastAPI app, their bodies described by pydantic.

    REFERENCES=/models uvicorn two_models:app

Each model has its routes and its reference; the page is at /mlmon, metrics are at /metrics.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from fastapi import FastAPI
from pydantic import BaseModel, Field

from mlmon_exporter import instrument

app = FastAPI()


class Ride(BaseModel):
    """Weather and hour for which bikes are asked."""

    hour: Annotated[int, Field(ge=0, lt=24)]
    temperature: float
    season: Literal["winter", "spring", "summer", "autumn"]


class Applicant(BaseModel):
    """Somebody who asks for credit."""

    income: Annotated[float, Field(ge=0)]
    years_employed: float | None = None


class Decision(BaseModel):
    """Probability of default, and what follows."""

    probability: float
    decision: Literal["grant", "refuse"]


@app.post("/bikes")
def bikes(rides: list[Ride]) -> list[float]:
    """Answer the bikes needed for each ride of a list: one row each."""
    return [20.0 + 3 * ride.temperature + ride.hour for ride in rides]


@app.post("/credit")
def credit(applicant: Applicant) -> Decision:
    """Answer for one applicant; nobody employed is a missing value."""
    risk = 0.9 - min(applicant.income / 100_000, 0.8)
    return Decision(probability=risk, decision="refuse" if risk > 0.5 else "grant")


for name in ("bikes", "credit"):
    reference = Path(os.environ["REFERENCES"]) / f"{name}.reference.json"
    instrument(app, model=name, routes=[f"/{name}"], reference=reference, page_path="/mlmon")
