"""Facts about the form of plain exchanges; tests/intake/test_consumer_alike.py has the law."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from mlmon_exporter.formats import BodyMap, parse
from mlmon_exporter.formats.alike import Form

from .bodies import exchange

ROW = {"a": 1, "b": "x"}
ANSWER = {"predictions": [0.5]}
NAMES = BodyMap(feature_names=("a", "b"), output_names=("p",))


def form_of(asked: Any, told: Any = ANSWER, body_map: BodyMap = NAMES, **more: Any) -> Form | None:
    made = exchange(json.dumps(asked).encode(), json.dumps(told).encode(), **more)
    return Form.of(made, parse(made, body_map), body_map)


def read(form: Form | None, *exchanges: tuple[Any, Any]) -> tuple[int, list[Any], list[Any]]:
    assert form is not None
    sides = zip(*exchanges, strict=True)
    asked, told = ([json.dumps(value).encode() for value in side] for side in sides)
    return form.read(asked, told)


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
    form, known = form_of(asked), ([*features.values(), 1, "x"], [0.5, 0.5])
    assert read(form, (same, ANSWER), (asked, ANSWER)) == (2, *known)
    others: Sequence[Any] = ([], {"a": 1}, {"instances": [ROW, ROW]}, {"rows": [[1]]})
    for other in (*others, {**same, "more": 1}):
        found = read(form, (same, ANSWER), (asked, ANSWER), (other, ANSWER), (same, ANSWER))
        assert found == (2, *known)


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
    form, known = form_of(ROW, told), (2, [1, "x"] * 2, [*predictions.values()] * 2)
    assert read(form, (ROW, same), (ROW, same)) == known
    assert form is not None
    assert form.output_names == [*predictions]
    nested: Sequence[Any] = ([1, 2], {})
    for other in (0.25, {**same, "more": 1}, *(dict.fromkeys(same, value) for value in nested)):
        assert read(form, (ROW, same), (ROW, same), (ROW, other), (ROW, same)) == known


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


@pytest.mark.parametrize("row", [ROW, [1, "x"]])
@pytest.mark.parametrize("nested", [[1], {"c": 1}])
def test_rows_of_objects_and_lists_have_another_form(row: Any, nested: Any) -> None:
    other = [nested, "x"] if type(row) is list else {"a": nested, "b": "x"}
    form = form_of({"instances": [row]})
    assert read(form, ({"instances": [other]}, ANSWER)) == (0, [], [])


@pytest.mark.parametrize("names", [("a",), ("a", "b")])
def test_keys_may_come_in_another_order(names: tuple[str, ...]) -> None:
    form = form_of(dict.fromkeys(names, 1), body_map=BodyMap(names, ("p",)))
    row = {name: i for i, name in enumerate(names)}
    assert read(form, (dict(reversed(row.items())), ANSWER)) == (1, [*row.values()], [0.5])


@pytest.mark.parametrize("odd", [b"", b"1", b'{"a": 1', b'{"a": 1, "c": 2}', b'{"a": 1}, {"b": 2}'])
@pytest.mark.parametrize("is_answer", [False, True])
def test_exchanges_are_read_up_to_the_first_that_has_another_form(
    odd: bytes, is_answer: bool
) -> None:
    form = form_of(ROW)
    assert form is not None
    requests = [json.dumps({"a": i, "b": None}).encode() for i in range(4)]
    responses = [json.dumps({"predictions": [i / 2]}).encode() for i in range(4)]
    values = [0, None, 1, None, 2, None, 3, None]
    assert form.read(requests, responses) == (4, values, [0, 0.5, 1, 1.5])
    (responses if is_answer else requests)[2] = odd
    assert form.read(requests, responses) == (2, values[:4], [0, 0.5])
