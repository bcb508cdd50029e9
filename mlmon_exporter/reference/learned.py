"""References that were learned from traffic, kept in the state directory for all workers."""

from __future__ import annotations

import logging
import secrets
from pathlib import Path

from mlmon_exporter.config.keys import ConfigError
from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.labels import short_label
from mlmon_exporter.core.outcomes.reference import ModelReference
from mlmon_exporter.core.profile.categories import with_hidden_names
from mlmon_exporter.core.settings import LEARNED

from .reference import Reference

logger = logging.getLogger(__name__)


class LearnedReferences:
    """The learned references of a state directory; of nowhere, if there is none."""

    def __init__(self, folder: Path | None, engine: str, health: Health) -> None:
        self._folder = folder
        self._engine = engine
        self._health = health

    def find(self, model: str) -> ModelReference | None:
        """Return what was learned for a model, None if nothing was.

        Raises:
            ConfigError: The file is damaged.
        """
        path = self._path(model)
        if path is None or not path.exists():
            return None
        return Reference.load(path, self._engine).for_model(LEARNED)

    def keep(self, model: str, learned: ModelReference) -> ModelReference:
        """Keep what was learned; return it, or what another process was first with.

        Of rare values of features only hashes are kept. Outputs' are what the model itself says,
        and may be classes.
        """
        key = secrets.token_bytes(16)
        hidden = tuple(with_hidden_names(column, key) for column in learned.features)
        learned = learned._replace(features=hidden)
        if learned.unnamed:
            logger.warning(
                "mlmon: model %s: nearly every row is different in %s: an id, a time or free text? "
                "Only whether it is missing is watched; name the model's routes, or build a "
                "reference of the features that you want",
                model,
                ", ".join(map(short_label, learned.unnamed[:10])),
            )
        path = self._path(model)
        if path is None:
            return learned
        reference = Reference(
            learned.features,
            learned.outputs,
            model=model,
            created=learned.created,
            seconds=learned.seconds,
        )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if reference.save_new(path):
                logger.info("mlmon: model %s: learned from %d rows", model, learned.rows)
                return learned
            return Reference.load(path, self._engine).for_model(LEARNED)
        except (OSError, ConfigError) as error:
            self._health.internal_error("store")
            logger.warning("mlmon: cannot keep the learned reference: %s", error)
            return learned

    def _path(self, model: str) -> Path | None:
        if self._folder is None:
            return None
        safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in model)
        return self._folder / f"{safe}.learned-reference.json"
