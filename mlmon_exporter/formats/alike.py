"""Plain exchanges of one row, read by the form of one that was read before them.

Most exchanges of a route have the same keys in the same places, and nothing but values differs.
Where no value decides how a body is read, the next one is read by looking into the same places.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from gc import is_tracked
from itertools import chain
from typing import Any, NamedTuple, Self

import orjson

from mlmon_exporter.core.records import Exchange

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

_MARK = abs(hash(b"mlmon"))  # salted in each process, so that nobody can guess it
_MARKS = b",%d," % _MARK


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

    @property
    def output_names(self) -> list[str]:
        """Outputs in their order."""
        return [name for name, _ in self.outputs]

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
        values, outputs = form.features([asked]), form.answers([told])
        is_read = values == [*batch.features.values()] and outputs == [*batch.predictions.values()]
        return form if is_read else None

    def read(
        self, requests: Sequence[bytes], responses: Sequence[bytes]
    ) -> tuple[list[Any], list[Any]] | None:
        """Return the features' values of all requests, and the outputs', row after row.

        None where some body has another form, or is no JSON as it stands.
        """
        try:
            asked, told = loads_many(requests), loads_many(responses)
        except orjson.JSONDecodeError:
            return None
        values, answers = self.features(asked), self.answers(told)
        return None if values is None or answers is None else (values, answers)

    def features(self, asked: Sequence[Any]) -> list[Any] | None:
        """Return the features' values in decoded requests, row after row; None as above."""
        rows = self._rows(asked)
        if rows is None:
            return None
        if self.is_list:
            if not _are(list, rows) or {*map(len, rows)} != {len(self.names)}:
                return None
            values = [*chain.from_iterable(rows)]
            return None if is_nested(values) else values
        is_alike = _are(dict, rows) and all(map(self.names.__eq__, map(list, rows)))
        if not is_alike or any(map(is_nested_record, filter(is_tracked, rows))):
            return None
        return [*chain.from_iterable([row.values() for row in rows])]

    def _rows(self, asked: Sequence[Any]) -> Sequence[Any] | None:
        """Return the row of each request; None where one has none or several."""
        if self.holder is None:
            return asked
        if not _are(dict, asked) or {*map(len, asked)} != {1}:
            return None
        held = [each.get(self.holder) for each in asked]
        return [*chain.from_iterable(held)] if _are_single(held) else None

    def answers(self, told: Sequence[Any]) -> list[Any] | None:
        """Return the outputs' values in decoded responses, row after row; None as above."""
        if not _are(dict, told) or not all(map(self.keys.__eq__, map(list, told))):
            return None
        columns = [*zip(*[each.values() for each in told], strict=True)]
        for i, values in enumerate(columns):
            if _are_single(values):
                columns[i] = tuple(chain.from_iterable(values))
            elif list in map(type, values):
                columns[i] = tuple(v[0] if type(v) is list and len(v) == 1 else v for v in values)
            if is_nested(columns[i]):
                return None
        return [*chain.from_iterable(zip(*[columns[i] for _, i in self.outputs], strict=True))]


def _are(kind: type, values: Iterable[Any]) -> bool:
    return {*map(type, values)} == {kind}


def _are_single(values: Collection[Any]) -> bool:
    """Return whether all values are lists of one element."""
    return _are(list, values) and {*map(len, values)} == {1}


def loads_many(bodies: Sequence[bytes]) -> list[Any]:
    """Parse bodies that are JSON as they stand, as one array: as `loads` does one by one.

    Raises:
        orjson.JSONDecodeError: Some body is none.
    """
    # Bodies such as `1, 2`, or `[1` and `2]`, would shift the marks between them.
    values = orjson.loads(b"[%b]" % _MARKS.join(bodies))
    if len(values) != 2 * len(bodies) - 1 or values[1::2].count(_MARK) != len(bodies) - 1:
        raise orjson.JSONDecodeError("expected one value in each body", "", 0)
    return values[::2]  # type: ignore[no-any-return]


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
