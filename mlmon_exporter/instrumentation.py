"""How a monitor gets into a server: by one line of code, or by a file and a dotted path."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from .config.keys import Config, load_config
from .core.records import Histograms, Readings
from .metrics.otel import observe_readings
from .monitor import Monitor
from .sources.asgi.middleware import MonitorMiddleware


def _metered(monitor: Monitor) -> Monitor:
    """Return the monitor, its readings offered to OpenTelemetry's exporters, too."""
    # Meters live as long as the process; the monitor need not.
    observe_readings(partial(_readings_of, weakref.ref(monitor)))
    return monitor


def _readings_of(monitor: weakref.ref[Monitor]) -> Iterable[Readings | Histograms]:
    alive = monitor()
    return alive.blocks(time.time()) if alive is not None else ()


def monitor_from_environment() -> Monitor:
    """Return a monitor configured by the file that `MLMON_CONFIG` names, and the environment."""
    path = os.environ.get("MLMON_CONFIG")
    return _metered(Monitor(load_config(Path(path) if path else None)))


def instrument(app: Any, *, config: Config | Path | str | None = None, **options: Any) -> Monitor:
    """Watch the models of an ASGI app: the one line to add.

    Args:
        app: FastAPI, Starlette, or any ASGI app with `add_middleware`.
        config: A Config or the path of a TOML file.
        options: Keys of the configuration, global or the model's; `model=` is its name.

    Returns:
        The monitor, whose `observe` and `readings` may be used beside the middleware.

    Raises:
        ConfigError: The configuration or a reference cannot be used.
    """
    monitor = _metered(Monitor(config, **options))
    app.add_middleware(MonitorMiddleware, monitor=monitor)
    return monitor
