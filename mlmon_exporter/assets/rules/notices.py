"""Pages and tickets that Alertmanager makes of firing alerts, by the bundled configuration.

Routes, groups and inhibition are Alertmanager's; what only shapes when a message is sent again,
`group_interval` and `repeat_interval`, is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import yaml

from .alertmanager import INHIBITIONS, Inhibition, alertmanager_file
from .settings import Settings, seconds_of

KINDS = {"pager": "page", "tickets": "ticket"}
"""Receiver -> the kind of its notices; others tell nobody."""
_MATCHER = re.compile(r'\s*(\w+)\s*(=~|!~|!=|=)\s*"(.*)"\s*')


class Firing(NamedTuple):
    """An alert that fired without a pause."""

    labels: Mapping[str, str]
    """`alertname` among them."""
    begin: float
    """Unix seconds."""
    end: float
    """Unix seconds; infinite while it lasts."""


class Notice(NamedTuple):
    """A group of alerts that somebody is notified of, from the first to the last."""

    kind: str
    """`page` or `ticket`."""
    group: Mapping[str, str]
    """The labels that it is grouped by."""
    begin: float
    """Unix seconds; when the first message is sent, after `group_wait`."""
    end: float
    """Unix seconds; infinite while it lasts."""
    alerts: tuple[Mapping[str, str], ...]
    """Labels of the alerts in it, in the order in which they came."""


class _Route(NamedTuple):
    """A route of Alertmanager's configuration, with what it inherits."""

    matchers: tuple[str, ...]
    receiver: str
    group_by: tuple[str, ...]
    wait_seconds: float


def notices(firings: Iterable[Firing], settings: Settings) -> list[Notice]:
    """Group alerts as Alertmanager does; return pages and tickets by their begin."""
    known = list(firings)
    routes = _routes(settings)
    groups: dict[tuple[_Route, tuple[tuple[str, str], ...]], list[Firing]] = {}
    for firing in known:
        route = next(r for r in routes if all(_matches(m, firing.labels) for m in r.matchers))
        key = tuple((name, firing.labels[name]) for name in route.group_by if name in firing.labels)
        groups.setdefault((route, key), []).extend(_told(firing, known, route.wait_seconds))
    found = [
        notice
        for (route, key), told in groups.items()
        if route.receiver in KINDS
        for notice in _noticed(KINDS[route.receiver], dict(key), told)
    ]
    return sorted(found, key=lambda notice: notice.begin)


def _routes(settings: Settings) -> list[_Route]:
    """Return the routes in their order, the root last."""
    root = yaml.safe_load(alertmanager_file(settings))["route"]
    rows = [root | {"routes": [], "matchers": []} | row for row in (*root["routes"], {})]
    return [
        _Route(
            tuple(row["matchers"]),
            row["receiver"],
            tuple(row["group_by"]),
            seconds_of(row["group_wait"]),
        )
        for row in rows
    ]


def _matches(matcher: str, labels: Mapping[str, str]) -> bool:
    match = _MATCHER.fullmatch(matcher)
    if match is None:
        raise ValueError(f'matcher: expected one such as severity="critical", got {matcher!r}')
    name, operator, value = match.groups()
    own = labels.get(name, "")
    is_equal = re.fullmatch(value, own) is not None if "~" in operator else own == value
    return is_equal is not operator.startswith("!")


def _told(target: Firing, firings: Sequence[Firing], wait_seconds: float) -> Iterator[Firing]:
    """Give an alert from when it is sent, unless others inhibit it all the time.

    One that was sent stays so: inhibited later, it is in no new message, but still open.
    """
    spans = [(target.begin, target.end)]
    for source in firings:
        if any(_inhibits(rule, source, target) for rule in INHIBITIONS):
            spans = [part for span in spans for part in _without(span, source)]
    begins = [begin + wait_seconds for begin, end in spans if begin + wait_seconds < end]
    if begins:
        yield target._replace(begin=begins[0])


def _inhibits(rule: Inhibition, source: Firing, target: Firing) -> bool:
    # Alertmanager lets no alert that matches both sides inhibit such another.
    is_target = _matches(rule.target, target.labels) and not _matches(rule.source, target.labels)
    return (
        is_target
        and _matches(rule.source, source.labels)
        and all(source.labels.get(n, "") == target.labels.get(n, "") for n in rule.equal)
    )


def _without(span: tuple[float, float], other: Firing) -> Iterator[tuple[float, float]]:
    begin, end = span
    if other.end <= begin or end <= other.begin:
        yield span
        return
    if begin < other.begin:
        yield begin, other.begin
    if other.end < end:
        yield other.end, end


def _noticed(kind: str, group: Mapping[str, str], told: Sequence[Firing]) -> Iterator[Notice]:
    """Give a notice for each time in which some alert of the group is sent."""
    current: list[Firing] = []
    for firing in sorted(told, key=lambda f: f.begin):
        if current and firing.begin > max(f.end for f in current):
            yield _notice(kind, group, current)
            current = []
        current.append(firing)
    if current:
        yield _notice(kind, group, current)


def _notice(kind: str, group: Mapping[str, str], told: Sequence[Firing]) -> Notice:
    labels = {tuple(sorted(f.labels.items())): f.labels for f in told}
    end = max(f.end for f in told)
    return Notice(kind, group, told[0].begin, end, tuple(labels.values()))
