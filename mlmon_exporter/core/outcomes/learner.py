"""Learns a reference from the first rows that are served."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from typing import Any

from mlmon_exporter.core.profile.bins import CategoryBins
from mlmon_exporter.core.profile.categories import MOST_NAMED, without_names
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.profiler import Profiler
from mlmon_exporter.core.records import Batch, Column
from mlmon_exporter.core.settings import BUFFER_ROWS, LEARNED, NAMED_ROWS, ModelSettings

from .reference import ModelReference


class Learner:
    """Profiles rows until there are enough for a reference. Not thread-safe.

    Categories are held by name meanwhile, in memory alone. Rows are buffered: profiling a hundred
    takes hardly more time than one.
    """

    def __init__(self, settings: ModelSettings, on_overflow: Callable[[str], None]) -> None:
        """Start without rows; `on_overflow` gets `feature` or `category` when a cap is hit."""
        self._on_overflow = on_overflow
        self._max_columns = settings.max_features
        self._features, self._outputs = (
            Profiler(
                settings.engine,
                max_categories=settings.max_categories,
                columns=settings.max_features,
                with_texts=True,
            )
            for _ in range(2)
        )
        self.rows = 0
        self._first: float | None = None
        self._waiting: list[Batch] = []
        self._waiting_rows = 0

    def observe(self, batch: Batch, now: float) -> None:
        """Take in rows seen at `now`, Unix seconds."""
        if not batch.features and not batch.predictions:
            return
        self._first = now if self._first is None else self._first
        self.rows += batch.rows
        # Copied: a caller may fill its arrays with the next rows meanwhile.
        features, predictions = _copied(batch.features), _copied(batch.predictions)
        self._waiting.append(batch._replace(features=features, predictions=predictions))
        self._waiting_rows += batch.rows
        if self._waiting_rows >= BUFFER_ROWS:
            self._profile()

    def _profile(self) -> None:
        waiting, self._waiting, self._waiting_rows = self._waiting, [], 0
        features = [(batch.features, batch.rows) for batch in waiting if batch.features]
        outputs = [(batch.predictions, batch.rows) for batch in waiting if batch.predictions]
        for profiler, blocks in ((self._features, features), (self._outputs, outputs)):
            if blocks:
                names = dict.fromkeys(
                    (*profiler.names, *(name for block, _ in blocks for name in block))
                )
                if len(names) > self._max_columns:
                    self._on_overflow("feature")
                profiler.profile(*_together(blocks, [*names][: self._max_columns]))

    def reference(self, now: float) -> ModelReference:
        """Return the reference of all rows; `now` is Unix seconds."""
        self._profile()
        unnamed: list[str] = []
        sides = [
            tuple(self._checked(profiler.references(), unnamed))
            for profiler in (self._features, self._outputs)
        ]
        seconds = now - (now if self._first is None else self._first)
        return ModelReference(
            sides[0], sides[1], now, LEARNED, unnamed=tuple(unnamed), seconds=max(seconds, 0.0)
        )

    def _checked(
        self, columns: Sequence[ColumnReference], unnamed: list[str]
    ) -> Iterator[ColumnReference]:
        """Give the columns that may be kept; clients choose their values.

        Columns of too few rows are left out. Of those with too many categories, which are added
        to `unnamed`, only the missing share is kept.
        """
        min_rows = min(NAMED_ROWS, self.rows)  # if so few are to be learned from, keep them
        for column in columns:
            if column.rows - column.missing < min_rows:
                self._on_overflow("feature")
            elif len(column.rows_by_category) >= MOST_NAMED:
                self._on_overflow("feature")
                unnamed.append(column.name)
                yield without_names(column)
            else:
                if _is_full(column):
                    self._on_overflow("category")
                yield column


def _copied(columns: Mapping[str, Column]) -> dict[str, Column]:
    return {name: copy(values) for name, values in columns.items()}


def _is_full(column: ColumnReference) -> bool:
    """Return whether there were more categories than the cap."""
    if not isinstance(column.bins, CategoryBins) or not column.bins.rare:
        return False
    return len(column.bins.categories) == column.max_categories


def _together(
    blocks: Sequence[tuple[Mapping[str, Column], int]], names: Sequence[str]
) -> tuple[dict[str, list[Any]], int]:
    """Return these columns of several batches as one, and the number of rows."""
    together: dict[str, list[Any]] = {name: [] for name in names}
    for columns, rows in blocks:
        for name, values in together.items():
            value = columns.get(name)
            if value is None:
                values.extend([None] * rows)
            elif rows == 1:
                values.append(value)
            else:
                values.extend(value)
    return together, sum(rows for _, rows in blocks)
