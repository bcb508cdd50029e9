"""Exchanges that hold tensors, and what is read of them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from mlmon_exporter.core.records import Exchange
from mlmon_exporter.formats import BodyMap, FormatError, parse

from .bodies import exchange

ANY = BodyMap()


def binary(
    shape: Any, content: bytes, datatype: Any, size: Any = None, length: bytes | None = None
) -> Exchange:
    """Return a request with one tensor after its JSON."""
    size = len(content) if size is None else size
    entry = {"name": "x", "shape": shape, "datatype": datatype}
    head = json.dumps({"inputs": [entry | {"parameters": {"binary_data_size": size}}]}).encode()
    told = str(len(head)).encode() if length is None else length
    headers = {"Inference-Header-Content-Length": told.decode()}
    return exchange(head + content, path="/predict", request_headers=headers)


def features(exchanged: Exchange, body_map: BodyMap = ANY) -> dict[str, Any]:
    batch = parse(exchanged, body_map, "oip_v2").batch
    return {
        name: column.tolist() if isinstance(column, np.ndarray) else column
        for name, column in batch.features.items()
    }


PATH = "/v2/models/m/infer"


def tensor(shape: Any, data: Any, datatype: str = "FP64", name: str = "x") -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


def asked(*inputs: dict[str, Any], path: str = PATH, **others: Any) -> Exchange:
    return exchange(json.dumps({"inputs": inputs, **others}).encode(), path=path)


def reason(exchanged: Exchange, body_map: BodyMap = ANY) -> str:
    with pytest.raises(FormatError) as raised:
        parse(exchanged, body_map, "oip_v2")
    return raised.value.reason
