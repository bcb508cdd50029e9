"""The pictures of docs/changes.md: a change that no single feature may show, and what sees it."""

from __future__ import annotations

import html
import tempfile
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlmon_exporter.core.drift.tests import TESTS
from mlmon_exporter.core.records import Readings

from .estimates import Rows, bikes, ours
from .joint import CASES, NEW_TOPIC, REFERENCE_ROWS, ROWS_A_DAY
from .simulate import START, Cell, Host, build_host, stream
from .streams import DAY, Columns

CALM_DAYS, DAYS = 0.5, 1.6
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 230, 262, 150, 14, 34
SMALL = 190
"""Side of the picture of what changed."""
MOST = 3.0
"""Greatest score over threshold that is drawn."""
COLORS = {
    "best feature alone": "#888",
    "joint_distance": "#06c",
    "joint_residual": "#b50",
    "last_component": "#080",
}
COLORS_OF_VECTORS = {
    "best feature alone": "#888",
    "embedding_distance": "#06c",
    "embedding_residual": "#b50",
    "embedding_component_1": "#080",
}
BEFORE, AFTER = "#888", "#b00"
DOTS = 150

Floats = NDArray[np.float64]
Points = list[tuple[float, float]]

FILES: Mapping[str, str] = {
    "correlation flips": "change-flip.svg",
    "two features are swapped": "change-swap.svg",
    "an unknown digit in 10 % of rows": "change-unknown.svg",
    "blurred digits": "change-blur.svg",
    NEW_TOPIC: "change-topic.svg",
    "mean +0.5 sd": "change-mean.svg",
}


def ratios(host: Host, now: float) -> dict[str, float]:
    """Return column -> its greatest score over its threshold in the window of a day."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for block in host.blocks(now):
        if isinstance(block, Readings) and block.label_names[-1:] == ("window",):
            for labels, value in zip(block.labels, block.values, strict=True):
                if labels[-1] == "24h" and len(labels) == 4:
                    found.setdefault((block.name.split("_")[1], labels[2]), {})[block.name] = value
    best: dict[str, float] = {}
    for (side, name), numbers in found.items():
        own = [
            numbers.get(f"mlmon_{side}_{test.score}", np.nan)
            / numbers.get(f"mlmon_{side}_{threshold}", np.nan)
            for threshold, test in TESTS.items()
        ]
        ratio = float(np.nanmax(own)) if not np.isnan(own).all() else np.nan
        key = name if side == "derived" else "best feature alone"
        best[key] = float(np.fmax(best.get(key, np.nan), ratio))
    return best


def lines(case: str, seed: int = 0) -> tuple[dict[str, Points], Columns, Columns]:
    """Return score over threshold by rows since a change, and rows before and after it."""
    shape, change = CASES[case]
    cell = Cell(shape, ROWS_A_DAY, REFERENCE_ROWS, days=DAYS)
    rng = np.random.default_rng(seed)
    reference = shape.draw(cell.reference_rows, rng)
    colors = COLORS_OF_VECTORS if shape.vectors else COLORS
    found: dict[str, Points] = {name: [] for name in colors}
    began = 0
    with tempfile.TemporaryDirectory() as folder:
        host = build_host(cell, reference, str(Path(folder) / "reference.json"))
        for look in stream(cell, host, rng, change, CALM_DAYS):
            if look.at <= CALM_DAYS * DAY:
                began = look.rows
            elif look.rows > began:
                for name, ratio in ratios(host, START + look.at).items():
                    if name in found and ratio == ratio:
                        found[name].append((float(look.rows - began), ratio))
        host.close()
    before = shape.draw(DOTS, rng)
    return found, before, change(before, DAYS, rng)


def draw(case: str) -> str:
    """Return an SVG of a change: rows before and after, and scores over thresholds."""
    found, before, after = lines(case)
    if "embedding" in before:
        small = _scatter(*_plane(before["embedding"], after["embedding"]), "1st", "2nd")
    elif len(before) > 8:
        small = _digits(before, after)
    elif "mean" in case:
        small = _scatter(before, after, "x0", "x2")
    else:
        small = _scatter(before, after, "x0", "x1")
    most = max(x for points in found.values() for x, _ in points)
    return _svg(small, found, most)


def _scatter(before: Columns, after: Columns, x: str, y: str) -> str:
    def dots(rows: Columns, color: str) -> str:
        spots = "".join(
            f"M{10 + SMALL * (np.clip(a, -4, 4) + 4) / 8:.1f} "
            f"{TOP + SMALL * (4 - np.clip(b, -4, 4)) / 8:.1f}h0"
            for a, b in zip(rows[x].tolist(), rows[y].tolist(), strict=True)
        )
        return f'<path d="{spots}" stroke="{color}" stroke-width="3" stroke-linecap="round"/>'

    frame = f'<rect x="10" y="{TOP}" width="{SMALL}" height="{SMALL}" fill="none" stroke="#ccc"/>'
    names = (
        f'<text x="{10 + SMALL / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{x}</text>'
        f'<text x="{SMALL + 16}" y="{TOP + SMALL / 2:.0f}">{y}</text>'
    )
    return frame + dots(before, BEFORE) + dots(after, AFTER) + names


def _plane(before: Floats, after: Floats) -> tuple[Columns, Columns]:
    """Return vectors on the plane in which they vary most."""
    both = np.concatenate((before, after))
    _, _, axes = np.linalg.svd(both - both.mean(axis=0), full_matrices=False)
    flat = (both - both.mean(axis=0)) @ axes[:2].T
    flat /= flat.std(axis=0)
    sides = np.split(flat, [len(before)])
    old, new = ({"1st": side[:, 0], "2nd": side[:, 1]} for side in sides)
    return old, new


def _digits(before: Columns, after: Columns) -> str:
    """Draw four digits before a change, those that it changes most, over the same after it."""
    found, tables = [], [np.array([*rows.values()]).T for rows in (before, after)]
    most = np.argsort(-np.abs(tables[1] - tables[0]).sum(axis=1))[:4]
    for row, table in enumerate(tables):
        for i, picture in enumerate(table[most]):
            for at, ink in enumerate(picture.tolist()):
                shade = int(255 - 15.9 * min(max(ink, 0.0), 16.0))
                if shade < 240:
                    place = 10 + 48 * i + 5.5 * (at % 8), TOP + 20 + 85 * row + 5.5 * (at // 8)
                    found.append(
                        f'<path d="M{place[0]:.1f} {place[1]:.1f}h5.6v5.6h-5.6z" '
                        f'fill="#{shade:02x}{shade:02x}{shade:02x}"/>'
                    )
    words = "".join(
        f'<text x="10" y="{TOP + 12 + 85 * row}">{word}</text>'
        for row, word in enumerate(("before", "after"))
    )
    return "".join(found) + words


def _svg(small: str, found: Mapping[str, Points], most: float) -> str:
    def x(rows: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * rows / most

    def y(ratio: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * min(ratio, MOST) / MOST

    parts = [_levels(y, [(float(level), f"{level}") for level in range(int(MOST) + 1)])]
    parts.append(f'<path d="M{LEFT} {y(1):.1f}H{WIDTH - RIGHT}" stroke="#b00"/>')
    parts.append(_words(WIDTH - RIGHT + 12, y(1) + 4, "above it: drifted", "#b00"))
    parts.append(_words(LEFT + 6, TOP + 2, "score over threshold", "#333"))
    for i, (name, points) in enumerate(found.items()):
        shown = " ".join(f"{x(rows):.1f},{y(ratio):.1f}" for rows, ratio in points)
        color = {**COLORS, **COLORS_OF_VECTORS}[name]
        parts.append(f'<polyline points="{shown}" fill="none" stroke="{color}" stroke-width="2"/>')
        label = name.removeprefix("embedding_")
        parts.append(_words(WIDTH - RIGHT + 12, TOP + 16 + 18 * i, label, color))
    ticks = range(0, int(most), 500)
    parts += [_words(x(rows), HEIGHT - 18, f"{rows:,}", "#333", "middle") for rows in ticks]
    parts.append(_words(WIDTH - RIGHT + 12, HEIGHT - 18, "rows since", "#333"))
    return _document(small + "".join(parts))


def draw_estimate() -> str:
    """Return an SVG of the error of a regression as its rows move from night to day."""
    shifts = {str(i): partial(_by_hour, t) for i, t in enumerate(np.linspace(-1, 1, 13).tolist())}
    trial = bikes(0, shifts)
    found = [*ours(trial).values()]
    hours = [float(rows["hr"].mean()) for rows in trial.shifted.values()]
    sides = {
        "as in the reference": ([f.reference["mae"] for f in found], "#888"),
        "estimate": ([f.estimate["mae"] for f in found], "#06c"),
        "real error": ([f.real["mae"] for f in found], "#b00"),
    }
    top = 10 * np.ceil(max(max(values) for values, _ in sides.values()) / 10)

    def x(hour: float) -> float:
        return 60 + (WIDTH - RIGHT - 60) * (hour - hours[0]) / (hours[-1] - hours[0])

    def y(error: float) -> float:
        return float(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * error / top)

    parts = [_levels(y, [(float(v), f"{v:.0f}") for v in np.arange(0, top + 1, 10)], 60)]
    for i, (name, (values, color)) in enumerate(sides.items()):
        shown = " ".join(f"{x(h):.1f},{y(v):.1f}" for h, v in zip(hours, values, strict=True))
        parts.append(f'<polyline points="{shown}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts.append(_words(WIDTH - RIGHT + 12, TOP + 16 + 18 * i, name, color))
    ticks = range(int(np.ceil(hours[0])), int(hours[-1]) + 1, 2)
    parts += [_words(x(hour), HEIGHT - 18, f"{hour} h", "#333", "middle") for hour in ticks]
    parts.append(_words(WIDTH - RIGHT + 12, HEIGHT - 18, "mean hour of the rows", "#333"))
    parts.append(_words(66, TOP + 2, "mean absolute error, bikes", "#333"))
    return _document("".join(parts))


def _by_hour(factor: float, rows: Rows) -> Floats:
    return np.asarray(factor * rows["hr"] / 5)


def _levels(
    y: Callable[[float], float], levels: Iterable[tuple[float, str]], left: float = LEFT
) -> str:
    return "".join(
        f'<path d="M{left} {y(level):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
        f'<text x="{left - 6}" y="{y(level) + 4:.1f}" text-anchor="end">{shown}</text>'
        for level, shown in levels
    )


def _words(x: float, y: float, words: str, color: str, anchor: str = "start") -> str:
    said = html.escape(words)
    return f'<text x="{x:.0f}" y="{y:.0f}" fill="{color}" text-anchor="{anchor}">{said}</text>'


def _document(content: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12" fill="#333">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>{content}</svg>\n'
    )


if __name__ == "__main__":
    for drawn, file in FILES.items():
        Path("docs", file).write_text(draw(drawn), encoding="utf-8")
    Path("docs/change-estimate.svg").write_text(draw_estimate(), encoding="utf-8")
