"""The receiver of Alertmanager's messages: pager, tickets and heartbeat of the demo."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from fastapi import FastAPI, Request

HEARTBEAT = "heartbeat"


class Notice(NamedTuple):
    """One alert of a delivery."""

    name: str
    model: str
    """Empty if the alert is about no model."""
    column: str
    """Feature or output; empty if the alert is about neither."""
    summary: str
    runbook: str
    """URL of the runbook."""


class Delivery(NamedTuple):
    """The new alerts of one message from Alertmanager."""

    at: float
    """Seconds, by the clock of the inbox."""
    receiver: str
    """`pager` or `tickets`."""
    is_resolved: bool
    notices: Sequence[Notice]


class Inbox:
    """Keeps deliveries. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: set[tuple[str, str, str, str]] = set()
        self._deliveries: list[Delivery] = []
        self._last_heartbeat: float | None = None
        self._lock = threading.Lock()

    def take(self, receiver: str, message: Mapping[str, Any]) -> None:
        """Record a message; alerts that Alertmanager repeats are not new."""
        now = self._clock()
        with self._lock:
            if receiver == HEARTBEAT:
                self._last_heartbeat = now
                return
            fresh = [alert for alert in message["alerts"] if self._is_fresh(receiver, alert)]
            for status in ("firing", "resolved"):
                notices = [_notice(alert) for alert in fresh if alert["status"] == status]
                if notices:
                    is_resolved = status == "resolved"
                    delivery = Delivery(now, receiver, is_resolved, sorted(notices))
                    self._deliveries.append(delivery)

    def _is_fresh(self, receiver: str, alert: Mapping[str, Any]) -> bool:
        key = (receiver, alert["fingerprint"], alert["startsAt"], alert["status"])
        if key in self._known:
            return False
        self._known.add(key)
        return True

    @property
    def deliveries(self) -> Sequence[Delivery]:
        """All so far, the oldest first."""
        with self._lock:
            return tuple(self._deliveries)

    @property
    def heartbeat_age(self) -> float | None:
        """Seconds since the last heartbeat, None before the first."""
        with self._lock:
            last = self._last_heartbeat
        return None if last is None else self._clock() - last


def _notice(alert: Mapping[str, Any]) -> Notice:
    labels, annotations = alert["labels"], alert["annotations"]
    return Notice(
        name=labels["alertname"],
        model=labels.get("model", ""),
        column=labels.get("feature") or labels.get("output") or "",
        summary=annotations["summary"],
        runbook=annotations["runbook_url"],
    )


def inbox_app(inbox: Inbox) -> FastAPI:
    """Return the app of Alertmanager's webhooks, a path for each receiver."""
    app = FastAPI(openapi_url=None)

    async def receive(receiver: str, request: Request) -> None:
        inbox.take(receiver, await request.json())

    app.post("/{receiver}")(receive)
    return app
