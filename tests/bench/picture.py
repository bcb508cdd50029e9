"""A growth as a picture: cost against size, both on logarithmic scales, beside a straight line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 420, 260, 58, 16, 30, 40


class Points(Protocol):
    """What is drawn."""

    @property
    def title(self) -> str: ...
    @property
    def size(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def sizes(self) -> Sequence[int]: ...
    @property
    def costs(self) -> Sequence[float]: ...


def draw(points: Points) -> str:
    """Return an SVG; the dashed line is what linear growth from the last point would be."""
    sizes, costs = points.sizes, points.costs
    low_x, high_x = math.log10(sizes[0]), math.log10(sizes[-1])
    low_y = math.floor(math.log10(min(costs)))
    high_y = max(low_y + 1, math.ceil(math.log10(max(costs))))

    def x(size: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (math.log10(size) - low_x) / (high_x - low_x)

    def y(cost: float) -> float:
        share = (math.log10(cost) - low_y) / (high_y - low_y)
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * share

    levels = "".join(
        f'<path d="M{LEFT} {y(level):.0f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
        f'<text x="{LEFT - 6}" y="{y(level) + 4:.0f}" text-anchor="end">{level:g}</text>'
        for level in (10.0**power for power in range(low_y, high_y + 1))
    )
    ticks = "".join(
        f'<text x="{x(size):.0f}" y="{HEIGHT - 22}" text-anchor="middle">{size:,}</text>'
        for size in sizes
    )
    pairs = list(zip(sizes, costs, strict=True))
    line = " ".join(f"{x(size):.1f},{y(cost):.1f}" for size, cost in pairs)
    dots = "".join(
        f'<circle cx="{x(size):.1f}" cy="{y(cost):.1f}" r="3" fill="#06c"/>' for size, cost in pairs
    )
    start = max(sizes[0], sizes[-1] * 10.0**low_y / costs[-1])
    linear = f"M{x(start):.1f} {y(costs[-1] * start / sizes[-1]):.1f}"
    linear += f"L{x(sizes[-1]):.1f} {y(costs[-1]):.1f}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="11" fill="#333">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>{levels}{ticks}'
        f'<text x="{LEFT}" y="18" font-size="13">{points.title}, {points.unit}</text>'
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{points.size}</text>'
        f'<path d="{linear}" stroke="#999" stroke-dasharray="4 3"/>'
        f'<polyline points="{line}" fill="none" stroke="#06c" stroke-width="2"/>{dots}</svg>\n'
    )
