"""The models of a configuration, with the references that it names or that were learned."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mlmon_exporter.config.keys import Config, ConfigError, ModelConfig
from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.reference import ModelReference
from mlmon_exporter.core.settings import ModelSettings, Policy, window_names

from .learned import LearnedReferences
from .reference import Reference, segment_feature


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
        return Reference.load(path, self._config.digest).for_model(path.name)


def model_settings(c: Config, model: ModelConfig) -> ModelSettings:
    """Return what the configuration says of a model."""
    return ModelSettings(
        name=model.name,
        version=model.version or "",
        task=model.task or "",
        windows=window_names([(w.label, w.seconds) for w in c.windows]),
        policy=Policy(
            budget_seconds=c.false_alarm_every.seconds,
            min_window_rows=c.min_window_rows,
            psi_floor=c.psi_floor,
            ks_floor=c.ks_floor,
            share_floor=c.share_floor,
        ),
        engine=c.digest,
        learn_rows=c.learn_rows,
        max_categories=c.max_categories,
        max_versions=c.max_versions,
        max_features=c.max_features,
        with_histograms=c.feature_histograms,
        outputs=tuple(model.outputs),
        score=model.score or "",
        label=model.label or "",
        positive=model.positive or "",
        segments=tuple(map(segment_feature, model.segments)),
        max_segments=c.max_segments,
        is_shared=c.state_dir is not None,
    )
