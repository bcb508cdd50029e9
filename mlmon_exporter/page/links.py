"""Links between parts of the page: queries of one path, or anchors in one file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol
from urllib.parse import urlencode

from .view import SIDES, ColumnView, ModelView


class Links(Protocol):
    """Addresses of parts of the page, in the current window unless another is named."""

    def overview(self, window: str = "") -> str: ...

    def model(self, name: str, window: str = "") -> str: ...

    def column(self, column: ColumnView, window: str = "") -> str: ...

    def same(self, *, paused: bool) -> str:
        """Return the address of this page, refreshing or paused; empty in a file."""

    def report(self) -> str:
        """Return the address of the report; empty in a file, which is one."""

    def help(self, name: str) -> str:
        """Return the address of a runbook, or of troubleshooting; empty in a file."""


class Context(NamedTuple):
    """The window of a page, and its links."""

    links: Links
    window: str
    windows: tuple[str, ...] = ()
    """All windows, shortest first."""
    pause: Callable[[], None] = lambda: None
    """Called now and then during long work, to yield the core."""


class QueryLinks:
    """Relative queries, which work behind any proxy."""

    def __init__(self, query: dict[str, str]) -> None:
        self._query = {key: value for key, value in query.items() if key in QUERY_KEYS}

    def _link(self, window: str, **target: str) -> str:
        kept = {key: self._query[key] for key in ("window", "paused") if key in self._query}
        if window:
            kept["window"] = window
        return f"?{urlencode(target | kept)}"

    def overview(self, window: str = "") -> str:
        return self._link(window)

    def model(self, name: str, window: str = "") -> str:
        return self._link(window, model=name)

    def column(self, column: ColumnView, window: str = "") -> str:
        target = {"model": column.model, "version": column.version, column.side: column.name}
        return self._link(window, **target)

    def same(self, *, paused: bool) -> str:
        rest = {key: value for key, value in self._query.items() if key != "paused"}
        return f"?{urlencode({**rest, 'paused': '1'} if paused else rest)}"

    def report(self) -> str:
        return self._link("", report="")

    def help(self, name: str) -> str:
        return self._link("", help=name)


QUERY_KEYS = ("model", "version", *SIDES, "window", "paused", "help")


class AnchorLinks:
    """Anchors within one file of one window; only some columns have a section there."""

    def __init__(self, models: Iterable[ModelView], columns: Iterable[ColumnView]) -> None:
        self._models = {model.name: f"model-{i}" for i, model in enumerate(models)}
        self._columns = {_key(column): f"column-{i}" for i, column in enumerate(columns)}

    def overview(self, window: str = "") -> str:  # noqa: ARG002
        return "#top"

    def model(self, name: str, window: str = "") -> str:  # noqa: ARG002
        return f"#{self._models[name]}"

    def column(self, column: ColumnView, window: str = "") -> str:  # noqa: ARG002
        anchor = self._columns.get(_key(column))
        return f"#{anchor}" if anchor else ""

    def same(self, *, paused: bool) -> str:  # noqa: ARG002 - a file never refreshes
        return ""

    def report(self) -> str:
        return ""

    def help(self, name: str) -> str:  # noqa: ARG002
        return ""


def _key(column: ColumnView) -> tuple[str, str, str, str]:
    return (column.model, column.version, column.side, column.name)
