"""The linear model as TorchServe loads it from an archive, `linear.py` beside it."""

from __future__ import annotations

from typing import Any

from linear import FEATURES, outputs


def handle(batch: Any, context: Any) -> Any:
    """Answer each request of a batch: records, by themselves or as `instances`."""
    return [_answer(one["body"]) for one in batch] if batch else None


def _answer(body: Any) -> Any:
    has_name = isinstance(body, dict)
    rows = [[row[name] for name in FEATURES] for row in (body["instances"] if has_name else body)]
    values = outputs(rows).tolist()
    return {"predictions": values} if has_name else [{"y": value} for value in values]
