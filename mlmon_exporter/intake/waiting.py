"""Exchanges that wait, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

from mlmon_exporter.core.records import Exchange, ExchangeFields, HeaderPairs

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
        places = zip(self.fields, self.asked, self.told, self.sizes, strict=True)
        rows = [*places]
        return type(self)(*zip(*(rows[i] for i in chosen), strict=True))

    def exchange(self, i: int = 0) -> Exchange:
        """Return one of them."""
        fields, asked, told = self.fields[i], self.asked[i], self.told[i]
        return Exchange(*fields[:6], dict(asked), fields[6], dict(told), fields[7])
