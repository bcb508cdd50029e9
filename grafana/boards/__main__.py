"""Writes the boards of a checkout anew: `python -m grafana.boards`."""

from __future__ import annotations

from pathlib import Path

from mlmon_exporter.assets.root import assets_root

from .board import text_of
from .catalog import boards


def write_boards(folder: Path) -> None:
    """Write all boards to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, board in boards().items():
        (folder / name).write_text(text_of(board), encoding="utf-8")


if __name__ == "__main__":
    write_boards(assets_root() / "grafana" / "dashboards")
