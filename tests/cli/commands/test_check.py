"""Facts about `mlmon-exporter check`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.command_line import error, succeeded

from .test_build_reference import build


def test_check_says_for_which_windows_natural_variation_is_not_known(
    train: Path, folder: Path
) -> None:
    build(train, "--windows", "30m,2h")
    file = folder / "mlmon.toml"
    model = '[[models]]\nname = "bike"\nreference = "bike.reference.json"\n'
    file.write_text(f'windows = ["30m", "4h"]\n{model}')
    text = " ".join(succeeded("check", "--config", file).split())
    assert "was not measured in windows of 4h: that takes a reference of data that span" in text
    file.write_text(f'windows = ["30m", "2h"]\n{model}')
    assert "was not measured" not in succeeded("check", "--config", file)


def test_check_shows_what_each_model_will_watch(config: Path) -> None:
    text = succeeded("check", "--config", config)
    assert "windows 1h; at most one false alarm per model in 30d; state in memory" in text
    assert "bike: 7, regression, format auto; routes: /predict" in text
    assert "3 features, 1 output, 2 000 rows, built less than a minute ago" in text
    assert "temp numeric 11 2 000" in text
    assert re.search(r"mean in a window of 1h: 1 sd is seen with \d+ rows, 0.5 sd is ", text)
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
        ('segments = ["sesson"]', "bike: segments: 'sesson' is not a feature of the reference"),
        ('outputs = ["score"]', "'score' is not an output of the reference; it has cnt_hat"),
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
