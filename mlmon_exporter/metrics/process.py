"""Numbers of this process, as the operating system tells them."""

from __future__ import annotations

from collections.abc import Mapping

from mlmon_exporter.core.counts.processes import Process

from .collector import process_numbers


def this_process(in_progress: Mapping[tuple[str, ...], int]) -> Process:
    """Return the numbers of the calling process."""
    return Process(
        process_numbers(), [(list(labels), count) for labels, count in in_progress.items()]
    )
