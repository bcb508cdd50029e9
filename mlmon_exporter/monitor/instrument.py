"""The ways to put a monitor around an app."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from starlette.types import ASGIApp

from mlmon_exporter.config.keys import Config
from mlmon_exporter.sources.asgi.middleware import AsgiSource
from mlmon_exporter.sources.wsgi.call import WsgiApp
from mlmon_exporter.sources.wsgi.middleware import WsgiSource

if TYPE_CHECKING:
    from mlmon_exporter.config.options import Options

    from .monitor import Monitor


class MonitorMiddleware(AsgiSource):
    """ASGI middleware that watches an app: `app.add_middleware(MonitorMiddleware)`."""

    def __init__(self, app: ASGIApp, monitor: Monitor | None = None) -> None:
        """Wrap an app.

        Args:
            app: Any ASGI app.
            monitor: Takes what is observed; by default a new one, configured by the file that
                `MLMON_CONFIG` names, for servers that take a dotted path and no arguments.

        Raises:
            ConfigError: That configuration or a reference cannot be used.
        """
        monitor = monitor or _metered(_new_monitor())
        super().__init__(app, monitor._sink)  # noqa: SLF001 - its own


class MonitorWSGIMiddleware(WsgiSource):
    """WSGI middleware that watches an app: `app = MonitorWSGIMiddleware(app)`."""

    def __init__(self, app: WsgiApp, monitor: Monitor | None = None) -> None:
        """Wrap an app.

        Args:
            app: Any WSGI app.
            monitor: Takes what is observed; by default a new one, configured by the file that
                `MLMON_CONFIG` names.

        Raises:
            ConfigError: That configuration or a reference cannot be used.
        """
        self.monitor = monitor or _metered(_new_monitor())
        super().__init__(app, self.monitor._sink, self.monitor.close)  # noqa: SLF001 - its own


def instrument(
    app: Any, *, config: Config | Path | str | None = None, **options: Unpack[Options]
) -> Monitor:
    """Watch the models of an app: the one line to add.

    Called again for another model of the same app, the first call's monitor also watches that one;
    its keys for all models stay.

    Args:
        app: FastAPI, Starlette, or any ASGI app with `add_middleware`; Flask, or any app with
            `wsgi_app`.
        config: A Config or the path of a TOML file.
        options: Keys of the configuration, global or the model's; `model=` is its name.

    Returns:
        The monitor; its `observe` and `readings` work beside the middleware.

    Raises:
        ConfigError: The configuration or a reference cannot be used.
        TypeError: The app has neither.
    """
    monitor = _monitor_of(app)
    if monitor is None:
        monitor = _new_monitor(config, **options)
        _wrap(app, monitor)
    else:
        monitor._widen(Config.from_options(config, **options))  # noqa: SLF001 - its own
    return _metered(monitor)


def _new_monitor(config: Config | Path | str | None = None, **options: Unpack[Options]) -> Monitor:
    from .monitor import Monitor

    return Monitor(config, **options)


def _wrap(app: Any, monitor: Monitor) -> None:
    if hasattr(app, "add_middleware"):
        app.add_middleware(MonitorMiddleware, monitor=monitor)
    elif hasattr(app, "wsgi_app"):
        app.wsgi_app = MonitorWSGIMiddleware(app.wsgi_app, monitor)
    else:
        raise TypeError(
            "app: expected add_middleware (FastAPI, Starlette) or wsgi_app (Flask), got "
            f"{type(app).__name__}; wrap it in MonitorMiddleware or MonitorWSGIMiddleware"
        )


def _monitor_of(app: Any) -> Monitor | None:
    """Return the monitor that watches an app already, None if there is none."""
    inner = getattr(app, "wsgi_app", None)
    if isinstance(inner, MonitorWSGIMiddleware):
        return inner.monitor
    for middleware in getattr(app, "user_middleware", ()):
        if getattr(middleware, "cls", None) is MonitorMiddleware:
            found: Monitor | None = middleware.kwargs.get("monitor")
            return found
    return None


def _metered(monitor: Monitor) -> Monitor:
    """Return the monitor, its readings also offered to OpenTelemetry's exporters."""
    from mlmon_exporter.metrics.otel import observe_readings

    observe_readings(monitor._readout.blocks)  # noqa: SLF001 - its own
    return monitor
