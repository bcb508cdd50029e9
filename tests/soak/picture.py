"""The picture in docs/thresholds.md: a score, its threshold, and the alarm, over simulated days."""

from __future__ import annotations

from pathlib import Path

from .dependent import Stream, looks
from .streams import DAY

DAYS, CHANGED, SHIFT = 10.0, 5.0, 0.5
WIDTH, HEIGHT, LEFT, BOTTOM = 760, 300, 50, 36
TOP_SCORE = 0.8


def draw() -> str:
    """Return an SVG: KS statistic and threshold of a feature of nights, whose mean shifts."""
    stream = Stream(
        "nights +1.5 sd",
        28.0,
        500.0,
        1,
        DAYS,
        shift=SHIFT,
        shift_after=CHANGED,
        look_seconds=1800.0,
    )
    lines: dict[str, list[str]] = {"ks_statistic": [], "ks_threshold": []}
    alarm = None
    for look in looks(stream, seed=7):
        if look.window != "24h":
            continue
        for name, points in lines.items():
            value = float(look.results[name][0])
            if value == value:
                points.append(f"{_x(look.seconds):.1f},{_y(value):.1f}")
        if alarm is None and look.results["drifted"][0] == 1.0:
            alarm = look.seconds
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
        for v in (0.0, 0.2, 0.4, 0.6, 0.8)
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
        f'<text x="{_x(6.2 * DAY):.0f}" y="{_y(0.3):.0f}" fill="#06c">'
        "mlmon_feature_ks_statistic</text>"
        f'<text x="{LEFT + 120}" y="{_y(0.13):.0f}" fill="#b00">mlmon_feature_ks_threshold</text>'
        "</svg>\n"
    )


if __name__ == "__main__":
    Path("docs/threshold.svg").write_text(draw())
