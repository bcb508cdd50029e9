"""The committed boards as the tests read them: plain JSON, not the code that made it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mlmon_exporter.metrics.table import METRICS

FOLDER = Path(__file__).parent.parent.parent / "grafana" / "dashboards"
BOARDS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))
}
DURATIONS = {"__rate_interval": "1m", "__range": "1h", "__interval": "15s", "window": "1h"}
"""Values of variables that stand for a time, where any will do."""
FAMILY = re.compile(r"_(bucket|count|sum)$")


class Target(NamedTuple):
    """A query of a panel."""

    board: str
    panel: dict[str, Any]
    query: dict[str, Any]

    @property
    def expr(self) -> str:
        found: str = self.query["expr"]
        return found

    @property
    def name(self) -> str:
        return f"{self.board}: {self.panel['title']}: {self.query['refId']}"


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the panels that show something, those of collapsed rows too."""
    return [panel for panel in everything(board) if panel["type"] != "row"]


def everything(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Return rows and panels as they stand when all rows are open."""
    return [one for panel in board["panels"] for one in (panel, *panel.get("panels", ()))]


def targets() -> Iterator[Target]:
    """Return the queries of all boards."""
    for uid, board in BOARDS.items():
        for panel in panels(board):
            for query in panel["targets"]:
                yield Target(uid, panel, query)


def variables(board: dict[str, Any], kind: str = "query") -> dict[str, dict[str, Any]]:
    """Return a board's variables of a type by their names."""
    return {v["name"]: v for v in board["templating"]["list"] if v["type"] == kind}


def filled(text: str, values: dict[str, str]) -> str:
    """Return an expression with its variables replaced."""

    def value(found: re.Match[str]) -> str:
        return values[found[1] or found[2]]

    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", value, text)


def selectors(expr: str) -> list[tuple[str, str]]:
    """Return the name and the matchers of each selector of an expression."""
    return re.findall(r"\b([a-zA-Z_:][\w:]*)\{((?:[^{}\"]|\"[^\"]*\")*)\}", expr)


def families(expr: str) -> set[str]:
    """Return the metrics of an expression, a histogram by its name; not the recorded series."""
    bare = re.sub(r'"[^"]*"', "", expr)
    names = re.findall(r"(?<![\w:])(?:mlmon|process)_\w+(?![\w:])", bare)
    return {name if name in METRICS else FAMILY.sub("", name) for name in names}
