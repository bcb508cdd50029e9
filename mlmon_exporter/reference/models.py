"""The models of a configuration, with the references that it names or that were learned."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mlmon_exporter.config.keys import Config, ConfigError, ModelConfig
from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.reference import ModelReference

from .learned import LearnedReferences
from .reference import Reference
from .rows import check_width
from .settings import model_settings


class ConfiguredModels:
    """Builds the models, and gives them the references that other processes have learned."""

    def __init__(self, config: Config, health: Health) -> None:
        """Build them all.

        Raises:
            ConfigError: A reference cannot be used, or does not go with what is configured.
        """
        self._config = config
        self._health = health
        self._learned = LearnedReferences(config.state_dir, config.digest, health)
        self.by_name: Mapping[str, Model] = {m.name: self._build(m) for m in config.models}

    def adopt_learned(self) -> None:
        """Use references that other processes have learned meanwhile."""
        for configured in self._config.models:
            model = self.by_name[configured.name]
            if model.reference is None:
                reference = self._reference(configured)
                if reference is not None:
                    model.adopt(reference)

    def _build(self, configured: ModelConfig) -> Model:
        reference = self._reference(configured)
        try:
            return Model(
                model_settings(self._config, configured),
                reference,
                on_learned=lambda learned: self._learned.keep(configured.name, learned),
                on_overflow=self._health.overflow,
            )
        except ValueError as error:
            raise ConfigError(f"model {configured.name}: {error}") from error

    def _reference(self, configured: ModelConfig) -> ModelReference | None:
        if configured.reference is None:
            return self._learned.find(configured.name)
        path = Path(configured.reference)
        reference = Reference.load(path, self._config.digest).for_model(path.name)
        try:
            check_width([c.name for c in reference.features], self._config.max_features, str(path))
        except ValueError as error:
            raise ConfigError(str(error)) from error
        return reference
