"""A reference in the making, from the first rows that are served."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .bins import CategoryBins
from .columns import BUFFER_ROWS
from .profile import Profiler
from .records import Batch, Column
from .settings import LEARNED, ModelReference, ModelSettings


class Learner:
    """The reference in the making, from the first rows that are served.

    Rows wait for others: a profile takes a hundred in hardly more time than one.
    """

    def __init__(self, settings: ModelSettings, on_overflow: Callable[[str], None]) -> None:
        """Start without rows; `on_overflow` is told of features and categories over their caps."""
        self._on_overflow = on_overflow
        self._max_columns = settings.max_features
        self._features, self._outputs = (
            Profiler(settings.engine, kept=settings.max_categories, columns=settings.max_features)
            for _ in range(2)
        )
        self.rows = 0
        self._waiting: list[Batch] = []
        self._waiting_rows = 0

    def observe(self, batch: Batch) -> None:
        if not batch.features and not batch.predictions:
            return
        self.rows += batch.rows
        self._waiting.append(batch)
        self._waiting_rows += batch.rows
        if self._waiting_rows >= BUFFER_ROWS:
            self._profile()

    def _profile(self) -> None:
        waiting, self._waiting, self._waiting_rows = self._waiting, [], 0
        features = [(batch.features, batch.rows) for batch in waiting if batch.features]
        outputs = [(batch.predictions, batch.rows) for batch in waiting if batch.predictions]
        for profiler, parts in ((self._features, features), (self._outputs, outputs)):
            if parts:
                names = dict.fromkeys(
                    (*profiler.names, *(name for part, _ in parts for name in part))
                )
                if len(names) > self._max_columns:
                    self._on_overflow("feature")
                profiler.profile(*_together(parts, [*names][: self._max_columns]))

    def reference(self, now: float) -> ModelReference:
        self._profile()
        sides = self._features.references(), self._outputs.references()
        for column in (*sides[0], *sides[1]):
            if isinstance(column.bins, CategoryBins) and column.bins.rare:
                self._on_overflow("category")
        return ModelReference(*sides, now, LEARNED)


def _together(
    parts: Sequence[tuple[Mapping[str, Column], int]], names: Sequence[str]
) -> tuple[dict[str, list[Any]], int]:
    """Return these columns of several batches as one, and the rows."""
    together: dict[str, list[Any]] = {name: [] for name in names}
    for columns, rows in parts:
        for name, values in together.items():
            value = columns.get(name)
            if value is None:
                values.extend([None] * rows)
            elif rows == 1:
                values.append(value)
            else:
                values.extend(value)
    return together, sum(rows for _, rows in parts)
