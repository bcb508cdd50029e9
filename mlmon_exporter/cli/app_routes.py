"""The POST routes of an app, which configured ones are compared with."""

from __future__ import annotations

import difflib
import importlib
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mlmon_exporter.sources.templates import RouteTemplates

_CONVERTER = re.compile(r"{(\w+):\w+}|<(?:[^:<>]+:)?(\w+)>")


def load(name: str) -> Any:
    """Return the app that `module:attribute` names, as uvicorn and gunicorn take it.

    Raises:
        ValueError: There is none of that name, or importing it failed.
    """
    module, _, attribute = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        app = importlib.import_module(module)
        for part in (attribute or "app").split("."):
            app = getattr(app, part)
    except Exception as error:
        raise ValueError(
            f"expected an app such as server:app, got {name!r}: {type(error).__name__}: {error}"
        ) from error
    return app


def post_routes(app: Any) -> list[str]:
    """Return the templates of the routes that take POST, in the app's order; none where unknown."""
    if hasattr(app, "url_map"):  # Flask
        rules = (r for r in app.url_map.iter_rules() if "POST" in (r.methods or ()))
        return list(dict.fromkeys(_plain(rule.rule) for rule in rules))
    return list(dict.fromkeys((*_routes(app, ""), *_described(app))))


def _routes(app: Any, prefix: str) -> Iterator[str]:
    """Give the routes of Starlette's apps and of those that are mounted in them."""
    for route in getattr(app, "routes", None) or ():
        path = getattr(route, "path", None)
        if path is None:
            continue
        methods = getattr(route, "methods", None)
        if methods and "POST" in methods:
            yield _plain(prefix + path)
        elif methods is None:
            yield from _routes(route, prefix + path)


def _described(app: Any) -> Iterator[str]:
    """Give what OpenAPI says of FastAPI's: included routers are not among its routes."""
    described = app.openapi() if callable(getattr(app, "openapi", None)) else {}
    paths = described.get("paths", {}) if isinstance(described, dict) else {}
    yield from (path for path, operations in paths.items() if "post" in operations)


def _plain(template: str) -> str:
    """Return a template without the converters of its parameters."""
    return _CONVERTER.sub(lambda found: f"{{{found[1] or found[2]}}}", template)


def unmatched(wanted: Sequence[str], routes: Sequence[str]) -> Iterator[str]:
    """Say of each route that is wanted, and that no route of an app is, which one may be meant."""
    templates = RouteTemplates(dict.fromkeys(routes, ""))
    for route in wanted:
        if route in routes or templates.find(route):
            continue
        close = difflib.get_close_matches(route, routes, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else "no request will be read"
        yield f"routes: {route!r} is no POST route of the app; {hint}"
