"""Reader of exchanges: the model and the columns of each, by the format of its route."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import NamedTuple

from mlmon_exporter.config.keys import Config, ConfigError, ModelConfig
from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.labels import OTHER
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.reference import ModelReference
from mlmon_exporter.core.records import Batch, Exchange, ExchangeFields, SingleRows
from mlmon_exporter.core.windows.buffer import SMALL_BYTES
from mlmon_exporter.formats import AUTO, FORMATS, BodyMap, FormatError, Parsed, parse
from mlmon_exporter.formats.alike import Form
from mlmon_exporter.runtime.pace import Pause

from .waiting import GROUP, Waiting

ROUTES_KEPT = 1000
PATIENCE = 8
"""After so many unreadable bodies in a row, most bodies of a route are skipped."""
GROUP_BYTES = 64 * 1024
"""Bodies that are read without a pause: a fraction of a millisecond."""
MOST_SKIPPED = 256
"""At most so many bodies are skipped between two that are tried."""


ArePlain = Callable[[str, str, Collection[str], Collection[str]], bool]
"""Says of a path, a model, features and outputs if all exchanges with these are predictions."""


class _Route:
    """Format and failures of a route's bodies."""

    __slots__ = ("_failures", "_read_alone", "_to_skip", "form", "format", "made_for", "together")

    def __init__(self, format: str) -> None:
        self.format = format
        self.form: Form | None = None
        """Form of the exchanges that can be read together, if one is known."""
        self.made_for: tuple[str, str] = ("", "")
        """Model and path of the exchange that has this form."""
        self.together = GROUP
        """Exchanges that are read together at most: fewer since some did not have the form."""
        self._read_alone = 0
        self._failures = 0
        self._to_skip = 0

    def is_form_wanted(self) -> bool:
        """Count an exchange that is read by itself; True for the 1st, 2nd, 4th, 8th, ..."""
        self._read_alone += 1
        return not self._read_alone & (self._read_alone - 1)

    def alike(self, waiting: Waiting) -> Sequence[int]:
        """Return the numbers of exchanges that may have the form, if their bodies have.

        They are the first of all, and those that come next on its route.
        """
        _, model, _, path, status = waiting.fields[0][:5]
        if self._to_skip or not 200 <= status < 300 or (model, path) != self.made_for:
            return ()
        chosen = _next_on_route(waiting.fields)[: self.together]
        sizes = [waiting.sizes[i] for i in chosen]
        if max(sizes) > SMALL_BYTES or sum(sizes) > GROUP_BYTES:
            sums = zip(sizes, accumulate(sizes), strict=True)
            is_over = (size > SMALL_BYTES or total > GROUP_BYTES for size, total in sums)
            return chosen[: next(i for i, is_last in enumerate(is_over) if is_last)]
        return chosen

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


class Alike(NamedTuple):
    """Exchanges of one model that were read together."""

    model: str
    numbers: Sequence[int]
    """Of the exchanges among those that wait, in ascending order, 0 first."""
    rows: SingleRows


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

    def read(self, exchange: Exchange, pause: Pause = lambda: None) -> tuple[str, Batch] | None:
        """Return the model and the columns; None for an unreadable exchange, which is counted."""
        route = self._routes.get(exchange.route) or self._add_route(exchange)
        if not route.is_worth_trying():
            self._health.drop("unreadable_route")
            return None
        try:
            parsed = self._parsed(exchange, route, pause)
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

    def read_alike(self, waiting: Waiting, are_plain: ArePlain) -> Alike | None:
        """Return the first exchange and those that are alike and come next on its route.

        None where the first one has to be read by itself, as where its columns are not plain.
        """
        route = self._routes.get(waiting.fields[0][2])
        form = route.form if route is not None else None
        if route is None or form is None:
            return None
        name = self._chosen(form.named, waiting.fields[0][1])
        if form.format != route.format or form.body_map is not self._body_map(name):
            return None
        if not self._models[name].takes_many:
            return None
        numbers, rows = _alike(form, route, waiting)
        path = waiting.fields[0][3]
        if rows is None or not are_plain(path, name, rows.features, rows.predictions):
            return None
        route.worked(form.format)
        return Alike(name, numbers, rows)

    def _add_route(self, exchange: Exchange) -> _Route:
        route = _Route(self._formats[exchange.model])
        if len(self._routes) < ROUTES_KEPT:
            self._routes[exchange.route] = route
        return route

    def _parsed(self, exchange: Exchange, route: _Route, pause: Pause) -> Parsed:
        default, settled = exchange.model, self._formats[exchange.model]
        map_of = partial(self._map_of, default=default) if len(self._models) > 1 else None
        body_map = self._body_map(default if default in self._models else next(iter(self._models)))
        try:
            return parse(exchange, body_map, route.format, map_of, pause)
        except FormatError as error:
            if route.format == settled or error.reason == "unknown_model":
                raise
            route.format = settled
            return parse(exchange, body_map, settled, map_of, pause)

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


def _alike(form: Form, route: _Route, waiting: Waiting) -> tuple[Sequence[int], SingleRows | None]:
    """Return the exchanges that have a form, and their rows; None if the first one has it not."""
    chosen = route.alike(waiting)
    if not chosen:
        return (), None
    moments, *_, ids, asked, told = zip(*(waiting.fields[i] for i in chosen), strict=True)
    count, values, answers = form.read(map(b"".join, asked), map(b"".join, told))
    is_whole = 0 < count == len(chosen)
    route.together = min(GROUP, max(route.together, 2 * count)) if is_whole else max(count, 1)
    if not count:
        return (), None
    sides = form.names, values, form.output_names, answers
    return chosen[:count], SingleRows(*sides, moments[:count], ids[:count])


def _next_on_route(fields: Sequence[ExchangeFields]) -> Sequence[int]:
    """Return the first exchange and those that come next on its route and differ in bodies alone.

    Those of other routes in between may be taken in later: routes have nothing in common, but for
    an id that is used twice, which is that of the prediction that came first.
    """
    _, *sides, _, _, _ = zip(*fields, strict=True)
    if all(side.count(side[0]) == len(fields) for side in sides):
        return range(len(fields))
    places = [*zip(*sides, strict=True)]
    first = places[0]
    chosen, passed = [], set()
    for i, place in enumerate(places):
        if place == first:
            if fields[i][5] in passed:
                break
            chosen.append(i)
        elif place[1] == first[1]:
            break
        elif fields[i][5]:
            passed.add(fields[i][5])
    return chosen


def body_map_of(config: Config, settled: ModelConfig, model: Model) -> BodyMap:
    """Return the names and limits by which a model's bodies are read."""
    return BodyMap(
        feature_names=model.feature_names(),
        output_names=model.output_names(),
        vectors=model.vector_names(),
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
