"""Facts about the configuration: what it reads, what wins, and every message."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from mlmon_exporter.config.keys import Config, ConfigError, Duration, ModelConfig, load_config
from mlmon_exporter.config.values import Ranges


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def problems(toml: str | bytes) -> list[str]:
    """The lines of the error that `mlmon.toml` in the current folder raises."""
    Path("mlmon.toml").write_bytes(toml.encode() if isinstance(toml, str) else toml)
    with pytest.raises(ConfigError) as raised:
        load_config(Path("mlmon.toml"))
    return str(raised.value).split("\n")


def option_problems(config: Config | Path | None = None, **options: Any) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        Config.from_options(config, **options)
    return str(raised.value).split("\n")


# --- What is read ---


def test_without_file_and_environment_the_defaults_hold() -> None:
    config = load_config()
    assert [window.label for window in config.windows] == ["1h", "24h"]
    assert config.false_alarm_every == Duration("30d", 30 * 86_400)
    assert config.models == (ModelConfig(name="default"),)
    assert config.model_dump(exclude={"windows", "false_alarm_every", "models"}) == {
        "state_dir": None,
        "min_window_rows": 100,
        "digest": "fastdigest",
        "token": (),
        "metrics_token": (),
        "metrics_path": "/metrics",
        "page_path": None,
        "health_path": None,
        "events_path": None,
        "psi_floor": 0.1,
        "ks_floor": 0.1,
        "share_floor": 0.01,
        "learn_rows": 10_000,
        "max_body_bytes": 1_048_576,
        "max_inflated_bytes": 8_388_608,
        "max_rows": 10_000,
        "max_features": 2_000,
        "sample_ratio": 1.0,
        "queue_exchanges": 10_000,
        "queue_bytes": 67_108_864,
        "flush_seconds": 5.0,
        "max_routes": 200,
        "max_categories": 50,
        "max_versions": 8,
        "max_segments": 20,
        "max_kpis": 50,
        "pending_rows": 100_000,
        "pending_age": {"label": "7d", "seconds": 604_800},
        "ground_truth_store": None,
        "events_waiting": 10_000,
        "events_bytes": 67_108_864,
        "events_age": {"label": "10m", "seconds": 600},
        "feature_histograms": True,
        "detail": "normal",
    }


EXAMPLE = """
state_dir = "/var/lib/mlmon"
windows = ["24h", "1h"]
false_alarm_every = "90d"
digest = "tdigest"
token = "write"
metrics_path = ""

[[models]]
name = "bike-demand"
version = "2026-11"
task = "regression"
reference = "bike-demand.reference.json"
routes = ["/predict", "/v2/models/{name}/infer"]
features = "instances"
predictions = "predictions"
segments = ["season", {feature = "temp", edges = [0, 0.5]}]
score = "p"
label = "cnt"
positive = 1
outputs = ["cnt"]

[[models]]
name = "fraud"
"""


def test_a_file_sets_every_kind_of_key(in_folder: Path) -> None:
    path = in_folder / "mlmon.toml"
    path.write_text(EXAMPLE)
    config = load_config(path)
    assert config.state_dir == Path("/var/lib/mlmon")
    assert config.windows == (Duration("1h", 3_600), Duration("24h", 86_400))
    assert config.digest == "tdigest"
    assert config.token == (SecretStr("write"),)
    assert config.metrics_path is None
    assert config.models == (
        ModelConfig(
            name="bike-demand",
            version="2026-11",
            task="regression",
            reference=in_folder / "bike-demand.reference.json",
            routes=("/predict", "/v2/models/{name}/infer"),
            features="instances",
            predictions="predictions",
            segments=("season", Ranges("temp", (0.0, 0.5))),
            score="p",
            label="cnt",
            positive="1",
            outputs=("cnt",),
        ),
        ModelConfig(name="fraud"),
    )


def test_paths_in_a_file_are_relative_to_its_folder(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (in_folder / "etc").mkdir()
    path = Path("etc/mlmon.toml")
    path.write_text('state_dir = "state"\n[[models]]\nreference = "a.json"')
    config = load_config(path)
    assert config.state_dir == Path("etc/state")
    assert config.models[0].reference == Path("etc/a.json")

    path.write_text('state_dir = "/state"\n[[models]]\nreference = "/a.json"')
    config = load_config(path)
    assert config.state_dir == Path("/state")
    assert config.models[0].reference == Path("/a.json")

    monkeypatch.setenv("MLMON_STATE_DIR", "state")
    monkeypatch.setenv("MLMON_MODELS", '[{"reference": "a.json"}]')
    config = load_config(path)
    assert config.state_dir == Path("state")
    assert config.models[0].reference == Path("a.json")


def test_a_byte_order_mark_is_no_error(in_folder: Path) -> None:
    path = in_folder / "mlmon.toml"
    path.write_bytes(b"\xef\xbb\xbflearn_rows = 7\r\n")
    assert load_config(path).learn_rows == 7


def test_mlmon_config_names_the_default_file(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, rows in (("a.toml", 1), ("b.toml", 2)):
        (in_folder / name).write_text(f"learn_rows = {rows}")
    monkeypatch.setenv("MLMON_CONFIG", "a.toml")
    assert load_config().learn_rows == 1
    assert Config.from_options().learn_rows == 1
    assert load_config("b.toml").learn_rows == 2


# --- What wins ---


def test_the_environment_wins_over_the_file_and_options_over_both(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = in_folder / "mlmon.toml"
    path.write_text("learn_rows = 1\nmax_rows = 1\nmax_features = 1")
    monkeypatch.setenv("MLMON_MAX_ROWS", "2")
    monkeypatch.setenv("MLMON_MAX_FEATURES", "2")
    config = Config.from_options(path, max_features=3)
    assert (config.learn_rows, config.max_rows, config.max_features) == (1, 2, 3)
    assert config.max_routes == 200


ENVIRONMENT: dict[str, tuple[str, object]] = {
    "state_dir": ("/state", Path("/state")),
    "windows": ("5m, 1h", (Duration("5m", 300), Duration("1h", 3_600))),
    "false_alarm_every": ("2w", Duration("2w", 1_209_600)),
    "min_window_rows": ("5", 5),
    "digest": ("tdigest", "tdigest"),
    "token": ("t", (SecretStr("t"),)),
    "metrics_token": ("old,new", (SecretStr("old"), SecretStr("new"))),
    "metrics_path": ("", None),
    "page_path": ("/mlmon", "/mlmon"),
    "health_path": ("/healthz", "/healthz"),
    "events_path": ("/events", "/events"),
    "psi_floor": ("0.25", 0.25),
    "ks_floor": ("0.2", 0.2),
    "share_floor": ("0", 0.0),
    "learn_rows": ("6", 6),
    "max_body_bytes": ("0", 0),
    "max_inflated_bytes": ("7", 7),
    "max_rows": ("8", 8),
    "max_features": ("9", 9),
    "sample_ratio": ("0.25", 0.25),
    "queue_exchanges": ("10", 10),
    "queue_bytes": ("11", 11),
    "flush_seconds": ("0.5", 0.5),
    "max_routes": ("12", 12),
    "max_categories": ("13", 13),
    "max_versions": ("14", 14),
    "max_segments": ("15", 15),
    "max_kpis": ("16", 16),
    "pending_rows": ("17", 17),
    "pending_age": ("2d", Duration("2d", 172_800)),
    "ground_truth_store": ("postgresql://db/mlmon", SecretStr("postgresql://db/mlmon")),
    "events_waiting": ("18", 18),
    "events_bytes": ("19", 19),
    "events_age": ("1h", Duration("1h", 3_600)),
    "feature_histograms": ("false", False),
    "detail": ("low", "low"),
    "models": ('[{"name": "m", "routes": ["/p"]}]', (ModelConfig(name="m", routes=("/p",)),)),
}


def test_every_key_is_tried_as_a_variable() -> None:
    assert ENVIRONMENT.keys() == Config.model_fields.keys()


@pytest.mark.parametrize("key", ENVIRONMENT)
def test_each_key_is_a_variable(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text, expected = ENVIRONMENT[key]
    monkeypatch.setenv(f"MLMON_{key.upper()}", text)
    assert getattr(load_config(), key) == expected


def test_a_list_in_the_environment_may_be_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLMON_WINDOWS", '["7d", "1h"]')
    assert [window.label for window in load_config().windows] == ["1h", "7d"]


@pytest.mark.parametrize(
    "key", ["state_dir", "token", "metrics_token", "metrics_path", "page_path", "health_path"]
)
def test_an_empty_variable_means_none(
    key: str, in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = in_folder / "mlmon.toml"
    path.write_text(f'{key} = "/something"')
    monkeypatch.setenv(f"MLMON_{key.upper()}", "")
    assert not getattr(load_config(path), key)


def test_variables_of_others_are_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLMON_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("MLMON_PORT", "tcp://10.0.0.1:9464")
    assert load_config() == Config()


# --- What cannot be changed or seen ---


def test_a_config_is_frozen() -> None:
    config = Config()
    with pytest.raises(ValidationError, match="frozen"):
        config.learn_rows = 1  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        config.models[0].name = "other"  # type: ignore[misc]


def test_a_list_of_two_tokens_is_valid_while_one_changes(in_folder: Path) -> None:
    path = in_folder / "mlmon.toml"
    path.write_text("token = ['old', 'new']")
    assert load_config(path).token == (SecretStr("old"), SecretStr("new"))


def test_tokens_are_never_shown(in_folder: Path) -> None:
    config = Config.from_options(token="s3cret", metrics_token="s3cret")
    assert "s3cret" not in f"{config!r} {config} {config.model_dump()} {config.model_dump_json()}"
    for toml in (
        'token = "s3cret and spaces"',
        "metrics_token = [['s3cret']]",
        "metrics_token = ['s3cret', 's3cret and spaces']",
        "metrics_token = 's3cret,s3cret,s3cret'",
        '[models]\ntoken = "s3cret"',
        '[[models]]\ntoken = "s3cret"',
        'tokem = "s3cret"',
    ):
        assert "s3cret" not in "".join(problems(toml))
    with pytest.raises(ValidationError) as raised:
        Config(token="s3cret and spaces")
    assert "s3cret" not in str(raised.value)


# --- What is refused, and how ---

GLOBAL_PROBLEMS = {
    "state_dir = 4": "state_dir: expected a path in quotes, got 4",
    "windows = 5": "windows: expected a list of durations, got 5",
    "windows = []": "windows: expected 1 to 4 windows, got 0",
    "windows = ['1h', '2h', '3h', '4h', '5h']": "windows: expected 1 to 4 windows, got 5",
    "windows = [60]": "windows[0]: expected a duration such as '1h', got 60",
    "windows = ['1h', '1 day']": "windows[1]: expected a duration such as '1h', got '1 day'",
    "windows = ['59s', '1h']": "windows: expected windows of 60s or more, got 59s, 1h",
    "windows = ['1h', '60m']": "windows: expected windows of different lengths, got 1h, 60m",
    "windows = '[\"1h\"'": "windows: expected a list of durations, got '[\"1h\"'",
    "windows = ['60d']": "false_alarm_every: expected 60d (a window) or more, got 30d",
    "false_alarm_every = '1h'": "false_alarm_every: expected 24h (a window) or more, got 1h",
    "false_alarm_every = 30": "false_alarm_every: expected a duration such as '1h', got 30",
    "min_window_rows = 0": "min_window_rows: expected a whole number from 1 to 1000000000, got 0",
    "min_window_rows = 1.5": (
        "min_window_rows: expected a whole number from 1 to 1000000000, got 1.5"
    ),
    "min_window_rows = true": (
        "min_window_rows: expected a whole number from 1 to 1000000000, got True"
    ),
    "digest = 'crick'": "digest: expected 'fastdigest' or 'tdigest', got 'crick'",
    "token = 5": "token: expected visible ASCII characters without spaces, got others (not shown)",
    "token = 'a b'": (
        "token: expected visible ASCII characters without spaces, got others (not shown)"
    ),
    "metrics_token = 'ä'": (
        "metrics_token: expected visible ASCII characters without spaces, got others (not shown)"
    ),
    "token = ['a', 'b', 'c']": "token: expected one token, or two while it changes, got 3",
    "metrics_path = 'metrics'": "metrics_path: expected a path that starts with '/', got 'metrics'",
    "page_path = 'mlmon'": "page_path: expected a path that starts with '/', got 'mlmon'",
    "page_path = '/a'\nhealth_path = '/a'": (
        "health_path: expected another path than page_path, got '/a'"
    ),
    "page_path = '/metrics'": "page_path: expected another path than metrics_path, got '/metrics'",
    "psi_floor = -0.1": "psi_floor: expected a number from 0 to 100, got -0.1",
    "psi_floor = nan": "psi_floor: expected a number from 0 to 100, got nan",
    "psi_floor = inf": "psi_floor: expected a number from 0 to 100, got inf",
    "psi_floor = true": "psi_floor: expected a number from 0 to 100, got True",
    "ks_floor = 1.1": "ks_floor: expected a number from 0 to 1, got 1.1",
    "share_floor = '1 %'": "share_floor: expected a number from 0 to 1, got '1 %'",
    "learn_rows = 0": "learn_rows: expected a whole number from 1 to 1000000000, got 0",
    "max_body_bytes = -1": "max_body_bytes: expected a whole number from 0 to 1000000000, got -1",
    "max_rows = '1e3'": "max_rows: expected a whole number from 1 to 1000000000, got '1e3'",
    "queue_bytes = 0": "queue_bytes: expected a whole number from 1 to 1099511627776, got 0",
    "flush_seconds = 0": "flush_seconds: expected a number from 0.01 to 3600, got 0",
    "flush_seconds = '5s'": "flush_seconds: expected a number from 0.01 to 3600, got '5s'",
    "max_routes = 10001": "max_routes: expected a whole number from 1 to 10000, got 10001",
    "max_categories = 0": "max_categories: expected a whole number from 1 to 1000, got 0",
    "max_versions = 0": "max_versions: expected a whole number from 1 to 1000, got 0",
    "feature_histograms = 'no thanks'": (
        "feature_histograms: expected true or false, got 'no thanks'"
    ),
    "detail = 'some'": "detail: expected 'full', 'normal' or 'low', got 'some'",
    "models = 'bike'": "models[0]: expected tables headed [[models]], got 'bike'",
    "models = 3": "models: expected tables headed [[models]], got 3",
    "[models]\nname = 'bike'": "models: expected tables headed [[models]], got a table",
    "window = ['1h']": "window: unknown key; did you mean 'windows'?",
    "PSI_FLOOR = 1": "PSI_FLOOR: unknown key; did you mean 'psi_floor'?",
    "_env_file = '.env'": (
        "_env_file: unknown key; expected one of " + ", ".join(sorted(Config.model_fields))
    ),
    "routes = ['/predict']": "routes: unknown global key; move it under [[models]]",
    '"two\\nlines and more" = 1': (
        "two\\nlines and more: unknown key; expected one of "
        + ", ".join(sorted(Config.model_fields))
    ),
}


@pytest.mark.parametrize("toml", GLOBAL_PROBLEMS)
@pytest.mark.usefixtures("in_folder")
def test_a_wrong_global_key_is_told(toml: str) -> None:
    assert problems(toml) == [f"mlmon.toml: {GLOBAL_PROBLEMS[toml]}"]


TEXT = "expected a text of 1 to 128 printable characters"
SEGMENT = 'expected a feature, or a table such as {feature = "age", edges = [25, 45]}'
MODEL_PROBLEMS = {
    "name = ''": f"name: {TEXT}, got ''",
    "name = 3": f"name: {TEXT}, got 3",
    'name = "a\\nb"': f"name: {TEXT}, got 'a\\nb'",
    f"name = '{'x' * 129}'": f"name: {TEXT}, got '{'x' * 79}",
    "version = 2026-11-01": f"version: {TEXT}, got datetime.date(2026, 11, 1)",
    "task = 'ranking'": "task: expected 'regression' or 'classification', got 'ranking'",
    "reference = 3": "reference: expected a path in quotes, got 3",
    "routes = 3": "routes: expected a list of paths, got 3",
    "routes = ['predict']": "routes[0]: expected a path that starts with '/', got 'predict'",
    "routes = ['/a', '/a']": "routes: expected each one once, got '/a' twice",
    "format = ''": f"format: {TEXT}, got ''",
    "features = 3": f"features: {TEXT}, got 3",
    "predictions = ['p']": f"predictions: {TEXT}, got ['p']",
    "segments = 3": "segments: expected a list of features, got 3",
    "segments = ['season', 3]": f"segments[1]: {SEGMENT}, got 3",
    "segments = [{feature = 'age'}]": f"segments[0]: {SEGMENT}, got a table",
    "segments = [{feature = 'age', edges = [45, 25]}]": (
        "segments[0]: expected a feature with ascending numbers as edges, "
        "got 'age' with edges [45, 25]"
    ),
    "segments = ['age', {feature = 'age', edges = [25]}]": (
        "segments: expected each one once, got 'age' twice"
    ),
    "score = 3": f"score: {TEXT}, got 3",
    "positive = []": f"positive: {TEXT}, got []",
    "segments = ['season', 'season']": "segments: expected each one once, got 'season' twice",
    "outputs = ['']": f"outputs[0]: {TEXT}, got ''",
    "windows = ['1h']": (
        "windows: unknown key of a model; move it to the top of the file, before [[models]]"
    ),
    "route = '/predict'": "route: unknown key; did you mean 'routes'?",
    "xyz = 1": "xyz: unknown key; expected one of " + ", ".join(sorted(ModelConfig.model_fields)),
}


@pytest.mark.parametrize("toml", MODEL_PROBLEMS)
@pytest.mark.usefixtures("in_folder")
def test_a_wrong_key_of_a_model_is_told_with_its_model(toml: str) -> None:
    assert problems(f"[[models]]\nname = 'first'\nroutes = ['/first']\n[[models]]\n{toml}") == [
        f"mlmon.toml: models[1].{MODEL_PROBLEMS[toml]}"
    ]


@pytest.mark.usefixtures("in_folder")
def test_all_errors_of_a_file_are_told() -> None:
    assert problems("windows = [60, 3]\nlearn_row = 3\n[[models]]\ntask = 'x'\nsegment = 'a'") == [
        "mlmon.toml: learn_row: unknown key; did you mean 'learn_rows'?",
        "mlmon.toml: windows[0]: expected a duration such as '1h', got 60",
        "mlmon.toml: windows[1]: expected a duration such as '1h', got 3",
        "mlmon.toml: models[0].task: expected 'regression' or 'classification', got 'x'",
        "mlmon.toml: models[0].segment: unknown key; did you mean 'segments'?",
    ]


def test_several_models_may_share_the_routes_that_are_no_ones() -> None:
    models = Config(models=[{"name": "a"}, {"name": "b"}]).models
    assert [model.routes for model in models] == [(), ()]


@pytest.mark.usefixtures("in_folder")
def test_models_must_differ_in_names_and_routes() -> None:
    same_names = "[[models]]\nname = 'a'\nroutes = ['/1']\n[[models]]\nname = 'a'\nroutes = ['/2']"
    assert problems(same_names) == [
        "mlmon.toml: models: expected a name of its own for each model, got 'a' 2 times"
    ]
    assert problems("[[models]]\nroutes = ['/p']\n[[models]]\nroutes = ['/p']") == [
        (
            "mlmon.toml: models: expected a name of its own for each model, "
            "got 'default' 2 times; expected one model for each route, got /p for default, default"
        )
    ]


def test_a_wrong_variable_is_told_by_its_name(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLMON_WINDOWS", "1h,soon")
    monkeypatch.setenv("MLMON_MAX_ROWS", "")
    monkeypatch.setenv("MLMON_MODELS", json.dumps([{"name": "a", "routes": ["p"]}]))
    assert problems("learn_rows = 0") == [
        "MLMON_WINDOWS[1]: expected a duration such as '1h', got 'soon'",
        "mlmon.toml: learn_rows: expected a whole number from 1 to 1000000000, got 0",
        "MLMON_MAX_ROWS: expected a whole number from 1 to 1000000000, got ''",
        "MLMON_MODELS[0].routes[0]: expected a path that starts with '/', got 'p'",
    ]


@pytest.mark.parametrize("text", ["[{]", "[" * 100_000])
def test_models_in_the_environment_must_be_json(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLMON_MODELS", text)
    with pytest.raises(ConfigError) as raised:
        load_config()
    shown = repr(text)[:80]
    assert str(raised.value) == f"MLMON_MODELS: expected tables headed [[models]], got {shown}"


def test_a_default_that_a_variable_makes_wrong_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLMON_WINDOWS", "60d")
    with pytest.raises(ConfigError) as raised:
        load_config()
    assert str(raised.value) == "false_alarm_every: expected 60d (a window) or more, got 30d"


@pytest.mark.usefixtures("in_folder")
def test_a_file_that_is_no_toml_is_told() -> None:
    assert problems("windows") == [
        (
            "mlmon.toml: expected TOML, got: Expected '=' after a key in a key/value pair "
            "(at end of document)"
        )
    ]
    assert problems(b"\xff") == [
        (
            "mlmon.toml: expected TOML, got: 'utf-8' codec can't decode byte 0xff in position 0: "
            "invalid start byte"
        )
    ]
    assert problems("a = " + "[" * 100_000)[0].startswith("mlmon.toml: expected TOML, got: ")
    assert problems("a = " + "9" * 5_000)[0].startswith("mlmon.toml: expected TOML, got: ")


@pytest.mark.parametrize(
    ("name", "reason"), [("missing.toml", "No such file or directory"), (".", "Is a directory")]
)
def test_a_file_that_cannot_be_read_is_told(name: str, reason: str, in_folder: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load_config(in_folder / name)
    assert str(raised.value) == f"{in_folder / name}: expected a TOML file, got: {reason}"


# --- Options of `instrument()` ---


def test_options_are_global_keys_or_the_models() -> None:
    config = Config.from_options(
        model="bike-demand", reference="bike.json", routes="/predict", windows=["1h"], token="t"
    )
    assert config.models == (
        ModelConfig(name="bike-demand", reference=Path("bike.json"), routes=("/predict",)),
    )
    assert config.windows == (Duration("1h", 3_600),)


def test_options_of_the_model_are_laid_over_the_configured_one() -> None:
    config = Config(models=[{"name": "a", "version": "1", "segments": ["s"]}])
    changed = Config.from_options(config, version="2", learn_rows=5)
    assert changed.models == (ModelConfig(name="a", version="2", segments=("s",)),)
    assert changed.learn_rows == 5
    assert config.models[0].version == "1"


def test_with_several_models_model_says_which_one_options_are_for() -> None:
    config = Config(models=[{"name": "a", "routes": ["/a"]}, {"name": "b", "routes": ["/b"]}])
    changed = Config.from_options(config, model="b", version="2")
    assert [model.version for model in changed.models] == [None, "2"]
    assert Config.from_options(config, learn_rows=5).models == config.models
    which = "instrument(): model: expected the one that the options are for, 'a', 'b', got"
    assert option_problems(config, version="2") == [f"{which} None"]
    assert option_problems(config, model="c", version="2") == [f"{which} 'c'"]


def test_options_take_whole_models() -> None:
    models = [ModelConfig(name="a", routes=("/a",)), {"name": "b"}]
    assert Config.from_options(models=models).models == (
        ModelConfig(name="a", routes=("/a",)),
        ModelConfig(name="b"),
    )


def test_wrong_options_are_told_by_their_names() -> None:
    assert option_problems(referense="a.json", windos=["1h"]) == [
        "instrument(): referense: unknown key; did you mean 'reference'?",
        "instrument(): windos: unknown key; did you mean 'windows'?",
    ]
    assert option_problems(windows=[60], max_rows=0) == [
        "instrument(): windows[0]: expected a duration such as '1h', got 60",
        "instrument(): max_rows: expected a whole number from 1 to 1000000000, got 0",
    ]
    assert option_problems(model="", task="x", segments=["s", ""]) == [
        f"instrument(): model: {TEXT}, got ''",
        "instrument(): task: expected 'regression' or 'classification', got 'x'",
        f"instrument(): segments[1]: {SEGMENT}, got ''",
    ]
    assert option_problems(models=[{"task": "x"}]) == [
        "instrument(): models[0].task: expected 'regression' or 'classification', got 'x'"
    ]
    config = Config(models=[{"name": "a", "routes": ["/a"]}, {"name": "b"}])
    assert option_problems(config, model="b", routes=["/a"]) == [
        "instrument(): models: expected one model for each route, got /a for a, b"
    ]


def test_a_file_is_read_for_options(in_folder: Path) -> None:
    path = in_folder / "mlmon.toml"
    path.write_text('[[models]]\nname = "a"\nreference = "a.json"')
    assert Config.from_options(str(path), version="2").models == (
        ModelConfig(name="a", version="2", reference=in_folder / "a.json"),
    )
    path.write_text("learn_rows = 0")
    assert option_problems(path, version="2") == [
        f"{path}: learn_rows: expected a whole number from 1 to 1000000000, got 0"
    ]


def test_every_key_that_pydantic_may_refuse_says_what_it_expects() -> None:
    own_checks = {"name", "format", "false_alarm_every", "token", "metrics_token", "metrics_path"}
    own_checks |= {"page_path", "version", "features", "predictions", "score", "label", "positive"}
    own_checks |= {"health_path", "pending_age", "ground_truth_store", "events_path", "events_age"}
    for model in (Config, ModelConfig):
        for key, field in model.model_fields.items():
            assert field.description or key in own_checks, key
