"""Files of a table that is a folder, and values of columns in the names of folders."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from .lines import is_lines
from .readers import DataError
from .registry import ENDINGS, is_readable

_NO_PARTITION = "__HIVE_DEFAULT_PARTITION__"


def files_of(path: Path) -> list[Path]:
    """Return the files of a table: one, or those of a folder.

    Raises:
        DataError: There is nothing to read, or tables and JSON are side by side.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DataError(f"{path}: expected a file or a folder, got nothing of that name")
    files = sorted(file for file in path.rglob("*") if file.is_file() and _is_data(file, path))
    if not files:
        raise DataError(f"{path}: expected files that end in {ENDINGS}, got none in the folder")
    tables = [file for file in files if not is_lines(file)]
    if tables and len(tables) < len(files):
        lines = next(file for file in files if is_lines(file))
        raise DataError(
            f"{path}: expected either JSON or tables, got {tables[0].name} and {lines.name}; "
            "give them one by one"
        )
    return tables or [path]


def _is_data(file: Path, folder: Path) -> bool:
    # Spark and others put `_SUCCESS`, `_metadata` and `.crc` beside the data.
    parts = file.relative_to(folder).parts
    return is_readable(file) and not any(part.startswith((".", "_")) for part in parts)


def values_in(folder: Path) -> dict[str, str]:
    """Return the values of columns that stand in the name of a folder, as `day=2026-01-01`."""
    pairs = [part.partition("=") for part in folder.parts if "=" in part]
    return {unquote(k): "" if v == _NO_PARTITION else unquote(v) for k, _, v in pairs}
