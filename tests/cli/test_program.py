"""Facts about the commands: what they print, what they write, and how they fail."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

import mlmon_exporter
from mlmon_exporter import Monitor, cli
from mlmon_exporter.cli.commands import build_reference, terminal
from mlmon_exporter.cli.commands.terminal import age, percent, progress_bar, size, thousands
from mlmon_exporter.cli.program import COMMANDS, program
from mlmon_exporter.core.profile.bins import CategoryBins
from mlmon_exporter.reference.reference import Reference
from tests.command_line import error, run, succeeded

ROWS = 2000


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def train(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    table = pa.table(
        {
            "temp": pa.array(
                np.where(rng.random(ROWS) < 0.1, np.nan, rng.normal(size=ROWS)), from_pandas=True
            ),
            "season": rng.integers(1, 5, ROWS),
            "town": rng.choice(["Ulm", "Bonn", "[red]Köln[/red]"], ROWS),
            "ts": pa.array(np.arange(ROWS) * 60_000_000, pa.timestamp("us")),
            "cnt": rng.integers(0, 900, ROWS),
            "cnt_hat": rng.normal(400, 100, ROWS),
        }
    )
    pyarrow.parquet.write_table(table, folder / "train.parquet")
    return Path("train.parquet")


def build(train: Path, *more: str) -> str:
    return succeeded(
        "build-reference",
        train,
        *("--model", "bike", "--prediction", "cnt_hat", "--ground-truth", "cnt"),
        *("--categorical", "season", "--segment", "season", "--time-column", "ts"),
        *more,
    )


# The program.


def test_the_version_is_printed() -> None:
    assert succeeded("--version") == f"mlmon-exporter {mlmon_exporter.__version__}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_with_an_example(command: str) -> None:
    text = succeeded(command, "--help")
    assert f"Example: mlmon-exporter {command}" in text
    assert succeeded(command, "-h") == text


def test_without_arguments_the_commands_are_listed() -> None:
    result = run()
    assert result.exit_code == 2
    assert all(command in result.stdout for command in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope"], "No such command 'nope'; see 'mlmon-exporter --help'"),
        (
            ["check", "--confg", "x"],
            r"No such option:? '?--confg'?.*see 'mlmon-exporter check --help'",
        ),
        (
            ["build-reference"],
            "Missing argument 'DATA'; see 'mlmon-exporter build-reference --help'",
        ),
        (
            ["demo", "--port", "many"],
            "Invalid value for '--port'.*see 'mlmon-exporter demo --help'",
        ),
        (["assets"], "Missing option '--out'"),
    ],
)
def test_wrong_arguments_are_named_in_a_line(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(program(), arguments, prog_name="mlmon-exporter")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert re.search(message, result.stderr), result.stderr


def test_without_the_extra_one_line_says_what_to_install(folder: Path) -> None:
    (folder / "sitecustomize.py").write_text(
        "import importlib.util as u, sys\n"
        "known = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name in ('typer', 'rich') else known(name, *a)\n"
        "sys.modules['typer'] = sys.modules['rich'] = None\n"
    )
    found = subprocess.run(
        [sys.executable, "-m", "mlmon_exporter.cli", "--help"],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == (
        "mlmon-exporter: the commands need typer, rich: pip install 'mlmon-exporter[cli]'\n"
    )


def test_the_extra_is_what_the_program_asks_for() -> None:
    path = Path(mlmon_exporter.__file__).parents[1] / "pyproject.toml"
    extra = tomllib.loads(path.read_text())["project"]["optional-dependencies"]["cli"]
    assert sorted(re.match("[a-z]+", line)[0] for line in extra) == sorted(cli.NEEDED.values())  # type: ignore[index]


# build-reference.


def test_build_reference_saves_and_shows_what_it_built(train: Path) -> None:
    text = build(train, "--out", "bike.json")
    reference = Reference.load("bike.json")
    assert [c.name for c in reference.features] == ["temp", "season", "town"]
    assert [c.name for c in reference.outputs] == ["cnt_hat"]
    assert (reference.model, reference.rows) == ("bike", ROWS)
    assert isinstance(reference.features[1].bins, CategoryBins)
    assert "temp numeric 11 2 000 10 %" in text or re.search(r"temp numeric 11 2 000 \d+ %", text)
    assert "season categorical" in text
    assert "[red]Köln[/red]" in text
    assert re.search(r"Saved bike.json \(\d+ KiB\): 3 features, 1 output, 2 000 rows, in", text)
    assert 'instrument(app, model="bike", reference="bike.json")' in text
    assert "Warning" not in text


def test_the_reference_file_is_named_after_the_model(train: Path, folder: Path) -> None:
    build(train)
    assert (folder / "bike.reference.json").exists()


def test_the_time_column_tells_what_varies_over_the_windows(train: Path) -> None:
    build(train, "--windows", "30m,2h")
    variation = Reference.load("bike.reference.json").features[0].variation
    assert set(variation) == {1800, 7200}


def test_columns_may_be_chosen_or_ignored(train: Path) -> None:
    succeeded("build-reference", train, "--features", " temp, town ", "--out", "a.json")
    assert [c.name for c in Reference.load("a.json").features] == ["temp", "town"]
    succeeded("build-reference", train, "--ignore", "ts,cnt,cnt_hat", "--out", "a.json")
    assert [c.name for c in Reference.load("a.json").features] == ["temp", "season", "town"]


def test_a_text_may_stand_for_a_missing_value(folder: Path) -> None:
    (folder / "d.csv").write_text("job,age\n" + "?,1\nclerk,?\n" * 1000)
    text = succeeded("build-reference", "d.csv")
    assert "Warning: '?' is a category of job, age; if it means there is no value" in text
    text = succeeded("build-reference", "d.csv", "--missing", "?")
    assert "Warning: '?'" not in text
    features = Reference.load("default.reference.json").features
    assert [(c.kind, c.missing) for c in features] == [("categorical", 1000), ("numeric", 1000)]


@pytest.mark.parametrize(
    ("content", "warning"),
    [
        ("a\n" + "1\n" * 10, "10 rows are few"),
        ("a\n" + "1\n" * 2000, "no prediction column"),
        ("a,b\n" + "1,\n" * 2000, "no value at all in b: left out"),
        ("a,day\n" + "1,2026-11-23\n1,2026-11-24\n" * 1000, "times only ever grow"),
        ("a,id\n" + "".join(f"1,user {i}\n" for i in range(2000)), "nearly every row is different"),
        ("a\n" + "1\n2\n" * 1000 + "x9\n", "a: numbers but for 'x9', so they are categories"),
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
    assert f"Its classification of these rows: accuracy {exact:.4g}, " in text
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


def test_a_progress_bar_is_drawn_on_terminals_only(capfd: pytest.CaptureFixture[str]) -> None:
    with progress_bar("Reading x") as told:
        told(0.5)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_terminal_sees_the_progress(train: Path) -> None:
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "mlmon_exporter.cli", "build-reference", train],
        stdout=subprocess.DEVNULL,
        stderr=follower,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    ) as process:
        os.close(follower)
        seen = io.BytesIO()
        try:
            while part := os.read(leader, 4096):
                seen.write(part)
        except OSError:  # what Linux says of a terminal that nobody holds any more
            pass
    os.close(leader)
    assert process.returncode == 0
    assert b"Reading train.parquet" in seen.getvalue()


# check.


@pytest.fixture
def config(train: Path, folder: Path) -> Path:
    build(train)
    path = folder / "mlmon.toml"
    path.write_text(
        'windows = ["1h"]\n'
        '[[models]]\nname = "bike"\nversion = "7"\ntask = "regression"\nroutes = ["/predict"]\n'
        'reference = "bike.reference.json"\nsegments = ["season"]\n'
    )
    return path


def test_check_says_for_which_windows_natural_variation_is_not_known(
    train: Path, folder: Path
) -> None:
    build(train, "--windows", "30m,2h")
    file = folder / "mlmon.toml"
    model = '[[models]]\nname = "bike"\nreference = "bike.reference.json"\n'
    file.write_text(f'windows = ["30m", "4h"]\n{model}')
    text = " ".join(succeeded("check", "--config", file).split())
    assert "was not measured in windows of 4h: build the reference with --windows" in text
    file.write_text(f'windows = ["30m", "2h"]\n{model}')
    assert "was not measured" not in succeeded("check", "--config", file)


def test_check_shows_what_each_model_will_watch(config: Path) -> None:
    text = succeeded("check", "--config", config)
    assert "windows 1h; at most one false page per model in 30d; state in memory" in text
    assert "bike: 7, regression, format auto; routes: /predict" in text
    assert "3 features, 1 output, 2 000 rows, built less than a minute ago" in text
    assert "temp numeric 11 2 000" in text
    assert text.endswith("OK, no warnings: a server will start with this.")


def test_check_takes_the_file_that_the_environment_names(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLMON_CONFIG", str(config.rename(config.with_name("other.toml"))))
    assert "other.toml: windows" in succeeded("check")


def test_check_tells_that_a_model_will_learn(folder: Path) -> None:
    (folder / "mlmon.toml").write_text('learn_rows = 500\n[[models]]\nname = "churn"\n')
    assert "learns its reference from the first 500 rows" in succeeded("check")


@pytest.mark.parametrize(
    ("line", "warning"),
    [
        ('segments = ["sesson"]', "bike: segments: 'sesson' is no feature of the reference"),
        ('outputs = ["score"]', "'score' is no output of the reference; it has cnt_hat"),
    ],
)
def test_check_warns_where_config_and_reference_do_not_fit(
    config: Path, line: str, warning: str
) -> None:
    key = line.partition(" = ")[0]
    kept = [old for old in config.read_text().splitlines() if not old.startswith(key)]
    config.write_text("\n".join([*kept, line]))
    text = succeeded("check", "--config", config)
    assert warning in text
    assert "OK, 1 warning:" in text


def test_check_warns_of_another_models_reference(config: Path) -> None:
    config.write_text(config.read_text().replace('name = "bike"', 'name = "truck"'))
    assert "was built for the model 'bike'" in succeeded("check", "--config", config)


def test_report_writes_one_file_from_the_state(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    Reference.build({"a": rng.normal(size=500)}).save(tmp_path / "m.json")
    config = tmp_path / "mlmon.toml"
    config.write_text("state_dir = 'state'\n[[models]]\nname = 'm'\nreference = 'm.json'\n")
    monitor = Monitor(config)
    monitor.observe({"a": rng.normal(size=300) + 2.0})
    monitor.close()
    out = tmp_path / "report.html"
    assert "Wrote" in succeeded("report", "--config", config, "--out", out)
    page = out.read_text()
    assert "1 of 1 column drifted" in page
    assert "24h window</title>" in page
    succeeded("report", "--config", config, "--out", out, "--window", "1h")
    assert "1h window</title>" in out.read_text()
    assert error("report", "--config", config, "--out", out, "--window", "2h") == (
        "window: expected one of 1h, 24h, got '2h'"
    )
    assert error("report", "--config", config, "--out", tmp_path / "no" / "report.html") == (
        f"{tmp_path / 'no' / 'report.html'}: No such file or directory"
    )


def test_report_without_a_state_says_what_to_set(tmp_path: Path) -> None:
    config = tmp_path / "mlmon.toml"
    config.write_text("")
    message = error("report", "--config", config, "--out", tmp_path / "report.html")
    assert message.startswith("state_dir: expected the folder that the model server writes to")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('version = "7"', "version = 7", r"mlmon.toml: models\[0\].version: expected .*, got 7"),
        ('"bike.reference.json"', '"absent.json"', "absent.json: cannot read the reference"),
        ('"bike.reference.json"', '"mlmon.toml"', "mlmon.toml: expected a reference in JSON"),
        ("segments", "segmnts", r"models\[0\].segmnts: unknown key; did you mean 'segments'\?"),
        ("[[models]]", "[[models]", "mlmon.toml: expected TOML"),
    ],
)
def test_check_fails_where_a_server_would_not_start(
    config: Path, old: str, new: str, message: str
) -> None:
    config.write_text(config.read_text().replace(old, new))
    assert re.search(message, error("check", "--config", config))


def test_check_needs_a_file(folder: Path) -> None:
    assert error("check") == "mlmon.toml: expected a TOML file, got: No such file or directory"


# What commands say things with.


def test_numbers_read_well() -> None:
    assert [thousands(n) for n in (0, 999, 1000, 1234567)] == ["0", "999", "1 000", "1 234 567"]
    assert [percent(x) for x in (0.0, 0.0001, 0.004, 0.5, float("nan"))] == [
        "0 %",
        "<0.1 %",
        "0.4 %",
        "50 %",
        "",
    ]
    assert [age(s) for s in (1, 60, 3600, 86_400, 3 * 86_400)] == [
        "less than a minute",
        "1 minute",
        "1 hour",
        "1 day",
        "3 days",
    ]
    assert [size(n) for n in (1, 2048, 5_000_000)] == ["1 KiB", "2 KiB", "4 883 KiB"]


def test_names_are_listed_with_commas() -> None:
    assert build_reference.names(" a, b,,a ,c") == ("a", "b", "c")


def test_a_table_of_very_many_columns_is_cut(folder: Path) -> None:
    header = ",".join(f"c{i}" for i in range(terminal.SHOWN + 5))
    row = ",".join("1" for _ in range(terminal.SHOWN + 5))
    (folder / "d.csv").write_text(f"{header}\n" + f"{row}\n" * 1000)
    text = succeeded("build-reference", "d.csv")
    assert "... and 5 more" in text
    assert f"c{terminal.SHOWN} " not in text
