"""Frozen values that cross rooms: bytes, then columns, then numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Headers = Mapping[bytes, bytes]
"""Names and values; the last of several with one name."""
HeaderPairs = tuple[tuple[bytes, bytes], ...]
Column = Any
"""One feature's values: a scalar (one row), or a list or 1-D array of n rows.

Values are numbers, booleans, strings or None; None, NaN and "" are missing.
"""


class Exchange(NamedTuple):
    """One request and its response as bytes.

    Of event streams that are too long it has both ends; other bodies that are too long never
    become an Exchange.
    """

    arrived: float
    """Unix seconds when the request reached the middleware."""
    model: str
    """The configured model that the route belongs to."""
    route: str
    """The route's template, such as `/v1/models/{name}:predict`."""
    path: str
    status: int
    prediction_id: str
    request_headers: Headers
    request_chunks: Sequence[bytes]
    response_headers: Headers
    response_chunks: Sequence[bytes]

    @property
    def waiting(self) -> tuple[ExchangeFields, HeaderPairs, HeaderPairs, int]:
        """The same as plain values, for a queue, and the bytes of both bodies."""
        fields = (*self[:6], tuple(self.request_chunks), tuple(self.response_chunks))
        asked, told = self.request_headers.items(), self.response_headers.items()
        return fields, tuple(asked), tuple(told), self.size

    @property
    def size(self) -> int:
        """Bytes of both bodies."""
        return sum(map(len, self.request_chunks)) + sum(map(len, self.response_chunks))


ExchangeFields = tuple[float, str, str, str, int, str, tuple[bytes, ...], tuple[bytes, ...]]
"""The fields of an Exchange but its headers, while it waits: plain values in tuples.

The garbage collector stops tracking a tuple of such values when it first comes by, one that holds
such tuples when it comes by again. What it tracks for longer would reach its oldest generation in
such numbers that it would scan the app's whole memory again and again, and the app would stand
still for a tenth of a second each time.
"""


class Batch(NamedTuple):
    """The columns of one exchange."""

    features: Mapping[str, Column]
    predictions: Mapping[str, Column]
    rows: int
    """Number of rows in each column; columns are scalars if it is 1."""
    version: str | None = None
    """The model's version, if the body carries it."""
    prediction_ids: Sequence[str] | None = None
    """An id for each row, by which its outcome finds it."""

    def outputs(self, names: Sequence[str]) -> Mapping[str, Column]:
        """Return the predictions; a single one takes the name if there is a single name."""
        if len(names) == 1 and len(self.predictions) == 1 and names[0] not in self.predictions:
            return {names[0]: next(iter(self.predictions.values()))}
        return self.predictions


@dataclass(frozen=True)
class SingleRows:
    """Rows of small requests that have one each, in their order; all have the same columns."""

    features: Sequence[str]
    values: Sequence[Any]
    """Of the features, row after row."""
    predictions: Sequence[str]
    answers: Sequence[Any]
    """Of the predictions, row after row."""
    moments: Sequence[float]
    """Unix seconds when each was seen."""
    prediction_ids: Sequence[str]
    """Of each row; empty where it has none."""
    version: ClassVar[str | None] = None
    """That of `Batch`: no body carries it."""

    @cached_property
    def batch(self) -> Batch:
        """All rows as one batch."""
        sides = (self.features, self.values), (self.predictions, self.answers)
        rows = len(self.moments)
        if rows == 1:
            features, predictions = (dict(zip(*side, strict=True)) for side in sides)
        else:
            features, predictions = (
                {name: values[j :: len(names)] for j, name in enumerate(names)}
                for names, values in sides
            )
        return Batch(features, predictions, rows, None, self.prediction_ids)


class Prediction(NamedTuple):
    """A row that waits for its outcome; of its inputs it has just bounded labels."""

    id: str
    at: float
    """Unix seconds when it was made."""
    version: str
    values: tuple[float | str | None, ...]
    """The outputs, in the order of `Model.output_names()`."""
    segments: tuple[str, ...]
    """The row's segment by each configured segment feature, in their order."""


class Deferred(Sequence[float]):
    """Numbers that are computed when they are first read, since few scrapes show them."""

    __slots__ = ("_compute", "_count", "_values")

    def __init__(self, count: int, compute: Callable[[], Floats]) -> None:
        """Take their number, and a function without side effects that returns as many."""
        self._count = count
        self._compute: Callable[[], Floats] | None = compute
        self._values: list[float] = []

    def _read(self) -> list[float]:
        compute = self._compute
        if compute is not None:
            # In this order: another thread may read at the same time.
            self._values = compute().tolist()
            self._compute = None
        return self._values

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[float]:
        return iter(self._read())

    def __getitem__(self, index: Any) -> Any:
        return self._read()[index]


class Readings(NamedTuple):
    """Numbers of one name, column-wise: a row of label values and a value each.

    A NaN value is absent: it is never shown. `labels` is the same object from call to call while
    the label sets do not change, so that renderers can cache by it.
    """

    name: str
    label_names: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    values: Sequence[float] | NDArray[Any]
    """`Deferred` where few scrapes show them."""


class Histograms(NamedTuple):
    """Histograms of one name, column-wise: like `Readings`, with buckets for a value."""

    name: str
    label_names: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    bounds: Sequence[tuple[float, ...]]
    """Upper bounds of each histogram's buckets, without +Inf."""
    counts: Sequence[Sequence[int]] | Sequence[NDArray[np.int64]]
    """Observations per bucket (not cumulative), length bounds + 1."""
    sums: Sequence[float]
    exemplars: Sequence[Mapping[int, Exemplar] | None] = ()
    """Per histogram: bucket index -> exemplar; empty if there are none."""


Block = Readings | Histograms
"""Numbers of one name."""


class Exemplar(NamedTuple):
    """One observation of a histogram, with its trace."""

    trace_id: str
    span_id: str
    value: float
    timestamp: float


class Reading(NamedTuple):
    """A named number with labels."""

    name: str
    labels: Mapping[str, str]
    value: float


def flat(block: Readings | Histograms) -> Iterator[Reading]:
    """Give each number with its labels; histograms bucket by bucket, cumulative."""
    names = block.label_names
    if isinstance(block, Readings):
        for labels, value in zip(block.labels, block.values, strict=True):
            if value == value:
                yield Reading(block.name, dict(zip(names, labels, strict=True)), float(value))
        return
    rows = zip(block.labels, block.bounds, block.counts, block.sums, strict=True)
    for labels, bounds, counts, total in rows:
        named = dict(zip(names, labels, strict=True))
        below = np.cumsum(np.asarray(counts)).tolist()
        for bound, count in zip((*bounds, float("inf")), below, strict=True):
            yield Reading(f"{block.name}_bucket", {**named, "le": str(bound)}, float(count))
        yield Reading(f"{block.name}_count", named, float(below[-1]))
        yield Reading(f"{block.name}_sum", named, float(total))


class Requests(NamedTuple):
    """Requests to a model over a span of time."""

    total: float
    seconds: float
    """Length of the span."""
    failures: float
    bounds: tuple[float, ...]
    """Upper bounds of the buckets of duration, seconds."""
    buckets: Floats

    def error_ratio(self) -> float:
        """Return the share of requests that the server failed; NaN without requests."""
        return self.failures / self.total if self.total else math.nan

    def quantile(self, q: float) -> float:
        """Return a quantile of the duration, seconds; NaN without requests.

        Spread evenly in its bucket, as Prometheus does; the greatest bound where it is over it.
        """
        below = np.cumsum(self.buckets)
        if not len(below) or not below[-1]:
            return math.nan
        rank = q * below[-1]
        i = int(np.searchsorted(below, rank))
        if i >= len(self.bounds):
            return self.bounds[-1]
        low = self.bounds[i - 1] if i else 0.0
        before = below[i - 1] if i else 0.0
        return float(low + (self.bounds[i] - low) * (rank - before) / self.buckets[i])
