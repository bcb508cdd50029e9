"""Facts about `mlmon-exporter build-reference`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from mlmon_exporter.core.profile.bins import CategoryBins
from mlmon_exporter.reference.reference import Reference
from tests.command_line import error, succeeded


def build(train: Path, *more: str) -> str:
    return succeeded(
        "build-reference",
        train,
        *("--model", "bike", "--prediction", "cnt_hat", "--ground-truth", "cnt"),
        *("--categorical", "season", "--segment", "season", "--time-column", "ts"),
        *more,
    )


def test_build_reference_saves_and_shows_what_it_built(train: Path) -> None:
    text = build(train, "--out", "bike.json")
    reference = Reference.load("bike.json")
    assert [c.name for c in reference.features] == ["temp", "season", "town"]
    assert [c.name for c in reference.outputs] == ["cnt_hat"]
    assert (reference.model, reference.rows) == ("bike", 2000)
    assert isinstance(reference.features[1].bins, CategoryBins)
    assert "temp numeric 11 2 000 10 %" in text or re.search(r"temp numeric 11 2 000 \d+ %", text)
    assert "season categorical" in text
    assert "[red]Köln[/red]" in text
    assert re.search(r"Saved bike.json \(\d+ KiB\): 3 features, 1 output, 2 000 rows, in", text)
    assert 'instrument(app, model="bike", reference="bike.json")' in text
    # Its 33 hours say nothing about days.
    assert text.count("Warning") == 1
    assert "was not measured in windows of 24h" in text


def test_the_reference_file_is_named_after_the_model(train: Path, folder: Path) -> None:
    build(train)
    assert (folder / "bike.reference.json").exists()


def test_the_time_column_tells_what_varies_over_the_windows(train: Path) -> None:
    build(train, "--windows", "30m,2h")
    variation = Reference.load("bike.reference.json").features[0].variation
    assert {1800, 7200} <= set(variation)


def test_columns_may_be_chosen_or_ignored(train: Path) -> None:
    succeeded("build-reference", train, "--features", " temp, town ", "--out", "a.json")
    assert [c.name for c in Reference.load("a.json").features] == ["temp", "town"]
    succeeded("build-reference", train, "--ignore", "ts,cnt,cnt_hat", "--out", "a.json")
    assert [c.name for c in Reference.load("a.json").features] == ["temp", "season", "town"]


def test_a_text_may_stand_for_a_missing_value(folder: Path) -> None:
    (folder / "d.csv").write_text("job,age\n" + "?,1\nclerk,?\n" * 999 + "?,?\nclerk,1\n")
    text = succeeded("build-reference", "d.csv")
    assert "Warning: '?' is a category of job; if it means there is no value" in text
    assert "Warning: age: numbers but for '?', which counts as missing" in text
    text = succeeded("build-reference", "d.csv", "--missing", "?")
    assert "'?'" not in text
    features = Reference.load("default.reference.json").features
    assert [(c.kind, c.missing) for c in features] == [("categorical", 1000), ("numeric", 1000)]


@pytest.mark.parametrize(
    ("content", "warning"),
    [
        ("a\n" + "1\n" * 10, "10 rows are few"),
        ("a\n" + "1\n" * 2000, "no prediction column"),
        ("a,b\n" + "1,\n" * 2000, "all rows are missing in b: any value there is drift"),
        ("a,day\n" + "1,2026-11-23\n1,2026-11-24\n" * 1000, "times only ever grow"),
        (
            "a,id\n" + "".join(f"1,user {i}\n" for i in range(2000)),
            "texts that are long or hardly recur",
        ),
        ("a\n" + "1\n2\n" * 1000 + "x9\n", "a: numbers but for 'x9', which counts as missing"),
    ],
)
def test_weak_references_are_warned_about(folder: Path, content: str, warning: str) -> None:
    (folder / "d.csv").write_text(content)
    assert warning in succeeded("build-reference", "d.csv")


def test_build_reference_says_how_good_the_model_was(folder: Path) -> None:
    rng = np.random.default_rng(3)
    p = rng.random(3000)
    table = pa.table(
        {
            "age": rng.integers(18, 80, 3000),
            "sex": rng.choice(["f", "m"], 3000),
            "p": p,
            "income": np.where(rng.random(3000) < p, "high", "low"),
        }
    )
    pyarrow.csv.write_csv(table, folder / "d.csv")
    text = succeeded(
        *("build-reference", "d.csv", "--prediction", "p", "--ground-truth", "income"),
        *("--segment", "sex,age:25:45", "--positive", "high", "--out", "a.json"),
    )
    exact = ((p >= 0.5) == (table["income"].to_numpy(zero_copy_only=False) == "high")).mean()
    assert f"Quality on these rows (classification): accuracy {exact:.4g}, " in text
    data = {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}
    roles: dict[str, Any] = {"predictions": "p", "ground_truth": "income", "positive": "high"}
    built = Reference.build(data, segments=["sex", ("age", (25, 45))], **roles)
    read = Reference.load("a.json")
    assert read.outcomes is not None
    assert built.outcomes is not None
    assert read.quality == pytest.approx(built.quality)
    assert read.outcomes.tally.sums == pytest.approx(built.outcomes.tally.sums)
    sex, age = read.outcomes.segments
    assert sorted(sex.labels) == ["f", "m", "missing", "other"]
    assert age.labels == ("<25", "[25, 45)", ">=45", "other", "missing")


def test_a_prediction_that_does_not_fit_the_ground_truth_is_told(folder: Path) -> None:
    (folder / "d.csv").write_text("x,p,y\n" + "1,7.5,a\n2,3.5,b\n" * 600)
    text = succeeded("build-reference", "d.csv", "--prediction", "p", "--ground-truth", "y")
    assert "no prediction fits the ground truth y: quality has nothing to compare with" in text
    assert Reference.load("default.reference.json").outcomes is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--prediction", "cnt_ht"], "train.parquet: --prediction: there is no column 'cnt_ht'"),
        (["--ground-truth", "cn"], "--ground-truth: there is no column 'cn'; did you mean 'cnt'?"),
        (["--time-column", "tss"], "--time-column: there is no column 'tss'; did you mean 'ts'?"),
        (["--segment", "sesson"], "--segment: there is no column 'sesson'; did you mean 'season'?"),
        (["--segment", "season:3:2"], "--segment: expected a feature, or one with ascending edges"),
        (["--task", "ranking"], "--task: expected classification or regression, got 'ranking'"),
        (["--score", "p"], "score: expected one of the outputs cnt_hat, got 'p'"),
        (["--windows", "1x"], "--windows: expected a duration such as '1h', got '1x'"),
        (["--out", "no/such/place.json"], "there is no folder no/such; make it first"),
        (["--out", "."], "expected a file, got a folder"),
    ],
)
def test_build_reference_fails_in_a_line(train: Path, options: list[str], message: str) -> None:
    columns = ("--prediction", "cnt_hat", "--ground-truth", "cnt")
    assert message in error("build-reference", train, *columns, *options)


def test_data_that_cannot_be_read_is_named(folder: Path) -> None:
    assert error("build-reference", "x.csv").startswith("x.csv: expected a file or a folder")
    (folder / "x.csv").write_text("a,b\n1,2\n3\n")
    assert "x.csv: cannot be read: CSV parse error: Expected 2 columns" in error(
        "build-reference", "x.csv"
    )
    assert not list(folder.glob("*.json"))


def test_numbers_that_only_name_rows_are_left_out_unless_they_are_named(folder: Path) -> None:
    rows = range(2000)
    lines = [f"{7_000_000 + n},{1_700_000_000 + 60 * n},{n % 9},1,{n % 7},{n % 5}" for n in rows]
    file = folder / "ids.csv"
    file.write_text("customer_id,at,visits,always,price,score\n" + "\n".join(lines))
    done = succeeded("build-reference", file, "--out", folder / "a.json")
    assert "numbers that seem to be ids or times in customer_id, at: left out" in done
    assert "nearly all rows have one value in always" in done
    names = [column.name for column in Reference.load(folder / "a.json").features]
    assert names == ["visits", "always", "price", "score"]
    named = ("--features", "customer_id,visits", "--out", folder / "b.json")
    done = succeeded("build-reference", file, *named)
    assert "ids or times in customer_id: new ones are drift" in done
    names = [column.name for column in Reference.load(folder / "b.json").features]
    assert names == ["customer_id", "visits"]


def test_more_features_than_a_server_takes_are_refused_wherever_they_come(folder: Path) -> None:
    names = [f"f{i}" for i in range(11)]
    (folder / "d.csv").write_text(",".join(names) + "\n" + ",".join("1" * 11) + "\n")
    problem = "expected 10 features at most, got 11"
    assert problem in error("build-reference", "d.csv", "--max-features", "10")
    with pytest.raises(ValueError, match=problem):
        Reference.build({name: [1.0] for name in names}, max_features=10)
    succeeded("build-reference", "d.csv", "--max-features", "11")
    Path("mlmon.toml").write_text(
        'max_features = 10\n[[models]]\nname = "m"\nreference = "default.reference.json"\n'
    )
    assert f"default.reference.json: {problem}" in error("check")


def test_decimal_commas_are_warned_of(folder: Path) -> None:
    file = folder / "commas.csv"
    file.write_text("price;n\n" + "\n".join(f"{n % 9},{n % 10}0;{n % 3}" for n in range(2000)))
    done = succeeded("build-reference", file, "--out", folder / "a.json")
    assert "decimal commas in price" in done


def test_rows_between_two_times_make_a_reference_of_their_own(folder: Path) -> None:
    rows = 3000
    rng = np.random.default_rng(3)
    times = np.datetime64("2026-11-01T00:00:00", "s") + 60 * np.arange(rows)
    kind = np.where(np.arange(rows) < 1440, "early", "late")
    columns = {"ts": times, "x": rng.normal(size=rows), "kind": kind, "p": rng.random(rows)}
    columns["y"] = (rng.random(rows) < columns["p"]).astype(int)
    table = pa.table(columns)
    pyarrow.parquet.write_table(table, "log.parquet")
    pyarrow.parquet.write_table(table.slice(1000, 1000), "part.parquet")
    options = ("--prediction", "p", "--ground-truth", "y", "--time-column", "ts")
    span = ("--begin", "2026-11-01T16:40", "--end", "2026-11-02T09:20")
    succeeded("build-reference", "log.parquet", *options, *span, "--out", "span.json")
    succeeded("build-reference", "part.parquet", *options, "--out", "part.json")
    span_reference, part_reference = map(Reference.load, ("span.json", "part.json"))
    assert span_reference.rows == 1000
    assert span_reference.quality == part_reference.quality
    sides = zip(span_reference.features, part_reference.features, strict=True)
    for ours, theirs in sides:
        assert repr(ours.bins) == repr(theirs.bins)
        np.testing.assert_array_equal(ours.counts, theirs.counts)
    assert span_reference.features[1].rows_by_category == {"early": 440, "late": 560}
    message = error("build-reference", "log.parquet", "--begin", "2026-11-01")
    assert message == "--begin: expected --time-column, the time of a row, as well"
    message = error("build-reference", "log.parquet", *options, "--end", "soon")
    assert message == "--end: expected a time such as 2026-11-23T12:00, got 'soon'"
