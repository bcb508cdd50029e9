"""The reading of a sample: one request and its response, each in a file."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mlmon_exporter import Monitor
from mlmon_exporter.config.keys import Config, ModelConfig
from mlmon_exporter.core.coerce import is_missing, number, scalar
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.reference import ModelReference
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.free_text import input_names
from mlmon_exporter.core.records import Batch, Column, Exchange, Headers
from mlmon_exporter.formats import FormatError, Parsed, Reason, parse
from mlmon_exporter.intake.bodies import body_map_of

from .terminal import SHOWN, UserError, counted, print_warnings, thousands, user_errors

VALUES_SHOWN = 4
_MAPPING = "set features or predictions of the model to the dotted path of the rows"
_MEDIA = "give its headers: --header 'content-type: ...', --response-header for the response"
HINTS: Mapping[Reason, str] = {
    "empty_body": "is the file empty?",
    "unsupported_encoding": "gzip and deflate can be read, and br where brotli is installed",
    "bad_encoding": _MEDIA,
    "compressed_too_large": "raise max_inflated_bytes",
    "unsupported_media": _MEDIA,
    "not_json": _MEDIA,
    "too_deep": "features are flat: send fewer levels",
    "malformed": "the parts of the body contradict each other",
    "path_missing": "correct features or predictions of the model",
    "not_a_prediction": "leave it out: set routes of the model",
    "unknown_model": "name a [[models]] table like the model in the path or the body",
    "no_rows": _MAPPING,
    "no_columns": _MAPPING,
    "no_predictions": "set predictions of the model to the dotted path of the output",
    "ragged_rows": _MAPPING,
    "mismatched_names": "give a reference whose features are those of the rows, in their order",
    "mismatched_rows": _MAPPING,
    "too_many_rows": "raise max_rows",
    "too_many_features": "raise max_features",
    "too_many_values": "send fewer rows at once",
}
"""Reason -> what to do about the body."""


class Sample(NamedTuple):
    """A request and its response, as the user gave them."""

    body: Path
    response: Path | None
    path: str
    headers: Sequence[str]
    response_headers: Sequence[str]

    def exchange(self, model: str) -> Exchange:
        """Return the exchange that the middleware would pass on; raises UserError."""
        with user_errors():
            request = self.body.read_bytes()
            response = self.response.read_bytes() if self.response is not None else b""
        return Exchange(
            arrived=time.time(),
            model=model,
            route=self.path,
            path=self.path,
            status=200 if self.response is not None else 0,
            prediction_id="",
            request_headers=_headers("--header", self.headers),
            request_chunks=[request],
            response_headers=_headers("--response-header", self.response_headers),
            response_chunks=[response],
        )


def show_sample(
    console: Console, settings: Config, sample: Sample, name: str | None, format: str | None
) -> None:
    """Print the columns read from a sample, and problems; raises UserError if none can be read."""
    monitor = Monitor(settings)
    chosen = _chosen(settings, name)
    model = monitor.models[chosen.name]
    with user_errors(ValueError):
        parsed = _parsed(sample, settings, chosen, model, format or chosen.format)
    monitor.close()
    batch = parsed.batch
    about = [f"format {parsed.format}", counted(batch.rows, "row"), f"model {chosen.name}"]
    if version := batch.version or model.settings.version:
        about.append(f"version {version}")
    line = f"[bold]{escape(str(sample.body))}[/bold]: {escape(', '.join(about))}"
    console.print(line, soft_wrap=True)
    known = model.reference
    console.print(_table("feature", batch.features, known and known.features))
    if sample.response is not None:
        console.print(_table("output", batch.predictions, known and known.outputs))
    problems = [f"{_side(parsed)}: {_advice(reason)}" for reason in parsed.problems]
    print_warnings(console, [*problems, *_unknown(parsed.batch, known)])


_SETTINGS = {
    "feature": 'features = "path.to.the.rows"',
    "output": 'outputs = [...] or predictions = "path.to.the.output"',
}


def _unknown(batch: Batch, known: ModelReference | None) -> Iterator[str]:
    """Say where nothing that was read is in the reference."""
    if known is None:
        return
    sides = {
        "feature": (batch.features, input_names(column.name for column in known.features)),
        "output": (batch.predictions, [column.name for column in known.outputs]),
    }
    for side, (read, names) in sides.items():
        if len(names) == len(read) == 1 and side == "output":
            continue  # an only output is the reference's, whatever it is called
        if names and read and not {*names} & {*read}:
            yield (
                f"none of the {side}s read ({', '.join([*read][:5])}) is one of the reference "
                f"({', '.join(names[:5])}): all rows would be missing; set {_SETTINGS[side]}, or "
                "build a reference of what the server takes and answers"
            )


def _parsed(
    sample: Sample, settings: Config, chosen: ModelConfig, model: Model, format: str
) -> Parsed:
    try:
        body_map = body_map_of(settings, chosen, model)
        return parse(sample.exchange(chosen.name), body_map, format)
    except FormatError as error:
        hint = HINTS.get(error.reason)
        end = f"; {hint}" if hint else ""
        raise UserError(
            f"{sample.body}: as {error.format}: {error} ({error.reason}){end}"
        ) from None


def _chosen(settings: Config, name: str | None) -> ModelConfig:
    models = {model.name: model for model in settings.models}
    if name is None and len(models) == 1:
        return settings.models[0]
    if name is None or name not in models:
        known = ", ".join(models)
        raise UserError(f"--model: expected one of {known}, got {name or 'none'}")
    return models[name]


def _side(parsed: Parsed) -> str:
    """Return the side of the problem: the other was read."""
    return "response" if parsed.batch.features else "request"


def _advice(reason: Reason) -> str:
    hint = HINTS.get(reason)
    return f"cannot be read: {reason}" + (f"; {hint}" if hint else "")


def _headers(option: str, lines: Sequence[str]) -> Headers:
    pairs = [line.partition(":") for line in lines]
    for line, (name, colon, _) in zip(lines, pairs, strict=True):
        if not colon or not name.strip():
            raise UserError(f"{option}: expected 'name: value', got {line!r}")
    return {
        name.strip().lower().encode("latin-1", "replace"): text.strip().encode("latin-1", "replace")
        for name, _, text in pairs
    }


Known = Sequence[ColumnReference] | None
"""The columns of the reference, None without one."""


def _table(heading: str, columns: Mapping[str, Column], known: Known) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(heading, overflow="ellipsis", no_wrap=True, max_width=32)
    table.add_column("read as", no_wrap=True)
    table.add_column("first values", overflow="ellipsis", no_wrap=True, max_width=40)
    rows = [*_rows(columns, known)]
    for row in rows[:SHOWN]:
        table.add_row(*map(escape, row))
    if len(rows) > SHOWN:
        table.add_row(f"... and {thousands(len(rows) - SHOWN)} more")
    if not rows:
        table.add_row("nothing")
    return table


def _rows(columns: Mapping[str, Column], known: Known) -> Iterator[tuple[str, str, str]]:
    kinds = {column.name: column.kind for column in known or ()}
    for name, column in columns.items():
        values = _first(column)
        if name in kinds:
            read_as = _fit(kinds[name], values)
        else:
            read_as = _kind(values) if known is None else "left out: not in the reference"
        yield name, read_as, ", ".join(map(_shown, values))
    for name, kind in kinds.items():
        if name not in columns:
            yield name, f"{kind}, missing here", ""


def _first(column: Column) -> list[Any]:
    if isinstance(column, str | bytes | Mapping) or not hasattr(column, "__iter__"):
        return [column]
    return list(islice(column, VALUES_SHOWN))


def _fit(kind: str, values: Iterable[Any]) -> str:
    numbers = [number(value) for value in values]
    is_text = kind == "numeric" and any(map(math.isinf, numbers))
    return "numeric, invalid here: no number" if is_text else kind


def _kind(values: Sequence[Any]) -> str:
    present = [scalar(value) for value in values if not is_missing(scalar(value))]
    if not present:
        return "missing"
    if any(isinstance(value, list | tuple | Mapping) for value in present):
        return "invalid: no single value"
    return "categorical" if any(isinstance(value, str) for value in present) else "numeric"


def _shown(value: Any) -> str:
    value = scalar(value)
    if is_missing(value):
        return "missing"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    return text if len(text) <= 24 else f"{text[:23]}…"
