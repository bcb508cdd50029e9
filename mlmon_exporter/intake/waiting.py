"""Exchanges that wait, as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self, TypeVar

from mlmon_exporter.core.records import Exchange, ExchangeFields, HeaderPairs

T = TypeVar("T")

GROUP = 64
"""Exchanges that are looked at together at most."""
PLACES = 4
"""An exchange's places in the queue: one tuple of all would be tracked by the garbage collector."""


class Waiting(NamedTuple):
    """Some exchanges in the order in which they came, column-wise."""

    fields: Sequence[ExchangeFields]
    asked: Sequence[HeaderPairs]
    """Headers of each request."""
    told: Sequence[HeaderPairs]
    """Headers of each response."""
    sizes: Sequence[int]
    """Bytes of both bodies."""

    def of(self, chosen: Sequence[int]) -> Self:
        """Return those of these numbers, in ascending order."""

        def those(column: Sequence[T]) -> Sequence[T]:
            return [column[i] for i in chosen]

        return type(self)(
            those(self.fields), those(self.asked), those(self.told), those(self.sizes)
        )

    def without(self, gone: Iterable[int]) -> Self:
        """Return all but those of these numbers."""
        return self.of(sorted({*range(len(self.fields))}.difference(gone)))

    def exchange(self, i: int = 0) -> Exchange:
        """Return one of them."""
        fields, asked, told = self.fields[i], self.asked[i], self.told[i]
        return Exchange(*fields[:6], dict(asked), fields[6], dict(told), fields[7])
