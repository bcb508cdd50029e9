"""Aggregations and joins that keep services apart: two of them may serve a model of one name."""

from __future__ import annotations

import re
from collections.abc import Iterator

PLACE = {"cluster", "namespace", "job"}
_CLAUSE = re.compile(r"\b(?:by|on) \(([^)]*)\)")
_BARE = re.compile(r"\b(?:sum|avg|min|max|count|group|quantile|stddev) ?\(")


def merged(expr: str) -> Iterator[str]:
    """Give the clauses of an expression in which services of two places become one."""
    for clause in _CLAUSE.finditer(expr):
        if not {label.strip() for label in clause[1].split(",")} >= PLACE:
            yield clause[0]
    yield from _BARE.findall(expr)
