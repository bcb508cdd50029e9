"""Files compared with a reference in constant memory."""

from __future__ import annotations

import time
from collections.abc import Iterator

from mlmon_exporter.core.outcomes.reference import ModelReference
from mlmon_exporter.core.profile.free_text import sources
from mlmon_exporter.core.settings import ModelSettings

from .compare import Comparison, Part, compare
from .data.files import DataError, DataFiles
from .from_files import Progress, reading
from .roles import absent


def compare_files(
    files: DataFiles,
    reference: ModelReference,
    settings: ModelSettings,
    truth: str | None,
    on_progress: Progress = lambda share: None,
) -> Comparison:
    """Compare the rows of files, in their order, with a reference; see `compare`.

    Raises:
        DataError: A file cannot be read, or no column is the reference's.
    """
    inputs = sources(column.name for column in (*reference.features, *reference.outputs))
    own = [column.name for column in (*reference.features, *reference.outputs)]
    vectors = reference.derived.vectors if reference.derived is not None else ()
    parts_of = [name for each in vectors for name in each.source.inputs]
    columns = files.columns
    wanted = dict.fromkeys((*own, *inputs, *([] if truth is None else [truth])))
    names = [name for name in wanted if name in columns and columns[name].kind != "other"]
    names += [name for name in parts_of if name in columns and name not in names]
    if truth is not None and truth not in names:
        raise DataError(f"{files.path}: --ground-truth: {absent(truth, columns)}")
    if not {*names} - {truth}:
        raise DataError(
            f"{files.path}: expected columns of the reference, {', '.join(own[:20])}; "
            f"got {', '.join([*columns][:20])}"
        )

    def parts() -> Iterator[Part]:
        start = files.progress
        for rows, count in files.chunks(names, with_codes=True):
            share = min(1.0, files.progress - start)
            yield rows, count, share
            on_progress(share)

    return reading([files], lambda: compare(reference, settings, parts(), truth, time.time()))
