"""`mlmon-exporter test-alert`: sends a harmless alert through an Alertmanager of the user's."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, NamedTuple

import orjson
import typer
from rich.console import Console

from mlmon_exporter.assets.rules.alert import SEVERITIES

from .terminal import UserError, counted, key_values
from .web import answer

OPTION = "--alertmanager"
EXAMPLE = """mlmon-exporter test-alert --alertmanager http://localhost:9093 --severity critical"""
NAME = "MlmonTest"
LASTS = timedelta(minutes=5)
POLL_SECONDS = 1.0
SENT = "alertmanager_notification_requests_total"
FAILED = "alertmanager_notification_requests_failed_total"
"""Of each attempt; `alertmanager_notifications_failed_total` counts only what it has given up."""


def send_alert(
    alertmanager: Annotated[
        str, typer.Option(metavar="URL", help="The address of Alertmanager.")
    ] = "http://127.0.0.1:9093",
    severity: Annotated[
        str, typer.Option(help="critical takes the way of a page, warning that of a ticket.")
    ] = "warning",
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            show_default=False,
            help="A label that your routes look at, such as team=bikes; may be repeated.",
        ),
    ] = None,
    wait: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Wait so long for it to be sent.")
    ] = 60.0,
    token: Annotated[
        str,
        typer.Option(show_default=False, help="A bearer token, if Alertmanager asks for one."),
    ] = "",
) -> None:
    """Send a harmless alert through your Alertmanager, to see that the way to people is open.

    It ends by itself after five minutes. Exits with 1 if Alertmanager holds it back, or fails to
    send it.
    """
    if severity not in SEVERITIES:
        known = ", ".join(SEVERITIES)
        raise UserError(f"--severity: expected one of {known}, got {severity!r}")
    way = _Alertmanager(alertmanager.rstrip("/"), token)
    labels = {
        "alertname": NAME,
        "severity": severity,
        "subsystem": "monitor",
        # A group that was told of a test is told of the next one only after group_interval.
        "job": f"mlmon-test-{datetime.now(UTC):%H%M%S}",
        **key_values("--label", label),
    }
    before = way.sent()
    way.send(labels)
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"Sent {NAME}, severity {severity}, to {way.url}.", markup=False)
    receivers, held = way.routed()
    console.print(f"It goes to: {', '.join(receivers)}.", markup=False)
    if held:
        console.print(f"But it is held back: {held}.", markup=False)
        raise SystemExit(1)
    after = _waited(way, before, wait)
    lines, is_wrong = _outcome(before, after, wait)
    for line in lines:
        console.print(line, markup=False)
    if is_wrong:
        raise SystemExit(1)


class _Notifications(NamedTuple):
    """Notifications of an Alertmanager since its start, by integration such as `webhook`."""

    tried: dict[str, float]
    failed: dict[str, float]

    def since(self, before: _Notifications) -> _Notifications:
        """Return those after another count, where there are any."""
        return _Notifications(*map(_risen, before, self))


def _by_integration(text: str, counter: str) -> dict[str, float]:
    """Return a counter of an exposition by its label `integration`, summed over others."""
    sums: dict[str, float] = {}
    line = rf'^{counter}\{{.*integration="([^"]*)".*\}} (\S+)$'
    for name, value in re.findall(line, text, re.MULTILINE):
        sums[name] = sums.get(name, 0.0) + float(value)
    return sums


def _risen(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    found = {name: count - before.get(name, 0.0) for name, count in after.items()}
    return {name: count for name, count in found.items() if count > 0}


class _Alertmanager(NamedTuple):
    """The API of an Alertmanager."""

    url: str
    token: str

    def send(self, labels: dict[str, str]) -> None:
        """Raise the alert."""
        now = datetime.now(UTC)
        alert = {
            "labels": labels,
            "annotations": {
                "summary": "A test of mlmon-exporter's alerts: nothing is wrong",
                "description": "Sent by `mlmon-exporter test-alert`. You need to do nothing: it "
                "ends by itself within five minutes. Real alerts take the same way.",
            },
            "startsAt": now.isoformat(),
            "endsAt": (now + LASTS).isoformat(),
        }
        self._ask("/api/v2/alerts", orjson.dumps([alert]))

    def routed(self) -> tuple[list[str], str]:
        """Return the names of the receivers, and why they are not told; empty if they are."""
        end = time.monotonic() + 10
        found: list[Any] = []
        while not found and time.monotonic() < end:
            # It is not listed in the first moment.
            found = orjson.loads(self._ask(f"/api/v2/alerts?filter=alertname%3D{NAME}"))
            time.sleep(0 if found else POLL_SECONDS / 10)
        if not found:
            raise UserError(f"{OPTION}: {self.url} took the alert, but does not list it")
        newest = max(found, key=lambda alert: alert["updatedAt"])
        status = newest["status"]
        held = [f"silence {each}" for each in status["silencedBy"]]
        held += ["an inhibition rule"] if status["inhibitedBy"] else []
        return [receiver["name"] for receiver in newest["receivers"]], ", ".join(held)

    def sent(self) -> _Notifications | None:
        """Return how often it notified anybody; None if its metrics cannot be had."""
        try:
            text = answer(OPTION, f"{self.url}/metrics", token=self.token).decode()
        except UserError:
            return None  # some proxies pass the API only
        return _Notifications(*(_by_integration(text, name) for name in (SENT, FAILED)))

    def _ask(self, path: str, body: bytes | None = None) -> bytes:
        try:
            return answer(OPTION, self.url + path, body, token=self.token)
        except UserError as error:
            raise UserError(
                f"{error}; give the address of an Alertmanager, 0.16 or newer, as its own page has "
                "it, without /api"
            ) from error


def _waited(
    way: _Alertmanager, before: _Notifications | None, seconds: float
) -> _Notifications | None:
    """Return the notifications as soon as there are more, or the time is over."""
    end = time.monotonic() + seconds
    while True:
        now = way.sent()
        if before is None or now is None or any(now.since(before)) or time.monotonic() >= end:
            return now
        time.sleep(POLL_SECONDS)


def _outcome(
    before: _Notifications | None, after: _Notifications | None, seconds: float
) -> tuple[list[str], bool]:
    """Return what came of it in words, and whether it went wrong."""
    look = 'Look for "A test of mlmon-exporter\'s alerts" there.'
    if before is None or after is None:
        return [f"Its /metrics cannot be read, so nothing is known of the sending. {look}"], False
    tried, failed = after.since(before)
    lines = []
    for name, count in failed.items():
        lines.append(f"Alertmanager failed to send by {name}, {counted(int(count), 'time')}:")
        lines.append("its log says why; it tries again.")
    good = [name for name, count in tried.items() if count > failed.get(name, 0.0)]
    if good:
        lines.append(f"Alertmanager has sent a message by {', '.join(good)}. {look}")
    elif not failed:
        lines.append(
            f"Nothing was sent within {seconds:g} s: the route's group_wait may be longer, or its "
            f"receiver sends nothing. {look}"
        )
    return lines, bool(failed)
