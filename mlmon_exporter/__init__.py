"""Prometheus exporter and ASGI middleware for model servers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .config.keys import Config, ConfigError
    from .core.records import Reading
    from .formats import FormatError
    from .instrumentation import instrument
    from .monitor import Monitor
    from .reference.reference import Reference
    from .sources.asgi.middleware import MonitorMiddleware

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
    "Config": "config.keys",
    "ConfigError": "config.keys",
    "FormatError": "formats",
    "Monitor": "monitor",
    "MonitorMiddleware": "sources.asgi.middleware",
    "Reading": "core.records",
    "Reference": "reference.reference",
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
