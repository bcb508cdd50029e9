"""The page of a backtest: what decides, the timeline, and the alarms, as one HTML file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from mlmon_exporter.core.drift.alarms import Account, Alarm, Track

from . import formatting
from .document import cut_name, document, name_of, table_head, tiles
from .html import Child, Html, element
from .labels import score_label

WIDTH, HEIGHT = 720.0, 18.0
SHOWN_TRACKS, SHOWN_ALARMS = 60, 200


class Told(NamedTuple):
    """A page or a ticket."""

    kind: str
    begin: float
    """Unix seconds."""
    end: float
    """Unix seconds; infinite while it lasts."""
    alerts: Sequence[str]
    """Their names, each with what it is about."""


def backtest_page(
    title: str, accounts: Mapping[str, Account], told: Sequence[Told] | None = None
) -> bytes:
    """Return the page of the first account, the others beside it by their settings.

    With `told`, it lists pages and tickets, too.
    """
    account = next(iter(accounts.values()))
    begin, end = (formatting.moment(t) for t in (account.begin, account.end))
    body = element(
        "main",
        element(
            "div",
            element("h1", title),
            element("p", f"{begin} to {end}, {formatting.counted(account.rows, 'row')}."),
            class_="verdict",
        ),
        element("section", element("h2", "What it would have told"), tiles(_numbers(account))),
        _side_by_side(accounts) if len(accounts) > 1 else None,
        element("section", element("h2", "Timeline"), *_timeline(account)),
        None if told is None else _notices(told),
        element("section", element("h2", "Alarms"), *_alarms(account)),
        _estimates(account) if account.estimate_gaps else None,
    )
    return document(title, body, is_file=True)


def _numbers(account: Account) -> list[tuple[str, Child]]:
    entries: list[tuple[str, Child]] = [
        ("Alarms", formatting.count(len(account.alarms))),
        ("In 30 days", formatting.number(account.alarms_in_30_days)),
        ("Time in alarm", formatting.percent(account.alarm_ratio)),
    ]
    if not math.isnan(account.changed_at):
        first = account.first_after_change
        seen = "never" if first is None else formatting.span(first.begin - account.changed_at)
        entries.append(("Change seen after", seen))
        if first is not None:
            rows = first.rows - account.changed_rows
            entries.append(("Rows until then", formatting.count(rows)))
    return entries


def _side_by_side(accounts: Mapping[str, Account]) -> Html:
    titles = dict.fromkeys(title for each in accounts.values() for title, _ in _numbers(each))
    rows = []
    for name, account in accounts.items():
        numbers = dict(_numbers(account))
        cells = [element("td", numbers.get(title), class_="n") for title in titles]
        rows.append(element("tr", element("th", name, scope="row"), cells))
    head = table_head("Settings", *(f"n:{title}" for title in titles))
    table = element("table", head, element("tbody", rows))
    return element("section", element("h2", "With other settings"), table)


def _timeline(account: Account) -> Iterator[Child]:
    tracks = account.tracks[:SHOWN_TRACKS]
    has_versions = any(track.version for track in tracks)
    rows = [
        element(
            "tr",
            element("th", cut_name(track.name), scope="row"),
            element("td", cut_name(track.version), class_="wide") if has_versions else None,
            element("td", days(track)),
        )
        for track in tracks
    ]
    versions = ["wide:Version"] if has_versions else []
    first, last = (formatting.moment(t)[:10] for t in (account.begin, account.end))
    head = table_head("Name", *versions, f"Days from {first} to {last}")
    yield element("table", head, element("tbody", rows), class_="timeline")
    more = len(account.tracks) - len(tracks)
    if more:
        yield element("p", f"and {formatting.count(more)} more", class_="soft")
    yield element(
        "p",
        "A day is grey where there was a verdict; the filled part is the share of it in alarm.",
        class_="soft",
    )


def days(track: Track) -> Html:
    """Draw the days of a track: grey where judged, the share in alarm filled from below."""
    count = max(len(track.judged), 1)
    step = WIDTH / count
    wide = max(step - 1, 0.5 * step)
    alarmed, judged = ([float(x) for x in side] for side in (track.alarmed, track.judged))
    label = f"{track.name}: in alarm on {sum(share > 0 for share in alarmed)} of {count} days"
    return element(
        "svg",
        _cells([1.0 if share > 0 else 0.0 for share in judged], step, wide, "reference"),
        _cells(alarmed, step, wide, "alarm"),
        class_="days",
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
    )


def _cells(shares: Sequence[float], step: float, wide: float, class_: str) -> Html:
    steps = [
        f"M{i * step:.5g} {HEIGHT:g}v{-HEIGHT * max(share, 0.15):.3g}h{wide:.4g}V{HEIGHT:g}z"
        for i, share in enumerate(shares)
        if share > 0
    ]
    return element("path", class_=class_, d="".join(steps))


def _notices(told: Sequence[Told]) -> Html:
    rows = [
        element(
            "tr",
            element("th", each.kind, scope="row"),
            element("td", formatting.moment(each.begin)),
            element("td", _lasted(each.begin, each.end)),
            element("td", [element("div", line) for line in each.alerts]),
        )
        for each in told[:SHOWN_ALARMS]
    ]
    table = element(
        "table", table_head("Kind", "Begin", "Lasted", "Alerts"), element("tbody", rows)
    )
    return element(
        "section", element("h2", "Pages and tickets"), table if told else element("p", "None.")
    )


def _estimates(account: Account) -> Html:
    rows = [
        element(
            "tr",
            element("th", score_label(name).title, scope="row"),
            *(element("td", formatting.number(gap), class_="n") for gap in gaps),
        )
        for name, gaps in account.estimate_gaps.items()
    ]
    head = table_head("Quality", "n:Off on average", "n:Off at most")
    table = element("table", head, element("tbody", rows))
    return element("section", element("h2", "Estimated quality beside the real one"), table)


def _lasted(begin: float, end: float) -> str:
    return formatting.span(end - begin) if math.isfinite(end) else "until the end"


def _alarms(account: Account) -> Iterator[Child]:
    if not account.alarms:
        yield element("p", "None.")
        return
    rows = [_alarm_row(alarm) for alarm in account.alarms[:SHOWN_ALARMS]]
    head = table_head(
        "Name", "wide:Window", "Begin", "Lasted", "Score", "n:Value", "n:Threshold", "wide n:Rows"
    )
    yield element("table", head, element("tbody", rows))
    more = len(account.alarms) - len(rows)
    if more:
        yield element("p", f"and {formatting.count(more)} more", class_="soft")


def _alarm_row(alarm: Alarm) -> Html:
    return element(
        "tr",
        element("th", name_of(alarm.name), scope="row"),
        element("td", alarm.window, class_="wide"),
        element("td", formatting.moment(alarm.begin)),
        element("td", _lasted(alarm.begin, alarm.end)),
        element("td", score_label(alarm.score).title),
        element("td", formatting.score(alarm.score, alarm.value), class_="n"),
        element("td", formatting.score(alarm.score, alarm.threshold), class_="n"),
        element("td", formatting.count(alarm.rows), class_="n wide"),
    )
