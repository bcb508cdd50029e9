"""The rule of which exchanges are predictions; docs/bodies.md states it for users.

Requests of known protocols that are none (GraphQL, JSON-RPC, a model repository) never are. With
a reference, a row must hold some of its columns. While one is learned, the model's `routes` say
what to learn from; without them an exchange must hold no secret, and its route be the one that
the model's bodies come by.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from mlmon_exporter.config.keys import ModelConfig
from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.labels import OTHER
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.reference import ModelReference
from mlmon_exporter.core.profile.free_text import is_secret
from mlmon_exporter.core.records import Batch, Exchange

logger = logging.getLogger(__name__)

NEEDED, FEW_COLUMNS = 2, 3
"""A row must hold so many of the reference's features; one, where it has but these few."""
ALIKE_SHARE = 0.5
"""Bodies are alike that share at least half of their names."""
MAIN_SHARE = 0.9
"""A model is learned from routes that at least this share of all bodies came by."""
MOST_ROUTES = 50
"""Routes that are told apart; the others are `other`."""
UNKNOWN_PATIENCE = 20
"""After so many answers without an output of the reference's, the log says so."""

_REPOSITORY = "/v2/repository/"
_NAMED = re.compile(r"/(?:v[12]/models|predictions)/([^/:]+)")
"""The model in a path of KServe's, Triton's, TF Serving's or TorchServe's."""
_GRAPHQL = re.compile(r"\s*(?:\{|(?:query|mutation|subscription|fragment)\b[^{]{0,300}\{)")
_GRAPHQL_KEYS = frozenset(("query", "variables", "operationName", "extensions"))

TEXTS = {
    "other_protocol": "speaks GraphQL, JSON-RPC or a model repository's protocol",
    "another_model": "names another model in its path",
    "unknown_columns": "holds too few of the reference's features",
    "secret": "holds what is called a password or a token: nothing is learned from it",
    "unclear_route": "is one of several that may be the model's: nothing is learned from it",
}
"""Reason that an exchange is no prediction -> what the log says of its route."""


class Predictions:
    """Tells predictions from other exchanges, which are counted. Used by the intake's thread."""

    def __init__(
        self, configured: Iterable[ModelConfig], models: Mapping[str, Model], health: Health
    ) -> None:
        self._models = models
        self._health = health
        self._learned_from = {
            model.name: None if model.routes else LearnedRoutes() for model in configured
        }
        self._known: dict[str, tuple[ModelReference, frozenset[str], frozenset[str]]] = {}
        self._told: set[tuple[str, str]] = set()
        self._unknown_outputs: dict[str, int] = {}
        self._named: dict[str, set[str]] = {}
        """Model without routes -> the first names that paths had for it: two at most."""

    def has(self, exchange: Exchange, name: str, batch: Batch) -> bool:
        """Return whether the rows of an exchange are predictions of this model."""
        reason = self._refusal(exchange, name, batch)
        if reason is not None:
            self._refuse(exchange.route, name, reason)
        return reason is None

    def are_plain(
        self, path: str, name: str, features: Collection[str], predictions: Collection[str]
    ) -> bool:
        """Return whether all exchanges with these columns are predictions with known outputs.

        Then `has` says so of each, whatever its values are, and one call speaks for all of them.
        """
        reference = self._models[name].reference
        if reference is None or _REPOSITORY in path or self._names_another(path, name):
            return False
        known, outputs = self._columns(name, reference)
        needed = 1 if len(known) <= FEW_COLUMNS else NEEDED
        if not (_holds(features, known, needed) and _has_output(predictions, outputs)):
            return False
        if outputs:
            self._check_outputs(name, is_known=True)
        return True

    def _refusal(self, exchange: Exchange, name: str, batch: Batch) -> str | None:
        if _REPOSITORY in exchange.path:
            return "other_protocol"
        if self._names_another(exchange.path, name):
            return "another_model"
        reference = self._models[name].reference
        if reference is None:
            return self._not_learned(exchange, name, batch)
        features, outputs = self._columns(name, reference)
        if features and batch.features:
            if not _holds(batch.features, features, 1 if len(features) <= FEW_COLUMNS else NEEDED):
                return _other_protocol(batch.features) or "unknown_columns"
        elif outputs.isdisjoint(batch.predictions):  # of a body that was not read: by name alone
            return "unknown_columns"
        if outputs and batch.predictions:
            self._check_outputs(name, _has_output(batch.predictions, outputs))
        return None

    def _names_another(self, path: str, name: str) -> bool:
        """Return whether a path names a model that is not this one, which others have named.

        Where none does, the model has one name here and one in the paths.
        """
        found = _NAMED.search(path) if self._learned_from[name] is not None else None
        if found is None:
            return False
        seen = self._named.setdefault(name, set())
        if (found[1] not in seen and len(seen) < 2) or found[1] == name:
            seen.add(found[1])
        if name not in seen and len(seen) > 1 and self._is_new(name, "another_model"):
            logger.warning(
                "mlmon: model %s: the paths of requests name the models %s, and all are counted "
                "as one; name each in [[models]], or set routes",
                *(name, ", ".join(sorted(seen))),
            )
        return name in seen and found[1] != name

    def _columns(
        self, name: str, reference: ModelReference
    ) -> tuple[frozenset[str], frozenset[str]]:
        known = self._known.get(name)
        if known is None or known[0] is not reference:
            model = self._models[name]
            outputs = frozenset(model.output_names())
            known = self._known[name] = (reference, frozenset(model.feature_names()), outputs)
        return known[1:]

    def _check_outputs(self, name: str, is_known: bool) -> None:
        """Say once in the log that the answers have none of the reference's outputs."""
        if is_known:
            self._unknown_outputs[name] = 0
            return
        self._health.drop("unknown_outputs")
        missed = self._unknown_outputs[name] = self._unknown_outputs.get(name, 0) + 1
        if missed == UNKNOWN_PATIENCE and self._is_new(name, "unknown_outputs"):
            logger.warning(
                "mlmon: model %s: %d answers in a row had none of the reference's outputs (%s), so "
                'that predictions are missing; set outputs = [...] or predictions = "a.path", or '
                "see 'mlmon-exporter check --body request.json --response response.json'",
                *(name, missed, ", ".join(sorted(self._known[name][2])[:10])),
            )

    def _not_learned(self, exchange: Exchange, name: str, batch: Batch) -> str | None:
        """Return why a model whose reference is being learned learns nothing from an exchange."""
        other = _other_protocol(batch.features)
        routes = self._learned_from[name]
        if other is not None or routes is None:
            return other
        if any(map(is_secret, (*batch.features, *batch.predictions))):
            return "secret"
        names = frozenset(batch.features or batch.predictions)
        if not routes.are_main(exchange.route, names):
            return "unclear_route"
        if routes.is_another(exchange.route):
            self._models[name].learn_anew()
        return None

    def _refuse(self, route: str, name: str, reason: str) -> None:
        is_known = (route, reason) in self._told
        label = route if is_known or len(self._told) < MOST_ROUTES else OTHER
        self._health.no_prediction(label, reason)
        if label != OTHER and self._is_new(route, reason):
            logger.warning(
                "mlmon: model %s: a POST to %s %s; it is not counted as a prediction; "
                'set routes = ["/predict"] to the paths of your model '
                "(later ones only count, in mlmon_not_predictions_total)",
                *(name, route, TEXTS[reason]),
            )

    def _is_new(self, what: str, reason: str) -> bool:
        is_new = (what, reason) not in self._told
        self._told.add((what, reason))
        return is_new


class LearnedRoutes:
    """The routes that a model without `routes` may be learned from, and the one that it is."""

    def __init__(self) -> None:
        self._routes: dict[str, _Route] = {}
        self._chosen: str | None = None

    def are_main(self, route: str, names: frozenset[str]) -> bool:
        """Return whether nearly all bodies so far came by this route, or had its names.

        Args:
            route: The route of a body that can be read.
            names: Its features.
        """
        seen = self._routes.get(route)
        if seen is None:
            if len(self._routes) >= MOST_ROUTES:
                return False
            seen = self._routes[route] = _Route()
        seen.add(names)
        bodies = sum(each.bodies for each in self._routes.values())
        alike = [each for each in self._routes.values() if each is seen or each.is_like(seen)]
        return seen.is_steady and sum(each.bodies for each in alike) >= MAIN_SHARE * bodies

    def is_another(self, route: str) -> bool:
        """Return whether rows were learned before from routes that this one is not like."""
        before, self._chosen = self._chosen, route
        if before is None or before == route:
            return False
        return not self._routes[before].is_like(self._routes[route])


class _Route:
    """The bodies that came by a route."""

    __slots__ = ("_alike", "_names", "bodies")

    def __init__(self) -> None:
        self._names: set[str] = set()
        self.bodies = self._alike = 0

    def add(self, names: frozenset[str]) -> None:
        self._alike += not self._names or len(names & self._names) >= ALIKE_SHARE * len(names)
        self.bodies += 1
        if len(self._names) < 10_000:
            self._names |= names

    @property
    def is_steady(self) -> bool:
        return self._alike >= MAIN_SHARE * self.bodies

    def is_like(self, other: _Route) -> bool:
        fewer = min(len(self._names), len(other._names))
        return len(self._names & other._names) >= ALIKE_SHARE * fewer


def _has_output(found: Collection[str], outputs: frozenset[str]) -> bool:
    return len(found) == len(outputs) == 1 or not outputs.isdisjoint(found)


def _holds(columns: Collection[str], known: frozenset[str], needed: int) -> bool:
    """Return whether so many of the columns are known; ends at the first that suffice."""
    for name in columns:
        if name in known:
            needed -= 1
            if not needed:
                return True
    return False


def _other_protocol(columns: Mapping[str, Any]) -> str | None:
    is_rpc = "jsonrpc" in columns and "method" in columns
    return "other_protocol" if is_rpc or _is_graphql(columns) else None


def _is_graphql(columns: Mapping[str, Any]) -> bool:
    query = columns.get("query")
    if isinstance(query, list) and query:
        query = query[0]
    if not isinstance(query, str) or not _GRAPHQL.match(query):
        return False
    return _roots(columns) <= _GRAPHQL_KEYS


def _roots(names: Collection[str]) -> set[str]:
    """Return the keys of the body whose values, maybe nested, became columns of these names."""
    return {re.split(r"[.\[]", name, maxsplit=1)[0] for name in names}
