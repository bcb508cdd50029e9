"""A reference from data files, read in passes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from mlmon_exporter.config.keys import Config, Duration
from mlmon_exporter.core.coerce import times
from mlmon_exporter.core.derived.reference import DerivedReference
from mlmon_exporter.core.outcomes.profile import (
    Chunk,
    OutcomeColumns,
    RowTimes,
    outcome_reference,
    with_expected,
)
from mlmon_exporter.core.outcomes.reference import OutcomeReference
from mlmon_exporter.core.outcomes.task import REGRESSION
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.free_text import input_names, sources
from mlmon_exporter.core.profile.importance import with_importance
from mlmon_exporter.core.profile.kept_bins import in_bins_of
from mlmon_exporter.core.profile.profiler import KindError
from mlmon_exporter.core.profile.variation import stretch_lengths
from mlmon_exporter.core.settings import SegmentFeature

from .data.files import DataError, DataFiles, TypeConflictError
from .derived import derived_reference, vector_inputs
from .importance import check, measured
from .passes import Clock
from .reference import Reference
from .roles import Roles
from .rows import between, check_width, with_text_sizes

T = TypeVar("T")

Progress = Callable[[float], None]
"""Called with the share of the work that is done, 0 to 1."""
DEFAULT_WINDOWS: tuple[Duration, ...] = Config.model_fields["windows"].default
ENGINE = "fastdigest"
VARIATION_BYTES = 2**18
"""Memory of the stretches of one column, for each of their lengths."""


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
    if not features and not roles.prediction and not roles.vector:
        raise DataError(f"{files.path}: expected a feature or --prediction, got none")
    try:
        check_width(features, roles.max_features, str(files.path))
    except ValueError as error:
        raise DataError(str(error)) from error
    lengths = stretch_lengths(window.seconds for window in windows)
    varied = len(lengths) * VARIATION_BYTES if roles.time_column else 0
    groups = files.groups([*features, *roles.prediction], more_bytes=varied)
    outcome_passes = (4 + len(roles.time_column)) if roles.has_outcomes else 0
    is_measured = roles.importance is None and bool(roles.prediction)
    each_passes = (4 if roles.time_column else 2) + is_measured
    derived_passes = (4 if roles.time_column else 2) if roles.joint else 0
    passes = len(groups) * each_passes + outcome_passes + derived_passes
    build = _Build(files, roles, windows, lambda: on_progress(min(1.0, files.progress / passes)))
    parts = [build.reference(group) for group in groups]
    named = {*roles.features, *roles.segment}
    built = [column for part in parts for column in part.features]
    # Ids and times grow for ever, which would be drift within days.
    columns = [column for column in built if not column.looks or column.name in named]
    outputs = [column for part in parts for column in part.outputs]
    columns = [*build.weighed(columns, outputs, groups)]
    outcomes = build.outcomes(columns, outputs) if roles.has_outcomes else None
    made = Reference(columns, outputs, outcomes=outcomes, model=model)
    known = made.for_model("").features
    if outcomes is not None:
        made.outcomes = build.with_expected(outcomes, known, outputs)
    if roles.joint or roles.vector:
        made.derived = build.derived(known)
    return made


def reference_like(
    files: DataFiles,
    like: Reference,
    roles: Roles,
    windows: Sequence[Duration] = DEFAULT_WINDOWS,
    on_progress: Progress = lambda share: None,
) -> Reference:
    """Build a reference with the columns and bins of another, for the rows of files.

    Of `roles`, only ground truth, times, segments and the span count: the other says the rest.

    Raises:
        DataError: A file cannot be read, there are no rows, or no column is the other's.
    """
    roles = roles._replace(features=(), prediction=(), ignore=())
    roles.check(files)
    columns = files.columns
    own = [column.name for column in (*like.features, *like.outputs)]
    wanted = dict.fromkeys((*own, *sources(own), *roles.segment, *roles.ground_truth))
    names = [name for name in wanted if name in columns and columns[name].kind != "other"]
    names += [name for name in like.vector_columns if name in columns and name not in names]
    if not {*names} & {*own, *like.vector_columns}:
        raise DataError(
            f"{files.path}: expected columns of the reference, {', '.join(own[:20])}; "
            f"got {', '.join([*columns][:20])}"
        )
    passes = 3 if roles.time_column else 2
    build = _Build(files, roles, windows, lambda: on_progress(min(1.0, files.progress / passes)))
    built = build.like(like, names)
    features, outputs = (
        [in_bins_of(column, old) for column, old in zip(new, olds, strict=True)]
        for new, olds in ((built.features, like.features), (built.outputs, like.outputs))
    )
    return Reference(
        features, outputs, outcomes=built.outcomes, model=like.model, derived=built.derived
    )


def reading(files: Sequence[DataFiles], read: Callable[[], T], times: Sequence[str] = ()) -> T:
    """Return what `read` makes of files; starts again where a column is not what it seemed.

    Columns of `times` are times or nothing.
    """
    while True:
        starts = [each.progress for each in files]
        try:
            return read()
        except TypeConflictError as conflict:
            if conflict.column in times:
                raise
            # What began as numbers are texts: start again. Once for a column at most.
            for each, start in zip(files, starts, strict=True):
                each.read_as_text(conflict.column)
                each.progress = start
        except KindError as conflict:
            for each, start in zip(files, starts, strict=True):
                each.read_as_numbers(conflict.texts)
                each.progress = start
        except DataError:
            raise
        except ValueError as error:
            raise DataError(f"{files[0].path}: {error}") from error


class _Build:
    """Builds the reference of a group of columns."""

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

    def _chunks(self, names: Sequence[str], *, with_codes: bool = False) -> Iterable[Chunk]:
        """Give all rows, or those of the time that is wanted."""
        begin, end, name = self._roles.begin, self._roles.end, self._time_column
        chunks = self._files.chunks(names, name, with_codes=with_codes)
        if name is None or (begin, end) == (-math.inf, math.inf):
            return chunks
        return between(chunks, name, begin, end)

    def reference(self, group: Sequence[str]) -> Reference:
        """Build the reference of some columns."""
        return self._read(lambda: self._reference(group))

    def like(self, like: Reference, names: Sequence[str]) -> Reference:
        """Build the reference of all columns in the cells of another."""
        roles = self._roles
        return self._read(
            lambda: Reference.build(
                lambda: self._chunks(names, with_codes=True),
                ground_truth=next(iter(roles.ground_truth), None),
                segments=[(n, roles.edges[n]) if n in roles.edges else n for n in roles.segment],
                time_column=self._time_column,
                windows=self._windows,
                model=like.model,
                like=like,
                progress=lambda rows: self._on_chunk(),
            )
        )

    def _read(self, read: Callable[[], T]) -> T:
        return reading([self._files], read, self._roles.time_column)

    def weighed(
        self,
        features: Sequence[ColumnReference],
        outputs: Sequence[ColumnReference],
        groups: Sequence[Sequence[str]],
    ) -> tuple[ColumnReference, ...]:
        """Return features with their importance; each group is read with all outputs."""
        given = self._roles.importance
        if given is None:
            given = {}
            for group in groups if outputs else ():
                given |= self._read(partial(self._weights, features, outputs, group))
        else:
            check(given, [column.name for column in features])
        return with_importance(features, given)

    def _weights(
        self,
        features: Sequence[ColumnReference],
        outputs: Sequence[ColumnReference],
        group: Sequence[str],
    ) -> dict[str, float]:
        own = [column for column in features if {*input_names([column.name])} & {*group}]
        names = list(dict.fromkeys((*group, *self._roles.prediction)))
        sized = [column.name for column in (*own, *outputs)]
        chunks = with_text_sizes(lambda: self._told(names), sized)
        return measured(own, outputs, chunks())

    def outcomes(
        self, features: Sequence[ColumnReference], outputs: Sequence[ColumnReference]
    ) -> OutcomeReference | None:
        """Build the outcomes, given the reference of all columns."""
        roles = self._roles
        segments = [SegmentFeature(name, roles.edges.get(name, ())) for name in roles.segment]
        time, row_times = self._time_column, None
        if time is not None:
            row_times = RowTimes(lambda rows: times(rows[time]), self._windows)
        of_rows = OutcomeColumns(
            roles.ground_truth[0], features, outputs, roles.choice, segments, times=row_times
        )
        names = dict.fromkeys((*roles.prediction, *roles.segment, *roles.ground_truth))

        chunks = partial(self._told, [*names])
        return self._read(lambda: outcome_reference(chunks, of_rows, ENGINE))

    def with_expected(
        self,
        outcomes: OutcomeReference,
        features: Sequence[ColumnReference],
        outputs: Sequence[ColumnReference],
    ) -> OutcomeReference:
        """Return the outcomes of a regression with expected losses."""
        if outcomes.choice.kind != REGRESSION:
            return outcomes
        chunks = self._chunks_of((*features, *outputs), self._roles.ground_truth)
        of_rows = OutcomeColumns(self._roles.ground_truth[0], features, outputs)
        return self._read(lambda: with_expected(chunks, of_rows, outcomes))

    def _chunks_of(
        self, columns: Sequence[ColumnReference], more: Sequence[str] = ()
    ) -> Callable[[], Iterable[Chunk]]:
        """Return chunks that have a value for each row of these columns, and more."""
        names = [column.name for column in columns]
        own = (name for name in names if name in self._files.columns)
        read = dict.fromkeys((*own, *sources(names), *more))
        return with_text_sizes(partial(self._told, [*read]), names)

    def derived(self, features: Sequence[ColumnReference]) -> DerivedReference | None:
        """Build the derived columns, given the reference of all features."""
        roles, found = self._roles, self._files.columns
        features = features if roles.joint else ()
        chunks = self._chunks_of(features, roles.vectors_of(found))
        clock = Clock(self._time_column, self._windows) if self._time_column else None

        def derived() -> DerivedReference | None:
            first = next(iter(chunks()), ({}, 0))[0] if roles.vector else {}
            inputs = vector_inputs(roles.vector, first, str(self._files.path))
            return derived_reference(features, chunks, clock, ENGINE, vectors=inputs)

        return self._read(derived)

    def _told(self, names: Sequence[str]) -> Iterator[Chunk]:
        """Give all rows, their categories with codes, and tell of progress."""
        for chunk in self._chunks(names, with_codes=True):
            yield chunk
            self._on_chunk()

    def _reference(self, group: Sequence[str]) -> Reference:
        return Reference.build(
            lambda: self._chunks(group),
            features=[name for name in group if name not in self._roles.prediction],
            predictions=[name for name in group if name in self._roles.prediction],
            time_column=self._time_column,
            windows=self._windows,
            max_features=self._roles.max_features,
            importance={},
            joint=False,
            progress=lambda rows: self._on_chunk(),
        )
