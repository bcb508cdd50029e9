"""One served model: it takes in rows and ground truths, and gives readings."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from .counts.version_uses import OTHER_VERSION
from .derived.reference import NUMBER_BYTES, DerivedReference
from .derived.vector_input import VectorInput
from .drift.history import WindowSummary
from .outcomes.learner import Learner
from .outcomes.reference import ModelReference
from .outcomes.scorer import OutcomeScorer, Tallies, outcome_scorer
from .profile import free_text
from .records import Batch, Histograms, Prediction, Readings, SingleRows
from .settings import ModelSettings
from .versions.versions import Versions

_LEARNING = ModelReference((), (), 0.0, "learning")
"""Stands in for the reference while it is being learned."""


class Model:
    """A model and its versions. Thread-safe.

    Without a reference it learns one from its first rows, which are not scored; `on_learned` gets
    it once it is complete, and returns the one to use. `on_overflow` gets each label whose cap
    made a value `other`.
    """

    versions: Versions
    """Counts of each version; of no columns while the reference is being learned."""

    def __init__(
        self,
        settings: ModelSettings,
        reference: ModelReference | None,
        on_learned: Callable[[ModelReference], ModelReference] = lambda reference: reference,
        on_overflow: Callable[[str], None] = lambda label: None,
    ) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._on_learned = on_learned
        self._on_overflow = on_overflow
        self._learner = Learner(settings, on_overflow) if reference is None else None
        self._scorer: OutcomeScorer | None = None
        self.reference = reference
        if reference is None:
            self.versions = Versions(settings, _LEARNING, None, on_overflow)
        else:
            self._use(reference)

    def _use(self, reference: ModelReference) -> None:
        self.reference = reference
        self._texts, self._output_texts = (
            free_text.sources(column.name for column in side)
            for side in (reference.features, reference.outputs)
        )
        derived = reference.derived
        self._vectors = derived if derived is not None and derived.vectors else None
        self._scorer = outcome_scorer(self.settings, reference, self._on_overflow)
        self.versions = Versions(self.settings, reference, self._scorer, self._on_overflow)

    @property
    def has_task(self) -> bool:
        """True if predictions can be compared with a ground truth."""
        return self._scorer is not None

    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs, as configured or as the reference has them."""
        if self.settings.outputs or self.reference is None:
            return self.settings.outputs
        return free_text.input_names(column.name for column in self.reference.outputs)

    def feature_names(self) -> tuple[str, ...]:
        """Names of the features in the reference's order; empty while it is being learned."""
        if self.reference is None:
            return ()
        names = free_text.input_names(column.name for column in self.reference.features)
        return (*names, *(name for each in self._vector_inputs() for name in each.inputs))

    def vector_names(self) -> tuple[str, ...]:
        """Names of features that are lists or tensors of numbers."""
        return tuple(each.name for each in self._vector_inputs() if not each.parts)

    def _vector_inputs(self) -> Iterator[VectorInput]:
        derived = self.reference.derived if self.reference is not None else None
        for each in derived.vectors if derived is not None else ():
            yield each.source

    def observe(
        self,
        batch: Batch,
        now: float,
        pause: Callable[[], None] = lambda: None,
        *,
        request_bytes: int | None = None,
    ) -> str:
        """Take in rows seen at `now`, Unix seconds; see `RowBuffer.add`.

        Returns:
            The version that they count for; `other` where there are too many.
        """
        if self._learner is not None and self._learn(batch, now):
            return self.settings.version
        name, version = self.versions.admit(batch.version or self.settings.version, now)
        if self._texts or self._output_texts:
            batch = self._sized(batch)
        if self._vectors is not None:
            batch = self._vectors_measured(batch, self._vectors)
            if request_bytes is not None:  # numbers wait as arrays, of which only so many wait
                request_bytes = max(0, request_bytes - NUMBER_BYTES * self._vectors.numbers)
        version.add(batch, now, pause, request_bytes)
        return name

    @property
    def takes_many(self) -> bool:
        """True if `observe_many` can be called: a reference is there, and no column is measured."""
        return self._learner is None and not (self._texts or self._output_texts or self._vectors)

    def observe_many(self, rows: SingleRows, pause: Callable[[], None] = lambda: None) -> str:
        """Take in rows of the configured version as `observe` does one by one; return it."""
        name, version = self.versions.admit(self.settings.version, max(rows.moments))
        version.add_many(rows, pause)
        return name

    def _sized(self, batch: Batch) -> Batch:
        """Return the batch with the characters and words of texts that the reference has so."""
        features, outputs = batch.features, batch.outputs(self._output_texts)
        return batch._replace(
            features=free_text.measured(features, batch.rows, self._texts),
            predictions=free_text.measured(outputs, batch.rows, self._output_texts),
        )

    @staticmethod
    def _vectors_measured(batch: Batch, derived: DerivedReference) -> Batch:
        """Return the batch with measured vectors, which may also be among the predictions."""
        names = {each.source.name for each in derived.vectors}
        answered = {name: v for name, v in batch.predictions.items() if name in names}
        others = {name: v for name, v in batch.predictions.items() if name not in names}
        features = derived.measured({**answered, **batch.features}, batch.rows)
        return batch._replace(features=features, predictions=others)

    def learn_anew(self) -> None:
        """Forget the rows that were learned from, unless they have become the reference."""
        with self._lock:
            if self._learner is not None:
                self._learner = Learner(self.settings, self._on_overflow)

    def _learn(self, batch: Batch, now: float) -> bool:
        with self._lock:
            learner = self._learner
            if learner is None:
                return False
            learner.observe(batch, now)
            if learner.rows >= self.settings.learn_rows:
                self._use(self._on_learned(learner.reference(now)))
                self._learner = None
        return True

    def adopt(self, reference: ModelReference) -> None:
        """Use a reference that another process has learned."""
        with self._lock:
            if self._learner is not None:
                self._use(reference)
                self._learner = None

    def pending_of(self, batch: Batch | SingleRows, now: float) -> list[Prediction]:
        """Return a prediction for each row with an id, to be kept until its outcome is known.

        The rows of a batch were seen at `now`, Unix seconds. None while the model has no task, or
        learns.
        """
        if self._scorer is None or not batch.prediction_ids:
            return []
        version = batch.version or self.settings.version
        if self.versions.is_full_for(version):
            version = OTHER_VERSION
        return self._scorer.pending(batch, version, now)

    def outcome_tallies(
        self, outcomes: Sequence[tuple[Prediction, Any]], now: float
    ) -> tuple[Tallies, list[str | None]]:
        """Return tallies of outcomes, to be added by `Versions.restore`. Changes nothing.

        Args:
            outcomes: Predictions, as `pending_of` gave them, and their ground truths. Those that
                are older than a window add nothing to it.
            now: Unix seconds.

        Returns:
            Tallies by key, and for each outcome None or why it is invalid, such as
            `expected a number, got 'x'`.
        """
        if self._scorer is None:
            problem = "expected a model with a task; set task in its configuration"
            return {}, [problem] * len(outcomes)
        seconds = [window.seconds for window in self.settings.windows]
        return self._scorer.tallies(outcomes, seconds, now)

    def served(
        self, version: str, now: float, seconds: float, *, keeps_bins: bool
    ) -> ModelReference | None:
        """Return the reference of what a version served in the window of `seconds`, up to `now`.

        See `served_columns` for what is kept of the old one; so are outcomes. None without rows.
        """
        old = self.reference
        if old is None:
            return None
        served = self.versions.served(version, now, seconds, keeps_bins=keeps_bins)
        if not any(column.rows for columns in served for column in columns):
            return None
        features, outputs, columns = served
        derived = old.derived and replace(old.derived, columns=columns)
        return ModelReference(features, outputs, now, old.source, old.outcomes, derived=derived)

    def readings(
        self, now: float, pause: Callable[[], None] = lambda: None
    ) -> Iterator[Readings | Histograms]:
        """Give all readings at `now`, Unix seconds."""
        if not self.settings.is_shared:
            self.versions.drain(pause)
        yield from self._reference_readings(now)
        for readings_at in self.versions.sources():
            yield from readings_at(now)

    def history(
        self, now: float, pause: Callable[[], None] = lambda: None
    ) -> Iterator[WindowSummary]:
        """Give a summary of each side in each window at `now`; readings come first."""
        for summary in self.versions.history(now):
            yield summary
            pause()

    def _reference_readings(self, now: float) -> Iterator[Readings]:
        # The learner first: another thread may just be replacing it by the reference.
        learner = self._learner
        s, reference = self.settings, self.reference
        names, labels = ("model", "version"), ((s.name, s.version),)
        learned = learner.rows if learner is not None else 0
        rows = reference.rows if reference is not None else learned
        yield Readings("mlmon_reference_rows", names, labels, [rows])
        yield Readings("mlmon_reference_learning", names, labels, [float(reference is None)])
        if reference is not None:
            created = [reference.created]
            yield Readings("mlmon_reference_timestamp_seconds", names, labels, created)
            is_known = reference.knows_time or self.versions.knows_dependence(now)
            yield Readings("mlmon_dependence_known", names, labels, [float(is_known)])
            if self._scorer is not None and self._scorer.residuals is not None:
                is_known = reference.knows_time or self.versions.knows_outcome_dependence(now)
                yield Readings("mlmon_outcome_dependence_known", names, labels, [float(is_known)])
        source = reference.source if reference is not None else "learning"
        task = self._scorer.task.kind if self._scorer is not None else s.task
        info = ((s.name, s.version, task, source),)
        yield Readings("mlmon_model_info", (*names, "task", "reference"), info, [1])
