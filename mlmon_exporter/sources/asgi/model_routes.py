"""Which model a request is for, by its route and the path's parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.types import Scope

from mlmon_exporter.config.keys import ModelConfig
from mlmon_exporter.core.counts.requests import OTHER, Traffic
from mlmon_exporter.core.model import Model

from .templates import RouteTemplates

ROUTES_KEPT = 1000


class ModelRoutes:
    """The routes of each model. What was found of a route is remembered."""

    def __init__(self, configured: Sequence[ModelConfig], models: Mapping[str, Model]) -> None:
        self._models = models
        self._routes = {route: model.name for model in configured for route in model.routes}
        rest = [model.name for model in configured if not model.routes]
        self._rest = rest[0] if len(rest) == 1 else OTHER if rest else None
        self.templates = RouteTemplates(self._routes)
        """The routes that the models name."""
        self._known: dict[tuple[str, str], tuple[str, str]] = {}

    @property
    def are_any(self) -> bool:
        """Whether any POST may be a model's, as long as its route is known."""
        return self._rest is not None

    def declare(self, traffic: Traffic) -> None:
        """Have the counts of each model and configured route at 0 before the first request."""
        for name in self._models:
            traffic.declare_rows(name, self._version(name))
        for route, name in self._routes.items():
            traffic.declare(name, self._version(name), route, "POST")

    def model_of(self, scope: Scope, route: str) -> tuple[str, str]:
        """Return the model and version that a request is counted for, or empty texts.

        That is the model which a parameter of the route names, else the route's; `other` where
        several models share the route, and only the body may tell which one is meant.
        """
        method = scope["method"]
        labels = self._known.get((method, route))
        if labels is None:
            labels = self._find_model(method, route)
            if len(self._known) < ROUTES_KEPT:
                self._known[method, route] = labels
        if len(self._models) > 1 and labels[0] and "{" in route:
            return self._model_in_path(scope) or labels
        return labels

    def _find_model(self, method: str, route: str) -> tuple[str, str]:
        name = self._routes.get(route)
        if name is None and method == "POST" and route != OTHER:
            name = self._rest
        return (name, self._version(name)) if name is not None else ("", "")

    def _model_in_path(self, scope: Scope) -> tuple[str, str] | None:
        for value in scope.get("path_params", {}).values():
            if type(value) is str and value in self._models:
                return value, self._version(value)
        return None

    def _version(self, name: str) -> str:
        model = self._models.get(name)
        return model.settings.version if model is not None else ""
