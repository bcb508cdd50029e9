"""One served model's whole state: what it is fed, and what it can say."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .counts.version_uses import OTHER_VERSION
from .drift.history import WindowSummary
from .keys import TallyKey
from .learner import Learner
from .outcomes.reference import ModelReference
from .outcomes.scorer import OutcomeScorer, Parts, outcome_scorer
from .outcomes.tally_bytes import AnyTally
from .records import Batch, Histograms, Prediction, Readings
from .settings import ModelSettings
from .versions import Versions


class Model:
    """A model and its versions. Thread-safe.

    Without a reference it learns one from its first rows, which are not scored; `on_learned` is
    told when it is there, and says which one to use. `on_overflow` is told of each label whose cap
    made a value `other`.
    """

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
        self._learner: Learner | None = None
        self._versions: Versions | None = None
        self._outcomes: OutcomeScorer | None = None
        self.reference = reference
        if reference is None:
            self._learner = Learner(settings, on_overflow)
        else:
            self._use(reference)

    def _use(self, reference: ModelReference) -> None:
        self.reference = reference
        self._outcomes = outcome_scorer(self.settings, reference, self._on_overflow)
        self._versions = Versions(self.settings, reference, self._outcomes, self._on_overflow)

    @property
    def has_task(self) -> bool:
        """Whether its predictions can be compared with a ground truth."""
        return self._outcomes is not None

    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs, as configured or as the reference has them."""
        if self.settings.outputs or self.reference is None:
            return self.settings.outputs
        return tuple(column.name for column in self.reference.outputs)

    def feature_names(self) -> tuple[str, ...]:
        """Names of the features in the reference's order; empty while it is being learned."""
        if self.reference is None:
            return ()
        return tuple(column.name for column in self.reference.features)

    def observe(
        self,
        batch: Batch,
        now: float,
        pause: Callable[[], None] = lambda: None,
        *,
        request_bytes: int | None = None,
    ) -> str:
        """Take in rows seen at `now`, Unix seconds; see `Columns.add`.

        Returns:
            The version that they are counted for; `other` where there are too many.
        """
        if self._learner is not None and self._learn(batch, now):
            return self.settings.version
        versions = self._versions
        if versions is None:
            return self.settings.version
        version = versions.admit(batch.version or self.settings.version, now)
        counted = versions.version(version)
        if batch.features:
            counted.features.add(
                batch.features, batch.rows, now, pause, request_bytes=request_bytes
            )
        if batch.predictions:
            named = batch.outputs(counted.outputs.frame.layout.names)
            counted.outputs.add(named, batch.rows, now, pause, request_bytes=request_bytes)
            slices = counted.slices
            if slices is not None and slices.counts_predicted:
                slices.add(slices.outcomes.rows(batch), now)
        return version

    def pending_of(self, batch: Batch, now: float) -> list[Prediction]:
        """Return what is to be kept of these rows, seen at `now`, until their outcome is known.

        One for each row that has an id; none while the model has no task, or learns.
        """
        outcomes, versions = self._outcomes, self._versions
        if outcomes is None or versions is None or not batch.prediction_ids:
            return []
        version = batch.version or self.settings.version
        if versions.is_full_for(version):
            version = OTHER_VERSION
        return outcomes.waiting(batch, version, now)

    def outcome_tallies(
        self, outcomes: Sequence[tuple[Prediction, Any]], now: float
    ) -> tuple[Parts, list[str | None]]:
        """Return what outcomes add to the counts; `restore` adds it. Changes nothing.

        Args:
            outcomes: Predictions, as `pending_of` gave them, and their ground truths. Those that
                are older than a window add nothing to it.
            now: Unix seconds.

        Returns:
            Tallies by key, and for each outcome None or why it is invalid, such as
            `expected a number, got 'x'`.
        """
        if self._outcomes is None:
            return {}, ["expected a model with a task; set task in its configuration"] * len(
                outcomes
            )
        seconds = [window.seconds for window in self.settings.windows]
        return self._outcomes.parts(outcomes, seconds, now)

    def _learn(self, batch: Batch, now: float) -> bool:
        with self._lock:
            learner = self._learner
            if learner is None:
                return False
            learner.observe(batch)
            if learner.rows >= self.settings.learn_rows:
                self._use(self._on_learned(learner.reference(now)))
                self._learner = None
        return True

    def take(self) -> Parts:
        """Return all that was counted since the last call and start again at nothing."""
        return self._versions.take() if self._versions is not None else {}

    def restore(self, parts: Mapping[TallyKey, AnyTally]) -> None:
        """Add what was taken, since it could not be kept elsewhere, or what outcomes add."""
        if self._versions is not None:
            self._versions.restore(parts)

    def load(self, key: TallyKey, data: bytes) -> None:
        """Have a part of what all processes have counted; one of other columns is passed over.

        Raises:
            ValueError: The bytes are no tally.
        """
        if self._versions is not None:
            self._versions.load(key, data)

    def loaded(self) -> Parts:
        """Return all parts of what readings are of."""
        return self._versions.loaded() if self._versions is not None else {}

    def expire(self, now: float, named: Iterable[str] = ()) -> list[str]:
        """Drop the versions that were not used for long, and return them; see `Versions`."""
        return self._versions.expire(now, named) if self._versions is not None else []

    def set_versions(self, stored: Mapping[str, float], now: float) -> bool:
        """Know which versions all processes have, and since when; see `Versions`.

        Returns:
            Whether all that they have counted must be shown anew.
        """
        return self._versions is not None and self._versions.set_versions(stored, now)

    def adopt(self, reference: ModelReference) -> None:
        """Use a reference that another process has learned."""
        with self._lock:
            if self._learner is not None:
                self._use(reference)
                self._learner = None

    def drain(self, pause: Callable[[], None] = lambda: None) -> None:
        """Tally all rows that were taken in, so that readings show them."""
        if self._versions is not None:
            self._versions.drain(pause)

    def readings(
        self, now: float, pause: Callable[[], None] = lambda: None
    ) -> Iterator[Readings | Histograms]:
        """Give all readings at `now`, Unix seconds."""
        if not self.settings.is_shared:
            self.drain(pause)
        yield from self._reference_readings()
        if self._versions is not None:
            yield from self._versions.readings(now)

    def history(
        self, now: float, pause: Callable[[], None] = lambda: None
    ) -> Iterator[WindowSummary]:
        """Give a picture of each side in each window at `now`; readings come first."""
        for picture in self._versions.pictures(now) if self._versions is not None else ():
            yield picture
            pause()

    def _reference_readings(self) -> Iterator[Readings]:
        # The learner is asked for first: another thread may just be done with it.
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
        source = reference.source if reference is not None else "learning"
        task = self._outcomes.task.kind if self._outcomes is not None else s.task
        info = ((s.name, s.version, task, source),)
        yield Readings("mlmon_model_info", (*names, "task", "reference"), info, [1])
