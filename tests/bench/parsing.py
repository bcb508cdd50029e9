"""What reading a body costs in each format."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from mlmon_exporter.core.records import Exchange, Headers
from mlmon_exporter.formats import BodyMap, parse

FEATURES = 30
NAMES = tuple(f"feature_{i}" for i in range(FEATURES))
BODY_MAP = BodyMap(feature_names=NAMES)
JSON_V2, BINARY_V2 = "oip_v2 json", "oip_v2 binary"
Matrix = NDArray[np.float64]
Message = tuple[bytes, Headers]


def microseconds(
    rows: int, seconds: float = 0.2, names: Sequence[str] | None = None
) -> dict[str, float]:
    """Return the time that one exchange of so many rows takes to be read, by form of body.

    It is the least of many measurements: others' work on the machine only ever adds.
    """
    made = exchanges(rows)
    return {name: _timed(made[name], name, seconds) for name in names or made}


def _timed(exchange: Exchange, name: str, seconds: float) -> float:
    format_ = name.partition(" ")[0]
    best, end = np.inf, time.perf_counter() + seconds
    while time.perf_counter() < end:
        started = time.perf_counter()
        for _ in range(10):
            parse(exchange, BODY_MAP, format_)
        best = min(best, (time.perf_counter() - started) / 10)
    return best * 1e6


def exchanges(rows: int) -> dict[str, Exchange]:
    """Return an exchange of so many rows in each form of body."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((rows, FEATURES)), rng.random(rows)
    return {name: _exchange(*form(x, y)) for name, form in FORMS.items()}


def _exchange(request: Message, response: Message) -> Exchange:
    (asked, asked_headers), (answered, answered_headers) = request, response
    return Exchange(
        0.0, "m", "/", "/", 200, "", asked_headers, [asked], answered_headers, [answered]
    )


def _of(media: str, body: bytes) -> Message:
    return body, {b"content-type": media.encode()}


def _json(value: Any) -> Message:
    return _of("application/json", orjson.dumps(value))


def _predictions(y: Matrix) -> Message:
    return _json({"predictions": y.tolist()})


def _records(x: Matrix) -> Message:
    return _json([dict(zip(NAMES, row, strict=True)) for row in x.tolist()])


def _v2(key: str, values: Matrix) -> Message:
    tensor = {"name": "x", "shape": values.shape, "datatype": "FP64"}
    return _json({key: [tensor | {"data": values.ravel().tolist()}]})


def _binary_v2(key: str, values: Matrix) -> Message:
    sized = {"parameters": {"binary_data_size": values.nbytes}}
    tensor = {"name": "x", "shape": values.shape, "datatype": "FP64"} | sized
    head = orjson.dumps({key: [tensor]})
    length = str(len(head)).encode()
    return head + values.tobytes(), {b"inference-header-content-length": length}


def _csv(x: Matrix) -> Message:
    return _of("text/csv", "\n".join(",".join(map(str, row)) for row in x.tolist()).encode())


def _lines(key: str, values: Matrix) -> Message:
    lines = (orjson.dumps({key: value}) for value in values.tolist())
    return _of("application/jsonlines", b"\n".join(lines))


FORMS: Mapping[str, Callable[[Matrix, Matrix], tuple[Message, Message]]] = {
    "json records": lambda x, y: (_records(x), _predictions(y)),
    "kserve_v1": lambda x, y: (_json({"instances": x.tolist()}), _predictions(y)),
    JSON_V2: lambda x, y: (_v2("inputs", x), _v2("outputs", y)),
    BINARY_V2: lambda x, y: (_binary_v2("inputs", x), _binary_v2("outputs", y)),
    "mlflow split": lambda x, y: (
        _json({"dataframe_split": {"columns": NAMES, "data": x.tolist()}}),
        _predictions(y),
    ),
    "sagemaker csv": lambda x, y: (_csv(x), _csv(y.reshape(1, -1))),
    "sagemaker json lines": lambda x, y: (_lines("features", x), _lines("score", y)),
    "seldon ndarray": lambda x, y: (
        _json({"data": {"names": NAMES, "ndarray": x.tolist()}}),
        _json({"data": {"ndarray": y.reshape(-1, 1).tolist()}}),
    ),
}
"""Request and response of so many rows; each begins with the name of its format."""
