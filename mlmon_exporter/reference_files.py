"""A reference from data files: which part each column plays, and the reading of them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from .config import Config, Duration
from .data_files import Column, DataError, DataFiles, TypeConflictError
from .reference import Reference

Progress = Callable[[float], None]
"""Told how much of the work is done, 0 to 1."""
DEFAULT_WINDOWS: tuple[Duration, ...] = Config.model_fields["windows"].default
VARIATION_BYTES = 2 * 2**20
"""What counting the stretches of one column may take, for each window."""


class Roles(NamedTuple):
    """Which part columns play. Each field has the name of the command's option."""

    prediction: tuple[str, ...] = ()
    ground_truth: tuple[str, ...] = ()
    time_column: tuple[str, ...] = ()
    segment: tuple[str, ...] = ()
    """Features by which rows are sliced."""
    categorical: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    """All columns without another part if empty."""

    def check(self, files: DataFiles) -> None:
        """Raise DataError where a named column is absent, or plays two parts."""
        columns = files.columns
        for option, names in self._asdict().items():
            for name in names:
                if name not in columns:
                    raise DataError(f"{files.path}: {_option(option)}: {_absent(name, columns)}")
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
        for name in (*self.features, *self.segment, *self.prediction):
            if columns[name].kind == "other":
                raise DataError(
                    f"{files.path}: {name}: expected numbers or texts, got {columns[name].type}"
                )

    def features_of(self, columns: Mapping[str, Column]) -> tuple[str, ...]:
        """Return the names of the features, in the data's order or as they were named."""
        if self.features:
            return tuple(dict.fromkeys((*self.features, *self.segment)))
        taken = {*self.prediction, *self.ground_truth, *self.time_column, *self.ignore}
        return tuple(n for n, c in columns.items() if n not in taken and c.kind != "other")


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _absent(name: str, columns: Iterable[str]) -> str:
    known = list(columns)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    shown = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
    hint = f"did you mean {close[0]!r}?" if close else f"there are {shown}"
    return f"there is no column {name!r}; {hint}"


def reference_from_files(
    files: DataFiles,
    roles: Roles,
    model: str,
    windows: Sequence[Duration] = DEFAULT_WINDOWS,
    on_progress: Progress = lambda share: None,
) -> Reference:
    """Build a reference in a few passes over the files, in memory that does not grow with them.

    Raises:
        DataError: A file cannot be read, there are no rows, or roles do not fit the columns.
    """
    roles.check(files)
    features = roles.features_of(files.columns)
    if not features and not roles.prediction:
        raise DataError(f"{files.path}: expected a feature or --prediction, got none")
    varied = len(windows) * VARIATION_BYTES if roles.time_column else 0
    groups = files.groups([*features, *roles.prediction], more_bytes=varied)
    passes = len(groups) * (4 if roles.time_column else 2)
    build = _Build(files, roles, windows, lambda: on_progress(min(1.0, files.progress / passes)))
    parts = [build.reference(group) for group in groups]
    return Reference(
        [column for part in parts for column in part.features],
        [column for part in parts for column in part.outputs],
        model=model,
    )


class _Build:
    """How the columns of a group become a reference."""

    def __init__(
        self,
        files: DataFiles,
        roles: Roles,
        windows: Sequence[Duration],
        on_chunk: Callable[[], None],
    ) -> None:
        self._files = files
        self._roles = roles
        self._windows = [window.seconds for window in windows]
        self._on_chunk = on_chunk
        self._time_column = next(iter(roles.time_column), None)

    def reference(self, group: Sequence[str]) -> Reference:
        """Build the reference of some columns."""
        while True:
            start = self._files.progress
            try:
                return self._reference(group)
            except TypeConflictError as conflict:
                # What began as numbers are texts: start again. Once for a column at most.
                self._files.read_as_text(conflict.column)
                self._files.progress = start
            except DataError:
                raise
            except ValueError as error:
                raise DataError(f"{self._files.path}: {error}") from error

    def _reference(self, group: Sequence[str]) -> Reference:
        return Reference.build(
            lambda: self._files.chunks(group, self._time_column),
            features=[name for name in group if name not in self._roles.prediction],
            predictions=[name for name in group if name in self._roles.prediction],
            time_column=self._time_column,
            windows=self._windows,
            progress=lambda rows: self._on_chunk(),
        )
