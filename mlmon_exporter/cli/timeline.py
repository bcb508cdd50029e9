"""A backtest in the terminal: the timeline, the alarms, the numbers that decide."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mlmon_exporter.assets.rules.notices import Notice
from mlmon_exporter.core.drift.alarms import Account, Alarm, Track

from .commands.terminal import age, counted, thousands

SHADES = "░▒▓█"
CALM, UNKNOWN = "·", " "
SHOWN_TRACKS, SHOWN_ALARMS = 20, 30
NAME_WIDTH = 24
ABOUT = ("feature", "output", "derived", "quality", "segment_feature", "segment")
"""Labels that say what of a model an alert is about."""


def print_account(console: Console, account: Account) -> None:
    """Print an account."""
    console.print(_timeline(account, console.width))
    if account.alarms:
        console.print(_alarms(account.alarms))
    for line in summary(account):
        console.print(escape(line), soft_wrap=True)


def _timeline(account: Account, width: int) -> Table:
    days = len(account.tracks[0].judged) if account.tracks else 0
    step = max(1, math.ceil(days / max(10, width - NAME_WIDTH - 4)))
    each = "a day" if step == 1 else counted(step, "day")
    begin, end = (when(t)[:10] for t in (account.begin, account.end))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("feature", no_wrap=True, overflow="ellipsis", max_width=NAME_WIDTH)
    table.add_column(f"{begin} to {end}, {each} a sign", no_wrap=True, overflow="crop")
    for track in account.tracks[:SHOWN_TRACKS]:
        table.add_row(escape(track.name), "".join(_signs(track, step)))
    if len(account.tracks) > SHOWN_TRACKS:
        table.add_row(f"and {len(account.tracks) - SHOWN_TRACKS} more")
    return table


def _signs(track: Track, step: int) -> Iterator[str]:
    for start in range(0, len(track.judged), step):
        judged = float(np.max(track.judged[start : start + step]))
        alarmed = float(np.mean(track.alarmed[start : start + step]))
        if alarmed > 0:
            yield SHADES[min(len(SHADES) - 1, int(alarmed * len(SHADES)))]
        else:
            yield CALM if judged > 0 else UNKNOWN


def _alarms(alarms: Sequence[Alarm]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("alarm", no_wrap=True, overflow="ellipsis", max_width=NAME_WIDTH)
    for name in ("window", "begin", "lasted", "score"):
        table.add_column(name, no_wrap=True)
    for name in ("value", "threshold", "rows"):
        table.add_column(name, justify="right", no_wrap=True)
    for alarm in alarms[:SHOWN_ALARMS]:
        lasted = "to the end" if math.isnan(alarm.end) else age(alarm.end - alarm.begin)
        table.add_row(
            escape(alarm.name),
            alarm.window,
            when(alarm.begin),
            lasted,
            alarm.score,
            f"{alarm.value:.3g}",
            f"{alarm.threshold:.3g}",
            thousands(alarm.rows),
        )
    if len(alarms) > SHOWN_ALARMS:
        table.add_row(f"and {len(alarms) - SHOWN_ALARMS} more")
    return table


def summary(account: Account) -> Iterator[str]:
    """Give the numbers that decide, a line each."""
    yield (
        f"{counted(account.rows, 'row')} in {account.days:.1f} days: "
        f"{counted(len(account.alarms), 'alarm')}, {account.alarms_in_30_days:.1f} in 30 days; "
        f"in alarm {100 * account.alarm_ratio:.1f} % of the time."
    )
    if not math.isnan(account.changed_at):
        yield f"The change at {when(account.changed_at)}: {change(account)}."
    for name, (mean, most) in account.estimate_gaps.items():
        yield f"Estimated {name} was off by {mean:.3g} on average, {most:.3g} at most."


def print_notices(console: Console, notices: Sequence[Notice], days: float) -> None:
    """Print pages and tickets as Alertmanager groups them, in so many days."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in ("notice", "begin", "lasted"):
        table.add_column(name, no_wrap=True)
    table.add_column("alerts", overflow="fold")
    for notice in notices[:SHOWN_ALARMS]:
        lasted = "to the end" if math.isinf(notice.end) else age(notice.end - notice.begin)
        table.add_row(notice.kind, when(notice.begin), lasted, escape("\n".join(told(notice))))
    if len(notices) > SHOWN_ALARMS:
        table.add_row(f"and {len(notices) - SHOWN_ALARMS} more")
    if notices:
        console.print(table)
    counts = {kind: sum(n.kind == kind for n in notices) for kind in ("page", "ticket")}
    said = " and ".join(
        f"{counted(count, kind)} ({count / days * 30:.1f} in 30 days)"
        for kind, count in counts.items()
    )
    console.print(f"The bundled rules, evaluated by Prometheus: {said}.", soft_wrap=True)


def told(notice: Notice) -> Iterator[str]:
    """Give each alert's name once, with what it is about."""
    by_name: dict[str, list[str]] = {}
    for labels in notice.alerts:
        about = " ".join(v for name, v in labels.items() if name in ABOUT and v)
        by_name.setdefault(labels["alertname"], []).append(about)
    for name, abouts in by_name.items():
        known = [about for about in dict.fromkeys(abouts) if about]
        yield f"{name}: {', '.join(known)}" if known else name


def notice_as_json(notice: Notice) -> dict[str, Any]:
    """Return a notice as JSON has it; times are Unix seconds, None while it lasts."""
    end = None if math.isinf(notice.end) else notice.end
    return notice._asdict() | {"end": end}


def change(account: Account) -> str:
    """Return when the change was seen, and for which feature."""
    first = account.first_after_change
    if first is None:
        return "no alarm after it"
    rows = counted(first.rows - account.changed_rows, "row")
    return f"first alarm {age(first.begin - account.changed_at)} and {rows} later, of {first.name}"


def side_by_side(accounts: Mapping[str, Account]) -> Table:
    """Return the numbers of several settings in one table."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("settings", overflow="fold")
    for name in ("alarms", "in 30 days", "time in alarm"):
        table.add_column(name, justify="right")
    changed = any(not math.isnan(a.changed_at) for a in accounts.values())
    if changed:
        table.add_column("the change")
    for name, account in accounts.items():
        table.add_row(
            escape(name),
            thousands(len(account.alarms)),
            f"{account.alarms_in_30_days:.1f}",
            f"{100 * account.alarm_ratio:.1f} %",
            *([change(account)] if changed else []),
        )
    return table


def when(unix_seconds: float) -> str:
    """Return a time in UTC, to the minute."""
    return f"{datetime.fromtimestamp(unix_seconds, UTC):%Y-%m-%d %H:%M}"


def as_json(account: Account) -> dict[str, Any]:
    """Return an account as JSON has it; times are Unix seconds, unknown numbers None."""
    first = account.first_after_change
    return {
        "begin": account.begin,
        "end": account.end,
        "every_seconds": account.every,
        "rows": account.rows,
        "days": account.days,
        "alarms_in_30_days": account.alarms_in_30_days,
        "alarm_ratio": account.alarm_ratio,
        "first_after_change": None if first is None else first._asdict(),
        "rows_after_change": None if first is None else first.rows - account.changed_rows,
        "alarms": [alarm._asdict() for alarm in account.alarms],
        "tracks": [
            {name: v.round(4).tolist() if isinstance(v, np.ndarray) else v for name, v in t}
            for t in (track._asdict().items() for track in account.tracks)
        ],
        "quality": [quality._asdict() for quality in account.qualities],
    }
