"""Grafana's part of the work without Grafana: variables are asked for, expressions filled in."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from typing import Any

import httpx

from .boards import filled, variables

STEP_SECONDS = 2
LABEL_VALUES = re.compile(r"label_values\((.+), (\w+)\)", re.DOTALL)


class Viewer:
    """Somebody who opens boards on a Prometheus."""

    def __init__(self, url: str, seconds: int, rate_interval: str, at: float | None = None) -> None:
        """Open boards.

        Args:
            url: Of Prometheus.
            seconds: How far to look back.
            rate_interval: What `$__rate_interval` is: four scrapes or more.
            at: The moment to look at, Unix seconds; None: now.
        """
        self._at = at
        self._client = httpx.Client(base_url=url, timeout=30)
        self._seconds = seconds
        self._builtin = {
            "__rate_interval": rate_interval,
            "__range": f"{seconds}s",
            "__interval": f"{STEP_SECONDS}s",
        }

    def close(self) -> None:
        self._client.close()

    def choices(self, board: dict[str, Any], **chosen: str) -> dict[str, str]:
        """Return each variable's value as Grafana would fill it in: all, chosen, or the first."""
        values = dict(self._builtin)
        for name, variable in variables(board).items():
            found = self.options(variable, values)
            if variable.get("includeAll"):
                values[name] = variable["allValue"]
            else:
                values[name] = chosen.get(name) or found[0]
                assert values[name] in found, (name, found)
        return values

    def options(self, variable: dict[str, Any], values: dict[str, str]) -> list[str]:
        """Return what a variable offers."""
        matched = LABEL_VALUES.fullmatch(variable["query"])
        if matched is None:
            raise ValueError(f"{variable['name']}: expected label_values, got {variable['query']}")
        series = filled(matched[1], values)
        answer = self._get(f"label/{matched[2]}/values", {"match[]": series})
        return sorted(answer)

    def newest(self, expr: str, values: dict[str, str]) -> Iterator[tuple[dict[str, str], float]]:
        """Return the series of an expression at that moment."""
        at = {} if self._at is None else {"time": self._at}
        for series in self._get("query", {"query": filled(expr, values), **at})["result"]:
            yield series["metric"], float(series["value"][1])

    def course(self, expr: str, values: dict[str, str]) -> list[list[float]]:
        """Return the values of each series of an expression over time."""
        end = time.time() if self._at is None else self._at
        when = {"start": end - self._seconds, "end": end, "step": STEP_SECONDS}
        answer = self._get("query_range", {"query": filled(expr, values), **when})
        return [[float(value) for _, value in series["values"]] for series in answer["result"]]

    def answer(self, query: dict[str, Any], values: dict[str, str]) -> list[list[float]]:
        """Return the values of each series of a panel's query, a table's at that moment."""
        if query.get("instant"):
            return [[value] for _, value in self.newest(query["expr"], values)]
        return self.course(query["expr"], values)

    def problem(self, query: dict[str, Any], values: dict[str, str]) -> str:
        """Return what a panel's query has to show for itself is lacking; empty if nothing is."""
        try:
            found = self.answer(query, values)
        except ValueError as error:
            return str(error)
        if not found:
            return "no data"
        last = [values[-1] for values in found]
        return "" if all(map(math.isfinite, last)) else f"not finite: {last}"

    def _get(self, path: str, parameters: dict[str, Any]) -> Any:
        answer = self._client.get(f"/api/v1/{path}", params=parameters)
        if answer.status_code != 200:
            raise ValueError(f"{answer.status_code}: {answer.text}\n{parameters}")
        return answer.json()["data"]
