"""Facts about Seldon Core's V1 protocol, beyond the real bodies."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlmon_exporter.formats import BodyMap, FormatError, parse
from mlmon_exporter.formats.message import Message
from mlmon_exporter.formats.seldon import Feedback, feedback, model

from .bodies import exchange

PATH = "/seldon/models/iris/api/v1.0/predictions"
ANY = BodyMap()


def told(body: Any) -> Message:
    return Message("/api/v1.0/feedback", {}, [json.dumps(body).encode()], 10_000)


def test_feedback_holds_truth_reward_and_the_id_of_the_request() -> None:
    body = {
        "request": {"data": {"ndarray": [[1, 2]]}},
        "response": {"meta": {"puid": "p1"}, "data": {"ndarray": [[0.9]]}},
        "truth": {"data": {"names": ["y"], "ndarray": [[1.0]]}},
        "reward": 0.5,
    }
    assert feedback(told(body), ANY) == Feedback("p1", {"y": 1.0}, 1, 0.5)


def test_feedback_may_hold_only_a_reward() -> None:
    assert feedback(told({"reward": 1}), ANY) == Feedback(None, {}, 0, 1)
    assert feedback(told({"truth": {"meta": {"puid": "p"}}, "reward": True}), ANY) == Feedback(
        "p", {}, 0, None
    )


@pytest.mark.parametrize("body", [[], 1, {"truth": {"data": {"ndarray": []}}}])
def test_what_is_no_feedback_is_a_format_error(body: Any) -> None:
    with pytest.raises(FormatError):
        feedback(told(body), ANY)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (PATH, "iris"),
        ("/seldon/iris/api/v0.1/predictions", "iris"),
        ("/api/v1.0/predictions", None),
        ("/predict", None),
    ],
)
def test_the_path_names_the_deployment(path: str, name: str | None) -> None:
    assert model(Message(path, {}, [b""], 100)) == name


@pytest.mark.parametrize("path", ["/api/v1.0/feedback", "/send-feedback", "/api/v1.0/explanations"])
def test_feedback_and_explanations_are_no_predictions(path: str) -> None:
    with pytest.raises(FormatError) as raised:
        parse(exchange(b'{"data": {"ndarray": [[1]]}}', path=path), ANY, "seldon")
    assert raised.value.reason == "not_a_prediction"


@pytest.mark.parametrize("body", [{"binData": "AAAA"}, {"data": {"tftensor": {}}}])
def test_bytes_and_protocol_buffers_are_unsupported(body: Any) -> None:
    with pytest.raises(FormatError) as raised:
        parse(exchange(json.dumps(body).encode(), path=PATH), ANY)
    assert raised.value.reason == "unsupported_media"


def test_more_names_than_values_are_mismatched() -> None:
    body = b'{"data": {"names": ["a", "b", "c"], "ndarray": [[1, 2]]}}'
    with pytest.raises(FormatError) as raised:
        parse(exchange(body, path=PATH), ANY)
    assert raised.value.reason == "mismatched_names"
