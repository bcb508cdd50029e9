"""Facts about vectors in bodies: they stay whole, in any form that protocols give them."""

from __future__ import annotations

import io
import json
from base64 import b64encode
from itertools import chain
from typing import Any

import numpy as np
import pytest

from mlmon_exporter.core.records import Exchange
from mlmon_exporter.formats import AUTO, BodyMap, parse

from . import oip_messages as oip

WIDTH = 96
ROWS = np.random.default_rng(0).normal(size=(3, WIDTH)).astype(np.float16).astype(np.float64)
ALONE = BodyMap(feature_names=("embedding",), vectors=("embedding",))
BESIDE = BodyMap(feature_names=("age", "embedding"), vectors=("embedding",))


def features(
    path: str, body: bytes, body_map: BodyMap, headers: dict[bytes, bytes] | None = None
) -> tuple[Any, int]:
    sent = {b"content-type": b"application/json"} | (headers or {})
    answer = b'{"predictions":[1,2,3]}'
    if "/v2/" in path:
        answer = b'{"outputs":[{"name":"y","shape":[3],"datatype":"FP32","data":[1,2,3]}]}'
    exchange = Exchange(0.0, "m", path, path, 200, "", sent, [body], {}, [answer])
    batch = parse(exchange, body_map, AUTO).batch
    return batch.features, batch.rows


def npy(rows: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, rows)
    return file.getvalue()


@pytest.mark.parametrize(
    ("path", "body", "body_map"),
    [
        ("/predict", {"embedding": ROWS[0].tolist()}, ALONE),
        ("/predict", {"age": 3, "embedding": ROWS[0].tolist()}, BESIDE),
        ("/predict", {"age": 3, "embedding": ROWS[0, :8].tolist()}, BESIDE),
        ("/predict", [{"age": 3, "embedding": ROWS[0].tolist()}], BESIDE),
        ("/v1/models/m:predict", {"instances": [ROWS[0].tolist()]}, ALONE),
        ("/v1/models/m:predict", {"instances": [{"embedding": ROWS[0].tolist()}]}, ALONE),
    ],
)
def test_one_row_of_json_keeps_its_vector(path: str, body: Any, body_map: BodyMap) -> None:
    found, rows = features(path, json.dumps(body).encode(), body_map)
    assert rows == 1
    width = len(found["embedding"])
    assert found["embedding"] == ROWS[0, :width].tolist()
    assert set(found) <= {"age", "embedding"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/predict", [{"age": 3, "embedding": row.tolist()} for row in ROWS]),
        ("/v1/models/m:predict", {"instances": ROWS.tolist()}),
        ("/v1/models/m:predict", {"instances": ROWS.reshape(3, 8, 4, 3).tolist()}),
        ("/v1/models/m:predict", {"inputs": {"embedding": ROWS.tolist()}}),
    ],
)
def test_rows_of_json_keep_their_vectors(path: str, body: Any) -> None:
    body_map = BESIDE if path == "/predict" else ALONE
    found, rows = features(path, json.dumps(body).encode(), body_map)
    assert rows == 3
    np.testing.assert_array_equal(np.array(found["embedding"]).reshape(3, -1), ROWS)


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64", "BF16", "json"])
@pytest.mark.parametrize("name", ["embedding", "input_0"])
def test_tensors_are_one_block(datatype: str, name: str) -> None:
    tensor: dict[str, Any] = {"name": name, "shape": [3, WIDTH], "datatype": datatype}
    bits = ROWS.astype("<f4").view("<u4") & np.uint32(0xFFFF0000)
    values = bits.view("<f4") if datatype == "BF16" else ROWS
    headers = {}
    if datatype == "json":
        tensor |= {"datatype": "FP32", "data": ROWS.reshape(-1).tolist()}
        body = json.dumps({"inputs": [tensor]}).encode()
    else:
        codes = {"FP16": "<f2", "FP32": "<f4", "FP64": "<f8"}
        content = (bits >> np.uint32(16)).astype("<u2").tobytes()
        if datatype in codes:
            content = ROWS.astype(codes[datatype]).tobytes()
        tensor["parameters"] = {"binary_data_size": len(content)}
        head = json.dumps({"inputs": [tensor]}).encode()
        body, headers = head + content, {b"inference-header-content-length": b"%d" % len(head)}
    found, rows = features("/v2/models/m/infer", body, ALONE, headers)
    assert (rows, list(found)) == (3, ["embedding"])
    np.testing.assert_array_equal(np.array(found["embedding"]), values)


def test_a_tensor_beside_others_is_whole() -> None:
    inputs = [
        {"name": "age", "shape": [3, 1], "datatype": "FP32", "data": [1, 2, 3]},
        {"name": "embedding", "shape": [3, WIDTH], "datatype": "FP32", "data": ROWS.tolist()},
    ]
    found, rows = features("/v2/models/m/infer", json.dumps({"inputs": inputs}).encode(), BESIDE)
    assert (rows, sorted(found)) == (3, ["age", "embedding"])
    np.testing.assert_array_equal(np.array(found["embedding"]), ROWS)


LISTS = ROWS.astype(np.float32).astype(float).tolist()
FRAME = [{"age": 1, "embedding": row} for row in LISTS]
SPLIT = {"columns": ["embedding", "age"], "data": [[row, 1] for row in LISTS]}
SERVERS: dict[str, tuple[str, Any]] = {
    "SageMaker": ("/invocations", {"instances": [{"features": row} for row in LISTS]}),
    "SageMaker, dense": (
        "/invocations",
        {"instances": [{"data": {"features": {"values": row}}} for row in LISTS]},
    ),
    "TorchServe": ("/predictions/m", LISTS),
    "TorchServe, data": ("/predictions/m", {"data": LISTS}),
    "TorchServe, instances": ("/predictions/m", {"instances": [{"data": row} for row in LISTS]}),
    "MLflow, tensor": ("/invocations", {"inputs": LISTS}),
    "MLflow, split": ("/invocations", {"dataframe_split": SPLIT}),
    "MLflow, records": ("/invocations", {"dataframe_records": FRAME}),
    "Seldon, ndarray": ("/api/v1.0/predictions", {"data": {"ndarray": LISTS}}),
    "Seldon, tensor": (
        "/api/v1.0/predictions",
        {"data": {"tensor": {"shape": [3, WIDTH], "values": [*chain(*LISTS)]}}},
    ),
    "Azure": ("/score", {"Inputs": {"data": FRAME}}),
    "Azure, split": ("/score", {"input_data": SPLIT}),
    "BentoML": ("/embed", {"rows": LISTS}),
    "MLServer": (
        "/v2/models/m/infer",
        {
            "parameters": {"content_type": "np"},
            "inputs": [
                {
                    "name": "embedding",
                    "shape": [3, WIDTH],
                    "datatype": "FP32",
                    "data": [*chain(*LISTS)],
                    "parameters": {"content_type": "np"},
                }
            ],
        },
    ),
}


@pytest.mark.parametrize("server", SERVERS)
def test_each_server_has_vectors(server: str) -> None:
    path, body = SERVERS[server]
    has_age = "age" in json.dumps(body)
    found, rows = features(path, json.dumps(body).encode(), BESIDE if has_age else ALONE)
    assert (rows, {*found}) == (3, {"age", "embedding"} if has_age else {"embedding"})
    np.testing.assert_array_equal(np.array(found["embedding"]), LISTS)


@pytest.mark.parametrize(
    ("media", "content"),
    [
        (b"text/csv", "\n".join(",".join(map(repr, row)) for row in LISTS).encode()),
        (b"application/jsonlines", b"\n".join(b'{"features":%a}' % row for row in LISTS)),
        (b"application/x-npy", npy(np.array(LISTS))),
    ],
)
@pytest.mark.parametrize("count", [1, 3])
def test_sagemakers_media_types_have_vectors(media: bytes, content: bytes, count: int) -> None:
    if count == 1:
        content = npy(np.array(LISTS[:1])) if b"npy" in media else content.split(b"\n")[0]
    found, rows = features("/invocations", content, ALONE, {b"content-type": media})
    assert (rows, [*found]) == (count, ["embedding"])
    np.testing.assert_array_equal(np.reshape(found["embedding"], (count, -1)), LISTS[:count])


@pytest.mark.parametrize("key", ["", "data", "inputs", "instances"])
def test_an_only_list_of_numbers_is_the_vector_where_there_is_no_other_feature(key: str) -> None:
    body = {key: LISTS[0]} if key else LISTS[0]
    found, rows = features("/predictions/m", json.dumps(body).encode(), ALONE)
    assert (rows, found) == (1, {"embedding": LISTS[0]})


@pytest.mark.parametrize("is_raw", [True, False])
@pytest.mark.parametrize("shape", [[3, WIDTH], [1, WIDTH], [WIDTH]])
def test_tensors_over_grpc_are_vectors(is_raw: bool, shape: list[int]) -> None:
    numbers = np.array(LISTS[: shape[0] if len(shape) > 1 else 1], dtype="<f4")
    values = None if is_raw else numbers.reshape(-1).tolist()
    tensor = oip.tensor("embedding", "FP32", shape, values)
    asked = oip.request([tensor], [numbers.tobytes()] if is_raw else ())
    told = oip.response([oip.tensor("y", "FP64", [len(numbers), 1], [1.0] * len(numbers))])
    path, media = "/v2/models/m/infer", {b"content-type": b"application/grpc"}
    exchange = Exchange(0.0, "m", path, path, 200, "", media, [asked], media, [told])
    batch = parse(exchange, ALONE, AUTO).batch
    assert (batch.rows, [*batch.features]) == (len(numbers), ["embedding"])
    np.testing.assert_array_equal(np.reshape(batch.features["embedding"], numbers.shape), numbers)


@pytest.mark.parametrize("is_base64", [True, False])
def test_an_embedding_that_is_served_is_whole_beside_its_norm(is_base64: bool) -> None:
    row = ROWS[0].astype("<f4")
    embedding: Any = b64encode(row.tobytes()).decode() if is_base64 else row.tolist()
    answer = {"object": "list", "model": "m", "data": [{"embedding": embedding, "index": 0}]}
    asked = json.dumps({"model": "m", "input": "text"}).encode()
    told = json.dumps(answer).encode()
    exchange = Exchange(
        0.0, "m", "/v1/embeddings", "/v1/embeddings", 200, "", {}, [asked], {}, [told]
    )
    found = parse(exchange, ALONE, AUTO).batch.predictions
    np.testing.assert_array_equal(found["embedding"], row)
    assert found["embedding_norm"] == pytest.approx(np.linalg.norm(row))
    assert "embedding" not in parse(exchange, BodyMap(), AUTO).batch.predictions


@pytest.mark.parametrize("embedding", ["AAA", "AACAfw==", ["a"], [None], [], [[1.0]], 3, None])
def test_an_embedding_that_is_none_has_no_norm(embedding: Any) -> None:
    answer = json.dumps({"data": [{"embedding": embedding}]}).encode()
    asked = b'{"model": "m", "input": "text"}'
    exchange = Exchange(
        0.0, "m", "/v1/embeddings", "/v1/embeddings", 200, "", {}, [asked], {}, [answer]
    )
    assert parse(exchange, ALONE, AUTO).batch.predictions["embedding_norm"] is None
