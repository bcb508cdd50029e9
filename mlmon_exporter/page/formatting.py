"""Numbers and times as text."""

from __future__ import annotations

import math
from datetime import UTC, datetime

MINUS = "\N{MINUS SIGN}"
NO_VALUE = "\N{EN DASH}"
SHARES = frozenset(("missing_ratio", "unseen_ratio", "tail_ratio"))
"""Scores that are shares of rows, shown in percent."""


def number(value: float) -> str:
    """Return a number with three significant digits, a dash for NaN."""
    if math.isnan(value):
        return NO_VALUE
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    if value and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.2e}".replace("-", MINUS)
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 2
    return f"{value:.{digits}f}".replace("-", MINUS)


def percent(share: float) -> str:
    """Return a share, 0 to 1, in percent; a dash for NaN."""
    if math.isnan(share):
        return NO_VALUE
    shown = 100 * share
    if 0 < shown < 0.01:
        return "< 0.01 %"
    digits = 0 if shown >= 99.95 or not shown else 1 if shown >= 1 else 2
    return f"{shown:.{digits}f} %"


def count(value: float) -> str:
    """Return a whole number in groups of three digits; a dash for NaN."""
    # A narrow space that does not break, since commas and points mean different things to people.
    return NO_VALUE if math.isnan(value) else f"{value:,.0f}".replace(",", "\u202f")


def counted(value: float, noun: str, plural: str | None = None) -> str:
    """Return a count with its noun: `1 row`, `2 rows`."""
    return f"{count(value)} {noun if value == 1 else plural or noun + 's'}"


def score(name: str, value: float) -> str:
    """Return a score: a share of rows in percent, any other as a number."""
    if name in SHARES:
        return percent(value)
    return "< 0.001" if 0 < value < 1e-3 else number(value)


def seconds(value: float) -> str:
    """Return a duration of a request; a dash for NaN."""
    if math.isnan(value):
        return NO_VALUE
    if math.isinf(value):
        return "∞"
    return f"{number(value)} s" if value >= 1 else f"{number(1000 * value)} ms"


def span(value: float) -> str:
    """Return a span of seconds in its greatest unit: `2 h`, `5 min`."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if value >= size:
            return f"{number(value / size).removesuffix('.00').removesuffix('.0')} {unit}"
    return f"{value:.0f} s"


def moment(unix_seconds: float) -> str:
    """Return a time in UTC, to the second."""
    return f"{datetime.fromtimestamp(unix_seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def since(unix_seconds: float, now: float) -> str:
    """Return a time to the minute, in UTC, with its day where that is another than now's."""
    at, today = (datetime.fromtimestamp(t, UTC) for t in (unix_seconds, now))
    return f"{at:%H:%M}" if at.date() == today.date() else f"{at:%Y-%m-%d %H:%M}"


def clock(unix_seconds: float, step_seconds: float = 60.0) -> str:
    """Return the time of day in UTC, with seconds if steps are shorter than a minute."""
    form = "%H:%M" if step_seconds >= 60 else "%H:%M:%S"
    return datetime.fromtimestamp(unix_seconds, UTC).strftime(form)
