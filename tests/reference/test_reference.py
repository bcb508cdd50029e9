"""Facts about the public Reference: built from data, kept in a file, added up."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import tdigest

from mlmon_exporter import ConfigError, Reference
from mlmon_exporter.core.drift.tests import SCORES, TESTS, Comparison, score
from mlmon_exporter.core.profile.bins import CategoryBins, NumericBins
from mlmon_exporter.core.settings import Policy
from mlmon_exporter.core.windows.matrix import ReferenceMatrix
from tests.core.build import fed

ENGINES = ["fastdigest", "tdigest"]


def rows(count: int = 3000, seed: int = 1) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "age": rng.normal(40, 10, count),
        "visits": rng.poisson(2.0, count),
        "income": np.where(rng.random(count) < 0.3, 0.0, rng.lognormal(10, 1, count)),
        "colour": rng.choice(["red", "green", ""], count, p=[0.6, 0.3, 0.1]),
        "score": rng.random(count),
    }


def names(reference: Reference) -> tuple[list[str], list[str]]:
    return [c.name for c in reference.features], [c.name for c in reference.outputs]


def scores(reference: Reference, window: Mapping[str, Any], engine: str) -> dict[str, Any]:
    """All scores and thresholds of a window's features."""
    frame = ReferenceMatrix(reference.features)
    sums = frame.sums(fed(frame, window, engine=engine).merged(0.0)[0])
    return score(Comparison(frame, sums, Policy(), 1e-6))


# Building.


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


class Frameish:
    """What a DataFrame offers: columns, and each of them as an array."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.columns = list(data)
        self._data = data

    def __getitem__(self, name: str) -> Any:
        return Series(self._data[name])


class Series:
    def __init__(self, values: Any) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def to_numpy(self) -> Any:
        return np.asarray(self._values)


def chunked(data: Mapping[str, Any], size: int) -> Callable[[], Iterator[tuple[Any, int]]]:
    total = len(next(iter(data.values())))

    def chunks() -> Iterator[tuple[Any, int]]:
        for start in range(0, total, size):
            part = {name: values[start : start + size] for name, values in data.items()}
            yield part, min(size, total - start)

    return chunks


SHAPES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "arrays": lambda data: data,
    "lists": lambda data: {name: values.tolist() for name, values in data.items()},
    "a frame": Frameish,
    "chunks": lambda data: chunked(data, 700),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_shape_of_data_does_not_matter(shape: str) -> None:
    expected = Reference.build(rows())
    built = Reference.build(SHAPES[shape](rows()))
    for ours, theirs in zip(built.features, expected.features, strict=True):
        assert (ours.name, ours.kind) == (theirs.name, theirs.kind)
        assert ours.bins.intervals == theirs.bins.intervals
        np.testing.assert_array_equal(ours.counts, theirs.counts)
        assert ours.mean == pytest.approx(theirs.mean, nan_ok=True)


def test_progress_is_told_of_all_rows_in_each_pass() -> None:
    told: list[int] = []
    few = {"x": np.arange(1000.0)}
    Reference.build(chunked(few, 400), progress=told.append)
    assert told == [400, 400, 200]
    told.clear()
    many = {"x": np.random.default_rng(1).random(15_000)}
    Reference.build(chunked(many, 10_000), progress=told.append)
    assert told == [10_000, 5000, 10_000, 5000]


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ({}, {}, "reference: expected rows, got none"),
        ({"x": []}, {}, "reference: expected rows, got none"),
        (
            {"x": [1.0], "y": [1.0, 2.0]},
            {},
            "reference: expected columns of one length, got [1, 2]",
        ),
        (
            {"x": [1.0], "y": [2.0]},
            {"predictions": "z"},
            "reference: no column 'z'; there are x, y",
        ),
        (
            {"x": [1.0]},
            {"features": ["a", "b"]},
            "reference: no column 'a', 'b'; there are x",
        ),
        ({"x": [1.0]}, {"ground_truth": "y"}, "reference: no column 'y'; there are x"),
        ({"x": [1.0]}, {"categorical": ["y"]}, "reference: no column 'y'; there are x"),
        ({"x": [1.0]}, {"ignore": ["y"]}, "reference: no column 'y'; there are x"),
    ],
)
def test_what_cannot_be_built_is_said(data: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the message is compared below
        Reference.build(data, **options)
    assert str(raised.value) == message


def test_dirty_columns_are_built() -> None:
    built = Reference.build(
        {
            "numbers": [1.0, None, "", "2.5", "text", 10**400, float("inf"), [1], {}, True],
            "texts": ["a", None, "b", float("nan"), 1, 1.0, "c", [], {}, "\ud800"],
            "empty": [None, "", float("nan")] + [None] * 7,
        }
    )
    numbers, texts, empty = built.features
    assert (empty.rows, empty.missing) == (10, 10)
    assert (numbers.kind, numbers.rows, numbers.missing) == ("numeric", 10, 6)
    assert (texts.kind, texts.rows, texts.missing) == ("categorical", 10, 4)
    again = Reference.from_bytes(built.to_bytes())
    assert names(again) == names(built)


# Keeping.


@pytest.mark.parametrize("reads", ENGINES)
@pytest.mark.parametrize("builds", ENGINES)
def test_one_file_serves_both_engines(builds: str, reads: str, tmp_path: Path) -> None:
    built = Reference.build(rows(1000), predictions="score", engine=builds, model="m")
    path = tmp_path / "m.reference.json"
    built.save(path)
    loaded = Reference.load(path, reads)
    assert (loaded.model, loaded.created, loaded.rows) == ("m", built.created, 1000)
    assert names(loaded) == names(built)
    window = {name: values[:300] for name, values in rows(1000, seed=2).items()}
    expected, got = scores(built, window, builds), scores(loaded, window, reads)
    for name in {*SCORES, *TESTS, "drifted"} - {"wasserstein_ratio"}:
        np.testing.assert_array_equal(got[name], expected[name], err_msg=name)
    assert got["wasserstein_ratio"] == pytest.approx(
        expected["wasserstein_ratio"], abs=0.03, nan_ok=True
    )


def test_saving_replaces_the_file_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "reference.json"
    path.write_text("old")
    reference = Reference.build({"x": [1.0, 2.0]}, model="m")
    reference.save(path)
    assert [file.name for file in tmp_path.iterdir()] == ["reference.json"]
    assert Reference.load(str(path)).rows == 2
    with pytest.raises(OSError, match="No such file"):
        reference.save(tmp_path / "absent" / "reference.json")


def test_a_reference_does_not_hold_rows() -> None:
    values = np.random.default_rng(3).random(5000)
    text = Reference.build({"x": values}).to_bytes().decode()
    assert sum(repr(float(value)) in text for value in values[:500]) < 50


FORM: dict[str, Any] = orjson.loads(
    Reference.build({"x": [1.0, 2.0, 2.0], "c": ["a", "b", "b"]}, predictions="c").to_bytes()
)


def damaged(tmp_path: Path, form: Any) -> str:
    path = tmp_path / "bad.json"
    path.write_bytes(form if isinstance(form, bytes) else orjson.dumps(form))
    with pytest.raises(ConfigError) as raised:
        Reference.load(path)
    message = str(raised.value)
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"format": "other"}, "format: expected 'mlmon-reference'; this is not a reference file"),
        (
            {"format_version": 9},
            "format_version: expected 1, got 9; build the reference again",
        ),
        ({"features": None}, "features: expected a list of columns, got NoneType"),
        ({"features": {}}, "features: expected a list of columns, got dict"),
        ({"outputs": 5}, "outputs: expected a list of columns, got int"),
        ({"features": ["x"]}, "features[0]: expected a column, got str"),
        ({"features": [{}]}, "features[0]: expected the key 'name'"),
        (
            {"outputs": [{"name": "y"}]},
            "outputs[0]: expected the key 'rank_error'",
        ),
        (
            {"features": [FORM["features"][0]] * 2},
            "features: expected each column once, got 'x' twice",
        ),
        (
            {"features": [{**FORM["features"][0], "counts": [1]}]},
            "features[0] (x): counts: expected 6 whole numbers of 0 or more",
        ),
        (
            {"features": [{**FORM["features"][0], "kind": "vector"}]},
            "features[0] (x): kind: expected numeric or categorical, got 'vector'",
        ),
        ({"created": "today"}, "created: expected Unix seconds, got 'today'"),
        ({"created": None}, "created: expected Unix seconds, got None"),
    ],
)
def test_a_damaged_file_says_which_key(
    damage: dict[str, Any], message: str, tmp_path: Path
) -> None:
    assert damaged(tmp_path, {**FORM, **damage}) == message


def test_a_file_that_is_no_reference_says_so(tmp_path: Path) -> None:
    for text in (b"", b"{", b"\xff\xfe", b'{"a": 1', b"[" * 5000):
        assert damaged(tmp_path, text).startswith("expected a reference in JSON: ")
    forms: list[Any] = [[], 5, None, "text", {}, {"model": "x"}]
    for form in forms:
        expected = "format: expected 'mlmon-reference'; this is not a reference file"
        assert damaged(tmp_path, form) == expected


def test_a_file_that_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    for path, reason in (
        (tmp_path / "absent.json", "No such file or directory"),
        (tmp_path, "Is a directory"),
    ):
        with pytest.raises(ConfigError) as raised:
            Reference.load(path)
        assert str(raised.value) == (
            f"{path}: cannot read the reference: {reason}; "
            "make one with 'mlmon-exporter build-reference'"
        )


JUNK: list[Any] = [None, True, -1, 0.5, 2**63, 1e308, "", "text", [], [[]], [None], {}, {"a": 1}]


def spots(form: Any) -> Iterator[tuple[Any, Any]]:
    """Every container and key within a form."""
    keys = form if isinstance(form, dict) else range(len(form)) if isinstance(form, list) else ()
    for key in keys:
        yield form, key
        yield from spots(form[key])


def test_any_damage_is_accepted_or_refused_by_one_error() -> None:
    """And what is accepted can be scored."""
    rng = random.Random(1)
    window = {"x": [1.0, 2.0] * 100, "c": ["a", "z"] * 100}
    refused = 0
    for _ in range(1500):
        form: Any = copy.deepcopy(FORM)
        for _ in range(rng.choice([1, 1, 2])):
            container, key = rng.choice(list(spots(form)))
            if rng.random() < 0.2:
                del container[key]
            else:
                container[key] = rng.choice(JUNK)
        try:
            reference = Reference.from_bytes(orjson.dumps(form), rng.choice(ENGINES))
        except ValueError:
            refused += 1
            continue
        scores(reference, window, "fastdigest")
        (reference + reference).to_bytes()
    assert 500 < refused < 1500


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
