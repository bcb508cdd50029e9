"""Importance of a reference's features: given in a file, taken over, or measured."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from mlmon_exporter.core.outcomes.profile import Chunk
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.importance import Dependence, with_importance

Columns = Sequence[ColumnReference]


def weighed(
    sides: Sequence[Columns],
    chunks: Callable[[], Iterable[Chunk]],
    given: Mapping[str, float] | None,
    like: Columns | None = None,
) -> tuple[ColumnReference, ...]:
    """Return features with their importance: of `like`, as given, or measured in a pass.

    Args:
        sides: Features and outputs.
        chunks: Gives the rows anew.
        given: Feature -> weight; measured if None.
        like: Features whose importance is taken over.

    Raises:
        ValueError: A weight is none, or of no feature.
    """
    features, outputs = sides
    if like is not None:
        known = {column.name: column.importance for column in like}
        return tuple(replace(c, importance=known.get(c.name, np.nan)) for c in features)
    if given is None and outputs:
        return with_importance(features, measured(features, outputs, chunks()))
    check(given or {}, [column.name for column in features])
    return with_importance(features, given or {})


def measured(features: Columns, outputs: Columns, chunks: Iterable[Chunk]) -> dict[str, float]:
    """Return the weight of each feature for the outputs of rows."""
    dependence = Dependence(features, outputs)
    for rows, count in chunks:
        dependence.count(rows, count)
    return dependence.weights()


def check(weights: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raise ValueError where a weight is none, or of no feature."""
    for name, weight in weights.items():
        if name not in known:
            raise ValueError(f"importance: {name!r}: expected a feature, {', '.join(known[:20])}")
        if not isinstance(weight, float | int) or not 0 <= weight < math.inf:
            raise ValueError(f"importance: {name}: expected 0 or more, got {weight!r}")


def weights_in(file: Path) -> dict[str, float]:
    """Return feature -> weight of a file: a JSON object, or CSV lines of name and weight.

    Signs are dropped, as coefficients have them. A first line that holds no number is a heading.

    Raises:
        ValueError: The file is neither; says which line.
        OSError: It cannot be read.
    """
    text = file.read_text(encoding="utf-8-sig")
    if text.lstrip().startswith("{"):
        try:
            return {name: abs(float(weight)) for name, weight in orjson.loads(text).items()}
        except (TypeError, ValueError) as error:
            raise ValueError(f"{file}: expected feature -> weight in JSON: {error}") from error
    found: dict[str, float] = {}
    for number, line in enumerate(csv.reader(text.splitlines()), 1):
        try:
            name, weight = line
            found[name.strip()] = abs(float(weight))
        except ValueError:
            if number > 1 and line:
                raise ValueError(
                    f"{file}:{number}: expected a feature and its weight, got {','.join(line)!r}"
                ) from None
    return found
