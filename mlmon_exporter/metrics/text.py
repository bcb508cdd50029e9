"""Readings as text: the classic Prometheus format and OpenMetrics.

A scrape of a thousand features has some eighty thousand lines, so lines are kept: the part before
the value while a reading's label sets are the same object, the whole block while its values are.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from mlmon_exporter.core.records import Block, Exemplar, Histograms, Readings
from mlmon_exporter.runtime.pace import Pause

from .table import METRICS, Table

CLASSIC = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
Source = Callable[[Pause], Iterable[Block]]
"""Gives all readings; it calls its argument between steps of the work, to rest."""
OnFault = Callable[[Exception], None]
"""Called with the exception that kept a scrape from being answered."""


def families(
    blocks: Iterable[Block], metrics: Table = METRICS
) -> Iterator[tuple[str, str, str, Sequence[Block]]]:
    """Group readings by metric, in a table's order: name, type, help text, readings.

    Those of other metrics are left out.
    """
    by_name: dict[str, list[Block]] = {}
    for block in blocks:
        by_name.setdefault(block.name, []).append(block)
    for name, (kind, help_text) in metrics.items():
        if name in by_name:
            yield name, kind, help_text, by_name[name]


class Exposition:
    """Renders readings in one of the formats. Not thread-safe."""

    def __init__(self, is_open_metrics: bool, metrics: Table = METRICS) -> None:
        self._metrics = metrics
        self.content_type = OPEN_METRICS if is_open_metrics else CLASSIC
        self._is_open_metrics = is_open_metrics
        self._prefixes: dict[tuple[str, int], tuple[Any, list[Any]]] = {}
        self._blocks: dict[tuple[str, int, int], tuple[Any, str]] = {}

    def render(self, readings: Iterable[Block], pause: Pause = lambda: None) -> bytes:
        """Return the text of readings, those of one metric together, in the table's order."""
        used: set[tuple[str, int]] = set()
        blocks: dict[tuple[str, int, int], tuple[Any, str]] = {}
        parts: list[str] = []
        for name, kind, help_text, family in families(readings, self._metrics):
            parts.append(self._header(name, kind, help_text))
            for block in family:
                used.add((name, id(block.labels)))
                key = (name, id(block.labels), id(block))
                kept = self._blocks.get(key)
                if kept is None or kept[0] is not block:
                    kept = (block, "".join(self._lines(block)))
                blocks[key] = kept
                parts.append(kept[1])
                pause()
        if self._is_open_metrics:
            parts.append("# EOF\n")
        self._blocks = blocks
        self._prefixes = {key: kept for key, kept in self._prefixes.items() if key in used}
        return "".join(parts).encode("utf-8", "replace")

    def _header(self, name: str, kind: str, help_text: str) -> str:
        family = name.removesuffix("_total") if self._is_open_metrics else name
        if kind == "summary" and self._is_open_metrics:
            kind = "gauge"  # OpenMetrics has no summary of values that may be negative
        text = help_text.replace("\\", r"\\").replace("\n", r"\n")
        return f"# HELP {family} {text}\n# TYPE {family} {kind}\n"

    def _lines(self, block: Block) -> Iterable[str]:
        if isinstance(block, Histograms):
            return self._histogram_lines(block)
        prefixes = self._kept_prefixes(block, lambda: _prefixes(block))
        values = _listed(block.values)
        if any(isinstance(v, float) and math.isinf(v) for v in values):
            return [f"{p}{number(v)}\n" for p, v in zip(prefixes, values, strict=True) if v == v]
        return [f"{p}{v!r}\n" for p, v in zip(prefixes, values, strict=True) if v == v]

    def _kept_prefixes(self, block: Block, make: Callable[[], list[Any]]) -> list[Any]:
        key = (block.name, id(block.labels))
        kept = self._prefixes.get(key)
        if kept is None or kept[0] is not block.labels:
            kept = self._prefixes[key] = (block.labels, make())
        return kept[1]

    def _histogram_lines(self, block: Histograms) -> Iterable[str]:
        prefixes = self._kept_prefixes(block, lambda: _histogram_prefixes(block))
        exemplars = block.exemplars or [None] * len(block.labels)
        rows = zip(prefixes, block.counts, block.sums, exemplars, block.bounds, strict=True)
        for (buckets, count_prefix, sum_prefix), counts, total, marks, bounds in rows:
            below = 0
            for i, (prefix, count) in enumerate(zip(buckets, _listed(counts), strict=True)):
                below += count
                mark = marks.get(i) if marks and self._is_open_metrics else None
                yield f"{prefix}{below}{_exemplar(mark)}\n"
            if has_sum(bounds):
                yield f"{count_prefix}{below}\n"
                yield f"{sum_prefix}{number(total)}\n"


def has_sum(bounds: Sequence[float]) -> bool:
    """Return whether a histogram may show its sum and count.

    With negative values the sum can fall, and so is no counter; OpenMetrics forbids it.
    """
    # The edge just under 0, which sets zeros apart in one bin, is no negative value.
    return not bounds or bounds[0] > -sys.float_info.min


def number(value: float) -> str:
    """Return a number as both formats write it."""
    if value == math.inf:
        return "+Inf"
    if value == -math.inf:
        return "-Inf"
    return "NaN" if value != value else repr(value)


def _listed(values: Any) -> list[Any]:
    return values.tolist() if hasattr(values, "tolist") else list(values)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _pairs(names: Sequence[str], values: Sequence[str]) -> list[str]:
    return [f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True)]


def _series(name: str, pairs: Sequence[str]) -> str:
    return f"{name}{{{','.join(pairs)}}} " if pairs else f"{name} "


def _prefixes(block: Readings) -> list[str]:
    return [_series(block.name, _pairs(block.label_names, labels)) for labels in block.labels]


def _histogram_prefixes(block: Histograms) -> list[Any]:
    prefixes = []
    for labels, bounds in zip(block.labels, block.bounds, strict=True):
        pairs = _pairs(block.label_names, labels)
        les = [*map(bound_label, bounds), "+Inf"]
        buckets = [_series(f"{block.name}_bucket", [*pairs, f'le="{le}"']) for le in les]
        ends = (_series(f"{block.name}{suffix}", pairs) for suffix in ("_count", "_sum"))
        prefixes.append((buckets, *ends))
    return prefixes


def bound_label(bound: float) -> str:
    """Return a bucket's bound as its `le` label."""
    return number(float(bound))


def _exemplar(mark: Exemplar | None) -> str:
    if mark is None:
        return ""
    labels = exemplar_labels(mark)
    pairs = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return f" # {{{pairs}}} {number(mark.value)} {mark.timestamp:.3f}"


def exemplar_labels(mark: Exemplar) -> Mapping[str, str]:
    """Return the labels of an exemplar."""
    return {"span_id": mark.span_id, "trace_id": mark.trace_id}
