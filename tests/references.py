"""A small reference file, for tests that are about something else."""

from __future__ import annotations

from pathlib import Path

from mlmon_exporter import Reference


def small_reference(folder: Path) -> str:
    """Save a reference with a number, a category, a prediction and its ground truth."""
    rows = {"a": [0.5, 1.5] * 50, "b": ["x", "y"] * 50, "p": [0.0, 1.0] * 50, "y": [0.0, 1.0] * 50}
    path = folder / "m.json"
    Reference.build(rows, predictions="p", ground_truth="y").save(path)
    return str(path)
