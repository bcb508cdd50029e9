"""The running demo: its traffic, its ground truth and the scene to show."""

from __future__ import annotations

import time
from functools import partial

from mlmon_exporter import Monitor

from .datasets import ALL, Labelled, Splits
from .display import Scene
from .ground_truth import LateTruths
from .inbox import Delivery, Inbox
from .paging import Links
from .quality import measures, parity
from .traffic import SEASON_SECONDS, Calendar, Latencies, Replay
from .watch import Watch

WINDOW_SECONDS = 60.0


class Stage:
    """Runs the traffic, and describes it as a `Scene`."""

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
            token: The token for sending ground truth.
            monitor: The server's.
            seconds: Duration of the traffic; None without end.
            added: Times that the monitor adds to requests.
            inbox: Messages from Alertmanager.
            links: Addresses of Prometheus and Alertmanager, if they run.
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

    def start(self, splits: dict[str, Splits]) -> None:
        """Send the traffic of each route, and later its ground truth."""
        self._started = time.monotonic()
        for path, split in splits.items():
            rows = partial(self._rows, split)
            answered = self._truths.predicted
            self._replays.append(Replay(self._port, path, rows, self._latencies, answered))
        self._truths.start()
        for replay in self._replays:
            replay.start()

    def _rows(self, split: Splits) -> Labelled:
        period = ALL if ALL in split.traffic else self._calendar.season(self.elapsed)
        return split.traffic[period]

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
        """Return the scene of this moment."""
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
