"""Parts that the columns of data files play."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from mlmon_exporter.config.keys import Config
from mlmon_exporter.core.settings import Choice
from mlmon_exporter.formats.parquet import is_index

from .data.files import Column, DataError, DataFiles

MOST_FEATURES: int = Config.model_fields["max_features"].default

COLUMN_ROLES = "prediction ground_truth time_column segment categorical ignore features".split()


class Roles(NamedTuple):
    """Parts that columns play. Each field has the name of the command's option."""

    prediction: tuple[str, ...] = ()
    ground_truth: tuple[str, ...] = ()
    time_column: tuple[str, ...] = ()
    segment: tuple[str, ...] = ()
    """Features by which rows are sliced."""
    categorical: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    """All columns without another part if empty."""
    edges: Mapping[str, tuple[float, ...]] = MappingProxyType({})
    """Segment feature -> the edges of its ranges, where it is not sliced by value."""
    choice: Choice = Choice()
    """The user's settings of the task."""
    begin: float = -math.inf
    """Unix seconds: earlier rows are left out."""
    end: float = math.inf
    """Unix seconds: rows of this time or later are left out."""
    max_features: int = MOST_FEATURES
    """The server's setting."""
    importance: Mapping[str, float] | None = None
    """Feature -> its weight; measured if None."""
    joint: bool = True
    """Columns are derived that tell how features go together."""
    vector: tuple[str, ...] = ()
    """Columns of vectors, or beginnings of the names of their numbers' columns, with a `*`."""

    def check(self, files: DataFiles) -> None:
        """Raise DataError where a named column is absent, or plays two parts."""
        columns = files.columns
        for option in COLUMN_ROLES:
            for name in getattr(self, option):
                if name not in columns:
                    raise DataError(f"{files.path}: {_option(option)}: {absent(name, columns)}")
        if len(self.time_column) > 1:
            raise DataError(
                f"--time-column: expected one column, got {', '.join(self.time_column)}"
            )
        features = (*self.features, *self.segment)
        for option in ("prediction", "ground_truth", "time_column", "ignore"):
            for name in getattr(self, option):
                if name in features:
                    part = "features" if name in self.features else "segment"
                    raise DataError(
                        f"{files.path}: {_option(option)}: {name!r} is named in --{part}, too; "
                        "name it in one of them"
                    )
        truths = self.ground_truth if self.has_outcomes else ()
        for name in (*features, *self.prediction, *self.time_column, *truths):
            if columns[name].kind == "other":
                raise DataError(
                    f"{files.path}: {name}: expected numbers or texts, got {columns[name].type}"
                )

    @property
    def has_outcomes(self) -> bool:
        """Ground truths are compared with predictions."""
        return len(self.ground_truth) == 1 and bool(self.prediction)

    def vectors_of(self, columns: Mapping[str, Column]) -> tuple[str, ...]:
        """Return the columns that hold vectors or their numbers."""
        beginnings = tuple(each[:-1] for each in self.vector if each.endswith("*"))
        return tuple(n for n in columns if n in self.vector or n.startswith(beginnings))

    def features_of(self, columns: Mapping[str, Column]) -> tuple[str, ...]:
        """Return the names of the features, in the data's order or as they were named."""
        if self.features:
            return tuple(dict.fromkeys((*self.features, *self.segment)))
        taken = {*self.prediction, *self.ground_truth, *self.time_column, *self.ignore}
        taken |= {*self.vectors_of(columns)}
        taken |= {name for name in columns if is_index(name)} - {*self.segment}
        taken |= {name for name, column in columns.items() if column.is_meta}
        return tuple(n for n, c in columns.items() if n not in taken and c.kind != "other")


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def absent(name: str, columns: Iterable[str]) -> str:
    """Return what to say of a column that is not there, with the one that was meant."""
    known = list(columns)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    shown = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
    hint = f"did you mean {close[0]!r}?" if close else f"there are {shown}"
    return f"there is no column {name!r}; {hint}"
