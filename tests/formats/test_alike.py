"""Facts about the form of plain exchanges; tests/intake/test_consumer_alike.py has the law."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from mlmon_exporter.formats import BodyMap, parse
from mlmon_exporter.formats.alike import Form, loads_many

from .bodies import exchange

ROW = {"a": 1, "b": "x"}
ANSWER = {"predictions": [0.5]}
NAMES = BodyMap(feature_names=("a", "b"), output_names=("p",))


def form_of(asked: Any, told: Any = ANSWER, body_map: BodyMap = NAMES, **more: Any) -> Form | None:
    made = exchange(json.dumps(asked).encode(), json.dumps(told).encode(), **more)
    return Form.of(made, parse(made, body_map), body_map)


@pytest.mark.parametrize(
    ("asked", "same", "features"),
    [
        (ROW, {"a": None, "b": 2}, {"a": None, "b": 2}),
        ({"instances": [ROW]}, {"instances": [{"a": 3, "b": ""}]}, {"a": 3, "b": ""}),
        ({"instances": [[1, "x"]]}, {"instances": [[2, "y"]]}, {"a": 2, "b": "y"}),
        ({"rows": [ROW]}, {"rows": [{"a": 3, "b": True}]}, {"a": 3, "b": True}),
    ],
)
def test_values_are_found_where_those_of_the_first_were(
    asked: Any, same: Any, features: Any
) -> None:
    form = form_of(asked)
    assert form is not None
    assert form.features([same, asked]) == [*features.values(), 1, "x"]
    others: Sequence[Any] = ([], {"a": 1}, {"instances": [ROW, ROW]}, {"rows": [[1]]})
    for other in (*others, {**same, "more": 1}):
        assert form.features([asked, other]) is None


@pytest.mark.parametrize(
    ("told", "same", "predictions"),
    [
        (ANSWER, {"predictions": [0.25]}, {"p": 0.25}),
        ({"id": 1, "prediction": 2}, {"id": 7, "prediction": [8]}, {"p": 8}),
        (
            {"label": "x", "score": 0.1},
            {"label": None, "score": 0.2},
            {"label": None, "score": 0.2},
        ),
    ],
)
def test_outputs_keep_their_names(told: Any, same: Any, predictions: Any) -> None:
    form = form_of(ROW, told)
    assert form is not None
    assert form.answers([same, same]) == [*predictions.values()] * 2
    assert form.output_names == [*predictions]
    nested: Sequence[Any] = ([1, 2], {})
    for other in (0.25, {**same, "more": 1}, *(dict.fromkeys(same, value) for value in nested)):
        assert form.answers([same, other]) is None


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({**ROW, "prompt": 1}, ANSWER),
        ({**ROW, "data": 1}, ANSWER),
        ({**ROW, "b": [1, 2]}, ANSWER),
        ({"instances": [ROW, ROW]}, {"predictions": [1, 2]}),
        (ROW, {"prediction": 1, "model_version": "3"}),
        (ROW, 0.5),
        (ROW, {}),
    ],
)
def test_an_exchange_whose_values_decide_how_it_is_read_has_no_form(asked: Any, told: Any) -> None:
    assert form_of(asked, told) is None


def test_configured_places_and_other_formats_have_no_form() -> None:
    assert form_of({"x": {"y": [ROW]}}, body_map=BodyMap(features="x.y")) is None
    tensor = {"name": "a", "shape": [1], "datatype": "FP32", "data": [1]}
    assert form_of({"inputs": [tensor]}, {"outputs": [tensor]}, path="/v2/models/m/infer") is None


def test_bodies_are_parsed_together_as_one_by_one() -> None:
    bodies = [b'{"a": 1}', b" [2] ", b"null", b'"x"']
    assert loads_many(bodies) == [json.loads(body) for body in bodies]


@pytest.mark.parametrize(
    "bodies", [[b"1, 2"], [b"1, 2", b"[3", b"4]"], [b"1], [2"], [b'"a', b'b"'], [b"1", b""], [b"x"]]
)
def test_bodies_that_are_no_json_by_themselves_are_none_together(bodies: list[bytes]) -> None:
    with pytest.raises(json.JSONDecodeError):
        loads_many(bodies)
