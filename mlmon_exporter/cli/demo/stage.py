"""What goes on in the demo: the traffic under way, what it brings, and what there is to see."""

from __future__ import annotations

import time
from functools import partial

from mlmon_exporter import Monitor

from .datasets import ALL, Labelled, Parts
from .display import Scene
from .ground_truth import LateTruths
from .inbox import Delivery, Inbox
from .paging import Links
from .quality import measures, parity
from .traffic import SEASON_SECONDS, Calendar, Latencies, Replay
from .watch import Watch

WINDOW_SECONDS = 60.0


class Stage:
    """The traffic under way, and what there is to see of it."""

    def __init__(
        self,
        url: str,
        token: str,
        monitor: Monitor,
        seconds: float | None,
        added: Latencies,
        inbox: Inbox,
        links: Links | None,
    ) -> None:
        """Prepare the traffic.

        Args:
            url: Of the server.
            token: That it asks for where ground truth is sent.
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
        self._port = int(url.rpartition(":")[2])
        self._truths = LateTruths(self._port, token)
        self._started = time.monotonic()

    def start(self, parts: dict[str, Parts]) -> None:
        """Send the traffic of each route, and later what came true."""
        self._started = time.monotonic()
        for path, part in parts.items():
            rows = partial(self._rows, part)
            told = self._truths.predicted
            self._replays.append(Replay(self._port, path, rows, self._latencies, told))
        self._truths.start()
        for replay in self._replays:
            replay.start()

    def _rows(self, part: Parts) -> Labelled:
        stretch = ALL if ALL in part.traffic else self._calendar.season(self.elapsed)
        return part.traffic[stretch]

    def stop(self) -> None:
        """Send no more."""
        for replay in self._replays:
            replay.close()
        self._truths.close()

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
        readings = self._monitor.readings(now)
        return Scene(
            url=self._url,
            elapsed=elapsed,
            season=self._calendar.season(elapsed),
            season_left=length - elapsed % length,
            speed=self._latencies.speed(),
            added=self._added.speed(),
            features=self._watch.look(readings, now),
            links=self._links,
            deliveries=self._deliveries(),
            heartbeat_age=self._inbox.heartbeat_age,
            quality=measures(readings),
            parity=parity(readings),
        )

    def _deliveries(self) -> list[Delivery]:
        return [d._replace(at=d.at - self._started) for d in self._inbox.deliveries]
