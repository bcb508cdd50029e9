"""Facts about the file of a reference: kept whole, and any damage is told."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from mlmon_exporter import ConfigError, Reference
from mlmon_exporter.core.drift.tests import SCORES, TESTS
from tests.reference.built import ENGINES, names, rows, scores


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
