"""Names, places and limits of a model's bodies, known before they arrive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from .errors import FormatError


@dataclass(frozen=True, slots=True)
class BodyMap:
    """The names that bare lists lack, where to look, and how much to take."""

    feature_names: tuple[str, ...] = ()
    """In the order of the model's input; names the values of rows that are lists."""
    output_names: tuple[str, ...] = ()
    """In the order of the model's output; where a response has such keys, only they are read."""
    vectors: tuple[str, ...] = ()
    """Features that are lists or tensors of numbers: they stay whole, as one column."""
    features: str | None = None
    """Dotted path to the rows in a request, such as `payload.rows`."""
    predictions: str | None = None
    """Dotted path to the predictions in a response."""
    max_rows: int = 10_000
    max_features: int = 2_000
    max_values: int = 1_000_000
    """Rows x columns: rows that share no names make a table far larger than their body."""
    max_inflated_bytes: int = 8 * 1024 * 1024

    def name_features(self, width: int) -> Sequence[str]:
        """Return names for rows of `width` values: the model's, or positions if it has none."""
        names = self.feature_names
        if len(names) == width:
            return names
        if names:
            raise FormatError("mismatched_names", f"row: expected {len(names)} values, got {width}")
        return _positions(width)

    def only_vector(self, width: int) -> str | None:
        """Return the only feature, where it is a vector: rows that are lists are no others."""
        if width > 1 and len(self.vectors) == 1 and self.feature_names == self.vectors:
            return self.vectors[0]
        return None

    def name_outputs(self, width: int) -> Sequence[str]:
        """Return names for `width` unnamed outputs: the model's where they fit."""
        names = self.output_names
        if len(names) == width:
            return names
        return names[:1] if names and width == 1 else name_parts("prediction", width)


def name_parts(name: str, width: int) -> Sequence[str]:
    """Return the name where one value is to be named, else `name[0]`, `name[1]`, ..."""
    return (name,) if width == 1 else tuple(f"{name}[{i}]" for i in range(width))


@lru_cache(maxsize=64)
def _positions(width: int) -> tuple[str, ...]:
    return tuple(map(str, range(width)))
