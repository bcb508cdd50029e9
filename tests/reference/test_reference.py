"""Facts about the public Reference: built from data, kept in a file, added up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tdigest

from mlmon_exporter import Reference
from mlmon_exporter.core.profile.bins import CategoryBins, NumericBins
from tests.reference.built import ENGINES, names, rows, scores

# Building.


def test_the_time_that_a_learned_reference_is_of_is_kept(tmp_path: Path) -> None:
    made = Reference.build({"x": np.arange(100.0)})
    learned = Reference(made.features, seconds=540.0)
    learned.save(tmp_path / "m.json")
    assert Reference.load(tmp_path / "m.json").for_model("learned").seconds == 540.0
    # As files of before, that do not have it.
    assert Reference.from_bytes(made.to_bytes()).seconds == 0.0
    damaged = learned.to_bytes().replace(b'"seconds":540.0', b'"seconds":-1')
    with pytest.raises(ValueError, match="seconds: expected 0 or more, got -1"):
        Reference.from_bytes(damaged)


def test_every_column_has_a_part_or_is_a_feature() -> None:
    data = {**rows(), "y": np.zeros(3000), "ts": np.arange(3000.0), "id": np.arange(3000)}
    built = Reference.build(
        data,
        model="loans",
        predictions="score",
        ground_truth="y",
        time_column="ts",
        ignore=["id"],
    )
    assert names(built) == (["age", "visits", "income", "colour"], ["score"])
    assert (built.model, built.rows) == ("loans", 3000)
    assert [c.kind for c in built.features] == ["numeric", "numeric", "numeric", "categorical"]
    assert all(c.rows == 3000 for c in (*built.features, *built.outputs))


def test_features_and_categories_may_be_named() -> None:
    built = Reference.build(rows(), features=["visits", "age"], categorical=["visits"])
    assert names(built) == (["visits", "age"], [])
    assert [c.kind for c in built.features] == ["categorical", "numeric"]
    assert names(Reference.build(rows(), features=[], predictions=["score"])) == ([], ["score"])


def test_the_cap_on_categories_is_the_user_s() -> None:
    data = {"c": [f"c{n}" for n in range(10) for _ in range(n + 9)]}
    bins = Reference.build(data, max_categories=3).features[0].bins
    assert isinstance(bins, CategoryBins)
    assert bins.categories == ("c9", "c8", "c7")


# Keeping.


# Adding up.


def test_references_of_parts_add_up() -> None:
    whole, total = rows(4000), Reference([])
    for start in range(0, 4000, 500):
        part = {name: values[start : start + 500] for name, values in whole.items()}
        total += Reference.build(part, predictions="score", model="loans")
    expected = Reference.build(whole, predictions="score")
    assert names(total) == names(expected)
    assert (total.rows, total.model) == (4000, "loans")
    for ours, theirs in zip(total.features, expected.features, strict=True):
        assert ours.rows == 4000
        if ours.name in ("visits", "colour"):
            np.testing.assert_array_equal(ours.counts, theirs.counts)
            assert ours.bins.intervals == theirs.bins.intervals
        else:
            assert isinstance(ours.bins, NumericBins)
            exact = np.searchsorted(np.sort(whole[ours.name]), ours.bins.edges, side="right")
            off = np.abs(np.cumsum(ours.counts[:-2]) - exact).max() / 4000
            assert off <= ours.rank_error <= 0.02
    window = rows(2000, seed=5)
    ours_, theirs_ = (scores(reference, window, "fastdigest") for reference in (total, expected))
    assert not ours_["drifted"].any()
    np.testing.assert_allclose(ours_["ks_statistic"], theirs_["ks_statistic"], atol=0.006)


def test_columns_of_one_side_are_kept_and_the_latest_time() -> None:
    a = Reference(Reference.build({"x": [1.0], "y": [2.0]}).features, created=5.0)
    b = Reference(Reference.build({"y": [3.0], "z": [4.0]}).features, created=7.0, model="m")
    both = a + b
    assert names(both)[0] == ["x", "y", "z"]
    assert [(c.rows, c.missing) for c in both.features] == [(2, 1), (2, 0), (2, 1)]
    assert (both.created, both.model) == (7.0, "m")


def test_a_column_that_one_side_lacks_is_missing_there_as_in_one_build() -> None:
    data = rows(3000)
    without = {"age": data["age"]}
    total = Reference.build(data) + Reference.build(without)
    missing = {name: [None] * 3000 for name in data if name != "age"}
    whole = Reference.build(data) + Reference.build({**without, **missing})
    for ours, other in zip(total.features, whole.features, strict=True):
        assert (ours.name, ours.rows) == (other.name, 6000)
        assert ours.counts.tolist() == other.counts.tolist()


def test_kinds_that_differ_do_not_add_up() -> None:
    message = "reference: x: expected the same kind on both sides, got numeric and categorical"
    with pytest.raises(ValueError, match=f"^{message}"):
        Reference.build({"x": [1.0]}) + Reference.build({"x": ["a"]})


# From digests.


def digest_of(values: Any) -> tdigest.TDigest:
    digest = tdigest.TDigest()
    digest.batch_update(np.asarray(values, dtype=float).tolist())
    return digest


def test_digests_of_a_training_job_make_a_reference(tmp_path: Path) -> None:
    data = {name: values for name, values in rows(2000).items() if name != "colour"}
    digests = {name: digest_of(values) for name, values in data.items()}
    digests["age"] = digests["age"].to_dict()
    made = Reference.from_tdigests(digests, model="loans")
    assert (names(made)[0], made.rows, made.model) == (list(data), 2000, "loans")
    made.save(tmp_path / "r.json")
    window = {name: rows(1000, seed=6)[name] for name in data}
    for reference in (made, *(Reference.load(tmp_path / "r.json", e) for e in ENGINES)):
        results = scores(reference, window, "fastdigest")
        assert not results["drifted"].any()
    shifted = scores(made, {**window, "age": window["age"] + 15}, "fastdigest")
    assert shifted["drifted"].tolist() == [1.0, 0.0, 0.0, 0.0]


def test_digests_of_parts_add_up() -> None:
    values = np.random.default_rng(7).normal(size=2000)
    total = Reference.from_tdigests({"x": digest_of(values[:800])}) + Reference.from_tdigests(
        {"x": digest_of(values[800:])}
    )
    assert total.rows == 2000
    assert not scores(total, {"x": values[:1000]}, "tdigest")["drifted"].any()


def test_an_empty_digest_neither_drifts_nor_hides_others() -> None:
    made = Reference.from_tdigests({"x": tdigest.TDigest(), "y": digest_of(range(500))})
    results = scores(made, {"x": np.arange(500.0), "y": np.arange(500.0)}, "fastdigest")
    assert results["drifted"].tolist() == [0.0, 0.0]
    assert np.isnan(results["psi"][0])
    assert results["psi"][1] < 0.1


def test_a_damaged_digest_names_its_feature() -> None:
    with pytest.raises(ValueError, match=r"^age: digest: expected centroids of m and c"):
        Reference.from_tdigests({"age": {"centroids": [1]}})


def test_it_is_shown_by_its_model_and_columns() -> None:
    reference = Reference.build({"x": [1.0, 2.0], "y": [0.1, 0.2]}, predictions="y", model="m")
    assert repr(reference) == "<Reference 'm': 1 features, 1 outputs>"
