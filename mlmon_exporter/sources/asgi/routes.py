"""The template of the route that handled a request, read from the scope that the app leaves.

The app's routes are not matched again: that breaks with the next kind of route, and its cost grows
with their number. Without a route in the scope, the path is looked up among the configured routes;
otherwise the route is `other`, never the path itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from inspect import ismethod
from typing import Any

from starlette.routing import Mount
from starlette.types import Scope

from mlmon_exporter.core.labels import OTHER
from mlmon_exporter.sources.templates import NONE, RouteTemplates

REST = "/{path}"
"""Template of any path within a mounted app that names no route, such as static files."""


def route_path(scope: Scope) -> str:
    """Return the path below `root_path`, as Starlette matches it."""
    root_path = scope.get("root_path")
    path: str = scope["path"]
    return _below(path, root_path) if root_path else path


def _below(path: str, root_path: str) -> str:
    rest = path.removeprefix(root_path)
    return rest if not rest or rest[0] == "/" else path


def route_of(scope: Scope, configured: RouteTemplates = NONE) -> str:
    """Return the template of the route that handles or handled a request; `other` if none does.

    The templates of mounts stand before it.

    Args:
        scope: The connection's. Frameworks other than Starlette name no route in it, and a copy
            that a middleware passes on hides the name.
        configured: Routes that the path is then looked up in.
    """
    route = scope.get("route")
    if route is None:
        if scope.get("endpoint") is not None:
            return _rebuilt(scope, configured)
        return configured.find(_app_path(scope)) or OTHER
    template = getattr(route, "path_format", None) or getattr(route, "path", None)
    if "fastapi" in scope:
        template = _included(scope["fastapi"], route) or template
    if "app_root_path" in scope:
        return _rest(scope, configured) if isinstance(route, Mount) else _mounted(scope, template)
    return template if isinstance(template, str) else OTHER


def is_fixed(route: Any) -> bool:
    """Return whether a route without parameters has one template, whatever the path is."""
    return route is not None and not isinstance(route, Mount)


def _included(fastapi: Mapping[str, Any], route: Any) -> str | None:
    """Return the template of an included router's route as the app knows it.

    FastAPI 0.137 and later leave the router's own route in the scope, without the prefix of the
    inclusion, and a context that holds the whole template.
    """
    context = fastapi.get("effective_route_context")
    if getattr(context, "original_route", None) is not route:
        return None
    return getattr(context, "path_format", None)


def _app_path(scope: Scope) -> str:
    """Return the path below the root path of the outermost app."""
    return _below(scope["path"], scope.get("app_root_path", scope.get("root_path", "")))


def _rest(scope: Scope, configured: RouteTemplates) -> str:
    """Return the route within a mounted app that names none."""
    return configured.find(_app_path(scope)) or _mounted(scope, REST)


def _mounted(scope: Scope, template: str | None) -> str:
    """Return the template with those of its mounts before it, or alone if theirs are unknown."""
    if not isinstance(template, str):
        return OTHER
    prefix = scope["root_path"][len(scope["app_root_path"]) :].rstrip("/")
    params = scope.get("path_params")
    if prefix and params:
        # The prefix is a path: it holds the values of the mounts' parameters.
        outer = {name: value for name, value in params.items() if f"{{{name}}}" not in template}
        prefix = _with_names(prefix, outer) or ""
    return f"{prefix}{template}"


def _rebuilt(scope: Scope, configured: RouteTemplates) -> str:
    """Return a template made from the path, when only endpoint and parameters are known.

    This is the case with Starlette before 1.0, and for routes that FastAPI takes from Starlette.
    """
    if "app_root_path" in scope and _is_app(scope["endpoint"]):
        return _rest(scope, configured)
    return _with_names(_app_path(scope), scope.get("path_params", {})) or OTHER


def _is_app(endpoint: Any) -> bool:
    """Return whether an endpoint is a mounted ASGI app, rather than what a route calls."""
    while isinstance(endpoint, partial):
        endpoint = endpoint.func
    if isinstance(endpoint, type):
        return False
    code = getattr(endpoint, "__code__", None)
    return code is None or code.co_argcount - ismethod(endpoint) == len(
        ("scope", "receive", "send")
    )


def _with_names(path: str, params: Mapping[str, Any]) -> str | None:
    """Return the path with `{name}` in place of each value; None if a value cannot be found.

    It searches from the right, since the fixed segments stand mostly on the left.
    """
    end = len(path)
    for name, value in reversed([*params.items()]):
        text = str(value)
        start = _rfind_word(path, text, end)
        if start >= 0:
            path = f"{path[:start]}{{{name}}}{path[start + len(text) :]}"
            end = start
        elif not isinstance(value, str):
            # A number, spelled differently in the path. (A missing text belongs to the host.)
            return None
    return path


def _rfind_word(path: str, text: str, end: int) -> int:
    """Return the last position of the text before `end` as whole words, or -1: no `1` in `v1`."""
    start = path.rfind(text, 0, end)
    while start > 0 and (
        path[start - 1].isalnum() or path[start + len(text) : start + len(text) + 1].isalnum()
    ):
        start = path.rfind(text, 0, start + len(text) - 1)
    return start
