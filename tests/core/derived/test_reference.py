"""Facts about the reference of derived columns: how it encodes, adds up, and is kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlmon_exporter.core.derived.joint import LEAST_EXPLAINED, JointColumns
from mlmon_exporter.core.derived.reference import DerivedReference, as_columns
from mlmon_exporter.core.profile.bins import CategoryBins
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.profiler import Profiler
from mlmon_exporter.core.windows.buffer import RowBuffer
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from mlmon_exporter.core.windows.tallier import Derivation, Tallier
from mlmon_exporter.core.windows.window import WindowedTallies

from .test_joint import BLOCK, COLUMNS, JOINT, fitted, rows


def reference(
    function: JointColumns, block: Any, like: tuple[ColumnReference, ...] = ()
) -> DerivedReference:
    profiler = Profiler(max_categories=5, min_rows=0, like=like)
    profiler.profile(as_columns(function, function.bind(COLUMNS)(block)), block.shape[1])
    return DerivedReference(function, profiler.references())


DERIVED = reference(JOINT, BLOCK)


def test_a_category_is_encoded_as_its_cell() -> None:
    bins = DERIVED.columns[3].bins
    assert isinstance(bins, CategoryBins)
    new = rows(100, seed=1)
    new[:, 0] = np.nan
    found = DERIVED.bind(COLUMNS)(new)[3].astype(int).tolist()
    numbers = JOINT.bind(COLUMNS)(new)[3, 1:].astype(int)
    assert found[0] == bins.cell_count - 1
    assert [bins.categories[cell] for cell in found[1:]] == [f"x{i}" for i in numbers]


def test_parts_that_are_counted_like_one_add_up_to_the_whole() -> None:
    more = rows(3_000, seed=2)
    parts = [reference(JOINT, part, DERIVED.columns) for part in (BLOCK, more)]
    merged = parts[0].merge(parts[1])
    whole = reference(JOINT, np.concatenate((BLOCK, more), axis=1), DERIVED.columns)
    for ours, theirs in zip(merged.columns, whole.columns, strict=True):
        assert ours.counts.tolist() == theirs.counts.tolist()


def test_of_functions_that_were_fitted_apart_those_of_more_rows_are_kept() -> None:
    other = rows(6_000, seed=3)
    apart = reference(fitted(other, COLUMNS), other)
    assert DERIVED.merge(apart) is apart
    assert apart.merge(DERIVED) is apart


def test_rows_grouped_alone_or_in_one_long_request_count_the_same() -> None:
    new = rows(2_500, seed=4)

    def counts(*sizes: int, is_request: bool = False) -> list[int]:
        features, derived = ReferenceMatrix(COLUMNS), ReferenceMatrix(DERIVED.columns)
        tallies = WindowedTallies(derived.layout, [3600.0])
        derivation = Derivation(
            DERIVED.bind(COLUMNS), Tallier(derived, "fastdigest", tallies, None)
        )
        of_features = WindowedTallies(features.layout, [3600.0])
        buffer = RowBuffer(features, "fastdigest", of_features, None, derivation)
        start = 0
        for size in sizes:
            part = new[:, start : start + size]
            named = {c.name: v if size > 1 else v[0] for c, v in zip(COLUMNS, part, strict=True)}
            buffer.add(named, size, now=0.0, request_bytes=100_000 if is_request else None)
            start += size
        buffer.drain()
        tally = tallies.merged(0.0)[0]
        assert tally.rows == 2_500
        if is_request:
            assert tally.requests is not None
            assert tally.requests.rows == 2_500
        return [int(count) for count in tally.counts]

    grouped = counts(700, 1, 1_799)
    assert counts(2_500, is_request=True) == grouped
    assert counts(*[1] * 2_500) == grouped


def test_vectors_wait_for_each_other_up_to_a_fraction_of_a_millisecond() -> None:
    measured: list[int] = []

    def measure(rows: Any) -> Any:
        measured.append(len(rows))
        return [{"v_norm": 1.0, **row} for row in rows]

    features, derived = ReferenceMatrix(COLUMNS), ReferenceMatrix(DERIVED.columns)
    tallies = WindowedTallies(derived.layout, [3600.0])
    derivation = Derivation(
        lambda block: DERIVED.bind(COLUMNS)(block[:-1]),
        Tallier(derived, "fastdigest", tallies, None),
        ("v_norm",),
        measure,
        numbers=768,
    )
    of_features = WindowedTallies(features.layout, [3600.0])
    buffer = RowBuffer(features, "fastdigest", of_features, None, derivation)
    for _ in range(25):
        buffer.add({COLUMNS[0].name: 1.0}, 1, now=0.0, request_bytes=100)
    buffer.drain()
    assert measured == [11, 11, 3]
    assert tallies.merged(0.0)[0].rows == 25


def test_it_is_read_as_it_was_written() -> None:
    again = DerivedReference.from_dict(DERIVED.to_dict(), COLUMNS, "fastdigest")
    new = rows(50, seed=5)
    assert again.bind(COLUMNS)(new).tolist() == DERIVED.bind(COLUMNS)(new).tolist()
    assert again.columns[0].counts.tolist() == DERIVED.columns[0].counts.tolist()


def test_damage_is_named() -> None:
    form = DERIVED.to_dict()
    with pytest.raises(ValueError, match="columns: expected joint_distance"):
        DerivedReference.from_dict({**form, "columns": form["columns"][1:]}, COLUMNS, "fastdigest")
    with pytest.raises(ValueError, match="expected the feature 'x0'"):
        DerivedReference.from_dict(form, COLUMNS[1:], "fastdigest")
    assert form["columns"][3]["name"] == LEAST_EXPLAINED
