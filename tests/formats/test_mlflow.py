"""Facts about MLflow's frames, beyond the real bodies."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlmon_exporter.formats import BodyMap, FormatError, parse

from .bodies import exchange


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ({"columns": ["a"]}, "no_rows"),
        ({"columns": ["a"], "data": []}, "no_rows"),
        ({"columns": ["a"], "data": [[1, 2]]}, "ragged_rows"),
        ([1], "no_rows"),
    ],
)
def test_a_frame_without_rows_says_why(frame: Any, reason: str) -> None:
    with pytest.raises(FormatError) as raised:
        parse(exchange(json.dumps({"dataframe_split": frame}).encode()), BodyMap())
    assert (raised.value.format, raised.value.reason) == ("mlflow", reason)


def test_a_frame_without_names_of_columns_has_the_models() -> None:
    frame = exchange(b'{"dataframe_split": {"data": [[1, 2]]}}')
    assert parse(frame, BodyMap(feature_names=("x", "y"))).batch.features == {"x": 1, "y": 2}
