"""Prometheus exporter and ASGI middleware for model servers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .config.keys import Config, ConfigError, ModelConfig
    from .core.records import Reading
    from .formats import FormatError
    from .monitor.instrument import MonitorMiddleware, MonitorWSGIMiddleware, instrument
    from .monitor.interceptor import MonitorInterceptor
    from .monitor.monitor import Monitor
    from .reference.compare import Comparison
    from .reference.reference import Reference
    from .state.errors import StoreError

__version__ = "0.1.0"

__all__ = [
    "Config",
    "ConfigError",
    "Comparison",
    "FormatError",
    "ModelConfig",
    "Monitor",
    "MonitorInterceptor",
    "MonitorMiddleware",
    "MonitorWSGIMiddleware",
    "Reading",
    "Reference",
    "StoreError",
    "instrument",
]

# Resolved on first use, so that `mlmon-exporter --help` need not wait for NumPy and Starlette.
_MODULES = {
    "Config": "config.keys",
    "ConfigError": "config.keys",
    "Comparison": "reference.compare",
    "FormatError": "formats",
    "ModelConfig": "config.keys",
    "Monitor": "monitor.monitor",
    "MonitorInterceptor": "monitor.interceptor",
    "MonitorMiddleware": "monitor.instrument",
    "MonitorWSGIMiddleware": "monitor.instrument",
    "Reading": "core.records",
    "Reference": "reference.reference",
    "StoreError": "state.errors",
    "instrument": "monitor.instrument",
}


def __getattr__(name: str) -> object:
    """Import the module of a public name (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    """The public names, resolved or not."""
    return sorted({*globals(), *__all__})
