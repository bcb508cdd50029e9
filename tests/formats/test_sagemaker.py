"""Facts about SageMaker's formats and MLflow's, beyond the real bodies: who reads what."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlmon_exporter.formats import BodyMap, FormatError, parse

from .bodies import exchange
from .memory import at_most_traced

ANY = BodyMap()
CSV = "text/csv"


@pytest.mark.parametrize(
    ("content", "media", "format_"),
    [
        (b"1,2\n", CSV, "sagemaker"),
        (b"a,2\n", CSV, "sagemaker"),
        (b"a,b\n1,2\n", CSV, "mlflow"),
        (b"a,b\n1,2\n", f"{CSV};label_size=0", "sagemaker"),
        (b"a,b\n1,2\n", f"{CSV}; charset=utf-8", "mlflow"),
        (b'{"a": 1}\n{"a": 2}\n', "application/x-ndjson", "sagemaker"),
    ],
)
def test_a_number_in_the_first_row_tells_that_there_is_no_header(
    content: bytes, media: str, format_: str
) -> None:
    sent = exchange(content, path="/predict", request_headers={"content-type": media})
    assert parse(sent, ANY).format == format_


def sparse(keys: Any, shape: Any, values: Any) -> bytes:
    features = {"keys": keys, "shape": shape, "values": values}
    return json.dumps({"instances": [{"data": {"features": features}}] * 2}).encode()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (sparse([1], None, [1]), "malformed"),
        (sparse([1, 2], [3], [1]), "malformed"),
        (sparse([3], [3], [1]), "malformed"),
        (sparse([-1], [3], [1]), "malformed"),
        (sparse(["1"], [3], [1]), "malformed"),
        (sparse([1], [10**9], [1]), "too_many_features"),
        (sparse([], [0], []), "no_columns"),
        (b'{"instances": []}', "no_rows"),
    ],
)
def test_sparse_rows_that_are_none_say_why(body: bytes, reason: str) -> None:
    with pytest.raises(FormatError) as raised:
        parse(exchange(body, path="/invocations"), ANY, "sagemaker")
    assert raised.value.reason == reason


def test_sparse_rows_make_no_large_table() -> None:
    features = {"keys": [], "shape": [2000], "values": []}
    body = json.dumps({"instances": [{"features": features}] * 9000}).encode()
    with at_most_traced(30_000_000), pytest.raises(FormatError) as raised:
        parse(exchange(body, path="/invocations"), ANY)
    assert raised.value.reason == "too_many_values"


def test_columns_of_csv_without_names_are_numbered() -> None:
    sent = exchange(b",b\n1,2\n3,4\n", request_headers={"content-type": CSV})
    assert parse(sent, ANY).batch.features == {"0": [1.0, 3.0], "b": [2.0, 4.0]}
