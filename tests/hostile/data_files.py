"""Data files and files of outcomes, damaged: all that the commands read of a user's own.

The first byte of an input says how the file ends and which part its columns play.
"""

from __future__ import annotations

import bz2
import gzip
import io
import re
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import orjson
import pyarrow as pa
from pyarrow import feather, parquet

from mlmon_exporter import Reference
from mlmon_exporter.cli.commands.build_reference import build_reference
from mlmon_exporter.cli.commands.terminal import UserError, user_errors
from mlmon_exporter.endpoints.records import ground_truths_in
from mlmon_exporter.reference.data import readers as file_readers
from mlmon_exporter.reference.data.files import DataError, DataFiles
from mlmon_exporter.reference.data.outcomes import outcomes_in

CSV = (".csv", ".csv.gz", ".tsv", ".csv.bz2")
FEATHER = (".feather", ".arrow")
OUTCOMES = (".csv", ".csv.gz", ".parquet", ".feather", ".jsonl", ".jsonl.gz")
_ROWS = 6
_MOST = 10_000


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="mlmon-data-"))


def _file(ending: str, data: bytes) -> Path:
    path = _folder() / f"data{ending}"
    path.write_bytes(data)
    return path


def _check(error: UserError) -> None:
    """Raise AssertionError unless this is what a terminal may be told, in one line."""
    message = str(error)
    assert message, "no message"
    assert message.isprintable(), message


# Rows that a reference is built from.

_TEXTS = (
    b"x,c,t,y\n1,a,2026-01-01,1\n2,b,2026-01-02,0\n2.5,a,2026-01-03,1\n",
    b'\xef\xbb\xbf"x";"c;d"\r\n1;"say ""x"""\r\n;\r\nNA;"two\nlines"\r\n',
    b"x\ty\tz\n1\ttrue\t\n99999999999999999999\tfalse\t\n1e400\t\t\n-0\tTRUE\t\n",
    b"x|c\n1e308|007\n-1e308|1.0\ninf|nan\n",
    b"x,c\n1,\xe9\xff\n",
    b"x,\xe9\n1,2\n",
    b"x,x,\n1,2,3\n",
    b"x,c\n1\n1,2,3\n",
    b"x\n1\n\n2\n?\n",
    b'x,"a\nb\x1b"\n1,2\n' + b"2,3\n" * 40 + b"z,\n",
    b"x,at\n1,1\n" + b"2,3\n" * 40 + b"3,2026-01-01\n",
    b"at\n0001-01-01\n9999-12-31\n2026-01-01 00:00:00\n",
    "x,c\n1,2\n".encode("utf-16"),
    b"x,y\n",
    b"",
)


def csv_seeds() -> list[bytes]:
    plain = [bytes([i % 4 + j]) + text for i, text in enumerate(_TEXTS) for j in (0, 8 + 16)]
    packed = [bytes([4 + i]) + gzip.compress(_TEXTS[i], mtime=0) for i in range(3)]
    return [*plain, *packed, bytes([12]) + bz2.compress(_TEXTS[0])]


def _table() -> Any:
    """Return a column of each type that Arrow has names for, most with nulls."""
    moment = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    return pa.table(
        {
            "x": pa.array([1.5, None, float("nan"), float("inf"), -0.0, 1e308]),
            "truth": pa.array([1, 0, None, 1, 0, 1], pa.int8()),
            "big": pa.array([2**63, None, 0, 1, 2, 3], pa.uint64()),
            "half": pa.array(np.arange(_ROWS, dtype=np.float16)),
            "text": pa.array(["a", "b", "", None, "Köln", "a\x1b\n"]),
            "view": pa.array(["a", None, "a" * 20, "b", "c", "d"], pa.string_view()),
            "code": pa.array(["a", "b", None, "a", "b", "a"]).dictionary_encode(),
            "is_open": pa.array([True, False, None, True, True, False]),
            "price": pa.array([Decimal("1.25"), None, *[Decimal("-9.99")] * 4]),
            "raw": pa.array([b"\xff", None, b"", b"a", b"b", b"c"]),
            "vector": pa.array([[1.0], None, [], [2.0, None], [], []], pa.list_(pa.float64())),
            "nested": pa.array([{"a": 1, "b": ["x"]}, None, {}, {}, {}, {}]),
            "map": pa.array([[("k", 1)], None, [], [], [], []], pa.map_(pa.string(), pa.int8())),
            "none": pa.nulls(_ROWS),
            "day": pa.array([date(2026, 1, 1), None, *[date(1, 1, 1)] * 4]),
            "clock": pa.array([time(1), None, *[time(2)] * 4]),
            "span": pa.array([timedelta(hours=1), None, *[timedelta(0)] * 4]),
            "ns": pa.array([1, None, 2**62, -(2**62), 0, 0], pa.timestamp("ns")),
            "at": pa.array([moment + timedelta(hours=i) for i in range(_ROWS)]),
        }
    )


def _tables() -> list[Any]:
    whole = _table()
    coded = {"day": whole["day"], "price": whole["price"], "is_open": whole["is_open"]}
    return [
        whole,
        *(whole.select(names) for names in (["x", "text", "truth", "at"], ["code"], ["vector"])),
        pa.table({name: column.dictionary_encode() for name, column in coded.items()}),
        whole.slice(0, 0),
        whole.select([]),
        pa.table([pa.array([1]), pa.array([2])], names=["x", "x"]),
    ]


def _parquet(table: Any, **options: Any) -> bytes:
    views = pa.types.is_string_view  # Arrow 18 writes none
    fields = [f.with_type(pa.string()) if views(f.type) else f for f in table.schema]
    sink = pa.BufferOutputStream()
    parquet.write_table(table.cast(pa.schema(fields)), sink, **options)
    return bytes(sink.getvalue())


def _feather(table: Any, compression: str) -> bytes:
    sink = pa.BufferOutputStream()
    feather.write_feather(table, sink, compression=compression)
    return bytes(sink.getvalue())


def parquet_seeds() -> list[bytes]:
    plain = [bytes([i % 4]) + _parquet(table) for i, table in enumerate(_tables())]
    small = _table().select(["x", "text", "truth", "at", "nested"])
    forms: list[dict[str, Any]] = [
        {"compression": "none", "use_dictionary": False, "store_schema": False},
        {"compression": "zstd", "row_group_size": 2, "data_page_version": "2.0"},
        {"compression": "gzip", "write_statistics": False, "write_page_checksum": True},
    ]
    return [*plain, *(bytes([i]) + _parquet(small, **form) for i, form in enumerate(forms))]


def feather_seeds() -> list[bytes]:
    kinds = ("uncompressed", "lz4", "zstd")
    return [
        bytes([i % 4 + 4 * (i % 2)]) + _feather(table, kinds[i % 3])
        for i, table in enumerate([*_tables(), *_tables()[1:4]])
    ]


def rows_rule(endings: tuple[str, ...], data: bytes) -> None:
    """Any file is a reference that has all of its rows, or an error of one line."""
    choice = data[0] if data else 0
    path = _file(endings[choice // 4 % len(endings)], data[1:])
    block = file_readers.CSV_BLOCK if choice < 16 else 64
    out = _folder() / "built.json"
    out.unlink(missing_ok=True)
    try:
        with redirect_stdout(io.StringIO()), patch.object(file_readers, "CSV_BLOCK", block):
            build_reference(path, out=out, **_roles(path, choice % 4))
    except UserError as error:
        _check(error)
        return
    reference = Reference.load(out)
    expected = _rows_of(path)
    for column in (*reference.features, *reference.outputs):
        assert column.rows == reference.rows, column.name
        assert expected is None or column.rows == expected, column.name


def _roles(path: Path, choice: int) -> dict[str, Any]:
    """Return options that name some columns, whatever they are called."""
    if not choice:
        return {}
    try:
        names = list(DataFiles(path).columns)
    except DataError:
        return {}
    first, second, last = names[0], names[min(1, len(names) - 1)], names[-1]
    options: list[dict[str, Any]] = [
        {"prediction": first, "ground_truth": last, "segment": second},
        {"time_column": last, "missing": "?,a"},
        {"categorical": ",".join(names), "prediction": second},
    ]
    return options[choice - 1]


def _rows_of(path: Path) -> int | None:
    """Return how many rows a file has, by other means than ours; None where that is not plain."""
    if path.suffix == ".parquet":
        return int(parquet.read_metadata(path).num_rows)
    if path.suffix in FEATHER:
        with pa.OSFile(str(path)) as source, suppress(pa.ArrowException, OSError):
            file = pa.ipc.open_file(source)
            batches = (file.get_batch(i) for i in range(file.num_record_batches))
            return sum(int(batch.num_rows) for batch in batches)
        return None  # columns that are not wanted may be damaged
    content = path.read_bytes()
    if path.suffix not in (".csv", ".tsv") or b'"' in content:
        return None
    return sum(1 for line in re.split(rb"[\r\n]", content) if line) - 1


csv_rule = partial(rows_rule, CSV)
parquet_rule = partial(rows_rule, (".parquet",))
feather_rule = partial(rows_rule, FEATHER)


# Outcomes.

_LINES = (
    b'{"prediction_id": "p0", "ground_truth": 1, "timestamp": "2026-01-01T00:00:00Z"}\n'
    b'\n{"prediction_id": "p1", "ground_truth": "a", "timestamp": 1767225600.5}\n'
)
_OUTCOME_TEXTS = (
    b"prediction_id,ground_truth,timestamp\n007,1,2026-01-02 03:04:05.123456789\n8,a,\n",
    b'\xef\xbb\xbfprediction_id,"ground_truth",timestamp\r\n"a,b",,1767225600\r\n',
    b"prediction_id,ground_truth,ground_truth\n1,2,3\n",
    b"prediction_id,ground_truth\n1,\xe9\xff\n",
)


def _outcome_tables() -> Iterator[Any]:
    whole = _table()
    for name in whole.column_names:
        columns = {"prediction_id": whole["truth"], "ground_truth": whole[name]}
        yield pa.table({**columns, "timestamp": whole[name]})
        yield pa.table({"prediction_id": whole[name], "ground_truth": whole[name]})


def outcome_seeds() -> list[bytes]:
    texts = [b"\0" + text for text in _OUTCOME_TEXTS]
    texts += [b"\4" + _LINES, b"\1" + gzip.compress(_OUTCOME_TEXTS[0], mtime=0)]
    texts.append(b"\5" + gzip.compress(_LINES, mtime=0))
    tables = [*_outcome_tables()]
    kinds = ("uncompressed", "lz4")
    return [
        *texts,
        *(b"\2" + _parquet(table, compression="none") for table in tables[::2]),
        *(b"\3" + _feather(table, kinds[i % 2]) for i, table in enumerate(tables)),
    ]


def outcome_rule(data: bytes) -> None:
    """Any file gives rows that can be posted and are judged one by one, or an error of one line."""
    path = _file(OUTCOMES[data[0] % len(OUTCOMES)] if data else ".csv", data[1:])
    count = 0
    try:
        with user_errors(DataError):
            rows = islice(outcomes_in(path), _MOST)
            while part := [*islice(rows, 100)]:
                records = orjson.loads(orjson.dumps([record for record, _ in part]))
                read = ground_truths_in(records)
                assert len(read.usable) + len(read.errors) == len(part)
                assert all(0 <= share <= 1 for _, share in part)
                count += len(part)
    except UserError as error:
        _check(error)
        return
    expected = _rows_of(path) if not path.name.endswith((".jsonl", ".gz")) else None
    assert expected is None or count == min(expected, _MOST)
