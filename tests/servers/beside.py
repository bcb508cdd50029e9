"""What is sent beside predictions, and answers in parts: which of them are rows, and how many."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from .cases import JSON, ROWS
from .linear import FEATURES, outputs

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
GZIP = {**JSON, "Accept-Encoding": "gzip"}
MARKER = "hunter2 of Jane Roe"
RECORDS = [dict(zip(FEATURES, row, strict=True)) for row in ROWS]


class Call(NamedTuple):
    """One request, and what is to be counted of it."""

    name: str
    path: str
    body: bytes
    rows: int = 0
    headers: Mapping[str, str] = JSON
    times: int = 5
    sums: Mapping[str, float] = {}
    """Feature or output -> the sum of its values that is seen."""
    is_fixed: bool = True
    """Each answer is the same: no times or ids in it."""


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


SUMS = {
    **{name: sum(row[i] for row in ROWS) for i, name in enumerate(FEATURES)},
    "y": float(outputs(ROWS).sum()),
}
TOLD = {"inputs": MARKER, "parameters": {"max_new_tokens": 20}}
TEXT = {"text_input": MARKER, "max_tokens": 20}


def of_rows(name: str, path: str, body: Any, headers: Mapping[str, str] = JSON) -> Call:
    """Return a call whose rows and values are all seen."""
    return Call(name, path, _json(body), len(ROWS), headers, sums=SUMS)


CALLS: Mapping[str, list[Call]] = {
    "fastapi": [
        of_rows("predict", "/predict", RECORDS),
        Call("login", "/token", f"username=jane&password={MARKER}".encode(), headers=FORM),
        Call("graphql", "/graphql", _json({"query": f'{{ greeting(name: "{MARKER}") }}'})),
        Call("json_rpc", "/rpc", _json({"jsonrpc": "2.0", "id": 1, "params": {"q": MARKER}})),
    ],
    "gradio": [
        of_rows("predict", "/predict", RECORDS),
        Call("call", "/ui/gradio_api/call/greet", _json({"data": [MARKER]}), is_fixed=False),
    ],
    "generate": [
        Call("tgi", "/generate", _json(TOLD), 1),
        Call("tgi_stream", "/generate_stream", _json(TOLD), 1),
        Call("triton", "/v2/models/m/generate", _json(TEXT), 1),
        Call("triton_stream", "/v2/models/m/generate_stream", _json(TEXT), 1),
    ],
    "django": [
        of_rows("gzip", "/predict", RECORDS, GZIP),
        of_rows("gzip_in_parts", "/lines", RECORDS, GZIP),
    ],
    "litserve": [of_rows("stream", "/predict", {"instances": RECORDS})],
    "kserve": [
        of_rows("predict", "/v1/models/linear:predict", {"instances": RECORDS}),
        Call("another_model", "/v1/models/other:predict", _json({"instances": RECORDS})),
    ],
    "torchserve": [
        of_rows("predict", "/predictions/linear", {"instances": RECORDS}),
        of_rows("of_a_version", "/predictions/linear/1.0", {"instances": RECORDS}),
        of_rows("list", "/predictions/linear", RECORDS),
    ],
    "bentoml": [
        of_rows("predict", "/predict", {"rows": RECORDS}),
        of_rows("stream", "/stream", {"rows": RECORDS}),
    ],
}
"""Server -> its calls. `fastapi` and `gradio` have README's own line, without `routes`."""
