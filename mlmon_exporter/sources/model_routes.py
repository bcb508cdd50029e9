"""The model that a request is for, by its route and the path's parameters."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ref

from starlette.types import Scope

from mlmon_exporter.config.keys import ModelConfig
from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.counts.requests import RequestCounts
from mlmon_exporter.core.labels import OTHER
from mlmon_exporter.runtime.once import Once

from .asgi.routes import is_fixed, route_of
from .endings import Labels
from .templates import RouteTemplates

if TYPE_CHECKING:
    from mlmon_exporter.core.model import Model

logger = logging.getLogger(__name__)

InFlight = Scope | Callable[[], Labels]
"""A request being served: its scope, or a function that tells its labels as they are known now."""
ROUTES_KEPT = 1000
UNMATCHED_PATIENCE = 20
"""After so many POSTs, none of them on a configured route, the log says so."""


def _forget(plain: dict[tuple[int, str], Labels], key: tuple[int, str], _: object) -> None:
    """Drop a route that is gone, before another can have its identity."""
    plain.pop(key, None)


def _none() -> None:
    """Stand in for a weak reference to None."""


class ModelRoutes:
    """The routes of each model; the model of each route is looked up once."""

    def __init__(
        self, configured: Sequence[ModelConfig], models: Mapping[str, Model], health: Health
    ) -> None:
        self._models = models
        self._health = health
        self._is_first_missed = Once()
        self._is_matched = False
        self._unmatched: list[str] = []
        self._routes = {route: model.name for model in configured for route in model.routes}
        rest = [model.name for model in configured if not model.routes]
        self._rest = rest[0] if len(rest) == 1 else OTHER if rest else None
        self._templates = RouteTemplates(self._routes)
        self._known: dict[tuple[str, str], Labels] = {}
        self._paths: dict[tuple[str, str, RouteTemplates], Labels] = {}
        self._fixed: dict[tuple[Any, ...], tuple[Labels, Callable[[], Any], Callable[[], Any]]] = {}
        self._plain: dict[tuple[int, str], Labels] = {}
        """Those of routes of the app itself, by identity; they leave with their route."""

    def declare(self, requests: RequestCounts) -> None:
        """Start the counts of each model and configured route at 0, before the first request."""
        for name in self._models:
            requests.declare_rows(name, self._version(name))
        for route, name in self._routes.items():
            requests.declare(name, self._version(name), route, "POST")

    def find(self, scope: Scope) -> Labels:
        """Return the labels that a request is counted under.

        The model is the one that a parameter of the route names, else the route's; `other` where
        several models share the route and only the body can tell.
        """
        # The usual case, once for each request: a route of the app itself, without parameters.
        labels = self._plain.get((id(scope.get("route")), scope["method"]))
        if labels is None or "app_root_path" in scope or "fastapi" in scope:
            return self._find_placed(scope)
        return labels

    def _find_placed(self, scope: Scope) -> Labels:
        """Return the same of a route that is new, has parameters, or is mounted or included."""
        get, method = scope.get, scope["method"]
        named, fastapi = get("route"), get("fastapi")
        context = fastapi.get("effective_route_context") if fastapi else None
        place = id(context), get("root_path"), get("app_root_path")
        is_placed = "fastapi" in scope or "app_root_path" in scope
        key = (id(named), method, *place) if is_placed else (id(named), method)
        params = get("path_params")
        known = self._fixed.get(key)
        if known is not None and not params and known[1]() is named and known[2]() is context:
            return known[0]
        route = route_of(scope, self._templates)
        labels = self.labels(method, route, params.values() if params and "{" in route else ())
        if not params and is_fixed(named) and (known or len(self._fixed) < ROUTES_KEPT):
            # Weak, or an app that is gone would stay: its routes know it, and threads know us.
            with suppress(TypeError):
                gone = partial(_forget, self._plain, key[:2])
                told = _none if context is None else ref(context)
                self._fixed[key] = labels, ref(named, gone), told
                if not is_placed:
                    self._plain[key[:2]] = labels
        return labels

    def find_path(self, method: str, path: str, known: RouteTemplates) -> Labels:
        """Return the same where only the path is known: configured routes come before `known`."""
        key = method, path, known
        labels = self._paths.get(key)
        if labels is None:
            templates = self._templates if self._templates.find(path) else known
            labels = self.labels(method, templates.find(path) or OTHER, templates.values(path))
            if len(self._paths) < ROUTES_KEPT:
                self._paths[key] = labels
        return labels

    def find_named(self, path: str, name: str) -> Labels | None:
        """Return the labels of a call that names its model; None where no model is meant.

        Args:
            path: Looked up in the configured routes, of whichever model.
            name: That of the model, where it has no routes: the path is the route then.
        """
        route = self._templates.find(path)
        if route is not None:
            return self.labels("POST", route, ())
        is_open = name in self._models and name not in self._routes.values()
        return (name, self._version(name), path) if is_open else None

    def labels(self, method: str, route: str, params: Iterable[Any]) -> Labels:
        """Return the same where the route is known, and what stands for its parameters."""
        labels = self._known.get((method, route))
        if labels is None:
            labels = self._find_model(method, route)
            if len(self._known) < ROUTES_KEPT:
                self._known[method, route] = labels
        if len(self._models) > 1 and labels[0]:
            return self._model_among(params, route) or labels
        return labels

    def in_progress(self, served: Iterable[InFlight]) -> Mapping[tuple[str, ...], int]:
        """Return the number of requests being served by model, version and route."""
        return Counter(each() if callable(each) else self.find(each) for each in served)

    def missed(self, route: str) -> None:
        """Count a POST that may have been a model's, on a route that nothing names.

        The first one logs what to do.
        """
        if self._rest is None:
            self._count_unmatched(route)
            return
        if route != OTHER:
            return
        self._health.drop("unknown_route")
        if self._is_first_missed():
            logger.warning(
                "mlmon: a POST was answered, but the app does not name its route, so its body is "
                'not read; set routes = ["/predict"] to the paths of your model '
                "(later ones are only counted, as unknown_route)"
            )

    def _count_unmatched(self, route: str) -> None:
        """Count POSTs while no configured route was ever asked for: they may be misspelt."""
        if self._is_matched:
            return
        if len(self._unmatched) < UNMATCHED_PATIENCE:
            self._unmatched.append(route)
            return
        self._health.drop("unknown_route")
        if self._is_first_missed():
            logger.warning(
                "mlmon: %d POSTs were answered, and none was on a route of a model: configured are "
                "%s, the app's are %s; set routes to the paths of your model as the app has them "
                "(later ones are only counted, as unknown_route)",
                *(UNMATCHED_PATIENCE, ", ".join(self._routes)),
                ", ".join(dict.fromkeys(self._unmatched)),
            )

    def _find_model(self, method: str, route: str) -> Labels:
        name = self._routes.get(route)
        self._is_matched = self._is_matched or (name is not None and method == "POST")
        if name is None and method == "POST" and route != OTHER:
            name = self._rest
        return (name, self._version(name), route) if name is not None else ("", "", route)

    def _model_among(self, params: Iterable[Any], route: str) -> Labels | None:
        for value in params:
            if type(value) is str and value in self._models:
                return value, self._version(value), route
        return None

    def _version(self, name: str) -> str:
        model = self._models.get(name)
        return model.settings.version if model is not None else ""
