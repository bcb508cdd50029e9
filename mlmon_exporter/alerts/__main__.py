"""Writes the rule files of a checkout anew: `python -m mlmon_exporter.alerts`."""

from __future__ import annotations

from pathlib import Path

from mlmon_exporter.assets import assets_root

from .fleet import FILE, fleet_file


def write_rules(folder: Path) -> None:
    """Write all rule files to a folder."""
    path = folder / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(fleet_file(), encoding="utf-8")


if __name__ == "__main__":
    write_rules(assets_root() / "alerts")
