"""`mlmon-exporter build-reference --from-state`: a reference of what was served."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from mlmon_exporter.config.keys import ConfigError, load_config
from mlmon_exporter.core.profile.bins import CategoryBins
from mlmon_exporter.reference.reference import Reference

from .terminal import counted, user_errors


def served_reference(
    config: Path | None, model: str, version: str, window: str, *, keeps_bins: bool
) -> Reference:
    """Return the reference of what a model served in a window, from the state directory.

    Raises:
        UserError: The configuration has no such model, or the state no such rows.
    """
    from mlmon_exporter.cli.server import reader_of

    with (
        user_errors(ConfigError, ValueError),
        closing(reader_of(load_config(config))) as monitor,
    ):
        return monitor.served(model, version or None, window or None, keeps_bins=keeps_bins)


def served_warnings(reference: Reference) -> Iterator[str]:
    """Say what a reference of counts lacks against one of rows."""
    yield (
        "counts are exact in the old reference's cells; within a cell, values cannot be told "
        "apart, and mean and quantiles are those of digests"
    )
    yield "natural variation is the old reference's: build from a log to measure it anew"
    if reference.outcomes is not None:
        yield (
            "quality is still compared with the old reference's: build from a log with "
            "--ground-truth after a retraining"
        )
    for column in (*reference.features, *reference.outputs):
        unseen = int(column.counts[-2]) if isinstance(column.bins, CategoryBins) else 0
        if unseen:
            yield (
                f"{column.name}: {counted(unseen, 'row')} had categories that the old reference "
                "never had; their share is expected from now on, their names are not known"
            )
