"""Facts about references of vectors: a new topic is seen in a few columns, from any data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from sklearn.datasets import load_digits

from mlmon_exporter.core.model import Model
from mlmon_exporter.core.records import Batch, Readings
from mlmon_exporter.core.settings import ModelSettings
from mlmon_exporter.intake.consumer import batch_of
from mlmon_exporter.reference.reference import Reference
from tests.command_line import run, succeeded

WIDTH = 100
NAMES = {
    f"embedding_{ending}"
    for ending in ("norm", "distance", "residual", "component_1", "component_2", "component_3")
}


def embeddings(count: int, seed: int = 0, new: float = 0.0) -> Any:
    """Vectors of ten topics, and a share of a new one."""
    rng = np.random.default_rng(seed)
    topics = np.random.default_rng(9).normal(size=(11, WIDTH))
    topic = np.where(rng.random(count) < new, 10, rng.integers(0, 10, count))
    found = topics[topic] + 0.8 * rng.normal(size=(count, WIDTH))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def rows(count: int, seed: int = 0, new: float = 0.0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {"age": rng.normal(size=count), "embedding": embeddings(count, seed, new)}


REFERENCE = Reference.build(rows(4000), vectors=["embedding"])


def drifted(reference: Reference, data: Any) -> set[str]:
    return {check.name for check in reference.compare(data).drifted}


def test_a_vector_is_a_handful_of_derived_columns() -> None:
    assert {column.name for column in REFERENCE.sides["derived"]} == NAMES
    assert [column.name for column in REFERENCE.features] == ["age"]


def test_a_new_topic_is_seen_and_unchanged_rows_are_not() -> None:
    assert not drifted(REFERENCE, rows(2000, seed=1))
    assert drifted(REFERENCE, rows(2000, seed=2, new=0.1)) >= {"embedding_distance"}


def test_an_unknown_digit_in_a_tenth_of_rows_is_seen_within_2500() -> None:
    digits = load_digits()
    rng = np.random.default_rng(0)
    known = digits.data[digits.target != 7]
    unknown = digits.data[digits.target == 7]

    def pictures(count: int, share: float) -> Any:
        found = known[rng.integers(0, len(known), count)]
        is_new = rng.random(count) < share
        found[is_new] = unknown[rng.integers(0, len(unknown), is_new.sum())]
        return found + 0.5 * rng.standard_normal(found.shape)

    reference = Reference.build({"pixels": pictures(10_000, 0.0)}, vectors=["pixels"])
    assert not drifted(reference, {"pixels": pictures(2500, 0.0)})
    assert drifted(reference, {"pixels": pictures(2500, 0.1)}) >= {"pixels_residual"}


def test_columns_of_its_numbers_are_a_vector() -> None:
    def wide(count: int, seed: int = 0, new: float = 0.0) -> dict[str, Any]:
        columns = embeddings(count, seed, new).T
        return {f"emb_{i}": column for i, column in enumerate(columns)} | {"age": [1.5, 2] * 1000}

    reference = Reference.build(wide(2000), vectors=["emb_*"])
    assert [column.name for column in reference.features] == ["age"]
    assert not drifted(reference, wide(2000, seed=1))
    assert "emb_distance" in drifted(reference, wide(2000, seed=2, new=0.1))


def test_parts_built_like_one_add_up() -> None:
    halves = [Reference.build(rows(3000, seed=s), like=REFERENCE) for s in (1, 2)]
    whole = halves[0] + halves[1]
    assert whole.derived is not None
    assert whole.derived.columns[0].rows == 6000


@pytest.mark.parametrize("kind", ["parquet", "fixed", "arrow", "jsonl"])
def test_files_have_vectors(tmp_path: Path, kind: str) -> None:
    columns = rows(2000)
    file = tmp_path / f"rows.{'parquet' if kind == 'fixed' else kind}"
    lists = pa.array(columns["embedding"].tolist(), pa.list_(pa.float32()))
    if kind == "fixed":
        lists = pa.FixedSizeListArray.from_arrays(columns["embedding"].reshape(-1), WIDTH)
    table = pa.table({"age": columns["age"], "embedding": lists})
    if kind == "arrow":
        pyarrow.feather.write_feather(table, file)
    elif kind == "jsonl":
        table.to_pandas().to_json(file, orient="records", lines=True)
    else:
        pyarrow.parquet.write_table(table, file)
    out = tmp_path / "m.json"
    succeeded("build-reference", file, "--vector", "embedding", "--out", out)
    reference = Reference.load(out)
    assert {column.name for column in reference.sides["derived"]} == NAMES
    assert "embedding_distance" in run("compare", file, "--reference", out).stdout


def test_names_that_clash_or_are_not_there_are_refused() -> None:
    columns = {"joint": embeddings(1000)}
    with pytest.raises(ValueError, match="'joint_distance' twice"):
        Reference.build(columns, vectors=["joint"])
    with pytest.raises(ValueError, match="no column 'embedding'"):
        Reference.build(columns, vectors=["embedding"])


@pytest.mark.parametrize("where", ["features", "predictions"])
def test_single_rows_are_counted_wherever_their_vector_is(where: str) -> None:
    model = Model(ModelSettings("m"), REFERENCE.for_model("reference"))
    for i, vector in enumerate(embeddings(3).tolist()):
        sides = {"features": {"age": 1.0}, "predictions": {"y": 1.0}}
        sides[where]["embedding"] = vector
        batch = Batch(sides["features"], sides["predictions"], 1)
        model.observe(batch, float(i), request_bytes=100)
    found = told(model, "mlmon_derived_window_rows")
    assert {name: {*rows} for name, rows in found.items()} == {name: {3.0} for name in NAMES}


def told(model: Model, name: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for block in model.readings(60.0):
        if isinstance(block, Readings) and block.name == name:
            for labels, value in zip(block.labels, block.values, strict=True):
                found.setdefault(labels[2], []).append(value)
    return found


def test_single_rows_that_wait_count_as_those_of_one_request() -> None:
    vectors = [*embeddings(200).astype(float).tolist(), None, [1.0, 2.0], "text"]
    counts = []
    for size in (1, len(vectors)):
        model = Model(ModelSettings("m"), REFERENCE.for_model("reference"))
        for start in range(0, len(vectors), size):
            part = vectors[start : start + size]
            columns = {"age": [1.0] * size, "embedding": part}
            single = {name: values[0] for name, values in columns.items()}
            batch = Batch(single if size == 1 else columns, {}, size)
            model.observe(batch, 1.0, request_bytes=15_000)
        counts.append(told(model, "mlmon_derived_psi") | told(model, "mlmon_derived_missing_ratio"))
    assert counts[0] == counts[1]
    assert counts[0]["embedding_norm"][0] > 0


@pytest.mark.parametrize("kind", [pl.List(pl.Float32), pl.Array(pl.Float32, WIDTH)])
def test_a_frame_of_polars_is_a_reference_and_traffic(kind: Any) -> None:
    columns = rows(1200)
    vector = pl.Series(columns["embedding"].tolist(), dtype=kind)
    frame = pl.DataFrame({"embedding": vector, "age": columns["age"]})
    reference = Reference.build(frame, vectors=["embedding"])
    assert {check.name for check in reference.compare(frame).columns} == {*NAMES, "age"}
    model = Model(ModelSettings("m"), reference.for_model("reference"))
    model.observe(batch_of(model, frame, None, None, None), 1.0)
    assert told(model, "mlmon_derived_window_rows")["embedding_norm"][0] == 1200


def test_a_table_of_arrow_has_vectors_where_they_are_named() -> None:
    columns = rows(1200)
    table = pa.table({"embedding": columns["embedding"].tolist(), "age": columns["age"]})
    reference = Reference.build(table, vectors=["embedding"])
    assert {check.name for check in reference.compare(table).columns} == {*NAMES, "age"}
    with pytest.raises(ValueError, match="embedding: expected numbers, texts or times, got list"):
        Reference.build(table)
