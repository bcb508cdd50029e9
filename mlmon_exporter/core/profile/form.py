"""The form in which a reference file holds one column."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mlmon_exporter.core.labels import clean_label
from mlmon_exporter.core.stats import digests
from mlmon_exporter.core.stats.centroids import MOST_ROWS
from mlmon_exporter.core.stats.digests import REFERENCE_CENTROIDS
from mlmon_exporter.core.stats.scatter import Scatter, scatter_of_excess

from .bins import Bins, CategoryBins, NumericBins
from .column import ColumnReference
from .edges import Counts, Floats
from .hidden_names import NOTHING_HIDDEN, read_hidden
from .hours import HOURS, NO_HOURS

TAIL_LEVEL = 1e-5
"""A level as that of a comparison of a model of some ten columns."""


def column_to_dict(column: ColumnReference) -> dict[str, Any]:
    """Return the form in which a reference file holds the column."""
    form: dict[str, Any] = {"name": clean_label(column.name), "kind": column.kind}
    if isinstance(column.bins, CategoryBins):
        form |= {
            "categories": list(column.bins.categories),
            "rare": sorted(column.bins.rare),
            "rare_counts": [column.rare_rows.get(name, 0) for name in sorted(column.bins.rare)],
            "complete": column.bins.is_complete,
            "max_categories": column.max_categories,
        }
        if column.bins.hidden.hashes:
            form["hidden"] = column.bins.hidden.to_dict()
    else:
        form |= {
            "edges": column.bins.edges.tolist(),
            "bin_edges": column.bins.bin_edges.tolist(),
            "atoms": column.bins.atoms.tolist(),
            "discrete": column.bins.is_discrete,
            "looks": column.looks,
            "mean": _finite(column.mean),
            "sd": _finite(column.sd),
            "digest": digests.to_dict(column.digest) if column.digest is not None else None,
        }
    variation = {
        f"{seconds:g}": {score: list(scatter) for score, scatter in found.items()}
        for seconds, found in column.variation.items()
    }
    if not math.isnan(column.importance):
        form["importance"] = column.importance
    if len(column.hours):
        form["hours"] = column.hours.tolist()
    return form | {
        "counts": column.counts.tolist(),
        "rank_error": column.rank_error,
        "natural_variation": variation,
    }


def column_from_dict(form: Mapping[str, Any], engine: str) -> ColumnReference:
    """Read that form of a column; raises ValueError, KeyError or TypeError where it is damaged."""
    column = _column(form, engine)
    column = replace(column, importance=_importance(form), hours=_hours(form, column.bins))
    if "natural_variation" in form:
        return replace(column, variation=_variation(form["natural_variation"]))
    return replace(column, variation=_variation_of_tails(form.get("variation") or {}, column))


def _importance(form: Mapping[str, Any]) -> float:
    found = form.get("importance", math.nan)
    if "importance" in form and not (isinstance(found, float | int) and 0 <= found <= 1):
        raise ValueError(f"importance: expected a share from 0 to 1, got {found!r}")
    return float(found)


def _hours(form: Mapping[str, Any], bins: Bins) -> Counts:
    hours = form.get("hours")
    if hours is None:
        return NO_HOURS
    if not isinstance(hours, list) or len(hours) != HOURS:
        raise ValueError(f"hours: expected {HOURS} lists of whole numbers")
    return np.array([_counts({"hours": rows}, "hours", len(bins.bin_names)) for rows in hours])


def _column(form: Mapping[str, Any], engine: str) -> ColumnReference:
    name, rank_error = str(form["name"]), _number(form, "rank_error")
    if not rank_error >= 0:
        raise ValueError(f"rank_error: expected a share, got {form['rank_error']!r}")
    if form["kind"] == "categorical":
        bins: Bins = _category_bins(form)
        counts = _counts(form, "counts", bins.cell_count)
        rare, most = _rare_rows(form, int(counts[-3])), _max_categories(form)
        return ColumnReference(name, bins, counts, rare_rows=rare, max_categories=most)
    if form["kind"] != "numeric":
        raise ValueError(f"kind: expected numeric or categorical, got {form['kind']!r}")
    bins = _numeric_bins(form)
    counts = _counts(form, "counts", bins.cell_count)
    mean, sd = _number(form, "mean"), _number(form, "sd")
    digest = form["digest"] and digests.from_dict(form["digest"], engine, REFERENCE_CENTROIDS)
    column = ColumnReference(name, bins, counts, digest or None, mean, sd, rank_error)
    return replace(column, looks=str(form.get("looks") or ""))


def _category_bins(form: Mapping[str, Any]) -> CategoryBins:
    names: list[str] = []
    for key in ("categories", "rare"):
        if not isinstance(form[key], list) or not all(isinstance(name, str) for name in form[key]):
            raise ValueError(f"{key}: expected a list of texts")
        names += form[key]
    if len(set(names)) < len(names):
        raise ValueError("categories, rare: expected each category once")
    return CategoryBins(
        tuple(form["categories"]),
        frozenset(form["rare"]),
        bool(form["complete"]),
        read_hidden(form["hidden"]) if "hidden" in form else NOTHING_HIDDEN,
    )


def _rare_rows(form: Mapping[str, Any], other: int) -> dict[str, int]:
    rows = _counts(form, "rare_counts", len(form["rare"]))
    if rows.sum() > other:
        raise ValueError(f"rare_counts: expected at most the {other} rows of other")
    return dict(zip(form["rare"], rows.tolist(), strict=True))


def _max_categories(form: Mapping[str, Any]) -> int:
    most = form["max_categories"]
    if not isinstance(most, int) or most < 0:
        raise ValueError(f"max_categories: expected a whole number, got {most!r}")
    return most


def _numeric_bins(form: Mapping[str, Any]) -> NumericBins:
    edges, bin_edges = _numbers(form, "edges"), _numbers(form, "bin_edges")
    if (edges[1:] <= edges[:-1]).any():
        raise ValueError("edges: expected numbers in ascending order")
    if not np.isin(bin_edges, edges).all() or (bin_edges[1:] <= bin_edges[:-1]).any():
        raise ValueError("bin_edges: expected some of the edges in ascending order")
    if "atoms" not in form:  # of a release that had exact cells alone
        is_atom = np.nextafter(edges[:-1], np.inf) == edges[1:]
        return NumericBins(edges, bin_edges, edges[1:][is_atom])
    atoms = _numbers(form, "atoms")
    if (atoms[1:] <= atoms[:-1]).any():
        raise ValueError("atoms: expected numbers in ascending order")
    return NumericBins(edges, bin_edges, atoms, is_discrete=bool(form.get("discrete")))


def _variation(form: Mapping[str, Any]) -> Mapping[float, Mapping[str, Scatter]]:
    return {
        float(seconds): {
            score: Scatter(*(_number({score: v}, score) for v in values))
            for score, values in found.items()
        }
        for seconds, found in form.items()
    }


def _variation_of_tails(
    form: Mapping[str, Any], column: ColumnReference
) -> Mapping[float, Mapping[str, Scatter]]:
    """Read the tails that files of 0.1 have in place of variances: start and mean excess.

    A tail becomes the variance that reaches the same at TAIL_LEVEL.
    """
    low, high = column.tail_cells
    hits = {
        "missing_ratio": column.missing,
        "unseen_ratio": column.singletons,
        "tail_ratio": int(column.counts[:low].sum() + column.counts[high:-1].sum()),
    }
    found: dict[float, dict[str, Scatter]] = {}
    for seconds, tails in form.items():
        found[float(seconds)] = {}
        for score, (start, scale) in tails.items():
            excess = float(start) + float(scale) * math.log(0.1 / TAIL_LEVEL)
            share = max(hits.get(score, 0), 1) / max(column.rows, 2)
            scatter = scatter_of_excess(score, excess, share, TAIL_LEVEL)
            if scatter.variance > 0:
                found[float(seconds)][score] = scatter
    return found


def _counts(form: Mapping[str, Any], key: str, length: int) -> Counts:
    counts = _numbers(form, key)
    if len(counts) != length or (counts < 0).any() or (counts % 1).any():
        raise ValueError(f"{key}: expected {length} whole numbers of 0 or more")
    if counts.sum() > MOST_ROWS:
        raise ValueError(f"{key}: expected at most {MOST_ROWS} rows, got {counts.sum():g}")
    return counts.astype(np.int64)


def _numbers(form: Mapping[str, Any], key: str) -> Floats:
    values = form[key]
    is_list = isinstance(values, list)
    if not is_list or not all(isinstance(v, int | float) and math.isfinite(v) for v in values):
        raise ValueError(f"{key}: expected a list of numbers")
    return np.array(values, dtype=np.float64)


def _number(form: Mapping[str, Any], key: str) -> float:
    value = form[key]
    if value is not None and not isinstance(value, int | float):
        raise ValueError(f"{key}: expected a number, got {value!r}")
    return np.nan if value is None else float(value)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
