"""Plain exchanges of one row, read by the form of one that was read before them.

Most exchanges of a route have the same keys in the same places, and nothing but values differs.
Where no value decides how a body is read, the next one is read by looking into the same places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import orjson

from mlmon_exporter.core.records import Column, Exchange

from .body_map import BodyMap
from .errors import FormatError
from .features import HOLDERS
from .flatten import is_nested, is_nested_record
from .message import Message
from .parsing import BY_NAME, Parsed

PLAIN = frozenset(("json", "kserve_v1"))
"""Formats whose readers look at keys and kinds alone, once these keys are not there."""
TELLING = frozenset((*HOLDERS, "examples", "specversion", "messages", "prompt"))
"""Keys of a request that is a row, whose values would decide how it is read."""
VERSION = "model_version"

Row = Mapping[str, Column]


class _Leaf:
    """Stands for any value that is neither an object nor a list."""


class Form(NamedTuple):
    """Places of the features and predictions in a request and its response."""

    format: str
    named: str | None
    """The model that the request names."""
    body_map: BodyMap
    holder: str | None
    """The request's only key, which holds a list of one row; None where the request is the row."""
    names: list[str]
    """Features in the order of the row."""
    is_list: bool
    """The row is a list of values."""
    keys: list[str]
    """Keys of the response."""
    outputs: Sequence[tuple[str, int]]
    """Outputs, and the place of each among the keys."""

    @classmethod
    def of(cls, exchange: Exchange, parsed: Parsed, body_map: BodyMap) -> Self | None:
        """Return the form of an exchange and what was read in it; None where it is not plain."""
        batch = parsed.batch
        if (
            parsed.format not in PLAIN
            or (batch.rows, batch.version, parsed.problems) != (1, None, ())
            or (body_map.features, body_map.predictions) != (None, None)
        ):
            return None
        try:
            asked = loads(joined(exchange.request_chunks))
            told = loads(joined(exchange.response_chunks))
        except orjson.JSONDecodeError:
            return None
        if type(asked) is not dict or type(told) is not dict or VERSION in told:
            return None
        holder, row = _row_in(asked)
        names, keys = list(batch.features), list(told)
        try:
            found = _outputs(parsed.format, exchange.path, keys, body_map)
        except FormatError:
            return None
        form = cls(
            *(parsed.format, parsed.named, body_map, holder),
            *(names, type(row) is list, keys, found),
        )
        is_read = form.features(asked) == batch.features and form.answer(told) == batch.predictions
        return form if is_read else None

    def features(self, asked: Any) -> Row | None:
        """Return the features in a decoded request; None where it has another form."""
        if type(asked) is not dict:
            return None
        row: Any = asked
        if self.holder is not None:
            rows = asked.get(self.holder)
            if len(asked) != 1 or type(rows) is not list or len(rows) != 1:
                return None
            row = rows[0]
        if self.is_list:
            is_alike = type(row) is list and len(row) == len(self.names) and not is_nested(row)
            return dict(zip(self.names, row, strict=True)) if is_alike else None
        if type(row) is not dict or list(row) != self.names or is_nested_record(row):
            return None
        return row

    def answer(self, told: Any) -> Row | None:
        """Return the predictions in a decoded response; None where it has another form."""
        if type(told) is not dict or list(told) != self.keys:
            return None
        values = [*told.values()]
        if is_nested(values):
            values = [v[0] if type(v) is list and len(v) == 1 else v for v in values]
            if is_nested(values):
                return None
        return {name: values[i] for name, i in self.outputs}


def joined(chunks: Sequence[bytes]) -> bytes:
    """Return a body as it was sent."""
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def loads(raw: bytes) -> Any:
    """Parse a body that is JSON as it stands; raises orjson.JSONDecodeError where it is none."""
    # A single byte may be something else by its media type: see `Message.value`.
    return orjson.loads(raw if len(raw) > 1 else b"")


def _row_in(asked: Mapping[str, Any]) -> tuple[str | None, Any]:
    """Return the key that holds the row of a request, and the row."""
    if TELLING.isdisjoint(asked) and not is_nested(asked.values()):
        return None, asked
    key, rows = next(iter(asked.items()))
    return key, rows[0] if type(rows) is list and rows else None


def _outputs(
    format_: str, path: str, keys: Sequence[str], body_map: BodyMap
) -> Sequence[tuple[str, int]]:
    """Return the outputs that the format reads in a response of these keys, and their places."""
    leaves: dict[str, Any] = {key: _Leaf() for key in keys}
    places = {id(leaf): i for i, leaf in enumerate(leaves.values())}
    probe = Message(path, {}, (), 0).of_part(leaves)
    columns, _ = BY_NAME[format_].response(probe, body_map, 1)
    return [(name, places[id(leaf)]) for name, leaf in columns.items()]
