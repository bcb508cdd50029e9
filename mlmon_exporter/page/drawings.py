"""Small drawings as inline SVG; their colours are the style sheet's, by class.

Blue is the current window, grey the reference, vermilion a score over its threshold. Shapes say the
same: the current window is the narrow bar, a score over its threshold a filled dot.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.drift.history import ScoreHistory

from . import formatting
from .html import Child, Html, element

Floats = NDArray[np.float64]

SPARK_WIDTH, SPARK_HEIGHT = 132, 28
BARS_WIDTH, BARS_HEIGHT = 132, 28
CHART_WIDTH, CHART_HEIGHT = 480, 110


def _svg(width: float, height: float, label: str, *parts: Child, class_: str) -> Html:
    return element(
        "svg",
        *parts,
        class_=class_,
        viewBox=f"0 0 {width:g} {height:g}",
        width=width,
        height=height,
        role="img",
        aria_label=label,
        preserveAspectRatio="xMinYMid",
    )


def _path(points: Iterable[tuple[float, float] | None], class_: str) -> Html:
    """Return a line through points; None breaks it."""
    steps, pen = [], "M"
    for point in points:
        if point is None:
            pen = "M"
            continue
        steps.append(f"{pen}{point[0]:.4g} {point[1]:.4g}")
        pen = "L"
    return element("path", class_=class_, d="".join(steps))


def _dots(points: Iterable[tuple[float, float]], class_: str) -> Html | None:
    """Return round dots as one path: lines without length, with round ends."""
    steps = "".join(f"M{x:.4g} {y:.4g}h0" for x, y in points)
    return element("path", class_=class_, d=steps) if steps else None


def _points(
    values: Floats, left: float, right: float, height: float, top: float
) -> list[tuple[float, float] | None]:
    """Return the points of evenly spaced panes: 0 at the bottom, `top` near the top."""
    xs = np.linspace(left, right, len(values)) if len(values) > 1 else [right]
    return [
        (float(x), float(3 + (height - 6) * (1 - min(v, top) / top))) if v == v else None
        for x, v in zip(xs, values.tolist(), strict=True)
    ]


def sparkline(history: ScoreHistory, label: str) -> Html:
    """Draw the severity of one score, pane by pane; the dashed line is its threshold."""
    severity = history.severity
    top = max(1.6, float(np.nanmax(severity, initial=0.0)))
    points = _points(severity, 4, SPARK_WIDTH - 4, SPARK_HEIGHT, top)
    level = 3 + (SPARK_HEIGHT - 6) * (1 - 1 / top)
    known = [(p, s) for p, s in zip(points, severity.tolist(), strict=True) if p is not None]
    return _svg(
        SPARK_WIDTH,
        SPARK_HEIGHT,
        label,
        _path([(0, level), (SPARK_WIDTH, level)], "limit"),
        _path(points, "now line"),
        _dots([p for p, s in known[-1:] if s <= 1], "now dot"),
        _dots([p for p, s in known if s > 1], "over dot"),
        class_="spark",
    )


def bars(reference: Floats, current: Floats, label: str) -> Html:
    """Draw shares per bin: the window's narrow in front of the reference's wide."""
    top = max(float(np.fmax.reduce([*reference, *current], initial=0.0)), 1e-9)
    step = BARS_WIDTH / max(len(reference), 1)
    return _svg(
        BARS_WIDTH,
        BARS_HEIGHT,
        label,
        _columns(reference, step, top, 0.86, "reference"),
        _columns(current, step, top, 0.42, "now"),
        _path([(0, BARS_HEIGHT - 0.5), (BARS_WIDTH, BARS_HEIGHT - 0.5)], "ground"),
        class_="bars",
    )


def _columns(shares: Floats, step: float, top: float, wide: float, class_: str) -> Html:
    width, tall = wide * step, BARS_HEIGHT - 2
    steps = [
        f"M{(i + 0.5) * step - width / 2:.4g} {BARS_HEIGHT - 1}v{-tall * share / top:.3g}"
        f"h{width:.3g}V{BARS_HEIGHT - 1}z"
        for i, share in enumerate(shares.tolist())
        if share > 0
    ]
    return element("path", class_=class_, d="".join(steps))


def pair(reference: float, current: float, top: float) -> Html:
    """Draw one bin's two shares as horizontal bars, decoration beside the numbers."""
    width, height = 200, 16
    parts = [
        element("rect", class_=class_, x=0, y=y, width=width * share / top, height=tall)
        for share, class_, y, tall in (
            (reference, "reference", 1, height - 2),
            (current, "now", 5, height - 10),
        )
        if share > 0
    ]
    return element(
        "svg",
        *parts,
        class_="pair",
        viewBox=f"0 0 {width} {height}",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def chart(history: ScoreHistory, starts: Floats, label: str) -> Html:
    """Draw one score and its threshold, pane by pane, with its axes."""
    values, thresholds = history.values, history.thresholds
    greatest = float(np.nanmax([*values, *thresholds], initial=0.0))
    top = 1.08 * greatest if greatest else 1.0
    left, right, height = 8.0, CHART_WIDTH - 8.0, CHART_HEIGHT - 18
    points = _points(values, left, right, height, top)
    limits = _points(thresholds, left, right, height, top)
    with np.errstate(invalid="ignore"):
        is_over = (values > thresholds).tolist()
    known = [(p, over) for p, over in zip(points, is_over, strict=True) if p is not None]
    return _svg(
        CHART_WIDTH,
        CHART_HEIGHT,
        label,
        _path([(0, height), (CHART_WIDTH, height)], "ground"),
        _path(limits, "limit"),
        _path(points, "now line"),
        _dots([p for p, over in known if not over], "now dot"),
        _dots([p for p, over in known if over], "over dot"),
        _ticks(starts, left, right),
        class_="chart",
    )


def _ticks(starts: Floats, left: float, right: float) -> list[Html]:
    """Label every third of twelve panes by the time it starts."""
    step = (right - left) / max(len(starts) - 1, 1)
    shown = range(0, len(starts), max(1, len(starts) // 4))
    seconds = float(starts[shown[1]] - starts[0]) if len(shown) > 1 else math.inf
    return [
        element(
            "text",
            formatting.clock(float(starts[i]), seconds),
            x=left + i * step if i else 0,
            y=CHART_HEIGHT - 4,
            text_anchor="middle" if i else "start",
        )
        for i in shown
    ]
