"""What goes on in the demo: the traffic under way, what it brings, and what there is to see."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from mlmon_exporter import Monitor

from .datasets import ALL, Parts, Row
from .display import Scene
from .inbox import Delivery, Inbox
from .paging import Links
from .traffic import SEASON_SECONDS, Calendar, Latencies, Replay
from .watch import Watch

WINDOW_SECONDS = 60.0


class Stage:
    """The traffic under way, and what there is to see of it."""

    def __init__(
        self,
        url: str,
        monitor: Monitor,
        seconds: float | None,
        added: Latencies,
        inbox: Inbox,
        links: Links | None,
    ) -> None:
        """Prepare the traffic.

        Args:
            url: Of the server.
            monitor: The server's.
            seconds: How long the traffic lasts; None without end.
            added: How much time the monitor adds to requests.
            inbox: What Alertmanager sends.
            links: Where Prometheus and Alertmanager are, if they run.
        """
        self._inbox = inbox
        self._links = links
        self._url = url
        self._added = added
        self._monitor = monitor
        self._seconds = seconds
        year_seconds = 4 * SEASON_SECONDS if seconds is None else seconds
        self._calendar = Calendar(min(SEASON_SECONDS, year_seconds / 4))
        self._latencies = Latencies()
        self._watch = Watch(WINDOW_SECONDS)
        self._replays: list[Replay] = []
        self._started = time.monotonic()

    def start(self, parts: dict[str, Parts]) -> None:
        """Send the traffic of each route."""
        port = int(self._url.rpartition(":")[2])
        self._started = time.monotonic()
        for path, part in parts.items():
            self._replays.append(Replay(port, path, partial(self._rows, part), self._latencies))
        for replay in self._replays:
            replay.start()

    def _rows(self, part: Parts) -> Sequence[Row]:
        stretch = ALL if ALL in part.traffic else self._calendar.season(self.elapsed)
        return part.traffic[stretch].rows

    def stop(self) -> None:
        """Send no more."""
        for replay in self._replays:
            replay.close()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._started

    @property
    def is_over(self) -> bool:
        return self._seconds is not None and self.elapsed >= self._seconds

    def scene(self) -> Scene:
        """Return how things stand now."""
        self._monitor.flush(1.0)
        now, elapsed = time.time(), self.elapsed
        length = self._calendar.season_seconds
        return Scene(
            url=self._url,
            elapsed=elapsed,
            season=self._calendar.season(elapsed),
            season_left=length - elapsed % length,
            speed=self._latencies.speed(),
            added=self._added.speed(),
            features=self._watch.look(self._monitor.readings(now), now),
            links=self._links,
            deliveries=self._deliveries(),
            heartbeat_age=self._inbox.heartbeat_age,
        )

    def _deliveries(self) -> list[Delivery]:
        return [d._replace(at=d.at - self._started) for d in self._inbox.deliveries]
