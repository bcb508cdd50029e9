"""Facts about where in a response the predictions are found, and what they are called."""

from __future__ import annotations

from typing import Any

import pytest

from mlmon_exporter.formats import BodyMap, FormatError
from mlmon_exporter.formats.predictions import read

from .memory import at_most_traced

UNNAMED = BodyMap()
NAMED = BodyMap(output_names=("y",))
CLASSES = BodyMap(output_names=("cat", "dog"))


@pytest.mark.parametrize(
    "key", ["predictions", "prediction", "outputs", "output", "results", "result", "data"]
)
@pytest.mark.parametrize("value", [0.5, [0.5], [[0.5]]])
def test_one_unnamed_value_is_the_models_output(key: str, value: Any) -> None:
    assert read({key: value}, UNNAMED, 1) == ({"prediction": 0.5}, 1)
    assert read({key: value, "id": "a1"}, NAMED, 1) == ({"y": 0.5}, 1)


@pytest.mark.parametrize(
    ("key", "name"),
    [("score", "score"), ("scores", "score"), ("probabilities", "probability"), ("class", "class")],
)
def test_a_telling_key_keeps_its_name_in_the_singular(key: str, name: str) -> None:
    assert read({key: 0.5}, NAMED, 1) == ({name: 0.5}, 1)
    assert read({key: [0.5, 0.6]}, NAMED, 2) == ({name: [0.5, 0.6]}, 2)


@pytest.mark.parametrize(
    ("value", "rows", "expected"),
    [
        ([0.9, 0.1], 1, ({"cat": 0.9, "dog": 0.1}, 1)),
        ([[0.9, 0.1]], 1, ({"cat": 0.9, "dog": 0.1}, 1)),
        ([[0.9, 0.1], [0.2, 0.8]], 2, ({"cat": [0.9, 0.2], "dog": [0.1, 0.8]}, 2)),
        ([0.9, 0.1], 2, ({"cat": [0.9, 0.1]}, 2)),
        ([0.9, 0.1], None, ({"cat": [0.9, 0.1]}, 2)),
        ([0.9, 0.1, 0.0], 1, ({f"prediction[{i}]": p for i, p in enumerate([0.9, 0.1, 0])}, 1)),
    ],
)
def test_a_list_is_rows_or_one_row_by_the_rows_of_the_request(
    value: Any, rows: int | None, expected: Any
) -> None:
    assert read(value, CLASSES, rows) == expected
    assert read({"predictions": value}, CLASSES, rows) == expected


def test_only_the_models_outputs_are_read_where_it_has_them() -> None:
    body = {"dog": 0.1, "cat": 0.9, "score": 1.0, "prediction": 0}
    assert read(body, CLASSES, 1) == ({"cat": 0.9, "dog": 0.1}, 1)
    assert read([body, body], CLASSES, 2) == ({"cat": [0.9, 0.9], "dog": [0.1, 0.1]}, 2)


def test_known_keys_are_all_that_is_read_of_an_object() -> None:
    body = {"prediction": 1, "probability": 0.8, "model": "m", "elapsed_ms": 3.0}
    assert read(body, UNNAMED, 1) == ({"prediction": 1, "probability": 0.8}, 1)
    assert read([body], NAMED, 1) == ({"y": 1, "probability": 0.8}, 1)


def test_of_two_keys_with_one_name_the_first_is_read() -> None:
    body = {"prediction": 1, "result": "churn", "scores": [0.8], "score": 0.1}
    assert read(body, UNNAMED, 1) == ({"prediction": 1, "score": 0.8}, 1)
    assert read([body, body], UNNAMED, 2)[0]["prediction"] == [1, 1]


@pytest.mark.timeout(120)  # quadratic time would be minutes
def test_a_response_of_many_keys_is_refused_in_linear_time() -> None:
    with pytest.raises(FormatError) as raised:
        read({f"k{i}": i for i in range(200_000)}, UNNAMED, 1)
    assert raised.value.reason == "too_many_features"


def test_without_known_keys_all_but_metadata_is_read() -> None:
    body = {"price": 12.5, "currency": "EUR", "id": "a1", "model_version": "3"}
    assert read(body, UNNAMED, 1) == ({"price": 12.5, "currency": "EUR"}, 1)


def test_a_dict_of_columns_is_a_table() -> None:
    assert read({"low": [1, 2], "high": [3, 4]}, UNNAMED, 2) == ({"low": [1, 2], "high": [3, 4]}, 2)


def test_an_output_with_other_rows_is_left_out() -> None:
    body = {"predictions": [1, 2], "score": 0.9, "label": [], "scores": [0.8, 0.7]}
    assert read(body, UNNAMED, 2) == ({"prediction": [1, 2], "score": [0.8, 0.7]}, 2)


@pytest.mark.parametrize("value", [[], {}, {"predictions": []}, {"id": "a1"}, {"error": "no"}])
def test_a_response_without_predictions_raises(value: Any) -> None:
    with pytest.raises(FormatError) as raised:
        read(value, UNNAMED, 1)
    assert raised.value.reason in {"no_predictions", "no_rows"}


def test_rows_that_are_a_mixture_are_ragged() -> None:
    with pytest.raises(FormatError) as raised:
        read([{"score": 1}, 2], UNNAMED, 2)
    assert raised.value.reason == "ragged_rows"


def test_candidates_of_a_row_are_numbered() -> None:
    value = [[{"label": "POSITIVE", "score": 0.99}, {"label": "NEGATIVE", "score": 0.01}]]
    assert read(value, UNNAMED, 1) == (
        {
            "prediction[0].label": "POSITIVE",
            "prediction[0].score": 0.99,
            "prediction[1].label": "NEGATIVE",
            "prediction[1].score": 0.01,
        },
        1,
    )


def test_rows_without_names_in_common_make_no_large_table_on_the_way() -> None:
    answer = [{f"k{i % 1500}": 1} for i in range(9000)]
    with at_most_traced(10_000_000), pytest.raises(FormatError) as raised:
        read(answer, UNNAMED, 9000)
    assert raised.value.reason == "too_many_values"


def test_rows_of_objects_have_the_limit_of_all_rows() -> None:
    with pytest.raises(FormatError) as raised:
        read([{"score": 1}] * 4, BodyMap(max_rows=3), None)
    assert raised.value.reason == "too_many_rows"


@pytest.mark.parametrize("key", ["data", "result", "predictions"])
def test_objects_within_objects_are_not_followed_without_end(key: str) -> None:
    answer: Any = {"score": 1}
    for _ in range(1000):  # orjson reads 1024 levels
        answer = {key: answer}
    assert read(answer, UNNAMED, 1)[1] == 1


def test_azures_results_are_the_predictions() -> None:
    assert read({"Results": [0.5, 1.5]}, BodyMap(), 2) == ({"prediction": [0.5, 1.5]}, 2)
    scored = {"Results": {"WebServiceOutput0": [{"Scored Labels": "yes"}]}}
    assert read(scored, BodyMap(), 1) == ({"Scored Labels": "yes"}, 1)
