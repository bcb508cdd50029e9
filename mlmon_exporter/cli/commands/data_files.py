"""Data files of the commands: read as a reference says, and what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from mlmon_exporter.config.keys import Config
from mlmon_exporter.core.profile.bins import CategoryBins
from mlmon_exporter.reference.compare import chosen
from mlmon_exporter.reference.data.files import DataFiles
from mlmon_exporter.reference.reference import Reference
from mlmon_exporter.reference.replay import LogColumns
from mlmon_exporter.reference.settings import body_map

from .terminal import counted


def files_like(
    known: Reference,
    config: Config,
    path: Path,
    missing: str,
    columns: LogColumns | None = None,
) -> DataFiles:
    """Return a file or folder, read by a reference's kinds of columns and names.

    Raises:
        DataError: There are no files, or one cannot be read.
    """
    named = {} if columns is None else columns.outputs
    categorical = [
        named.get(column.name, column.name)
        for column in (*known.features, *known.outputs)
        if isinstance(column.bins, CategoryBins)
    ]
    return DataFiles(
        path,
        categorical=categorical if columns is None else [*categorical, columns.id],
        missing=names(missing),
        body_map=body_map(config, chosen(config, known.model), known.features, known.outputs),
    )


def names(text: str) -> tuple[str, ...]:
    """Return the names in a text such as `a,b`."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def told(files: Sequence[DataFiles]) -> Iterator[str]:
    """Give a line for each kind of record that was left out."""
    counts: Counter[str] = Counter()
    for each in files:
        counts.update(each.told)
    for what, count in counts.items():
        yield f"{counted(count, 'record')} {what}: left out"
