"""The typed options of `instrument` and `Monitor` are the keys of the configuration."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from pydantic import BaseModel, SecretStr

from mlmon_exporter import Config, ModelConfig, Monitor, instrument
from mlmon_exporter.config.options import ModelOptions, Options
from mlmon_exporter.config.values import Duration, Ranges

GIVEN = {Duration: str, SecretStr: str, Path: Path | str, Ranges: Mapping[str, Any]}
"""A type of `Config` -> what one writes for it."""


def given(annotation: Any) -> Any:
    """Return the type of what one writes for a key of this type."""
    if get_origin(annotation) is tuple:
        return Sequence[given(get_args(annotation)[0])]  # type: ignore[misc]
    if get_origin(annotation) in (Union, UnionType):
        return Union[tuple(map(given, get_args(annotation)))]  # noqa: UP007
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation | Mapping[str, Any]
    if hasattr(annotation, "__metadata__"):
        return given(annotation.__origin__)
    return GIVEN.get(annotation, annotation)


TOKENS = str | Sequence[str] | None
EXCEPTIONS = {"positive": str | float | None, "token": TOKENS, "metrics_token": TOKENS}
"""Keys that take more than their type: a class is often a number, and there is mostly one token."""


@pytest.mark.parametrize(("config", "options"), [(Config, Options), (ModelConfig, ModelOptions)])
def test_each_key_is_an_option_of_the_same_type(config: Any, options: Any) -> None:
    fields = {("model" if key == "name" and config is ModelConfig else key): field.annotation
              for key, field in config.model_fields.items()}  # fmt: skip
    hints = get_type_hints(options)
    if config is Config:
        hints = {
            key: hint for key, hint in hints.items() if key not in ModelOptions.__annotations__
        }
    assert hints == {key: EXCEPTIONS.get(key, given(kind)) for key, kind in fields.items()}


def test_instrument_and_monitor_take_these_options() -> None:
    for function in (instrument, Monitor.__init__):
        assert inspect.signature(function).parameters["options"].annotation == "Unpack[Options]"


def test_what_one_may_write_is_accepted() -> None:
    config = Config.from_options(
        None,
        model="m",
        windows=["1h"],
        state_dir=Path("state"),
        token="t",
        segments=["city", {"feature": "age", "edges": [25, 45]}],
        positive=1,
    )
    assert config.models[0].positive == "1"
