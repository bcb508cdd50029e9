"""What is sent to each server: every body form that it takes."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .linear import FEATURES, outputs

ROWS = ((1.5, 2.25, 3.0), (4.0, 5.5, 6.75))
WHOLE = ((1, 2, 3), (4, 5, 6))
FRAME = ((1.5, 2.0, 100.0), (4.0, 5.0, 6.0))
DICT = ((1.5, 2.0, 200.0), (4.0, 5.0, 6.0))
"""Rows that MLflow's model answers with a frame, or with a dict."""
JSON = {"Content-Type": "application/json"}
BINARY = {"Content-Type": "application/octet-stream"}


class Case(NamedTuple):
    """One request, and the rows in it."""

    name: str
    format: str
    """The format that it is to be recognised as."""
    path: str
    body: bytes
    headers: Mapping[str, str] = JSON
    rows: Sequence[Sequence[float]] = ROWS

    def features(self) -> dict[str, list[Any]]:
        """Return the columns that were sent."""
        return {name: [row[i] for row in self.rows] for i, name in enumerate(FEATURES)}

    def predictions(self) -> dict[str, list[float]]:
        """Return the columns that the model answers."""
        return {"y": outputs(self.rows).tolist()}


def of_kserve() -> list[Case]:
    """Return KServe's: V1, CloudEvents, V2 in JSON and with binary tensors either way."""
    v1, v2 = "/v1/models/linear:predict", "/v2/models/linear/infer"
    event = {
        "Content-Type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "tests",
        "ce-type": "prediction",
    }
    columns = [_tensor(name, [2], column=i) for i, name in enumerate(FEATURES)]
    return [
        Case("v1_lists", "kserve_v1", v1, _json({"instances": ROWS})),
        Case("v1_records", "kserve_v1", v1, _json({"instances": _records(ROWS)})),
        Case("v1_columns", "kserve_v1", v1, _json({"inputs": _columns(ROWS)})),
        Case("v1_one_row", "kserve_v1", v1, _json({"instances": ROWS[:1]}), rows=ROWS[:1]),
        Case("v1_cloud_event", "kserve_v1", v1, _json({"instances": ROWS}), event),
        Case("v2_flat", "oip_v2", v2, _v2([_tensor("x", [2, 3])])),
        Case("v2_nested", "oip_v2", v2, _v2([_tensor("x", [2, 3]) | {"data": ROWS}])),
        Case("v2_columns", "oip_v2", v2, _v2(columns)),
        Case("v2_one_row", "oip_v2", v2, _v2([_tensor("x", [1, 3], ROWS[:1])]), rows=ROWS[:1]),
        *(_binary(code, name, rows) for code, name, rows in _DATATYPES),
        _binary("<f8", "FP64", ROWS, is_answer_binary=True),
        _mixed(),
    ]


_DATATYPES = [
    ("<f8", "FP64", ROWS),
    ("<f4", "FP32", ROWS),
    ("<f2", "FP16", ROWS),
    *((f"<{kind}{size}", name, WHOLE) for name, kind, size in (
        ("INT8", "i", 1), ("INT16", "i", 2), ("INT32", "i", 4), ("INT64", "i", 8),
        ("UINT8", "u", 1), ("UINT16", "u", 2), ("UINT32", "u", 4), ("UINT64", "u", 8),
    )),
]  # fmt: skip


def of_mlflow() -> list[Case]:
    """Return MLflow's: both frames, both tensors, CSV, Parquet, and its three kinds of answers."""
    path, split = "/invocations", {"columns": FEATURES, "index": [0, 1]}
    csv = "\n".join([",".join(FEATURES), *(",".join(map(str, row)) for row in ROWS)])
    file = io.BytesIO()
    pq.write_table(pa.table(_columns(ROWS)), file)
    parquet = {"Content-Type": "application/vnd.apache.parquet"}
    records = "dataframe_records"
    return [
        Case("split", "mlflow", path, _json({"dataframe_split": split | {"data": ROWS}})),
        Case("records", "mlflow", path, _json({records: _records(ROWS)})),
        Case("one_record", "mlflow", path, _json({records: _records(ROWS[:1])}), rows=ROWS[:1]),
        Case("instances_lists", "mlflow", path, _json({"instances": ROWS})),
        Case("instances_records", "mlflow", path, _json({"instances": _records(ROWS)})),
        Case("inputs_columns", "mlflow", path, _json({"inputs": _columns(ROWS)})),
        Case("inputs_matrix", "mlflow", path, _json({"inputs": ROWS})),
        Case("csv", "mlflow", path, csv.encode() + b"\n", {"Content-Type": "text/csv"}),
        Case("parquet", "mlflow", path, file.getvalue(), parquet),
        Case("answer_of_records", "mlflow", path, _json({records: _records(FRAME)}), rows=FRAME),
        Case("answer_of_columns", "mlflow", path, _json({records: _records(DICT)}), rows=DICT),
    ]  # fmt: skip


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _records(rows: Sequence[Sequence[float]]) -> list[dict[str, float]]:
    return [dict(zip(FEATURES, row, strict=True)) for row in rows]


def _columns(rows: Sequence[Sequence[float]]) -> dict[str, list[float]]:
    return {name: [row[i] for row in rows] for i, name in enumerate(FEATURES)}


def _tensor(
    name: str,
    shape: Sequence[int],
    rows: Sequence[Sequence[float]] = ROWS,
    column: int | None = None,
) -> dict[str, Any]:
    data = [
        value for row in rows for value in (row if column is None else row[column : column + 1])
    ]
    return {"name": name, "shape": shape, "datatype": "FP64", "data": data}


def _v2(inputs: Sequence[Mapping[str, Any]], **others: Any) -> bytes:
    return _json({"id": "1", "inputs": inputs, **others})


def _binary(
    code: str, datatype: str, rows: Sequence[Sequence[float]], *, is_answer_binary: bool = False
) -> Case:
    content = np.array(rows, dtype=code).tobytes()
    sized = {"name": "x", "shape": [2, 3], "datatype": datatype}
    header = _v2(
        [sized | {"parameters": {"binary_data_size": len(content)}}],
        parameters={"binary_data_output": is_answer_binary},
    )
    name = f"v2_binary_{datatype.lower()}{'_both_ways' if is_answer_binary else ''}"
    return _extended(name, header, content, rows)


def _mixed() -> Case:
    a, _, c = (np.array([row[i] for row in ROWS], dtype="<f8").tobytes() for i in range(3))
    sized = {"shape": [2], "datatype": "FP64", "parameters": {"binary_data_size": 16}}
    inputs = [{"name": "a", **sized}, _tensor("b", [2], column=1), {"name": "c", **sized}]
    return _extended("v2_binary_beside_json", _v2(inputs), a + c, ROWS)


def _extended(name: str, header: bytes, content: bytes, rows: Sequence[Sequence[float]]) -> Case:
    headers = {**BINARY, "Inference-Header-Content-Length": str(len(header))}
    return Case(name, "oip_v2", "/v2/models/linear/infer", header + content, headers, rows)
