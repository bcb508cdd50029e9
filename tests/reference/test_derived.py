"""Facts about derived columns of a reference: when there are some, and what they see."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlmon_exporter.core.derived.joint import LEAST_EXPLAINED, LEAST_ROWS, JointFit
from mlmon_exporter.core.profile.variation import cells_of
from mlmon_exporter.core.records import Readings
from mlmon_exporter.reference.compare import Comparison
from mlmon_exporter.reference.data.files import DataFiles
from mlmon_exporter.reference.from_files import reference_from_files
from mlmon_exporter.reference.reference import Reference
from mlmon_exporter.reference.roles import Roles

HOUR = 3600.0


def rows(count: int, seed: int = 0) -> dict[str, Any]:
    """Heights, weights that follow them, incomes with a heavy tail, and a town by income."""
    rng = np.random.default_rng(seed)
    height, income = rng.normal(size=count), rng.normal(size=count)
    towns = np.where(income + rng.normal(size=count) > 0, "york", "hull")
    return {
        "height": height,
        "weight": 0.8 * height + 0.6 * rng.normal(size=count),
        "age": 0.5 * income + rng.normal(size=count),
        "income": np.exp(income),
        "town": towns,
    }


def flipped(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {**columns, "weight": -columns["weight"]}


def swapped(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {**columns, "height": columns["weight"], "weight": columns["height"]}


REFERENCE = Reference.build(rows(8_000), model="m")


def drifted(found: Comparison) -> dict[str, set[str]]:
    sides: dict[str, set[str]] = {"feature": set(), "derived": set()}
    for check in found.drifted:
        sides[check.side].add(check.name)
    return sides


def counts(reference: Reference) -> dict[str, list[int]]:
    assert reference.derived is not None
    return {column.name: column.counts.tolist() for column in reference.derived.columns}


def test_a_correlation_that_flips_is_seen_within_500_rows_though_no_feature_drifts() -> None:
    found = REFERENCE.compare(flipped(rows(500, seed=1)))
    assert drifted(found)["feature"] == set()
    assert drifted(found)["derived"] >= {"joint_residual", "last_component"}


def test_a_mix_up_of_two_features_of_one_distribution_is_seen_within_300_rows() -> None:
    def wide(count: int, seed: int) -> dict[str, Any]:
        rng = np.random.default_rng(seed)
        cause, other = rng.normal(size=(2, count))
        noise = 0.45 * rng.normal(size=(4, count))
        return {"a": cause + noise[0], "b": cause + noise[1]} | {
            "c": other + noise[2],
            "d": other + noise[3],
        }

    reference, new = Reference.build(wide(8_000, 0)), wide(300, 1)
    new["b"], new["c"] = new["c"], new["b"]
    found = drifted(reference.compare(new))
    assert found["feature"] == set()
    assert "joint_residual" in found["derived"]


def test_unchanged_rows_do_not_drift() -> None:
    for seed in range(5):
        assert not REFERENCE.compare(rows(3_000, seed=10 + seed)).drifted


def test_features_that_drift_are_counted_without_derived_columns() -> None:
    found = REFERENCE.compare(flipped(rows(2_000, seed=1)))
    (ratio,) = (
        block.values[0]
        for block in found.snapshot.blocks
        if isinstance(block, Readings) and block.name == "mlmon_drifted_features_ratio"
    )
    assert ratio == 0.0


def test_a_feature_may_be_called_as_a_derived_column_is() -> None:
    columns = {**rows(2_000), "joint_distance": rows(2_000, 1)["age"]}
    reference = Reference.build(columns)
    assert {check.side for check in reference.compare(columns).columns} == {"feature", "derived"}


@pytest.mark.parametrize(
    "columns",
    [
        rows(LEAST_ROWS - 1),
        {name: rows(2_000)[name] for name in ("age", "town")},
        {"age": rows(2_000)["age"], "number": np.arange(2_000)},
    ],
    ids=["too few rows", "one number", "one number and row numbers"],
)
def test_without_two_numbers_and_rows_enough_nothing_is_derived(columns: dict[str, Any]) -> None:
    assert Reference.build(columns).derived is None


def test_nothing_is_derived_where_that_is_not_wanted() -> None:
    assert Reference.build(rows(2_000), joint=False).derived is None


def test_it_is_read_as_it_was_saved_and_references_without_are_read_too() -> None:
    data = REFERENCE.to_bytes()
    assert counts(Reference.from_bytes(data)) == counts(REFERENCE)
    form = json.loads(data)
    del form["derived"]
    old = Reference.from_bytes(json.dumps(form).encode())
    assert old.derived is None
    assert "feature" in {check.side for check in old.compare(rows(500)).columns}


def test_a_damaged_one_is_named() -> None:
    form = json.loads(REFERENCE.to_bytes())
    del form["derived"]["function"]["axes"]
    with pytest.raises(ValueError, match="derived: expected the key 'axes'"):
        Reference.from_bytes(json.dumps(form).encode())


def test_parts_like_one_reference_add_up_to_the_whole_like_it() -> None:
    parts = [rows(1_500, seed) for seed in (1, 2)]
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    first, second = (Reference.build(part, like=REFERENCE) for part in parts)
    assert counts(first + second) == counts(Reference.build(whole, like=REFERENCE))


def test_of_parts_that_were_built_apart_the_derived_columns_of_more_rows_are_kept() -> None:
    other = Reference.build(rows(2_000, seed=5))
    assert counts(other + REFERENCE) == counts(REFERENCE)
    assert counts(REFERENCE + Reference.build(rows(100))) == counts(REFERENCE)


def test_files_give_the_same_as_memory_in_chunks_and_with_times(tmp_path: Path) -> None:
    columns = rows(4_000)
    columns["at"] = 1.7e9 + 600.0 * np.arange(4_000)
    file = tmp_path / "rows.parquet"
    pq.write_table(pa.table(columns), file, row_group_size=900)
    plain = reference_from_files(DataFiles(file), Roles(ignore=("at",)), "m")
    assert counts(plain) == counts(Reference.build(columns, ignore=["at"]))
    timed = reference_from_files(DataFiles(file), Roles(time_column=("at",)), "m")
    assert timed.derived is not None
    assert all(column.variation for column in timed.derived.columns)
    off = reference_from_files(DataFiles(file), Roles(ignore=("at",), joint=False), "m")
    assert off.derived is None


def test_the_least_explained_feature_names_those_that_carry_a_flip() -> None:
    found = REFERENCE.compare(flipped(rows(1_000, seed=1)))
    (summary,) = (s for s in found.snapshot.summaries if s.role.label == "derived")
    j = summary.bars.names.index(LEAST_EXPLAINED)
    rises = summary.current[j] - summary.bars.reference[j]
    each = dict(zip(summary.bars.intervals[j], rises.tolist(), strict=True))
    assert set(sorted(each, key=lambda name: -each[name])[:2]) == {"height", "weight"}


def numbers_or_cells(reference: Reference, name: str, columns: Mapping[str, Any]) -> Any:
    """Return values of a feature, encoded as live rows are."""
    column = next(column for column in reference.features if column.name == name)
    is_numeric = column.kind == "numeric"
    return columns[name] if is_numeric else cells_of(column.bins, list(columns[name]))


def test_with_times_they_are_fitted_to_every_other_day_and_counted_on_the_others() -> None:
    columns, days = rows(6_000), np.repeat(np.arange(12), 500)
    timed = Reference.build({**columns, "ts": 86_400.0 * days + 1.0}, time_column="ts")
    even = {name: np.asarray(values)[days % 2 == 0] for name, values in columns.items()}
    assert timed.derived is not None
    assert timed.derived.rows == 3_000
    assert timed.derived.function is not None
    inputs = timed.derived.function.inputs
    fit = JointFit([column for column in timed.features if column.name in {i.name for i in inputs}])
    fit.add(np.array([numbers_or_cells(timed, each.name, even) for each in inputs]))
    expected = fit.fitted()
    assert expected is not None
    assert timed.derived.function.center == pytest.approx(expected.center, abs=1e-9)


def test_rows_of_one_day_are_all_fitted_and_counted() -> None:
    columns = rows(3_000)
    timed = Reference.build({**columns, "ts": np.linspace(0, 80_000, 3_000)}, time_column="ts")
    assert timed.derived is not None
    assert timed.derived.rows == 3_000
