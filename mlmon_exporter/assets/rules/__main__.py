"""Writes the generated files of a checkout anew: `python -m mlmon_exporter.assets.rules`."""

from __future__ import annotations

from pathlib import Path

from mlmon_exporter.assets.root import assets_root

from .rule_set import files


def write_rules(folder: Path) -> None:
    """Write all generated files to a folder."""
    for name, text in files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_rules(assets_root() / "alerts")
