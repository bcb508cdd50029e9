"""The running demo: its traffic, its ground truth and the scene to show."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from mlmon_exporter import Monitor
from mlmon_exporter.core.records import Reading

from .datasets import ALL, Labelled, Splits
from .display import PAGER, Scene
from .ground_truth import LateTruths
from .inbox import Delivery, Inbox
from .paging import Links
from .preparation import CHALLENGER
from .quality import measures, parity
from .traffic import SEASON_SECONDS, Calendar, Latencies, Replay
from .watch import Watch

WINDOW_SECONDS = 60.0
PAGE_SECONDS = 240.0
"""So much longer than asked, at most, traffic lasts until its page has come."""


def is_of(reading: Reading, version: str) -> bool:
    """Return whether a reading is about that version of a model."""
    return reading.labels.get("version") == version


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
        season_seconds = min(SEASON_SECONDS, year_seconds / 4)
        # Should the page take longer than the traffic was to last, the drift lasts, too.
        self._calendar = Calendar(season_seconds, is_one_year=seconds is not None)
        self._latencies = Latencies()
        self._watch = Watch(WINDOW_SECONDS)
        self._replays: list[Replay] = []
        self._port = int(url.rpartition(":")[2])
        self._truths = LateTruths(self._port, token)
        self._started = time.monotonic()

    def start(self, splits: Sequence[tuple[Sequence[str], Splits]]) -> None:
        """Send the traffic of the routes of each model, and later its ground truth."""
        self._started = time.monotonic()
        for paths, split in splits:
            rows = partial(self._rows, split)
            answered = self._truths.predicted
            self._replays.append(Replay(self._port, paths, rows, self._latencies, answered))
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
        """True once the traffic has lasted as long as it was to, and the page is there."""
        if self._seconds is None or self.elapsed < self._seconds:
            return False
        has_page = any(d.receiver == PAGER for d in self._inbox.deliveries)
        is_awaited = self._links is not None and not has_page
        return not is_awaited or self.elapsed >= self._seconds + PAGE_SECONDS

    def scene(self) -> Scene:
        """Return the scene of this moment."""
        self._monitor.flush(1.0)
        now, elapsed = time.time(), self.elapsed
        length = self._calendar.season_seconds
        # A row of the table is a feature: the page and the boards show both versions.
        readings = [r for r in self._monitor.readings(now) if not is_of(r, CHALLENGER)]
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
