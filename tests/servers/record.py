"""Bodies of a real server, kept as `tests/bodies/FORMAT/SERVER_CASE.*`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .cases import Case
from .drive import BODY_MAP, Answer
from .environments import PACKAGES

BODIES = Path(__file__).parents[1] / "bodies"
SUFFIXES = {"text/csv": "csv", "application/json": "json"}


def record(server: str, case: Case, answer: Answer) -> None:
    """Write both bodies, where they come from, and the columns that were sent."""
    stem = f"{server}_{case.name}"
    folder = BODIES / case.format
    folder.mkdir(exist_ok=True)
    headers = {name.decode().lower(): value.decode() for name, value in answer.headers}
    kept = {
        name: value
        for name, value in headers.items()
        if name in ("content-type", "inference-header-content-length")
    }
    sent = {name.lower(): value for name, value in case.headers.items()}
    (folder / f"{stem}.request.{_suffix(sent)}").write_bytes(case.body)
    (folder / f"{stem}.response.{_suffix(kept)}").write_bytes(answer.body)
    meta = {
        "path": case.path,
        "request_headers": sent,
        "response_headers": kept,
        "feature_names": BODY_MAP.feature_names,
        "output_names": BODY_MAP.output_names,
        "source": f"{PACKAGES[server][0].partition('>')[0]}'s server, by `make servers`",
    }
    expected = {
        "features": _rows(case.features()),
        "predictions": _rows(case.predictions()),
        "rows": len(case.rows),
    }
    _write(folder / f"{stem}.meta.json", meta)
    _write(folder / f"{stem}.expected.json", expected)


def columns(found: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return columns as lists, also those of one row and those that are arrays."""
    lists = {
        name: getattr(column, "tolist", lambda c=column: c)() for name, column in found.items()
    }
    return {name: c if isinstance(c, list) else [c] for name, c in lists.items()}


def _rows(columns: Mapping[str, list[Any]]) -> dict[str, Any]:
    return {name: c[0] if len(c) == 1 else c for name, c in columns.items()}


def _suffix(headers: Mapping[str, str]) -> str:
    return SUFFIXES.get(headers.get("content-type", "").partition(";")[0], "bin")


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
