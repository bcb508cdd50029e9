"""Where the parts of the page are: further queries of one path, or anchors of one file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol
from urllib.parse import urlencode

from .view import ColumnView, ModelView


class Links(Protocol):
    """Gives addresses, of the window that is looked at unless another is named."""

    def overview(self, window: str = "") -> str: ...

    def model(self, name: str, window: str = "") -> str: ...

    def column(self, column: ColumnView, window: str = "") -> str: ...

    def same(self, *, paused: bool) -> str:
        """Return the address of what is shown now, refreshing itself or not; empty in a file."""


class QueryLinks:
    """Relative to wherever the page is, so that it works behind any proxy."""

    def __init__(self, query: dict[str, str]) -> None:
        self._query = {key: value for key, value in query.items() if key in QUERY_KEYS}

    def _link(self, window: str, **place: str) -> str:
        kept = {key: self._query[key] for key in ("window", "paused") if key in self._query}
        if window:
            kept["window"] = window
        return f"?{urlencode(place | kept)}"

    def overview(self, window: str = "") -> str:
        return self._link(window)

    def model(self, name: str, window: str = "") -> str:
        return self._link(window, model=name)

    def column(self, column: ColumnView, window: str = "") -> str:
        place = {"model": column.model, "version": column.version, column.side: column.name}
        return self._link(window, **place)

    def same(self, *, paused: bool) -> str:
        rest = {key: value for key, value in self._query.items() if key != "paused"}
        return f"?{urlencode({**rest, 'paused': '1'} if paused else rest)}"


QUERY_KEYS = ("model", "version", "feature", "output", "window", "paused")


class AnchorLinks:
    """Within one file, in one window; only some columns have a place of their own there."""

    def __init__(self, models: Iterable[ModelView], columns: Iterable[ColumnView]) -> None:
        self._models = {model.name: f"model-{i}" for i, model in enumerate(models)}
        self._columns = {_key(column): f"column-{i}" for i, column in enumerate(columns)}

    def overview(self, window: str = "") -> str:  # noqa: ARG002
        return "#top"

    def model(self, name: str, window: str = "") -> str:  # noqa: ARG002
        return f"#{self._models[name]}"

    def column(self, column: ColumnView, window: str = "") -> str:  # noqa: ARG002
        place = self._columns.get(_key(column))
        return f"#{place}" if place else ""

    def same(self, *, paused: bool) -> str:  # noqa: ARG002 - a file never refreshes
        return ""


def _key(column: ColumnView) -> tuple[str, str, str, str]:
    return (column.model, column.version, column.side, column.name)
