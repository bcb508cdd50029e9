"""Plain exchanges of one row, read by the form of one that was read before them.

Most exchanges of a route have the same keys in the same places, and nothing but values differs.
Where no value decides how a body is read, the next one is read by looking into the same places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from operator import itemgetter
from typing import Any, NamedTuple, Self

import orjson

from mlmon_exporter.core.records import Exchange

from .body_map import BodyMap
from .errors import FormatError
from .features import HOLDERS
from .flatten import CONTAINERS, is_nested, is_nested_record
from .message import Message
from .parsing import BY_NAME, Parsed

PLAIN = frozenset(("json", "kserve_v1"))
"""Formats whose readers look at keys and kinds alone, once these keys are not there."""
TELLING = frozenset((*HOLDERS, "examples", "specversion", "messages", "prompt"))
"""Keys of a request that is a row, whose values would decide how it is read."""
VERSION = "model_version"


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
    output_names: list[str]
    """Outputs in their order."""
    places: Sequence[int]
    """The place of each output among the keys."""

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
        request, response = joined(exchange.request_chunks), joined(exchange.response_chunks)
        try:
            asked, told = loads(request), loads(response)
        except orjson.JSONDecodeError:
            return None
        if type(asked) is not dict or type(told) is not dict or not told or VERSION in told:
            return None
        holder, row = _row_in(asked)
        names, keys = list(batch.features), list(told)
        try:
            found = _outputs(parsed.format, exchange.path, keys, body_map)
        except FormatError:
            return None
        outputs, places = [name for name, _ in found], [place for _, place in found]
        is_list = type(row) is list
        form = cls(
            *(parsed.format, parsed.named, body_map, holder, names, is_list, keys, outputs, places)
        )
        read = form.read([request], [response])
        is_same = read == (1, [*batch.features.values()], [*batch.predictions.values()])
        return form if is_same else None

    def read(
        self, requests: Iterable[bytes], responses: Iterable[bytes]
    ) -> tuple[int, list[Any], list[Any]]:
        """Read exchanges up to the first that has another form, or is no JSON as it stands.

        Returns:
            Their number, the features' values and the outputs', each row after row.
        """
        # One after the other, so that what was parsed is looked at and freed while it is at hand;
        # and in one function, since calls for each exchange would take a third of the time.
        holder, width, keys = self.holder, len(self.names), self.keys
        kind, pick = (list, list) if self.is_list else (dict, _picker(self.names))
        is_deep: Callable[[Any], bool] = is_nested if self.is_list else is_nested_record
        values: list[Any] = []
        answers: list[Any] = []
        with suppress(orjson.JSONDecodeError, KeyError):
            for request, response in zip(requests, responses, strict=True):
                row, told = orjson.loads(request), orjson.loads(response)
                if holder is not None:
                    held = row.get(holder) if type(row) is dict and len(row) == 1 else None
                    row = held[0] if type(held) is list and len(held) == 1 else None
                if type(row) is not kind or len(row) != width or is_deep(row):
                    break
                if type(told) is not dict or [*told] != keys:
                    break
                values += pick(row)
                answers += told.values()
        return self._known(values, answers)

    def _known(self, values: list[Any], answers: list[Any]) -> tuple[int, list[Any], list[Any]]:
        """Return what was read up to the first response of which some value is an object or list.

        A list of one is its element.
        """
        answers = [v[0] if type(v) is list and len(v) == 1 else v for v in answers]
        step = len(self.keys)
        count = len(answers) // step
        if is_nested(answers):
            count = next(i for i, v in enumerate(answers) if type(v) in CONTAINERS) // step
            values = values[: count * len(self.names)]
        outputs = [
            answers[i + place] for i in range(0, count * step, step) for place in self.places
        ]
        return count, values, outputs


def _picker(names: Sequence[str]) -> Callable[[Any], Sequence[Any]]:
    """Return the function from a row to its values in the order of the names."""
    # Of one name, `itemgetter` returns a value that is no sequence.
    return itemgetter(*names) if len(names) > 1 else lambda row: [row[name] for name in names]


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
