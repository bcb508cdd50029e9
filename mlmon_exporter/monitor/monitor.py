"""The monitor of one process: wiring only, no rules."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self, TypeVar, Unpack

from starlette.types import ASGIApp

from mlmon_exporter.config.keys import Config
from mlmon_exporter.config.options import Options
from mlmon_exporter.core.counts.counts import Counts
from mlmon_exporter.core.counts.feedback import Feedback
from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.counts.processes import Process
from mlmon_exporter.core.counts.requests import RequestCounts
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.records import Reading, flat
from mlmon_exporter.endpoints.desk import FeedbackDesk
from mlmon_exporter.endpoints.health import HealthApp
from mlmon_exporter.endpoints.readout import Readout
from mlmon_exporter.endpoints.scrape import MetricsApp
from mlmon_exporter.intake.bodies import BodyReader
from mlmon_exporter.intake.consumer import Consumer
from mlmon_exporter.intake.predictions import Predictions
from mlmon_exporter.intake.queue import WAIT_SECONDS, Intake
from mlmon_exporter.metrics.detail import shown
from mlmon_exporter.metrics.process import this_process
from mlmon_exporter.reference.models import ConfiguredModels
from mlmon_exporter.runtime.forks import after_fork, around_fork
from mlmon_exporter.runtime.once import Once
from mlmon_exporter.runtime.threads import LimitedThreads
from mlmon_exporter.sources.ids import PredictionIds
from mlmon_exporter.sources.model_routes import InFlight, ModelRoutes
from mlmon_exporter.sources.sink import Sink
from mlmon_exporter.state.open_pending import open_pending
from mlmon_exporter.state.shared import SharedState
from mlmon_exporter.state.upkeep import Upkeep

from .in_code import InCode

if TYPE_CHECKING:
    from mlmon_exporter.metrics.collector import MlmonCollector

T = TypeVar("T")
_THREADS = LimitedThreads("shutdown", 1)


class Monitor(InCode):
    """Watches the models of one process.

    Rows come in through `MonitorMiddleware` or `observe`; numbers go out through `readings` and
    `metrics_app`. Thread-safe. The thread that takes in bodies starts with the first one. A `with`
    statement closes it at the end.
    """

    is_reader: ClassVar[bool] = False
    """A reader only shows what the host's other processes have counted."""
    wait_seconds: ClassVar[float] = WAIT_SECONDS
    """A scrape waits so long for the exchanges queued before it."""

    def __init__(
        self, config: Config | Path | str | None = None, **options: Unpack[Options]
    ) -> None:
        """Wire a monitor up.

        Args:
            config: A Config or the path of a TOML file; by default the one in `MLMON_CONFIG`.
            options: Keys of the configuration, as for `instrument`.

        Raises:
            ConfigError: The configuration or a reference cannot be used.
        """
        self._wire(Config.from_options(config, **options))

    def _wire(self, config: Config) -> None:
        self.config = c = config
        self._counts = requests, feedback, health = _new_counts(c)
        configured = ConfiguredModels(c, health)
        self.models: Mapping[str, Model] = configured.by_name
        self._routes = ModelRoutes(c.models, self.models, health)
        self._in_flight: dict[object, InFlight] = {}
        # Threads hold it: it must not hold the monitor, which ends them when it is gone.
        process = partial(_process, self._routes, self._in_flight)
        shared = None
        if c.state_dir is not None:
            counted = self.models, self._counts, process
            shared = SharedState(c.state_dir, *counted, c.flush_seconds)
        pending = open_pending(c, self.models, self._counts, shared)
        self._upkeep = Upkeep(
            shared,
            pending,
            configured.adopt_learned,
            seconds=c.flush_seconds,
            has_store=_has_store(c),
            is_reader=self.is_reader,
        )
        self._desk = FeedbackDesk(self.models, pending, feedback)
        reader = BodyReader(c, self.models, health)
        predictions = Predictions(c.models, self.models, health)
        self._consumer = Consumer(reader, predictions, self.models, requests, self._desk.predicted)
        self._intake = Intake(
            self._consumer,
            health,
            sample_ratio=c.sample_ratio,
            max_exchanges=c.queue_exchanges,
            max_bytes=c.queue_bytes,
            wait_seconds=self.wait_seconds,
        )
        self._readout = readout = Readout(
            self.models,
            self._counts,
            self._desk,
            self._intake,
            self._upkeep,
            process,
            c.digest,
        )
        after_fork(self._after_fork)
        self._metrics_app = MetricsApp(
            readout.scrape, readout.failed, self._metrics_tokens(), shown(c.detail)
        )
        self.writing_apps = self._writing_apps()
        """Path -> the app that takes ground truths or KPIs there; empty without a token."""
        self._routes.declare(requests)
        self._sink = self._new_sink()
        self._ids = PredictionIds()
        self._is_first_unread = Once()
        # An app that is gone, as in tests without a lifespan, leaves no threads behind.
        for end in (self._intake.end, self._upkeep.end):
            weakref.finalize(self, end).atexit = False

    def _new_sink(self) -> Sink:
        c = self.config
        own = {
            c.page_path: self.page_app,
            c.health_path: self.health_app,
            c.metrics_path: self.metrics_app,
        }
        apps = {path: app() for path, app in own.items() if path}
        return Sink(
            requests=self._counts.requests,
            health=self._counts.health,
            routes=self._routes,
            in_flight=self._in_flight,
            max_body_bytes=c.max_body_bytes,
            submit=self._intake.submit,
            wake=self._upkeep.ensure_running,
            shutdown=self.shutdown,
            service_apps={**apps, **self.writing_apps},
        )

    def _metrics_tokens(self) -> list[str]:
        return [token.get_secret_value() for token in self.config.metrics_token]

    def _writing_apps(self) -> Mapping[str, ASGIApp]:
        tokens = [token.get_secret_value() for token in self.config.token]
        return self._desk.apps(tokens, self._intake.catch_up) if tokens else {}

    def _after_fork(self) -> None:
        if self._upkeep.shared is not None:
            self._routes.declare(self._counts.requests)

    def _widen(self, config: Config) -> None:
        """Also watch the models of another configuration. Only before the app has started."""
        joined = self.config.joined(config)
        if joined.models != self.config.models:
            self.close()
            self._wire(joined)

    def __repr__(self) -> str:
        return f"<Monitor of {', '.join(map(repr, self.models))}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def readings(self, now: float | None = None) -> list[Reading]:
        """Return all numbers at `now`, Unix seconds, the clock by default.

        An unknown number is left out. Histograms are given bucket by bucket, cumulative.
        """
        moment = time.time() if now is None else now
        return [reading for block in self._readout.blocks(moment) for reading in flat(block)]

    def collector(self) -> MlmonCollector:
        """Return a collector for a `prometheus_client` registry of your own."""
        from mlmon_exporter.metrics.collector import MlmonCollector

        readout = self._readout
        return MlmonCollector(readout.scrape, readout.failed, shown(self.config.detail))

    def metrics_app(self) -> ASGIApp:
        """Return the ASGI app that answers scrapes, to be mounted where you like."""
        return self._metrics_app

    def health_app(self) -> ASGIApp:
        """Return the ASGI app that says if the state is written, to be mounted where you like."""
        return HealthApp(self._readout.trouble)

    def page_app(self) -> ASGIApp:
        """Return the ASGI app of the page, to be mounted where you like."""
        from mlmon_exporter.page.app import PageApp  # only where there is a page

        return PageApp(self._readout.snapshot, self._metrics_tokens())

    def report(self, window: str | None = None, now: float | None = None) -> str:
        """Return the page as one self-contained HTML file.

        Args:
            window: The window that is drawn, such as "1h"; the longest by default.
            now: Unix seconds; the clock by default.

        Raises:
            ValueError: There is no such window.
        """
        from mlmon_exporter.page.report import report

        return report(self._readout.snapshot(now=now), window)

    def attach(self, source: Callable[[Sink], T]) -> T:
        """Return a source of calls that this monitor watches, such as the proxy's."""
        return source(self._sink)

    def flush(self, timeout: float = 5.0) -> bool:
        """Take in all that was queued before; False if that took over `timeout` seconds."""
        return self._intake.flush(timeout)

    def close(self) -> None:
        """Take in the queue, end the threads, close the state; a later exchange restarts them."""
        self._intake.close()
        self._upkeep.close()

    async def shutdown(self) -> None:
        """Close it without blocking the event loop; the middleware does so at the end."""
        await _THREADS.run(self.close)


def _has_store(c: Config) -> bool:
    return c.state_dir is not None or c.ground_truth_store is not None


def _new_counts(c: Config) -> Counts:
    """Return empty counts, which a fork finds at rest."""
    health = Health()
    counts = Counts(
        RequestCounts(max_routes=c.max_routes, on_overflow=health.overflow),
        Feedback(max_kpis=c.max_kpis, on_overflow=lambda: health.overflow("kpi")),
        health,
    )
    for tables in counts:
        around_fork(before=tables.hold, parent=tables.release, child=tables.renew)
    return counts


def _process(routes: ModelRoutes, in_flight: Mapping[object, InFlight]) -> Process:
    """Return what the other processes should know of this one."""
    return this_process(routes.in_progress([*in_flight.values()]))
