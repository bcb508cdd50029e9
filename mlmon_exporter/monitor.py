"""The monitor of one process: models, traffic, intake and exposition wired together."""

from __future__ import annotations

import logging
import os
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from starlette.types import ASGIApp, Scope

from . import __version__
from .config.keys import Config
from .core.coerce import scalar
from .core.counts.feedback import Feedback, Status
from .core.counts.health import Health
from .core.counts.requests import Traffic
from .core.drift.history import Snapshot
from .core.model import Model
from .core.outcomes.pending import GroundTruth
from .core.records import Batch, Exchange, Histograms, Reading, Readings, flat
from .endpoints.desk import FeedbackDesk, kpi_event, row_ids
from .formats import FORMATS, REASONS
from .intake.bodies import BodyReader
from .intake.queue import Intake, call_if_alive
from .metrics.collector import MetricsApp, MlmonCollector
from .metrics.process import CPU, Process, process_readings, this_process
from .reference.models import ConfiguredModels
from .runtime.flusher import Flusher
from .runtime.pace import Pace, Pause
from .runtime.threads import Threads
from .runtime.workers import is_one_of_many
from .sources.asgi.model_routes import ModelRoutes
from .sources.asgi.routes import route_of
from .state.open_pending import open_store
from .state.shared import Counts, SharedState
from .state.store import Store

logger = logging.getLogger(__name__)

_THREADS = Threads("shutdown", 1)
SCRAPE_WAIT_SECONDS = 0.1
"""A scrape waits so long for what was queued before it."""


class Monitor:
    """Watches the models of one process.

    Rows come in through `MonitorMiddleware` or `observe`; numbers go out through `readings` and
    `metrics_app`. Thread-safe. The thread that takes in bodies starts with the first one.
    """

    def __init__(self, config: Config | Path | str | None = None, **options: Any) -> None:
        """Wire a monitor up.

        Args:
            config: A Config, the path of a TOML file, or None for the environment alone.
            options: Keys of the configuration, as for `instrument`.

        Raises:
            ConfigError: The configuration or a reference cannot be used.
        """
        self.config = Config.from_options(config, **options)
        c = self.config
        self.max_body_bytes = c.max_body_bytes
        self.health = Health((row.name, reason) for row in FORMATS for reason in REASONS)
        self.traffic = Traffic(max_routes=c.max_routes, on_overflow=self.health.overflow)
        self.in_flight: dict[int, Scope] = {}
        self._configured = ConfiguredModels(c, self.health)
        self.models = self._configured.by_name
        self._routes = ModelRoutes(c.models, self.models)
        self.templates = self._routes.templates
        self._reader = BodyReader(c, self.models, self.health)
        self._intake = Intake(
            self._take_in,
            self.health,
            max_exchanges=c.queue_exchanges,
            max_bytes=c.queue_bytes,
        )
        self._last_flush = time.time()
        self.is_reader = False
        """Whether it only shows what other processes have counted: a server of its own does."""
        feedback = Feedback(max_kpis=c.max_kpis, on_overflow=lambda: self.health.overflow("kpi"))
        self._counts = Counts(self.traffic, self.health, feedback)
        self._shared = self._share(c.state_dir)
        self._pending = open_store(c, self.models, feedback, self.health, self._shared)
        longest = max(window.seconds for window in c.windows)
        self.feedback = FeedbackDesk(self.models, self._pending, feedback, longest)
        self._is_flushed = self._shared is not None or c.ground_truth_store is not None
        child = weakref.WeakMethod(self._after_fork)
        os.register_at_fork(after_in_child=lambda: call_if_alive(child))
        self._flusher = Flusher(self._tick, c.flush_seconds)
        self._parallel: bool | None = None
        self._has_logged_scrape = self._has_logged_route = False
        self._metrics_app = MetricsApp(self._scrape, self._scrape_failed, self._metrics_token())
        self.writing_apps = self._writing_apps()
        """Path -> what takes ground truth and KPIs there; nothing without a token."""
        self.service_apps: Mapping[str, ASGIApp] = {
            **({c.page_path: self.page_app()} if c.page_path else {}),
            **({c.metrics_path: self._metrics_app} if c.metrics_path else {}),
            **self.writing_apps,
        }
        self._routes.declare(self.traffic)

    def _metrics_token(self) -> str | None:
        token = self.config.metrics_token
        return token.get_secret_value() if token is not None else None

    def _writing_apps(self) -> Mapping[str, ASGIApp]:
        token = self.config.token
        if token is None:
            return {}
        return self.feedback.apps(token.get_secret_value(), self._caught_up)

    def _share(self, folder: Path | None) -> SharedState | None:
        """Return the state shared with the host's other processes, None without a folder."""
        if folder is None:
            return None
        return SharedState(
            Store(folder), self.models, self._counts, self._process, self.config.flush_seconds
        )

    def _after_fork(self) -> None:
        self._pending.forget()
        if self._shared is not None:
            self._shared.forget()
            self._routes.declare(self.traffic)

    def _process(self) -> Process:
        """Return what the other processes should know of this one."""
        return this_process(self._in_progress())

    def _ensure_flushing(self) -> None:
        if self._is_flushed and not self.is_reader:
            self._flusher.ensure_running()

    def _tick(self, now: float | None = None) -> None:
        """Add what was counted to the shared state, and put away predictions that wait."""
        moment = time.time() if now is None else now
        if self._shared is not None:
            self._configured.adopt_learned()
        if not self.is_reader:
            self._pending.flush(moment)
            if self._shared is not None:
                self._shared.flush(moment)

    # What the middleware asks and hands over.

    def model_of(self, scope: Scope, route: str) -> tuple[str, str]:
        """Return the model and version that a request is counted for, or empty texts."""
        if self._is_flushed:  # asked here, too: every request comes by
            self._ensure_flushing()
        return self._routes.model_of(scope, route)

    def without_route(self) -> None:
        """Count a POST that may have been a model's; a log line says, once, what to do."""
        if not self._routes.are_any:
            return
        self.health.drop("unknown_route")
        if not self._has_logged_route:
            self._has_logged_route = True
            logger.warning(
                "mlmon: a POST was answered, and the app does not say on which route, so that it "
                'is not looked into; set routes = ["/predict"] to the paths of your model '
                "(later ones are only counted, as unknown_route)"
            )

    def submit(self, exchange: Exchange) -> None:
        """Queue an exchange to be taken in off the request path."""
        self._intake.submit(exchange)

    async def shutdown(self) -> None:
        """Take in what waits, when the server stops."""
        await _THREADS.run(self.close)

    # What the intake's thread does.

    def _take_in(self, exchange: Exchange, pace: Pace) -> None:
        if not 200 <= exchange.status < 300:
            return
        read = self._reader.read(exchange)
        if read is not None:
            name, batch = read
            model = self.models[name]
            version = model.observe(batch, exchange.arrived, pace, request_bytes=exchange.size)
            self.traffic.record_rows(name, version, batch.rows)
            if model.has_task:
                ids = batch.prediction_ids or row_ids(exchange.prediction_id, batch.rows)
                self.feedback.predicted(name, batch._replace(prediction_ids=ids), exchange.arrived)

    # The public way in and out.

    def observe(
        self,
        features: Mapping[str, Any],
        predictions: Mapping[str, Any] | Sequence[Any] | float | str | None = None,
        *,
        model: str | None = None,
        version: str | None = None,
        prediction_ids: Sequence[str] | None = None,
        now: float | None = None,
    ) -> None:
        """Take in rows directly, without HTTP.

        Args:
            features: Name -> one value, or a 1-D array or list of n rows. None, NaN and "" are
                missing values.
            predictions: The same of the outputs; a bare value or array is the only output.
            model: Which model, where several are configured.
            version: The model's version, if it is not the configured one.
            prediction_ids: An id for each row, by which its outcome will be joined.
            now: Unix seconds of the rows; the clock by default.

        Raises:
            ValueError: Columns differ in length, or it is unclear which model is meant.
        """
        state = self._named(model)
        outputs = self._outputs(state, predictions)
        rows = _rows({**features, **outputs})
        if rows == 1:
            features, outputs = _scalars(features), _scalars(outputs)
        batch = Batch(features, outputs, rows, version, prediction_ids)
        moment = time.time() if now is None else now
        counted = state.observe(batch, moment)
        self.traffic.record_rows(state.settings.name, counted, rows)
        if prediction_ids is not None:
            self.feedback.predicted(state.settings.name, batch, moment)
        self._ensure_flushing()

    def observe_ground_truth(
        self,
        prediction_id: str,
        value: float | str,
        *,
        timestamp: float | None = None,
        now: float | None = None,
    ) -> Status:
        """Take in the outcome of a prediction.

        Args:
            prediction_id: As in the header `X-Prediction-Id`, or as given to `observe`.
            value: A number, or the class that came true.
            timestamp: Unix seconds when it became known; `now` by default.
            now: Unix seconds; the clock by default.

        Returns:
            What became of it: `matched`, `late`, `unknown`, `duplicate` or `invalid`.

        Raises:
            StoreError: It was not taken, since the state cannot be written now.
        """
        moment = self._caught_up() if now is None else now
        truth = GroundTruth(prediction_id, value, timestamp)
        return self.feedback.ground_truths([truth], moment).statuses[0]

    def observe_kpi(
        self,
        name: str,
        value: float = 1.0,
        prediction_id: str | None = None,
        *,
        model: str | None = None,
        now: float | None = None,
    ) -> None:
        """Count one event of a business number.

        Args:
            name: At most `max_kpis` different ones; the rest is `other`.
            value: A finite number that is added up.
            prediction_id: Counts it for the model and version that made the prediction.
            model: Which model it is about, where several are configured and there is no id.
            now: Unix seconds; the clock by default.

        Raises:
            ValueError: The value is not finite, or there is no such model.
            StoreError: It was not counted, since the state cannot be written now.
        """
        if model is not None:
            self._named(model)
        moment = self._caught_up() if now is None else now
        self.feedback.kpi_events([kpi_event(name, value, prediction_id, model)], moment)

    def _caught_up(self) -> float:
        """Return the time, once the predictions that were queued before it are taken in."""
        self._intake.flush(SCRAPE_WAIT_SECONDS)
        return time.time()

    def _named(self, model: str | None) -> Model:
        if model is None and len(self.models) == 1:
            return next(iter(self.models.values()))
        if model is None or model not in self.models:
            names = ", ".join(self.models)
            raise ValueError(f"model: expected one of {names}, got {model!r}")
        return self.models[model]

    def _outputs(self, model: Model, predictions: Any) -> Mapping[str, Any]:
        if predictions is None:
            return {}
        if isinstance(predictions, Mapping):
            return predictions
        return {(model.output_names() or ("prediction",))[0]: predictions}

    def readings(self, now: float | None = None) -> list[Reading]:
        """Return all numbers at `now`, Unix seconds, the clock by default.

        A number that is not known is left out. Histograms are given bucket by bucket, cumulative.
        """
        moment = time.time() if now is None else now
        return [reading for block in self.blocks(moment) for reading in flat(block)]

    def blocks(self, now: float, pause: Pause = lambda: None) -> Iterator[Readings | Histograms]:
        """Give the same column-wise; `pause` is called between steps of the work."""
        if self._shared is not None:
            # Not for requests only: what was shown must be restored soon if the file is lost.
            self._ensure_flushing()
            self._tick(now)
            if not self._shared.load(now):
                return
            yield from self._shared.process_readings(now)
        else:
            self._expire(now)
            process = self._process()
            yield from process_readings([process], process.numbers.get(CPU), self.traffic.routes())
        for model in self.models.values():
            yield from model.readings(now, pause)
        yield from self._counts.shown_traffic.readings(now)
        yield from self._counts.shown_feedback.readings()
        yield from self.feedback.readings(now)
        yield from self._counts.shown_health.readings()

    def _expire(self, now: float) -> None:
        """Drop the versions that were not used for long."""
        named = self.traffic.named() | self._counts.feedback.named()
        dead = {
            (name, version)
            for name, model in self.models.items()
            for version in model.expire(now, [v for of, v in named if of == name])
        }
        if dead:
            self.traffic.drop(dead)
            self._counts.feedback.drop(dead)

    def snapshot(self, pause: Pause = lambda: None, now: float | None = None) -> Snapshot:
        """Return what readings say at `now`, and what only people look at."""
        self._intake.flush(SCRAPE_WAIT_SECONDS)
        moment = time.time() if now is None else now
        blocks = [*self.blocks(moment, pause), *self._own_readings()]
        summaries = [p for model in self.models.values() for p in model.history(moment, pause)]
        return Snapshot(moment, blocks, summaries)

    def _scrape(self, pause: Pause) -> Iterator[Readings | Histograms]:
        started = time.perf_counter()
        if self._intake.flush(SCRAPE_WAIT_SECONDS):
            self._last_flush = time.time()
        yield from [*self.blocks(time.time(), pause), *self._own_readings()]
        duration = time.perf_counter() - started
        yield Readings("mlmon_readings_duration_seconds", (), ((),), [duration])

    def _scrape_failed(self, error: Exception) -> None:
        self.health.internal_error("scrape")
        if not self._has_logged_scrape:
            self._has_logged_scrape = True
            logger.error("mlmon: a scrape failed; later ones are only counted", exc_info=error)

    def _own_readings(self) -> Iterator[Readings]:
        if self._shared is not None:
            yield Readings("mlmon_state_size_bytes", (), ((),), [self._shared.size_bytes()])
        yield Readings("mlmon_queue_exchanges", (), ((),), [self._intake.waiting])
        yield Readings("mlmon_last_flush_timestamp_seconds", (), ((),), [self._flushed()])
        info = ((__version__, self.config.digest, self._state()),)
        yield Readings("mlmon_build_info", ("version", "digest", "state"), info, [1])

    def _flushed(self) -> float:
        """Return when all was last taken in, and where it is shared, added to the shared state."""
        if self._shared is None or self.is_reader:
            return self._last_flush
        return min(self._last_flush, self._shared.last_flush)

    def _in_progress(self) -> dict[tuple[str, ...], int]:
        routes: dict[tuple[str, ...], int] = {}
        for scope in list(self.in_flight.values()):
            route = route_of(scope, self.templates)
            key = (*self.model_of(scope, route), route)
            routes[key] = routes.get(key, 0) + 1
        return routes

    def _state(self) -> str:
        """Return where the counts are: `shared` on disk, `memory`, or `unshared` by mistake."""
        if self._shared is not None:
            return "shared"
        if self._parallel is None:
            self._parallel = is_one_of_many()
            if self._parallel:
                logger.warning(
                    "mlmon: several workers, but no state_dir: each worker counts for itself, and "
                    "a scrape shows whichever answers; set state_dir (or MLMON_STATE_DIR)"
                )
        return "unshared" if self._parallel else "memory"

    def collector(self) -> MlmonCollector:
        """Return a collector for a `prometheus_client` registry of your own."""
        return MlmonCollector(self._scrape, self._scrape_failed)

    def metrics_app(self) -> ASGIApp:
        """Return the ASGI app that answers scrapes, to be mounted where you like."""
        return self._metrics_app

    def page_app(self) -> ASGIApp:
        """Return the ASGI app of the page for people, to be mounted where you like."""
        from .page.app import PageApp  # only where there is a page

        return PageApp(self.snapshot, self._metrics_token())

    def report(self, window: str | None = None, now: float | None = None) -> str:
        """Return what the page shows as one self-contained HTML file.

        Args:
            window: The window that is drawn, such as "1h"; the longest by default.
            now: Unix seconds; the clock by default.

        Raises:
            ValueError: There is no such window.
        """
        from .page.report import report

        return report(self.snapshot(now=now), window)

    def flush(self, timeout: float = 5.0) -> bool:
        """Take in all that was queued before; False if that took over `timeout` seconds."""
        return self._intake.flush(timeout)

    def close(self) -> None:
        """Take in what waits, end the threads, close the state. Later exchanges start all again."""
        self._intake.close()
        self._flusher.close()
        self._tick()
        self._pending.close()
        if self._shared is not None:
            self._shared.close()


def _rows(columns: Mapping[str, Any]) -> int:
    lengths = {_length(values) for values in columns.values()}
    if len(lengths) > 1:
        raise ValueError(f"observe: expected columns of one length, got {sorted(lengths)}")
    return lengths.pop() if lengths else 0


def _scalars(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {name: scalar(values) for name, values in columns.items()}


def _length(values: Any) -> int:
    if isinstance(values, str | bytes | Mapping) or not hasattr(values, "__len__"):
        return 1
    return len(values) if np.ndim(values) else 1
