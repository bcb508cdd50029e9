"""Prometheus exporter and ASGI middleware for model servers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlmon_exporter.config import Config, ConfigError
    from mlmon_exporter.core.records import Reading
    from mlmon_exporter.formats import FormatError
    from mlmon_exporter.instrumentation import instrument
    from mlmon_exporter.middleware import MonitorMiddleware
    from mlmon_exporter.monitor import Monitor
    from mlmon_exporter.reference import Reference

__version__ = "0.1.0"

__all__ = [
    "Config",
    "ConfigError",
    "FormatError",
    "Monitor",
    "MonitorMiddleware",
    "Reading",
    "Reference",
    "instrument",
]

# Resolved on first use, so that `mlmon-exporter --help` need not wait for NumPy and Starlette.
_MODULES = {
    "Config": "config",
    "ConfigError": "config",
    "FormatError": "formats",
    "Monitor": "monitor",
    "MonitorMiddleware": "middleware",
    "Reading": "core.records",
    "Reference": "reference",
    "instrument": "instrumentation",
}


def __getattr__(name: str) -> object:
    """Import the module of a public name (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    """The public names, resolved or not."""
    return sorted({*globals(), *__all__})
