"""Logs in files, replayed in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mlmon_exporter.core.drift.alarms import Account

from .data.files import DataError, DataFiles
from .from_files import Progress, absent, reading
from .replay import Columns, LogColumns, Replay, replay


def replay_files(
    logs: Sequence[DataFiles],
    columns: LogColumns,
    new_replays: Callable[[], Sequence[Replay]],
    on_progress: Progress = lambda share: None,
) -> tuple[Sequence[Replay], list[Account]]:
    """Replay logs one after another, in the order given; return the replays and their accounts.

    Args:
        logs: Files or folders.
        columns: What their columns are called.
        new_replays: Makes the replays, again where reading starts anew.
        on_progress: Gets the share that is done.

    Raises:
        DataError: A file cannot be read, or a column is not there.
    """
    for log in logs:
        _check(log, columns)

    def read() -> tuple[Sequence[Replay], list[Account]]:
        replays = new_replays()
        names = list(dict.fromkeys(name for each in replays for name in each.names))
        return replays, replay(replays, _chunks(logs, names, columns, on_progress))

    return reading(logs, read, [name for name in (columns.time, columns.truth_time) if name])


def _check(log: DataFiles, columns: LogColumns) -> None:
    for option, name in columns._asdict().items():
        if name and name not in log.columns:
            raise DataError(f"{log.path}: {OPTIONS[option]}: {absent(name, log.columns)}")


OPTIONS = {
    "time": "--time-column",
    "truth": "--ground-truth",
    "truth_time": "--ground-truth-time",
    "version": "--version-column",
}
"""Field of `LogColumns` -> the option that names it."""


def _chunks(
    logs: Sequence[DataFiles], names: Sequence[str], columns: LogColumns, on_progress: Progress
) -> Iterator[Columns]:
    others = [columns.truth_time] if columns.truth_time else []
    for i, log in enumerate(logs):
        start, known = log.progress, log.columns
        present = [name for name in names if name in known and known[name].kind != "other"]
        if not present:
            expected = ", ".join(names[:20])
            raise DataError(f"{log.path}: expected columns of the reference, {expected}")
        for rows, _ in log.chunks(present, columns.time, other_times=others, with_codes=True):
            yield rows
            on_progress((i + min(1.0, log.progress - start)) / len(logs))
