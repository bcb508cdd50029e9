"""The records' rules: one table for reading and for the OpenAPI description."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from pydantic import BaseModel

from mlmon_exporter.endpoints.records import (
    GroundTruthRecord,
    KpiRecord,
    Read,
    ground_truths_in,
    kpi_events_in,
)

RULES: dict[type[BaseModel], Callable[[list[Any]], Read]] = {
    GroundTruthRecord: ground_truths_in,
    KpiRecord: partial(kpi_events_in, models=["m"]),
}


@pytest.mark.parametrize(
    ("value", "got"),
    [(None, "nothing"), ([1], "a list"), ({"a": 1}, "an object"), (float("nan"), "another number"),
     ("secret" * 99, "another text")],
)  # fmt: skip
def test_a_fault_says_what_is_expected_and_never_the_value(value: Any, got: str) -> None:
    [(_, reason)] = ground_truths_in([{"prediction_id": "a", "ground_truth": value}]).errors
    expected = GroundTruthRecord.model_fields["ground_truth"].description
    assert reason == f"ground_truth: expected {expected}, got {got}"


@pytest.mark.parametrize("record", [None, True, 7, 1.5, "text", [], b""])
def test_what_is_no_object_is_named(record: Any) -> None:
    for read in RULES.values():
        [(_, reason)] = read([record]).errors
        assert re.fullmatch("expected an object, got [a-z ]+", reason)


@pytest.mark.parametrize("model", RULES)
def test_each_field_is_described_to_programs_as_to_people(model: Any) -> None:
    described = model.model_json_schema()["properties"]
    assert {name: form["description"] for name, form in described.items()} == {
        name: field.description for name, field in model.model_fields.items()
    }


def test_an_unknown_model_is_told_the_known_ones() -> None:
    read = kpi_events_in([{"kpi": "sale", "model": "typo"}], ["a", "b"])
    assert read.errors == [(0, "model: expected a or b, or none")]
