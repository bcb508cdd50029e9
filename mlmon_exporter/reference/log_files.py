"""Logs in files, replayed in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import tee
from typing import NamedTuple

from mlmon_exporter.core.drift.alarms import Account
from mlmon_exporter.core.outcomes.pending import GroundTruth

from .data.files import DataError, DataFiles
from .data.folders import files_of
from .data.outcomes import OutcomeColumns, outcomes_in
from .from_files import Progress, reading
from .later_truths import LaterTruths, truths_of
from .replay import Columns, LogColumns, Replay, replay
from .roles import absent

OPTIONS = {
    "time": "--time-column",
    "truth": "--ground-truth",
    "truth_time": "--ground-truth-time",
    "version": "--version-column",
    "id": "--id-column",
}
"""Field of `LogColumns` -> the option that names it."""


class Remembered(NamedTuple):
    """Bounds of the predictions that wait for the truth of another log."""

    rows: int
    seconds: float


def replay_files(
    logs: Sequence[DataFiles],
    columns: LogColumns,
    new_replays: Callable[[], Sequence[Replay]],
    remembered: Remembered,
    on_progress: Progress = lambda share: None,
) -> tuple[Sequence[Replay], list[Account]]:
    """Replay logs one after another, in the order given; return the replays and their accounts.

    Where rows have ids, a log without any of the reference's columns is one of ground truths.

    Args:
        logs: Files or folders.
        columns: What their columns are called.
        new_replays: Makes the replays, again where reading starts anew.
        remembered: Bounds of what waits for ground truths of other logs.
        on_progress: Gets the share that is done.

    Raises:
        DataError: A file cannot be read, or a column is not there.
    """
    names = list(dict.fromkeys(name for each in new_replays() for name in each.names))
    own = {*names} - {columns.truth, columns.version, columns.id}
    of_truths = [log for log in logs if columns.id and not own & {*log.columns}]
    of_rows = [log for log in logs if log not in of_truths]
    _check(of_rows, of_truths, columns)

    def read() -> tuple[Sequence[Replay], list[Account]]:
        replays, span = new_replays(), (0.0, 0.0)
        for each, truths in zip(
            replays, tee(_truths(of_truths, columns), len(replays)), strict=True
        ):
            if of_truths:
                each.join(LaterTruths(truths, *remembered))

        def chunks() -> Iterator[Columns]:
            nonlocal span
            for rows, share in _chunks(of_rows, names, columns):
                span = span[1], share
                yield rows

        return replays, replay(
            replays, chunks(), lambda share: on_progress(span[0] + share * (span[1] - span[0]))
        )

    return reading(of_rows, read, [name for name in (columns.time, columns.truth_time) if name])


def _check(
    of_rows: Sequence[DataFiles], of_truths: Sequence[DataFiles], columns: LogColumns
) -> None:
    """Raise DataError where a log lacks a column, or there is no log of a kind."""
    if columns.id and not (of_rows and of_truths):
        raise DataError(
            "--id-column: expected logs of rows, and logs of ground truth that have none of the "
            f"reference's columns, got {len(of_rows)} and {len(of_truths)}"
        )
    named = {name: option for field, option in OPTIONS.items() if (name := getattr(columns, field))}
    named |= dict.fromkeys(columns.outputs.values(), "--prediction")
    known_at = columns.truth_time or columns.time
    elsewhere = {columns.truth, columns.truth_time} if of_truths else set()
    for logs, wanted in (
        (of_rows, {*named} - elsewhere),
        (of_truths, {columns.id, columns.truth, known_at}),
    ):
        for log in logs:
            for name, option in named.items():
                if name in wanted and name not in log.columns:
                    raise DataError(f"{log.path}: {option}: {absent(name, log.columns)}")


def _truths(logs: Sequence[DataFiles], columns: LogColumns) -> Iterator[GroundTruth]:
    names = OutcomeColumns(columns.id, columns.truth, columns.truth_time or columns.time)
    for file in (file for log in logs for file in files_of(log.path)):
        try:
            yield from truths_of(record for record, _ in outcomes_in(file, names))
        except DataError:
            raise
        except ValueError as error:
            raise DataError(f"{file}: {names.timestamp}: {error}") from error


def _chunks(
    logs: Sequence[DataFiles], names: Sequence[str], columns: LogColumns
) -> Iterator[tuple[Columns, float]]:
    """Give rows, and the share of all logs that is read with them."""
    for i, log in enumerate(logs):
        start, known = log.progress, log.columns
        present = [name for name in names if name in known and known[name].kind != "other"]
        if not {*present} - {columns.truth, columns.version, columns.id}:
            expected = ", ".join(names[:20])
            raise DataError(f"{log.path}: expected columns of the reference, {expected}")
        others = [columns.truth_time] if columns.truth_time in known else []
        for rows, _ in log.chunks(present, columns.time, other_times=others, with_codes=True):
            yield rows, (i + min(1.0, log.progress - start)) / len(logs)
