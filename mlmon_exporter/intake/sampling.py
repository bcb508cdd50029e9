"""The share of exchanges that are read: by choice, and less while they come too fast."""

from __future__ import annotations

from mlmon_exporter.core.records import ExchangeFields
from mlmon_exporter.core.stats.sampling import place

LEAST_SHARE = 1 / 1024
GOLDEN = 1e6 * (5**0.5 - 1) / 2
"""Exchanges without an id are spread by their microsecond: its multiples of the golden ratio fall
evenly, whatever the distance from one to the next."""


class Sampling:
    """Chooses exchanges evenly in time, by their prediction ids, so that ground truth joins."""

    __slots__ = ("ratio", "share")

    def __init__(self, ratio: float) -> None:
        """Start with the share to be read while there is time for it, over 0 and at most 1."""
        self.ratio = self.share = ratio

    def is_wanted(self, fields: ExchangeFields) -> bool:
        """Return whether an exchange is in the share that is read while there is time."""
        return self.ratio >= 1.0 or _place(fields) < self.ratio

    def is_chosen(self, fields: ExchangeFields) -> bool:
        """Return whether an exchange is in the share that is read now."""
        return self.share >= 1.0 or _place(fields) < self.share

    def lower(self) -> None:
        """Read half as many from now on."""
        self.share = max(self.share / 2, min(LEAST_SHARE, self.ratio))

    def restore(self) -> None:
        """Read twice as many from now on, up to the ratio."""
        self.share = min(2 * self.share, self.ratio)


def _place(fields: ExchangeFields) -> float:
    arrived, prediction_id = fields[0], fields[5]
    return place(prediction_id) if prediction_id else arrived % 1024.0 * GOLDEN % 1.0
