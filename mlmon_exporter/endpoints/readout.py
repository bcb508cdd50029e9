"""The readout: all numbers of a process, or of a host whose processes share a state."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping

from mlmon_exporter import __version__
from mlmon_exporter.core.counts.counts import Counts
from mlmon_exporter.core.counts.processes import CPU, Process, process_readings
from mlmon_exporter.core.counts.traffic import Traffic
from mlmon_exporter.core.drift.history import Snapshot
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.records import Block, Readings
from mlmon_exporter.intake.queue import Intake
from mlmon_exporter.metrics.table import METRICS
from mlmon_exporter.runtime.once import Once
from mlmon_exporter.runtime.pace import Pause
from mlmon_exporter.runtime.workers import is_one_of_many
from mlmon_exporter.state.outage import Trouble
from mlmon_exporter.state.upkeep import Upkeep

from .desk import FeedbackDesk

logger = logging.getLogger(__name__)


class Readout:
    """Collects all numbers, for a scrape, a registry or the page. Thread-safe.

    `pause` is called between steps of the work.
    """

    def __init__(
        self,
        models: Mapping[str, Model],
        counts: Counts,
        desk: FeedbackDesk,
        intake: Intake,
        upkeep: Upkeep,
        process: Callable[[], Process],
        digest: str,
    ) -> None:
        """Wire it up.

        Args:
            models: By name.
            counts: Requests, feedback, and counts about ourselves.
            desk: Knows how many predictions wait.
            intake: Holds the exchanges that came before a scrape.
            upkeep: Exchanges counts with other processes.
            process: Gives what others should know of this process.
            digest: The engine of quantile digests.
        """
        self._models = models
        self._counts = counts
        self._desk = desk
        self._intake = intake
        self._upkeep = upkeep
        self._process = process
        self._digest = digest
        self._is_first_fault = Once()
        self._is_unshared = False
        self._traffic = Traffic()  # of this process
        self._traffic.look((), time.time())

    def blocks(
        self, now: float, pause: Pause = lambda: None, *, is_scrape: bool = False
    ) -> Iterator[Block]:
        """Give the numbers of models, requests and processes at `now`, Unix seconds.

        In a scrape, counters of this process alone are marked where others may answer the next.
        """
        shared = self._upkeep.shared
        if shared is not None:
            with self._upkeep.reading(shared, now) as loaded:
                if loaded is None:
                    return
                counted = self._counted(loaded.counts, now, pause)
                found = [*shared.process_readings(now), *counted]
            is_marked = is_scrape and loaded.is_own and (loaded.is_partial or is_one_of_many())
            yield from map(_of_this_worker, found) if is_marked else found
        else:
            self._expire(now)
            process = self._process()
            routes = self._counts.requests.routes()
            yield from process_readings([process], process.numbers.get(CPU), routes)
            yield from self._counted(self._counts, now, pause)
        # Not within the reading: it may wait for a database whose user waits for the state.
        yield from self._desk.readings(now)

    def _counted(self, counts: Counts, now: float, pause: Pause) -> Iterator[Block]:
        for model in self._models.values():
            yield from model.readings(now, pause)
        yield from counts.requests.readings(now)
        yield from counts.feedback.readings()
        yield from counts.health.readings()

    def scrape(self, pause: Pause) -> Iterator[Block]:
        """Give all numbers now, with those of the exporter."""
        started = time.perf_counter()
        self._intake.catch_up()
        blocks = [*self.blocks(time.time(), pause, is_scrape=True), *self._own()]
        self._look(time.time())
        yield from blocks
        duration = time.perf_counter() - started
        yield Readings("mlmon_readings_duration_seconds", (), ((),), [duration])

    def snapshot(self, pause: Pause = lambda: None, now: float | None = None) -> Snapshot:
        """Return all numbers with the history that only the page shows."""
        caught_up = self._intake.catch_up()
        moment = caught_up if now is None else now
        blocks = [*self.blocks(moment, pause), *self._own()]
        summaries = [p for model in self._models.values() for p in model.history(moment, pause)]
        trouble = str(self.trouble(moment) or "")
        traffic = self._look(moment).since(blocks, moment)
        return Snapshot(moment, blocks, summaries, trouble, traffic, socket.gethostname())

    def _look(self, now: float) -> Traffic:
        """Return the looks at traffic; one at `now` among them, if no state has them."""
        shared = self._upkeep.shared
        if shared is not None:
            return shared.traffic
        self._traffic.look(self._counts.requests.readings(now), now)
        return self._traffic

    def trouble(self, now: float) -> Trouble | None:
        """Return why a store is not written; None if each is, or there is none."""
        return self._upkeep.trouble(now)

    def failed(self, error: Exception) -> None:
        """Count a scrape that failed; the first is logged."""
        self._counts.health.internal_error("scrape")
        if self._is_first_fault():
            logger.error("mlmon: a scrape failed; later ones are only counted", exc_info=error)

    def _expire(self, now: float) -> None:
        """Drop the versions that have not been used for long."""
        requests, feedback = self._counts.requests, self._counts.feedback
        named = requests.named() | feedback.named()
        dead = {
            (name, version)
            for name, model in self._models.items()
            for version in model.versions.expire(now, [v for of, v in named if of == name])
        }
        if dead:
            requests.forget(dead)
            feedback.forget(dead)

    def _own(self) -> Iterator[Readings]:
        shared = self._upkeep.shared
        if shared is not None:
            yield Readings("mlmon_state_size_bytes", (), ((),), [shared.size_bytes()])
        if self._upkeep.has_store:
            trouble = self.trouble(time.time())
            is_written = trouble is None or not trouble.reason
            yield Readings("mlmon_state_writable", (), ((),), [int(is_written)])
        yield Readings("mlmon_sample_ratio", (), ((),), [self._intake.share])
        yield Readings("mlmon_queue_exchanges", (), ((),), [self._intake.waiting])
        last = self._upkeep.last_flush(self._intake.emptied)
        yield Readings("mlmon_last_flush_timestamp_seconds", (), ((),), [last])
        info = ((__version__, self._digest, "shared" if shared is not None else self._alone()),)
        yield Readings("mlmon_build_info", ("version", "digest", "state"), info, [1])

    def _alone(self) -> str:
        """State without a state_dir: in `memory`, or `unshared` between workers by mistake.

        Looked up again until a sibling is seen, since workers start one after another.
        """
        if not self._is_unshared:
            if not is_one_of_many():
                return "memory"
            self._is_unshared = True
            logger.warning(
                "mlmon: several workers, but no state_dir: each worker counts for itself, and "
                "a scrape shows whichever answers; set state_dir (or MLMON_STATE_DIR)"
            )
        return "unshared"


def _of_this_worker(block: Block) -> Block:
    """Return counters with the process's id as a label, so that workers make different series.

    Prometheus would take a fall from one worker's counter to another's for a restart at 0.
    """
    if METRICS[block.name].type not in ("counter", "histogram"):
        return block
    worker = str(os.getpid())
    labels = tuple((*values, worker) for values in block.labels)
    return block._replace(label_names=(*block.label_names, "worker"), labels=labels)
