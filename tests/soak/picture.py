"""The picture in docs/thresholds.md: a score, its threshold, and the alarm, over simulated days."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from mlmon_exporter.core.records import Readings

from .simulate import START, Cell, build_host, stream
from .streams import DAY, Shape, mean_shift

DAYS, CHANGED = 14.0, 8.0
WIDTH, HEIGHT, LEFT, BOTTOM = 760, 300, 50, 36
TOP_SCORE = 0.24


def draw() -> str:
    """Return an SVG: KS statistic and threshold of a feature whose mean shifts by half a sd."""
    cell = Cell(Shape(5), 500.0, 100_000, ("24h",), days=DAYS)
    rng = np.random.default_rng(7)
    lines: dict[str, list[str]] = {
        "mlmon_feature_ks_statistic": [],
        "mlmon_feature_ks_threshold": [],
    }
    alarm = None
    with tempfile.TemporaryDirectory() as folder:
        reference = cell.shape.draw(cell.reference_rows, rng)
        host = build_host(cell, reference, str(Path(folder) / "reference.json"))
        for look in stream(cell, host, rng, mean_shift(0.5), CHANGED):
            for block in host.blocks(START + look.at):
                if block.name in lines and isinstance(block, Readings):
                    value = float(block.values[0])
                    if value == value:
                        lines[block.name].append(f"{_x(look.at):.1f},{_y(value):.1f}")
            if alarm is None and any(name == "x0" for name, _ in look.alarms):
                alarm = look.at
    return _svg(lines, alarm or 0.0)


def _x(seconds: float) -> float:
    return LEFT + (WIDTH - LEFT - 24) * seconds / (DAYS * DAY)


def _y(score: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - 20) * min(score, TOP_SCORE) / TOP_SCORE


def _svg(lines: dict[str, list[str]], alarm: float) -> str:
    statistic, threshold = (" ".join(points) for points in lines.values())
    ticks = "".join(
        f'<text x="{_x(day * DAY):.0f}" y="{HEIGHT - 16}" text-anchor="middle">day {day}</text>'
        for day in range(0, int(DAYS) + 1, 2)
    )
    levels = "".join(
        f'<text x="{LEFT - 8}" y="{_y(v) + 4:.0f}" text-anchor="end">{v:.2f}</text>'
        f'<path d="M{LEFT} {_y(v):.0f}H{WIDTH - 24}" stroke="#ddd"/>'
        for v in (0.0, 0.05, 0.1, 0.15, 0.2)
    )
    marks = "".join(
        f'<path d="M{_x(at):.0f} 14V{HEIGHT - BOTTOM}" stroke="{color}" stroke-dasharray="4 3"/>'
        f'<text x="{_x(at) + side * 5:.0f}" y="24" fill="{color}" '
        f'text-anchor="{anchor}">{text}</text>'
        for at, color, text, side, anchor in (
            (CHANGED * DAY, "#777", "mean shifts by 0.5 sd", -1, "end"),
            (alarm, "#b00", "drifted", 1, "start"),
        )
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12" fill="#333">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>{levels}{ticks}'
        f'<polyline points="{threshold}" fill="none" stroke="#b00" stroke-width="2"/>'
        f'<polyline points="{statistic}" fill="none" stroke="#06c" stroke-width="2"/>{marks}'
        f'<text x="{LEFT + 60}" y="{_y(0.012):.0f}" fill="#06c">mlmon_feature_ks_statistic</text>'
        f'<text x="{LEFT + 120}" y="{_y(0.17):.0f}" fill="#b00">mlmon_feature_ks_threshold</text>'
        "</svg>\n"
    )


if __name__ == "__main__":
    Path("docs/threshold.svg").write_text(draw())
