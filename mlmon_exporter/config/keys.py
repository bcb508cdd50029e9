"""Configuration: a TOML file, the environment and keyword options become one frozen `Config`.

Precedence: options given in code, `MLMON_...` variables, the file, the defaults.
"""

from __future__ import annotations

import os
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from . import values as kinds
from .values import Duration, Location, dotted, number, shown, suggestion, whole

__all__ = ["Config", "ConfigError", "Duration", "ModelConfig", "load_config"]

MIB = 2**20


class ConfigError(ValueError):
    """An unusable configuration; each line reads `where: expected X, got Y`."""


class ModelConfig(BaseModel):
    """One served model: a `[[models]]` table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: kinds.Name = "default"
    version: kinds.OptionalName = None
    task: kinds.OptionalTask = None
    reference: kinds.OptionalPath = None
    routes: kinds.Routes = ()
    format: kinds.Name = "auto"
    features: kinds.OptionalName = None
    predictions: kinds.OptionalName = None
    segments: kinds.Segments = ()
    score: kinds.OptionalName = None
    label: kinds.OptionalName = None
    positive: kinds.OptionalClass = None
    outputs: kinds.Names = ()


class Config(BaseModel):
    """All keys; each is also an environment variable `MLMON_<KEY>`.

    Other `MLMON_` variables are ignored: Kubernetes sets `MLMON_SERVICE_HOST` and the like in
    every container next to a service called mlmon.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,  # it may be a token
        validate_default=True,
    )

    state_dir: kinds.OptionalPath = None
    windows: kinds.Windows = (Duration.parse("1h"), Duration.parse("24h"))
    false_alarm_every: kinds.Span = Duration.parse("30d")
    min_window_rows: kinds.Whole = whole(100)
    digest: kinds.Digest = "fastdigest"
    token: kinds.Tokens = ()
    metrics_token: kinds.Tokens = ()
    metrics_path: kinds.OptionalRoute = "/metrics"
    page_path: kinds.OptionalRoute = None
    health_path: kinds.OptionalRoute = None
    events_path: kinds.OptionalRoute = None

    psi_floor: kinds.Number = number(0.1, high=100)
    ks_floor: kinds.Number = number(0.1, high=1)
    share_floor: kinds.Number = number(0.01, high=1)
    learn_rows: kinds.Whole = whole(10_000)

    max_body_bytes: kinds.Whole = whole(MIB, low=0)
    max_inflated_bytes: kinds.Whole = whole(8 * MIB, low=0)
    max_rows: kinds.Whole = whole(10_000)
    max_features: kinds.Whole = whole(2_000)
    sample_ratio: kinds.Number = number(1.0, low=1e-6, high=1)
    queue_exchanges: kinds.Whole = whole(10_000)
    queue_bytes: kinds.Whole = whole(64 * MIB, high=2**40)
    flush_seconds: kinds.Number = number(5.0, low=0.01, high=3600)

    pending_rows: kinds.Whole = whole(100_000)
    pending_age: kinds.Span = Duration.parse("7d")
    ground_truth_store: kinds.OptionalDatabase = None
    events_waiting: kinds.Whole = whole(10_000)
    events_bytes: kinds.Whole = whole(64 * MIB, high=2**40)
    events_age: kinds.Span = Duration.parse("10m")

    max_routes: kinds.Whole = whole(200, high=10_000)
    max_categories: kinds.Whole = whole(50, high=1_000)
    max_versions: kinds.Whole = whole(8, high=1_000)
    max_segments: kinds.Whole = whole(20, high=200)
    max_kpis: kinds.Whole = whole(50, high=1_000)
    feature_histograms: bool = Field(True, description="true or false")
    detail: kinds.Detail = "normal"
    models: Annotated[tuple[ModelConfig, ...], kinds.LIST] = Field(
        (ModelConfig(),), description="tables headed [[models]]"
    )

    @model_validator(mode="before")
    @classmethod
    def _over_environment(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {**_environment(), **values}

    @field_validator("false_alarm_every")
    @classmethod
    def _outlasts_windows(cls, span: Duration, info: ValidationInfo) -> Duration:
        longest = max(info.data.get("windows", [span]), key=lambda window: window.seconds)
        if span.seconds < longest.seconds:
            raise ValueError(f"expected {longest.label} (a window) or more, got {span.label}")
        return span

    @field_validator("page_path", "health_path")
    @classmethod
    def _is_no_other_path(cls, path: str | None, info: ValidationInfo) -> str | None:
        for other in ("metrics_path", "page_path"):
            if path is not None and path == info.data.get(other):
                raise ValueError(f"expected another path than {other}, got {path!r}")
        return path

    @field_validator("models")
    @classmethod
    def _can_be_told_apart(cls, models: tuple[ModelConfig, ...]) -> tuple[ModelConfig, ...]:
        if problems := [*_shared_names(models), *_shared_routes(models)]:
            raise ValueError("; ".join(problems))
        return models or (ModelConfig(),)

    @classmethod
    def from_options(cls, config: Config | Path | str | None = None, **options: Any) -> Config:
        """Lay the keyword options of `instrument()` over a configuration.

        Args:
            config: A Config, or what `load_config` takes.
            options: Global keys, and keys of the model, whose `name` is called `model` here. With
                several models configured, `model` picks the one that the others are for.

        Raises:
            ConfigError: The file or an option is wrong, or `model` is missing or unknown.
        """
        model_keys = {"model": "name"} | {k: k for k in ModelConfig.model_fields if k != "name"}
        own = {key: options.pop(option) for option, key in model_keys.items() if option in options}
        known = [*cls.model_fields, *model_keys]
        if unknown := [f"{key}: {suggestion(key, known)}" for key in options if key not in known]:
            raise ConfigError("\n".join(f"instrument(): {problem}" for problem in unknown))
        base = config if isinstance(config, Config) else load_config(config)
        merged = _built({**dict(base), **options}, lambda where: f"instrument(): {dotted(where)}")
        if not own:
            return merged
        return _built({**dict(merged), "models": _overlaid(merged.models, own)}, _option)

    def joined(self, other: Config) -> Config:
        """Return this configuration with the models of another that it lacks."""
        names = {model.name for model in self.models}
        more = [model for model in other.models if model.name not in names]
        return _built({**dict(self), "models": [*map(dict, (*self.models, *more))]}, dotted)


def load_config(path: Path | str | None = None) -> Config:
    """Read a TOML file, and the environment over it.

    Paths in the file are relative to its folder, those in the environment to the current one.

    Args:
        path: The file; by default the one that MLMON_CONFIG names, or none.

    Raises:
        ConfigError: The file cannot be read, or some key has a wrong name or value.
    """
    path = path or os.environ.get("MLMON_CONFIG")
    file = _read(Path(path)) if path else {}
    environment = _environment()

    def locate(location: Location) -> str:
        key = str(location[0])
        if key in environment:
            return f"MLMON_{key.upper()}{dotted(location)[len(key) :]}"
        return f"{path}: {dotted(location)}" if path else dotted(location)

    config = _built({**file, **environment}, locate)
    return _anchored(config, Path(path or "").parent, file.keys() - environment.keys())


def _environment() -> dict[str, str]:
    """Return the values of `MLMON_<KEY>` variables, in upper or lower case, by key."""
    given = {name.upper(): text for name, text in os.environ.items()}
    names = {key: f"MLMON_{key.upper()}" for key in Config.model_fields}
    return {key: given[name] for key, name in names.items() if name in given}


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path}: expected a TOML file, got: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: expected TOML, got: {error}") from None


def _built(values: Mapping[str, Any], locate: Callable[[Location], str]) -> Config:
    unknown = [key for key in values if key not in Config.model_fields]
    lines = [f"{locate((key,))}: {_unknown(key, Config)}" for key in unknown]
    try:
        config = Config(**{key: values[key] for key in values if key not in unknown})
    except ValidationError as error:
        lines += [f"{locate(detail['loc'])}: {_problem(detail)}" for detail in error.errors()]
    else:
        if not lines:
            return config
    raise ConfigError("\n".join(lines))


def _problem(detail: ErrorDetails) -> str:
    """Return what is wrong with one value and what to do about it, without its place."""
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    location = detail["loc"]
    owner, key = (ModelConfig, location[2]) if len(location) > 2 else (Config, location[0])
    if detail["type"] == "extra_forbidden":
        return _unknown(str(key), owner)
    return f"expected {owner.model_fields[str(key)].description}, got {shown(detail['input'])}"


def _unknown(key: str, owner: type[BaseModel]) -> str:
    if owner is ModelConfig and key in Config.model_fields:
        return "unknown key of a model; move it to the top of the file, before [[models]]"
    if owner is Config and key in ModelConfig.model_fields:
        return "unknown global key; move it under [[models]]"
    return suggestion(key, owner.model_fields)


def _overlaid(models: tuple[ModelConfig, ...], own: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Lay options over the one model that they are for."""
    names = [model.name for model in models]
    chosen = names[0] if len(names) == 1 else own.get("name")
    if chosen not in names:
        known = ", ".join(map(repr, names))
        raise ConfigError(
            f"instrument(): model: expected the one that the options are for, {known}, "
            f"got {shown(chosen)}"
        )
    return [{**dict(model), **(own if model.name == chosen else {})} for model in models]


def _option(location: Location) -> str:
    """Return the place of a wrong option: `segments`, which a file calls models[0].segments."""
    own = tuple("model" if part == "name" else part for part in location[2:])
    return f"instrument(): {dotted(own or location)}"


def _anchored(config: Config, folder: Path, keys: Collection[str]) -> Config:
    """Make the paths of these keys, which come from a file, relative to its folder."""
    anchored: dict[str, object] = {}
    if config.state_dir is not None and "state_dir" in keys:
        anchored["state_dir"] = folder / config.state_dir
    if "models" in keys:
        anchored["models"] = tuple(
            model.model_copy(update={"reference": model.reference and folder / model.reference})
            for model in config.models
        )
    return config.model_copy(update=anchored)


def _shared_names(models: tuple[ModelConfig, ...]) -> Iterator[str]:
    for name, count in Counter(model.name for model in models).items():
        if count > 1:
            yield f"expected a name of its own for each model, got {name!r} {count} times"


def _shared_routes(models: tuple[ModelConfig, ...]) -> Iterator[str]:
    # Models without routes share all other routes: the request names the model.
    owners = defaultdict[str, list[str]](list)
    for model in models:
        for route in model.routes:
            owners[route].append(model.name)
    for route, names in owners.items():
        if len(names) > 1:
            yield f"expected one model for each route, got {route} for {', '.join(names)}"
