"""The bytes of a reference file, JSON: written whole, and read with every damage named."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

import orjson

from mlmon_exporter.core.derived.reference import DerivedReference
from mlmon_exporter.core.outcomes.reference import OutcomeReference
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.form import column_from_dict, column_to_dict

T = TypeVar("T")

FORMAT = "mlmon-reference"
FORMAT_VERSION = 1
MOST_BYTES = 2**30
"""A larger file is not read. One of 2 000 features takes about 40 MB."""
YEAR_10000 = 253_402_300_800
"""Unix seconds that no date can be written of."""


class Content(NamedTuple):
    """Contents of a reference file."""

    features: Sequence[ColumnReference]
    outputs: Sequence[ColumnReference]
    outcomes: OutcomeReference | None
    model: str
    created: float
    """Unix seconds."""
    seconds: float = 0.0
    """Time that its rows were seen in; 0 if not known."""
    derived: DerivedReference | None = None


def write(content: Content) -> bytes:
    """Return the file's bytes."""
    form = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "model": content.model,
        "created": content.created,
        "features": [column_to_dict(column) for column in content.features],
        "outputs": [column_to_dict(column) for column in content.outputs],
    }
    if content.seconds:
        form["seconds"] = content.seconds
    if content.outcomes is not None:
        form["outcomes"] = content.outcomes.to_dict()
    if content.derived is not None:
        form["derived"] = content.derived.to_dict()
    return orjson.dumps(form)


def read(data: bytes, engine: str) -> Content:
    """Read the file's bytes; raises ValueError that names the key."""
    form = _form(data)
    features, outputs = (
        [_column(side, i, column, engine) for i, column in enumerate(_side(form, side))]
        for side in ("features", "outputs")
    )
    created = form.get("created")
    if not isinstance(created, int | float) or not 0 <= created < YEAR_10000:
        raise ValueError(f"created: expected Unix seconds, got {created!r}")
    seconds = form.get("seconds", 0.0)
    if not isinstance(seconds, int | float) or not 0 <= seconds < YEAR_10000:
        raise ValueError(f"seconds: expected 0 or more, got {seconds!r}")
    outcomes = _part(form, "outcomes", partial(OutcomeReference.from_dict, engine=engine), outputs)
    derived = _part(form, "derived", partial(DerivedReference.from_dict, engine=engine), features)
    model = str(form.get("model", ""))
    return Content(features, outputs, outcomes, model, created, seconds, derived)


def _form(data: bytes) -> dict[str, Any]:
    if len(data) > MOST_BYTES:
        raise ValueError(f"expected a reference of {MOST_BYTES} bytes at most")
    try:
        form = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"expected a reference in JSON: {error}") from error
    if not isinstance(form, dict) or form.get("format") != FORMAT:
        raise ValueError(f"format: expected {FORMAT!r}; this is not a reference file")
    if form.get("format_version") != FORMAT_VERSION:
        raise ValueError(
            f"format_version: expected {FORMAT_VERSION}, got {form.get('format_version')!r}; "
            "build the reference again"
        )
    return form


def _side(form: Mapping[str, Any], side: str) -> list[Any]:
    columns = form.get(side)
    if not isinstance(columns, list):
        raise ValueError(f"{side}: expected a list of columns, got {type(columns).__name__}")
    names = [column.get("name") for column in columns if isinstance(column, dict)]
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise ValueError(f"{side}: expected each column once, got {twice!r} twice")
    return columns


def _column(side: str, index: int, form: Any, engine: str) -> ColumnReference:
    if not isinstance(form, dict):
        raise ValueError(f"{side}[{index}]: expected a column, got {type(form).__name__}")
    try:
        return column_from_dict(form, engine)
    except KeyError as error:
        raise ValueError(f"{side}[{index}]: expected the key {error}") from error
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ValueError(f"{side}[{index}] ({form.get('name', '?')}): {error}") from error


def _part(
    form: Mapping[str, Any],
    key: str,
    read: Callable[[Any, Sequence[ColumnReference]], T],
    columns: Sequence[ColumnReference],
) -> T | None:
    """Return a part that is made of some columns; None if there is none."""
    if form.get(key) is None:
        return None
    try:
        return read(form[key], columns)
    except KeyError as error:
        raise ValueError(f"{key}: expected the key {error}") from error
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ValueError(f"{key}: {error}") from error
