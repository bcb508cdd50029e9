"""A bounded queue between the request path and the one thread that takes exchanges in."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice, repeat
from typing import Any

from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.records import ExchangeFields, HeaderPairs
from mlmon_exporter.runtime.forks import around_fork
from mlmon_exporter.runtime.once import Once
from mlmon_exporter.runtime.pace import REST_RATIO, OtherThreads, Pace

from .sampling import Sampling
from .waiting import GROUP, PLACES, Waiting

logger = logging.getLogger(__name__)

LINGER_SECONDS = 0.1
"""The thread waits so long for more before it sleeps: one wake-up serves many requests."""
FULL_SHARE = 0.25
"""It waits no longer once the queue is so full."""
WAIT_SECONDS = 0.1
"""A scrape waits so long for the exchanges queued before it."""

MOST_SHARE, LEAST_SHARE = 0.25, 0.03
"""Shares of a core for the thread: its most, and its least when requests leave it nothing."""
BUSY = 0.95
"""Share of a core that requests and the thread take together at most."""

Consume = Callable[[Waiting, Pace], Sequence[int]]
"""Takes in the first of some exchanges, maybe with others; returns their numbers, ascending."""


class Intake:
    """Hands exchanges to `consume`, off the request path. Thread-safe.

    At most `max_exchanges` and `max_bytes` wait; the rest is dropped and counted. The thread
    starts with the first exchange in each process, and works in short slices.
    """

    def __init__(
        self,
        consume: Consume,
        health: Health,
        *,
        sample_ratio: float = 1.0,
        max_exchanges: int,
        max_bytes: int,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self._consume = consume
        self._health = health
        self._most, self._most_bytes = PLACES * max_exchanges, max_bytes
        self._many, self._many_bytes = FULL_SHARE * self._most, FULL_SHARE * max_bytes
        self._wait_seconds = wait_seconds
        self._sampling = Sampling(sample_ratio)
        self.emptied = time.time()
        """Unix seconds of the last scrape before which the queue was emptied."""
        self._reset()
        # Between exchanges the thread holds no lock of ours: that is when a fork may happen.
        around_fork(
            before=self._before_fork, parent=self._after_fork_in_parent, child=self._after_fork
        )

    def _reset(self) -> None:
        self._queue: deque[Any] = deque()
        """`PLACES` for each exchange: its fields, both headers, and the bytes of both bodies."""
        self._group: Waiting | None = None
        """Exchanges that are being taken in; they leave the queue together."""
        self._grouped = 0
        """Number of exchanges in the queue that the group was chosen from."""
        self._waiting_bytes = 0
        self._done = 0
        """Exchanges that have left the queue."""
        self._goal = 0
        """Exchanges that have left it once none is left from before the share was lowered."""
        self._lock = threading.Lock()
        self._busy = threading.Lock()
        self._wake = threading.Event()
        self._drained = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        self._is_closed = self._is_ending = False
        self._awaited = 0  # threads in `flush`
        self._is_idle = True
        """The thread does not run, sleeps or lingers."""
        self._is_asleep = False
        self._is_first_fault = Once()

    def _before_fork(self) -> None:
        self._busy.acquire()

    def _after_fork_in_parent(self) -> None:
        self._busy.release()

    def _after_fork(self) -> None:
        # The queued exchanges are the parent's, which takes them in.
        self._reset()

    @property
    def share(self) -> float:
        """Share of the exchanges that are read now, 0 to 1."""
        return self._sampling.share

    @property
    def waiting(self) -> int:
        """Number of queued exchanges."""
        return len(self._queue) // PLACES

    def submit(
        self, fields: ExchangeFields, asked: HeaderPairs, told: HeaderPairs, size: int
    ) -> None:
        """Queue an exchange; never blocks on work, never raises.

        Args:
            fields: All but its headers.
            asked: Headers of the request.
            told: Headers of the response.
            size: Bytes of both bodies.
        """
        if self._sampling.share < 1.0 and not self._sampling.is_chosen(fields):
            if self._sampling.is_wanted(fields):
                self._health.drop("queue_full")
            return
        # Without a lock, which would cost as much as the rest: Python lets another thread go on
        # after a call or at the end of a loop, and so not between reading and writing here.
        self._waiting_bytes = waiting_bytes = self._waiting_bytes + size
        waiting = len(self._queue)
        if waiting >= self._most or waiting_bytes > self._most_bytes:
            self._waiting_bytes -= size
            self._health.drop("queue_full")
            self._lower_share()
            return
        self._queue.extend((fields, asked, told, size))
        if self._is_idle:
            self._rouse(waiting >= self._many or waiting_bytes > self._many_bytes)

    def _lower_share(self) -> None:
        """Read fewer of those that wait and of those to come, rather than none of the newest."""
        with self._lock:
            if self._done >= self._goal:
                self._goal = self._done + self.waiting
                self._sampling.lower()

    def _rouse(self, is_filling: bool) -> None:
        """Start the thread, or wake it: if it lingers, only while the queue fills."""
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._start()
        elif (self._is_asleep or is_filling) and not self._wake.is_set():  # once is enough
            self._wake.set()

    def _start(self) -> None:
        self._is_closed = self._is_ending = False
        self._thread = threading.Thread(target=self._run, name="mlmon-intake", daemon=True)
        self._thread.start()

    def flush(self, timeout: float) -> bool:
        """Wait until all that was queued before is taken in; False after `timeout` seconds."""
        with self._drained:
            goal = self._done + self.waiting
            self._awaited += 1
            self._wake.set()
            is_done = self._drained.wait_for(
                lambda: self._done >= goal or self._thread is None, timeout
            )
            self._awaited -= 1
        return is_done

    def catch_up(self) -> float:
        """Wait shortly until all that was queued before is taken in; return the time then."""
        is_done = self.flush(self._wait_seconds)
        now = time.time()
        if is_done:
            self.emptied = now
        return now

    def close(self, timeout: float = 5.0) -> None:
        """Take in the queued exchanges and end the thread; a later exchange starts it again."""
        self.flush(timeout)
        with self._lock:
            thread, self._thread = self._thread, None
            self._is_closed = self._is_idle = True
            self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def end(self) -> None:
        """Have the thread end once the queue is empty, without waiting for it."""
        self._is_ending = True
        self._wake.set()

    def _run(self) -> None:
        others = OtherThreads()
        pace = Pace(lambda: REST_RATIO if self._awaited else rest_ratio(others.busy))
        me = threading.current_thread()
        while not self._is_closed and self._thread is me:
            if self._queue:
                self._take(pace)
            elif self._is_ending:
                self._leave()
            else:
                self._is_idle = True
                self._sampling.restore()
                self._linger()
                self._sleep()
                self._is_idle = False
                pace.start()
        self._is_idle = True

    def _leave(self) -> None:
        with self._lock:
            self._thread, self._is_idle = None, True
            if self._queue:  # since it was found empty
                self._start()

    def _linger(self) -> None:
        self._wake.clear()  # it may be set since the last sleep
        if not (self._awaited or self._is_closed or self._is_ending):
            self._wake.wait(LINGER_SECONDS)

    def _sleep(self) -> None:
        self._wake.clear()
        self._is_asleep = True
        if not (self._queue or self._is_closed or self._is_ending):
            self._wake.wait()
        self._is_asleep = False

    def _take(self, pace: Pace) -> None:
        """Take in some exchanges, a slice of work at most."""
        with self._busy:
            while self._queue:
                group = self._group or self._next_group()
                if group.fields:
                    group = group.without(self._consumed(group, pace))
                self._group = group
                if not group.fields:
                    self._leave_queue()
                if pace.is_due:
                    break
        if self._awaited:
            with self._drained:
                self._drained.notify_all()
        pace()

    def _next_group(self) -> Waiting:
        """Return the exchanges that have waited for longest; they stay in the queue."""
        self._grouped = min(self.waiting, GROUP)
        places = self._first_places(PLACES * self._grouped)
        group = Waiting(places[::PLACES], places[1::PLACES], places[2::PLACES], places[3::PLACES])
        return group if self._done >= self._goal else self._share_of(group)

    def _first_places(self, count: int) -> list[Any]:
        try:
            return [*islice(self._queue, count)]
        except RuntimeError:  # it grew meanwhile
            return [*map(self._queue.__getitem__, range(count))]

    def _share_of(self, group: Waiting) -> Waiting:
        """Return those to be read of exchanges from before the share was lowered, drop the rest."""
        is_chosen = self._sampling.is_chosen
        chosen = [i for i, fields in enumerate(group.fields) if is_chosen(fields)]
        if len(chosen) < len(group.fields):
            self._health.drop("queue_full", len(group.fields) - len(chosen))
        return group.of(chosen)

    def _consumed(self, group: Waiting, pace: Pace) -> Sequence[int]:
        """Take in the first exchange, maybe with others; return which, the first if that failed."""
        try:
            return self._consume(group, pace)
        except Exception as error:  # noqa: BLE001 - later ones are taken in all the same
            self._fail(error)
            return (0,)

    def _leave_queue(self) -> None:
        """Remove the exchanges of the group that has been taken in."""
        with self._lock:
            self._group = None
            self._done += self._grouped
            left = [*map(deque.popleft, repeat(self._queue, PLACES * self._grouped))]
            gone = sum(left[PLACES - 1 :: PLACES])
            self._waiting_bytes -= gone  # without a call in between, see `submit`
            if not self._queue:
                self._goal = self._done

    def _fail(self, error: Exception) -> None:
        self._health.internal_error("intake")
        if self._is_first_fault():
            logger.error(
                "mlmon: an exchange was not taken in; later ones are only counted", exc_info=error
            )


def rest_ratio(busy: float) -> float:
    """Return seconds of rest per second of work, while other threads take `busy` cores.

    Requests come first: bodies are read in the share of a core that they leave. Threads that take
    more than a core compute outside of Python, and leave its interpreter free.
    """
    left = BUSY - busy if busy < 1.0 else MOST_SHARE
    share = min(max(left, LEAST_SHARE), MOST_SHARE)
    return 1.0 / share - 1.0
