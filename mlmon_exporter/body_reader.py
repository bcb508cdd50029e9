"""Exchanges of a model as columns: in its configured format, or in the one that a route has."""

from __future__ import annotations

from .config import Config, ConfigError, ModelConfig
from .core.health import Health
from .core.model import Model
from .core.records import Batch, Exchange
from .core.settings import ModelReference
from .formats import AUTO, FORMATS, BodyMap, FormatError, parse

ROUTES_KEPT = 1000


class BodyReader:
    """Reads bodies of a model. Used by one thread, the intake's."""

    def __init__(self, config: Config, settled: ModelConfig, model: Model, health: Health) -> None:
        """Check that there is such a format; raises ConfigError."""
        known = [AUTO, *(row.name for row in FORMATS)]
        if settled.format not in known:
            raise ConfigError(
                f"model {settled.name}: format: expected {', '.join(known)}, got {settled.format!r}"
            )
        self._config = config
        self._settled = settled
        self._model = model
        self._health = health
        self._formats: dict[str, str] = {}  # route -> format, where it was recognised
        self._map: tuple[ModelReference | None, BodyMap] | None = None

    def read(self, exchange: Exchange) -> Batch | None:
        """Return the columns; None where nobody can read them, which is counted."""
        try:
            return self._read(exchange)
        except FormatError as error:
            self._health.parse_error(error.format, error.reason)
            return None

    def _read(self, exchange: Exchange) -> Batch:
        body_map, settled = self._body_map(), self._settled.format
        remembered = self._formats.get(exchange.route, settled)
        try:
            parsed = parse(exchange, body_map, remembered)
        except FormatError:
            if remembered == settled:
                raise
            del self._formats[exchange.route]
            parsed = parse(exchange, body_map, settled)
        if parsed.format != remembered and len(self._formats) < ROUTES_KEPT:
            self._formats[exchange.route] = parsed.format
        for reason in parsed.problems:
            self._health.parse_error(parsed.format, reason)
        return parsed.batch

    def _body_map(self) -> BodyMap:
        # Names are known once there is a reference: a learned one changes the map.
        reference = self._model.reference
        if self._map is None or self._map[0] is not reference:
            body_map = BodyMap(
                feature_names=self._model.feature_names(),
                output_names=self._model.output_names(),
                features=self._settled.features,
                predictions=self._settled.predictions,
                max_rows=self._config.max_rows,
                max_features=self._config.max_features,
                max_inflated_bytes=self._config.max_inflated_bytes,
            )
            self._map = (reference, body_map)
        return self._map[1]
