from __future__ import annotations

from mlmon_exporter.metrics.process import this_process


def test_this_process_uses_memory_and_files() -> None:
    process = this_process({("m", "", "/predict"): 1})
    assert process.numbers["process_resident_memory_bytes"] > 1e6
    assert process.in_progress == [(["m", "", "/predict"], 1)]
