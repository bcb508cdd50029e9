"""Facts about TF Serving's REST API and KServe's V1 protocol, beyond the real bodies."""

from __future__ import annotations

import json

import pytest

from mlmon_exporter.formats import BodyMap, FormatError, parse

from .bodies import exchange
from .memory import at_most_traced

BODY = b'{"instances": [[1, 2]]}'
EVENT = {"specversion": "1.0", "id": "1", "source": "s", "type": "t"}


@pytest.mark.parametrize(
    ("path", "format_", "version"),
    [
        ("/v1/models/m:predict", "kserve_v1", None),
        ("/v1/models/m/versions/12:predict", "kserve_v1", "12"),
        ("/v1/models/m/versions/12:regress", "kserve_v1", "12"),
        ("/v1/models/m/labels/stable:classify", "kserve_v1", None),
        ("/mnt/v1/models/a-b.c:predict", "kserve_v1", None),
        ("/v1/models/m/versions/%s:predict" % ("9" * 100), "kserve_v1", "9" * 64),
        ("/v1/models/m/versions/\ud800:predict", "json", None),
        ("/v1/models/m", "json", None),
        ("/v1/models/m/predict", "json", None),
        ("/predict", "json", None),
    ],
)
def test_the_path_decides_and_holds_the_version(path: str, format_: str, version: str) -> None:
    parsed = parse(exchange(BODY, b'{"predictions": [1]}', path=path), BodyMap())
    assert (parsed.format, parsed.batch.version) == (format_, version)


@pytest.mark.parametrize("format_", ["auto", "kserve_v1"])
def test_an_explanation_is_not_a_prediction(format_: str) -> None:
    explained = exchange(BODY, b'{"explanations": [[0.1]]}', path="/v1/models/m:explain")
    with pytest.raises(FormatError) as raised:
        parse(explained, BodyMap(), format_)
    assert raised.value.reason == "not_a_prediction"


def test_a_cloud_event_is_known_by_each_of_its_marks() -> None:
    event = json.dumps(EVENT | {"data": {"instances": [[1, 2]]}}).encode()
    typed = {"content-type": "application/cloudevents+json; charset=UTF-8"}
    marked = {"ce-specversion": "1.0", "content-type": "application/json"}
    assert parse(exchange(event, request_headers=typed), BodyMap()).format == "kserve_v1"
    assert parse(exchange(BODY, request_headers=marked), BodyMap()).format == "kserve_v1"
    assert parse(exchange(event), BodyMap(), "kserve_v1").batch.features == {"0": 1, "1": 2}


def test_a_cloud_event_with_bytes_is_unsupported() -> None:
    event = json.dumps(EVENT | {"data_base64": "AAAA"}).encode()
    with pytest.raises(FormatError) as raised:
        parse(exchange(event, path="/v1/models/m:predict"), BodyMap())
    assert raised.value.reason == "unsupported_media"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"instances": []}', "no_rows"),
        (b'{"instances": null}', "no_rows"),
        (b'{"instances": [{}]}', "no_columns"),
        (b'{"instances": [[1], [1, 2]]}', "ragged_rows"),
        (b'{"inputs": {}}', "no_columns"),
        (b'{"inputs": {"a": [1], "b": [1, 2]}}', "ragged_rows"),
        (b'{"inputs": null}', "no_rows"),
        (b'{"examples": []}', "no_rows"),
        (b'{"examples": [1]}', "ragged_rows"),
        (b'{"examples": [[1]]}', "ragged_rows"),
        (b'{"examples": {"a": 1}}', "ragged_rows"),
        (b'{"examples": [1], "context": {"a": 1}}', "ragged_rows"),
    ],
)
def test_a_request_without_rows_says_why(body: bytes, reason: str) -> None:
    with pytest.raises(FormatError) as raised:
        parse(exchange(body, path="/v1/models/m:predict"), BodyMap())
    assert raised.value.reason == reason


@pytest.mark.parametrize(
    "context", [{f"k{i}": i for i in range(1500)}, {f"k{i}": [0] * 60 for i in range(25)}]
)
def test_a_context_is_not_multiplied_without_end(context: dict[str, object]) -> None:
    body = json.dumps({"context": context, "examples": [{}] * 9000}).encode()
    with at_most_traced(10_000_000), pytest.raises(FormatError) as raised:
        parse(exchange(body, path="/v1/models/m:regress"), BodyMap())
    assert raised.value.reason == "too_many_values"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((), {"label": "sea", "score": 0.9}),
        (("scene",), {"scene": "sea", "score": 0.9}),
        (("scene", "p"), {"scene": "sea", "p": 0.9}),
    ],
)
def test_classes_are_the_best_one_and_its_score(
    names: tuple[str, ...], expected: dict[str, object]
) -> None:
    classified = exchange(
        b'{"examples": [{"x": 1}]}',
        b'{"result": [[["beach", 0.1], ["sea", 0.9]]]}',
        path="/v1/models/m:classify",
    )
    assert parse(classified, BodyMap(output_names=names)).batch.predictions == expected


def test_a_score_that_is_nan_is_not_the_best() -> None:
    classified = exchange(
        b'{"examples": [{"x": 1}]}',
        b'{"result": [[["beach", NaN], ["sea", 0.1]]]}',
        path="/v1/models/m:classify",
    )
    assert parse(classified, BodyMap()).batch.predictions == {"label": "sea", "score": 0.1}


@pytest.mark.parametrize("result", [[["sea", 0.9, 1]], [["sea", "0.9"]], [[1, 0.9]], [], ["sea"]])
def test_what_only_resembles_classes_is_read_as_any_result(result: object) -> None:
    answer = json.dumps({"result": [result, result]}).encode()
    classified = exchange(
        b'{"examples": [{"x": 1}, {"x": 2}]}', answer, path="/v1/models/m:classify"
    )
    assert "label" not in parse(classified, BodyMap()).batch.predictions


def test_configured_paths_come_first() -> None:
    body_map = BodyMap(features="instances.0.deep", predictions="predictions.0.p")
    exchanged = exchange(
        b'{"instances": [{"deep": {"a": 1}}]}',
        b'{"predictions": [{"p": 0.5, "score": 2}]}',
        path="/v1/models/m:predict",
    )
    batch = parse(exchanged, body_map).batch
    assert (batch.features, batch.predictions) == ({"a": 1}, {"prediction": 0.5})
