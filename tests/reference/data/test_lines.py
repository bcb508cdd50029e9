"""Facts about readers of JSON lines and of captured calls, in the forms that vendors document."""

from __future__ import annotations

import base64
import gzip
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from mlmon_exporter.formats import BodyMap
from mlmon_exporter.reference.data.captures import MOST_WAITING, seconds
from mlmon_exporter.reference.data.files import DataError, DataFiles
from mlmon_exporter.reference.rows import each_row

Record = Mapping[str, Any]
NAMED = BodyMap(feature_names=("age", "fare"), output_names=("score",))
T0 = 1_700_000_000


def written(path: Path, records: Iterable[Record]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def rows_of(files: DataFiles) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {name: [] for name in files.columns}
    for rows, count in files.chunks([*found], with_codes=True):
        for name in found:
            values = each_row(rows[name])
            assert len(values) == count
            found[name] += values if isinstance(values, list) else np.asarray(values).tolist()
    return found


def iso(i: int) -> str:
    return f"2023-11-14T22:13:{20 + i % 9:02d}.123456789Z"


def half(kind: str, i: int, body: Any) -> Record:
    return {
        "specversion": "1.0",
        "id": f"id-{i}",
        "source": "http://localhost:9081/",
        "type": f"org.kubeflow.serving.inference.{kind}",
        "time": iso(i),
        "datacontenttype": "application/json",
        "inferenceservicename": "iris",
        "data": body,
    }


def sagemaker(i: int) -> Record:
    return {
        "captureData": {
            "endpointInput": {
                "observedContentType": "text/csv",
                "mode": "INPUT",
                "data": f"{30 + i},7.5",
                "encoding": "CSV",
            },
            "endpointOutput": {
                "observedContentType": "text/csv; charset=utf-8",
                "mode": "OUTPUT",
                "data": base64.b64encode(f"0.{i}".encode()).decode(),
                "encoding": "BASE64",
            },
        },
        "eventMetadata": {"eventId": f"id-{i}", "inferenceTime": f"2023-11-14T22:13:{20 + i}Z"},
        "eventVersion": "0",
    }


def kserve(i: int) -> list[Record]:
    asked = {"instances": [{"age": 30 + i, "fare": 7.5}]}
    return [half("request", i, asked), half("response", i, {"predictions": [i / 10]})]


def seldon_events(i: int) -> list[Record]:
    """Each message has an id, and both have the request's."""
    names = {"names": ["age", "fare"], "ndarray": [[30 + i, 7.5]]}
    answer = {"data": {"names": ["score"], "ndarray": [[i / 10]]}}
    events = [half("request", i, {"data": names}), half("response", i, answer)]
    return [
        {
            **event,
            "id": f"m{i}{n}",
            "requestid": f"id-{i}",
            "type": str(event["type"]).replace("org.kubeflow", "io.seldon"),
        }
        for n, event in enumerate(events)
    ]


def seldon_document(i: int) -> Record:
    """A document of the request log in Elasticsearch, as it is dumped."""
    return {
        "_index": "inference-log-seldon-seldon-iris-default",
        "_source": {
            "RequestId": f"id-{i}",
            "@timestamp": iso(i),
            "ServingEngine": "seldon",
            "request": {
                "instance": [30 + i, 7.5],
                "dataType": "tabular",
                "payload": {"data": {"names": ["age", "fare"], "ndarray": [[30 + i, 7.5]]}},
            },
            "response": {
                "instance": [i / 10],
                "payload": {"data": {"names": ["score"], "ndarray": [[i / 10]]}},
            },
        },
    }


def databricks(i: int) -> Record:
    split = {"columns": ["age", "fare"], "data": [[30 + i, 7.5]]}
    return {
        "databricks_request_id": f"id-{i}",
        "timestamp_ms": (T0 + i) * 1000,
        "status_code": 200,
        "execution_time_ms": 11,
        "request": json.dumps({"dataframe_split": split}),
        "response": json.dumps({"predictions": [i / 10]}),
    }


def kserve_messages(folder: Path, rows: int) -> Path:
    """KServe's messages in a bucket: without a time, in files that are a second newer each."""
    (folder / "calls").mkdir()
    for i in range(rows):
        for event in kserve(i):
            body = base64.b64encode(json.dumps(event["data"]).encode()).decode()
            message = {
                "Bytes": body,
                "ContentType": "application/json",
                "ReqType": event["type"],
                "Id": event["id"],
                "InferenceService": "iris",
            }
            name = f"{'ba'[i % 2]}-{event['id']}-{str(event['type']).rpartition('.')[2]}.json"
            (folder / "calls" / name).write_text(json.dumps([message] if i else message))
            os.utime(folder / "calls" / name, (T0 + i, T0 + i))
    return folder / "calls"


def lines_of(make: Callable[[int], Record | list[Record]]) -> list[Record]:
    made = [make(i) for i in range(3)]
    return [each for one in made for each in (one if isinstance(one, list) else [one])]


@pytest.mark.parametrize("make", [sagemaker, kserve, seldon_events, seldon_document, databricks])
def test_captured_calls_are_rows_with_time_and_id(
    tmp_path: Path, make: Callable[[int], Record | list[Record]]
) -> None:
    path = written(tmp_path / "log.jsonl", lines_of(make))
    files = DataFiles(path, body_map=NAMED)
    rows = rows_of(files)
    assert rows["age"] == [30, 31, 32]
    assert rows["fare"] == [7.5] * 3
    assert rows["score" if "score" in rows else "prediction"] == [0.0, 0.1, 0.2]
    assert rows["prediction_id"] == ["id-0", "id-1", "id-2"]
    assert np.floor(rows["captured_at"]).tolist() == [T0, T0 + 1, T0 + 2]
    assert [name for name, column in files.columns.items() if column.is_meta] == [
        "captured_at",
        "prediction_id",
        "version",
    ]
    assert files.told == {}


def test_an_inference_table_in_parquet_is_one_of_captured_calls(tmp_path: Path) -> None:
    table = pa.Table.from_pylist([databricks(i) for i in range(3)])
    pyarrow.parquet.write_table(table, tmp_path / "table.parquet")
    lines = written(tmp_path / "table.jsonl", [databricks(i) for i in range(3)])
    of_table, of_lines = (
        rows_of(DataFiles(path, body_map=NAMED)) for path in (tmp_path / "table.parquet", lines)
    )
    assert of_table["age"] == [30, 31, 32]
    assert {n: repr(v) for n, v in of_table.items()} == {n: repr(v) for n, v in of_lines.items()}


def test_halves_of_a_call_may_be_in_different_files_of_a_folder(tmp_path: Path) -> None:
    rows = rows_of(DataFiles(kserve_messages(tmp_path, 4), body_map=NAMED))
    # In the order of their time, not of their names.
    assert rows["age"] == [30, 31, 32, 33]
    assert rows["score"] == [0.0, 0.1, 0.2, 0.3]
    assert rows["captured_at"] == [T0, T0 + 1, T0 + 2, T0 + 3]


def test_rows_of_a_call_with_several_have_the_ids_of_a_live_server(tmp_path: Path) -> None:
    split = {"columns": ["age"], "data": [[1], [2]]}
    bodies = {"request": {"dataframe_split": split}, "response": {"predictions": [0.1, 0.2]}}
    call = {**databricks(1), **{side: json.dumps(body) for side, body in bodies.items()}}
    rows = rows_of(DataFiles(written(tmp_path / "log.jsonl", [call]), body_map=NAMED))
    assert rows["prediction_id"] == ["id-1:0", "id-1:1"]


def test_documents_of_one_batch_are_read_once(tmp_path: Path) -> None:
    one = seldon_document(1)
    payload = {"data": {"names": ["age", "fare"], "ndarray": [[1, 2], [3, 4]]}}
    one["_source"]["request"]["payload"] = payload
    one["_source"]["response"]["payload"] = {"data": {"names": ["score"], "ndarray": [[0], [1]]}}
    rows = rows_of(DataFiles(written(tmp_path / "log.jsonl", [one, one]), body_map=NAMED))
    assert (rows["age"], rows["score"]) == ([1, 3], [0, 1])


def test_what_cannot_be_read_is_counted(tmp_path: Path) -> None:
    broken = {**databricks(1), "request": '{"dataframe_split": {"columns"', "response": ""}
    failed = {**databricks(2), "status_code": 500, "response": '{"error": "no"}'}
    lines = [databricks(0), broken, failed, databricks(3)]
    files = DataFiles(written(tmp_path / "log.jsonl", lines), body_map=NAMED)
    assert rows_of(files)["age"] == [30, 33]
    expected = {"could not be read (not_json)": 1, "failed, so have no prediction": 1}
    assert files.told == expected
    rows_of(files)
    assert files.told == expected, "of the last reading"


def test_halves_that_are_alone_are_counted_and_few_wait(tmp_path: Path) -> None:
    lines = [half("request", i, {"instances": [[1, 2]]}) for i in range(MOST_WAITING + 5)]
    lines += kserve(MOST_WAITING + 100)[1:]
    path = written(tmp_path / "log.jsonl", [*kserve(0), *lines])
    files = DataFiles(path, body_map=NAMED)
    assert len(rows_of(files)["age"]) == 1
    assert files.told == {"had a request or a response alone": MOST_WAITING + 6}


def test_a_file_that_is_cut_off_loses_its_last_line_and_says_so(tmp_path: Path) -> None:
    path = written(tmp_path / "log.jsonl", lines_of(sagemaker))
    whole = path.read_bytes()
    for cut in (20, 100, 300):
        path.write_bytes(whole[:-cut])
        files = DataFiles(path, body_map=NAMED)
        assert rows_of(files)["age"] == [30, 31]
        assert files.told == {"was cut off at the end of log.jsonl": 1}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (['{"a": 1}', '{"a": ', '{"a": 2}'], r"log.jsonl:2: expected JSON: .+"),
        (['{"a": 1}', "[1]"], "log.jsonl:2: expected a JSON object, got a list"),
        (['{"a": 1}', json.dumps(sagemaker(1))], "log.jsonl:2: expected rows as in the lines"),
        (
            [json.dumps(sagemaker(1)), '{"a": 1}'],
            "log.jsonl:2: expected sagemaker as in the .*rows",
        ),
        (
            [json.dumps(sagemaker(1)), '{"captureData": {"endpointInput": {"x": 1}}}'],
            "log.jsonl:2: expected a call as sagemaker has it: no 'data'",
        ),
        (
            ['{"ReqType": "request", "Bytes": "%%", "Id": 1}'],
            "log.jsonl:1: expected a call as kserve has it: expected base64",
        ),
        (['{"captureData": 3}'], "log.jsonl:1: expected a call as sagemaker has it"),
        ([""], "log.jsonl: expected columns, got none"),
    ],
)
def test_broken_and_mixed_files_are_named_with_their_line(
    tmp_path: Path, lines: list[str], message: str
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=message):
        rows_of(DataFiles(path))


def test_plain_rows_are_columns_of_their_kinds(tmp_path: Path) -> None:
    lines: list[Record] = [
        {"n": 1, "t": "007", "b": True, "at": "2026-11-02T00:00:00", "o": {"x": 1}},
        {"n": None, "t": None, "b": False, "at": "2026-11-02T00:00:01", "o": [1]},
        {"n": 2.5, "t": "8"},
    ]
    path = tmp_path / "log.ndjson.gz"
    path.write_bytes(gzip.compress(written(tmp_path / "x.jsonl", lines).read_bytes()))
    files = DataFiles(path)
    kinds = {name: column.kind for name, column in files.columns.items()}
    assert kinds == {
        "n": "numeric",
        "t": "categorical",
        "b": "numeric",
        "at": "categorical",
        "o": "other",
    }
    rows, count = next(iter(files.chunks(["n", "t", "b"], "at", with_codes=True)))
    assert count == 3
    assert repr(rows["n"].tolist()) == "[1.0, nan, 2.5]"
    assert each_row(rows["t"]).tolist() == ["007", None, "8"]
    assert repr(np.diff(rows["at"]).tolist()) == "[1.0, nan]"


def test_texts_that_come_late_make_a_column_of_numbers_one_of_texts(tmp_path: Path) -> None:
    lines: list[Record] = [{"n": i} for i in range(3000)]
    lines.append({"n": "none of these"})
    files = DataFiles(written(tmp_path / "log.jsonl", lines))
    assert files.columns["n"].kind == "numeric"
    with pytest.raises(DataError, match="n: expected a number, got 'none of these'"):
        rows_of(files)
    files.read_as_text("n")
    assert rows_of(files)["n"][-2:] == ["2999", "none of these"]


def test_a_folder_of_tables_and_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    written(tmp_path / "b.jsonl", [{"a": 1}])
    with pytest.raises(DataError, match=r"expected either JSON or tables, got a.csv and b"):
        DataFiles(tmp_path)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1_700_000_000, 1_700_000_000.0),
        (1_700_000_000_123, 1_700_000_000.123),
        ("2023-11-14T22:13:20Z", 1_700_000_000.0),
        ("2023-11-14T22:13:20.505997782Z", 1_700_000_000.505997),
        ("2023-11-14T23:13:20.5+01:00", 1_700_000_000.5),
        ("2023-11-14T22:13:20", 1_700_000_000.0),
    ],
)
def test_times_are_seconds_milliseconds_or_texts(value: Any, expected: float) -> None:
    assert seconds(value) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("make", [sagemaker, kserve, seldon_document, databricks])
def test_whatever_happened_to_a_file_it_is_read_or_refused_in_a_line(
    tmp_path: Path, make: Callable[[int], Record | list[Record]]
) -> None:
    whole = written(tmp_path / "log.jsonl", lines_of(make)).read_bytes()
    rng = np.random.default_rng(5)
    refused: list[str] = []
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(int(rng.integers(1, 6))):
            at = int(rng.integers(len(damaged)))
            kind = rng.integers(4)
            if kind == 0:
                damaged[at] = int(rng.integers(256))
            elif kind == 1:
                del damaged[at : at + int(rng.integers(1, 40))]
            elif kind == 2:
                damaged[at:at] = damaged[: int(rng.integers(1, 60))]
            else:
                damaged[at:at] = rng.choice([b"null", b"[]", b"{}", b"1e999", b'"', b"\x00"])
        (tmp_path / "log.jsonl").write_bytes(bytes(damaged))
        try:
            rows_of(DataFiles(tmp_path / "log.jsonl", body_map=NAMED))
        except DataError as error:
            refused.append(str(error))
    assert len(refused) > 30
    assert all(line.startswith(str(tmp_path / "log.jsonl")) for line in refused)
    assert not any("\n" in line for line in refused)
