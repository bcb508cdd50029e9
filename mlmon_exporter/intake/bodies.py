"""Reader of exchanges: the model and the columns of each, by the format of its route."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from json import JSONDecodeError

from mlmon_exporter.config.keys import Config, ConfigError, ModelConfig
from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.labels import OTHER
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.reference import ModelReference
from mlmon_exporter.core.records import Batch, Exchange, SingleRows
from mlmon_exporter.core.windows.buffer import SMALL_BYTES
from mlmon_exporter.formats import AUTO, FORMATS, BodyMap, FormatError, Parsed, parse
from mlmon_exporter.formats.alike import Form, Row, joined, loads

ROUTES_KEPT = 1000
PATIENCE = 8
"""After so many unreadable bodies in a row, most bodies of a route are skipped."""
GROUP_BYTES = 48 * 1024
"""Bodies that are read without a pause: a fraction of a millisecond."""
MOST_SKIPPED = 256
"""At most so many bodies are skipped between two that are tried."""


ArePlain = Callable[[Exchange, str, Batch], bool]
"""Says of the first of some exchanges, its model and columns if all like it are predictions."""


class _Route:
    """Format and failures of a route's bodies."""

    __slots__ = ("_failures", "_read_alone", "_to_skip", "form", "format", "made_for")

    def __init__(self, format: str) -> None:
        self.format = format
        self.form: Form | None = None
        """Form of the exchanges that can be read together, if one is known."""
        self.made_for: tuple[str, str] = ("", "")
        """Model and path of the exchange that has this form."""
        self._read_alone = 0
        self._failures = 0
        self._to_skip = 0

    def is_form_wanted(self) -> bool:
        """Count an exchange that is read by itself; True for the 1st, 2nd, 4th, 8th, ..."""
        self._read_alone += 1
        return not self._read_alone & (self._read_alone - 1)

    def is_alike(self, exchange: Exchange) -> bool:
        """Return whether an exchange may have the form, if its bodies have."""
        is_ok = 200 <= exchange.status < 300 and not self._to_skip
        return is_ok and (exchange.model, exchange.path) == self.made_for

    def is_worth_trying(self) -> bool:
        if not self._to_skip:
            return True
        self._to_skip -= 1
        return False

    def worked(self, format: str) -> None:
        self.format = format
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        if self._failures >= PATIENCE:
            self._to_skip = min(2 ** min(self._failures - PATIENCE, 30), MOST_SKIPPED)


class BodyReader:
    """Reads bodies of all models. Used by one thread, the intake's.

    A route's format is recognised once and kept until a body does not fit it. Among several
    models, the one that the request names overrides the route's.
    """

    def __init__(self, config: Config, models: Mapping[str, Model], health: Health) -> None:
        """Look the configured formats up; raises ConfigError for an unknown one."""
        self._config = config
        self._settled = {model.name: model for model in config.models}
        self._formats = {model.name: _known_format(model) for model in config.models}
        self._formats.setdefault(OTHER, _shared_format(config))
        self._models = models
        self._health = health
        self._routes: dict[str, _Route] = {}
        self._maps: dict[str, tuple[ModelReference | None, BodyMap]] = {}

    def read(self, exchange: Exchange) -> tuple[str, Batch] | None:
        """Return the model and the columns; None for an unreadable exchange, which is counted."""
        route = self._routes.get(exchange.route) or self._add_route(exchange)
        if not route.is_worth_trying():
            self._health.drop("unreadable_route")
            return None
        try:
            parsed = self._parsed(exchange, route)
        except FormatError as error:
            self._health.parse_error(error.format, error.reason)
            if error.reason != "unknown_model":  # its bodies may be of another format
                route.failed()
            return None
        route.worked(parsed.format)
        for reason in parsed.problems:
            self._health.parse_error(parsed.format, reason)
        chosen = self._chosen(parsed.named, exchange.model)
        if route.is_form_wanted() and chosen in self._models:
            route.form = Form.of(exchange, parsed, self._body_map(chosen))
            route.made_for = exchange.model, exchange.path
        return chosen, parsed.batch

    def read_alike(
        self, exchanges: Sequence[Exchange], are_plain: ArePlain
    ) -> tuple[str, SingleRows] | None:
        """Return the model and the rows of the first exchanges, as many as are alike.

        None where the first one has to be read by itself, as where its columns are not plain.
        """
        route = self._routes.get(exchanges[0].route)
        form = route.form if route is not None else None
        if route is None or form is None:
            return None
        name = self._chosen(form.named, exchanges[0].model)
        if form.format != route.format or form.body_map is not self._body_map(name):
            return None
        if not self._models[name].takes_many:
            return None
        alike = _alike(form, route, exchanges)
        first = next(alike, None)
        if first is None or not are_plain(exchanges[0], name, Batch(*first[:2], 1)):
            return None
        rows = [first, *alike]
        route.worked(form.format)
        return name, SingleRows(*zip(*rows, strict=True))

    def _add_route(self, exchange: Exchange) -> _Route:
        route = _Route(self._formats[exchange.model])
        if len(self._routes) < ROUTES_KEPT:
            self._routes[exchange.route] = route
        return route

    def _parsed(self, exchange: Exchange, route: _Route) -> Parsed:
        default, settled = exchange.model, self._formats[exchange.model]
        map_of = partial(self._map_of, default=default) if len(self._models) > 1 else None
        body_map = self._body_map(default if default in self._models else next(iter(self._models)))
        try:
            return parse(exchange, body_map, route.format, map_of)
        except FormatError as error:
            if route.format == settled or error.reason == "unknown_model":
                raise
            route.format = settled
            return parse(exchange, body_map, settled, map_of)

    def _chosen(self, named: str | None, default: str) -> str:
        return named if named is not None and named in self._models else default

    def _map_of(self, name: str | None, default: str) -> BodyMap:
        chosen = self._chosen(name, default)
        if chosen not in self._models:
            raise FormatError("unknown_model", "request: expected the name of a configured model")
        return self._body_map(chosen)

    def _body_map(self, name: str) -> BodyMap:
        # A learned reference brings names, and so changes the map.
        model = self._models[name]
        kept = self._maps.get(name)
        if kept is None or kept[0] is not model.reference:
            kept = (model.reference, body_map_of(self._config, self._settled[name], model))
            self._maps[name] = kept
        return kept[1]


def _alike(
    form: Form, route: _Route, exchanges: Sequence[Exchange]
) -> Iterator[tuple[Row, Row, float]]:
    """Give features, predictions and time of the first exchanges that have a form."""
    most, route_name = GROUP_BYTES, exchanges[0].route
    for exchange in exchanges:
        asked, told = joined(exchange.request_chunks), joined(exchange.response_chunks)
        size = len(asked) + len(told)
        most -= size
        is_near = exchange.route == route_name and route.is_alike(exchange)
        if not is_near or size > SMALL_BYTES or most < 0:
            return
        try:
            features, answer = form.features(loads(asked)), form.answer(loads(told))
        except JSONDecodeError:
            return
        if features is None or answer is None:
            return
        yield features, answer, exchange.arrived


def body_map_of(config: Config, settled: ModelConfig, model: Model) -> BodyMap:
    """Return the names and limits by which a model's bodies are read."""
    return BodyMap(
        feature_names=model.feature_names(),
        output_names=model.output_names(),
        features=settled.features,
        predictions=settled.predictions,
        max_rows=config.max_rows,
        max_features=config.max_features,
        max_inflated_bytes=config.max_inflated_bytes,
    )


def _known_format(model: ModelConfig) -> str:
    known = [AUTO, *(row.name for row in FORMATS)]
    if model.format not in known:
        raise ConfigError(
            f"model {model.name}: format: expected {', '.join(known)}, got {model.format!r}"
        )
    return model.format


def _shared_format(config: Config) -> str:
    """Return the format of routes that several models share, if theirs is the same."""
    formats = {model.format for model in config.models if not model.routes}
    return formats.pop() if len(formats) == 1 else AUTO
