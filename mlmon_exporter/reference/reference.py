"""The reference that a model's traffic is compared with: built from data, kept in one JSON file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from mlmon_exporter.config.keys import Config, ConfigError, Duration
from mlmon_exporter.core.coerce import times
from mlmon_exporter.core.derived.reference import DerivedReference
from mlmon_exporter.core.drift.readings import ROLES
from mlmon_exporter.core.outcomes.profile import (
    OutcomeColumns,
    RowTimes,
    outcome_reference,
    with_expected,
)
from mlmon_exporter.core.outcomes.quality import quality
from mlmon_exporter.core.outcomes.reference import ModelReference, OutcomeReference
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.profile.free_text import is_secret
from mlmon_exporter.core.profile.from_digest import reference_from_digest
from mlmon_exporter.core.profile.merge import merge_sides
from mlmon_exporter.core.profile.profiler import Profiler
from mlmon_exporter.core.profile.text_profile import without_long_names
from mlmon_exporter.core.settings import Choice

from .compare import Comparison, chosen, compare
from .derived import derived_reference, merge_derived, vector_inputs
from .importance import weighed
from .json_file import MOST_BYTES, Content, read, write
from .passes import Clock, profiled, with_variation
from .rows import check_names, check_width, rows_of, with_all, with_text_sizes
from .settings import Segment, model_settings, segment_feature


class Reference:
    """Reference: distributions of a model's features and outputs when all was well.

    Holds bin edges, exact counts and t-digests of each column: no rows.
    """

    def __init__(
        self,
        features: Sequence[ColumnReference],
        outputs: Sequence[ColumnReference] = (),
        *,
        outcomes: OutcomeReference | None = None,
        model: str = "",
        created: float | None = None,
        seconds: float = 0.0,
        derived: DerivedReference | None = None,
    ) -> None:
        self.features = tuple(features)
        self.outputs = tuple(outputs)
        self.outcomes = outcomes
        self.model = model
        self.created = time.time() if created is None else created
        self.seconds = seconds
        self.derived = derived

    def __repr__(self) -> str:
        features, outputs = len(self.features), len(self.outputs)
        return f"<Reference {self.model!r}: {features} features, {outputs} outputs>"

    @property
    def sides(self) -> dict[str, tuple[ColumnReference, ...]]:
        """Columns by side: `feature`, `output` and `derived`."""
        return dict(zip((role.label for role in ROLES), self.for_model("").sides, strict=True))

    @property
    def rows(self) -> int:
        """Rows that it was built from."""
        return self.for_model("").rows

    @property
    def vector_columns(self) -> tuple[str, ...]:
        """Columns of vectors, or of their numbers."""
        vectors = self.derived.vectors if self.derived is not None else ()
        return tuple(name for each in vectors for name in each.source.inputs)

    @property
    def quality(self) -> dict[str, float]:
        """Quality of the predictions on these rows, by name; empty without ground truth."""
        sums = self.outcomes.sums(self.outputs) if self.outcomes is not None else None
        found = quality(sums) if sums is not None else {}
        return {name: float(values[0]) for name, values in found.items() if values[0] == values[0]}

    @classmethod
    def build(  # noqa: PLR0913 - each says which part a column plays
        cls,
        data: Any,
        *,
        model: str = "",
        features: Iterable[str] | None = None,
        predictions: Iterable[str] | str = (),
        ground_truth: str | None = None,
        task: str = "",
        score: str = "",
        label: str = "",
        positive: str = "",
        segments: Iterable[Segment] = (),
        time_column: str | None = None,
        categorical: Iterable[str] = (),
        ignore: Iterable[str] = (),
        max_categories: int = 50,
        max_features: int = Config.model_fields["max_features"].default,
        windows: Iterable[str | float] = ("1h", "24h"),
        engine: str = "fastdigest",
        importance: Mapping[str, float] | None = None,
        progress: Callable[[int], None] = lambda rows: None,
        like: Reference | None = None,
        joint: bool = True,
        vectors: Iterable[str] = (),
    ) -> Self:
        """Build a reference in two passes over the data, in constant memory.

        With a time column there is a third: stretches of each window's length are scored against
        the rest, so that what unchanged time brings is no drift later.

        Args:
            data: A mapping name -> 1-D array or list, a DataFrame, an Arrow table, or a function
                that gives the rows anew at each call, as an iterable of (mapping, rows).
            features: Which columns are features; all that have no other part by default.
            predictions: The columns with the model's outputs.
            ground_truth: The column with the outcome. With it and predictions, the reference also
                says how good the model was.
            task: "classification" or "regression"; inferred from the ground truth if empty: texts,
                and two numbers, are classes.
            score: The prediction that is the positive class's probability; inferred if empty.
            label: The prediction that is the class, or a regression's number; inferred if empty.
            positive: The class that counts as positive; of two, the last in order if empty.
            segments: Features by which rows are sliced: a name, or a name and the edges of ranges.
            time_column: The column with the time of a row: timestamps, ISO 8601 texts, or Unix
                seconds.
            categorical: Numeric columns that are categories. Strings are categories anyway.
            ignore: Columns that are left out.
            max_features: The server's setting: it takes no reference of more features.
            windows: The lengths of the windows that the monitor will have, such as "1h" or 3600.
            importance: Feature -> its weight for the predictions, 0 or more, as a model or SHAP
                gives it. Measured by how predictions depend on it if None, in one more pass.
            progress: Called with the rows that were read since the last call.
            like: Take over the columns of this reference, their parts and kinds, and count into
                its cells: parts of the data that are built `like` one reference add up exactly to
                the whole that is built `like` it. `features`, `predictions`, `categorical` and
                `max_categories` are settled by it, and a column that is not there is missing.
            joint: Derive columns that tell how features go together, where two or more are
                numbers and rows are enough; see `JointColumns`.
            vectors: Columns of embeddings or other tensors, or the beginning of the names of their
                numbers' columns, such as `emb_*`. A few columns are derived from each; see
                `VectorColumns`.

        Raises:
            ValueError: There are no rows, columns differ in length or are too many, a named one is
                not there, one holds texts where `like` has numbers, or rows are too few for a
                vector.
            KindError: Texts that were counted already are mostly numbers.
        """
        vectors = tuple(vectors) if like is None else ()
        taken = like.vector_columns if like is not None else vectors
        chunks = data if callable(data) else lambda: [rows_of(data, taken)]
        outputs = [predictions] if isinstance(predictions, str) else list(predictions)
        wanted = list(features) if features is not None else None
        ignore = tuple(ignore)
        roles = (ground_truth, time_column)
        left_out = {*outputs, *ignore, *filter(None, roles)}
        first: Mapping[str, Any] = next(iter(chunks()), ({}, 0))[0] if vectors else {}
        found = vector_inputs(vectors, first)
        left_out |= {name for each in found for name in each.columns}
        sides = ((), ()) if like is None else (like.features, like.outputs)
        if like is not None:
            wanted, outputs = ([column.name for column in side] for side in sides)
            chunks = with_all(with_text_sizes(chunks, [*wanted, *outputs]), [*wanted, *outputs])
        profilers = [
            Profiler(engine, categorical, max_categories, like=side, with_texts=like is None)
            for side in sides
        ]
        named = [*(wanted or ()), *outputs, *ignore, *categorical, *filter(None, roles)]

        def names_of(columns: Mapping[str, Any]) -> tuple[list[str], list[str]]:
            check_names(columns, named)
            chosen = [n for n in columns if n not in left_out] if wanted is None else wanted
            check_width(chosen, max_features)
            return chosen, outputs

        columns = profiled(profilers, chunks, names_of, progress)
        chunks = with_text_sizes(chunks, [column.name for side in columns for column in side])
        row_times = clock = None
        if time_column is not None:
            seconds = [Duration.parse(w).seconds if isinstance(w, str) else w for w in windows]
            clock = Clock(time_column, seconds)
            both = with_variation([*columns[0], *columns[1]], chunks, clock)
            columns = [both[: len(columns[0])], both[len(columns[0]) :]]
            row_times = RowTimes(lambda rows: times(rows[time_column]), seconds)
        of_rows = OutcomeColumns(
            ground_truth or "",
            features=columns[0],
            outputs=columns[1],
            choice=Choice(task, score, label, positive),
            segments=[segment_feature(each) for each in segments],
            times=row_times,
        )
        columns[0] = weighed(columns, chunks, importance, like.features if like else None)
        outcomes = outcome_reference(chunks, of_rows, engine, like.outcomes if like else None)
        made = cls(*columns, outcomes=outcomes, model=model)
        known = made.for_model("").features
        if outcomes is not None and like is None:
            of_rows = of_rows._replace(features=known)
            made.outcomes = with_expected(chunks, of_rows, outcomes)
        if joint or found:
            derived = like.derived if like is not None else None
            together = known if joint else ()
            made.derived = derived_reference(together, chunks, clock, engine, derived, found)
        return made

    @classmethod
    def from_tdigests(cls, features: Mapping[str, Any], *, model: str = "") -> Self:
        """Build a reference from digests that a training job keeps with the `tdigest` package.

        Args:
            features: Name -> `tdigest.TDigest`, or its dictionary form.

        The counts are read off the digests, and thresholds allow for their rank error.
        """
        columns = []
        for name, digest in features.items():
            form = digest if isinstance(digest, Mapping) else digest.to_dict()
            try:
                columns.append(reference_from_digest(name, form))
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
        return cls(columns, model=model)

    @classmethod
    def load(cls, path: str | os.PathLike[str], engine: str = "fastdigest") -> Self:
        """Read a reference file.

        Raises:
            ConfigError: The file is not there or damaged; says which key.
        """
        file = Path(path)
        try:
            with file.open("rb") as opened:
                content = opened.read(MOST_BYTES + 1)
            return cls.from_bytes(content, engine)
        except OSError as error:
            raise ConfigError(
                f"{file}: cannot read the reference: {error.strerror}; "
                "make one with 'mlmon-exporter build-reference'"
            ) from error
        except ValueError as error:
            raise ConfigError(f"{file}: {error}") from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a reference file, whole or not at all."""
        file = Path(path)
        part = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            part.write_bytes(self.to_bytes())
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)

    def save_new(self, path: str | os.PathLike[str]) -> bool:
        """Write a reference file that its owner alone reads, unless there is one; False if so."""
        file = Path(path)
        part = file.with_name(f".{file.name}.{os.getpid()}.new")
        try:
            part.touch(mode=0o600)
            part.write_bytes(self.to_bytes())
            file.hardlink_to(part)
        except FileExistsError:
            return False
        finally:
            part.unlink(missing_ok=True)
        return True

    def to_bytes(self) -> bytes:
        """Return the file's bytes, JSON."""
        known = self.outcomes, self.model, self.created, self.seconds
        return write(Content(self.features, self.outputs, *known, self.derived))

    @classmethod
    def from_bytes(cls, data: bytes, engine: str = "fastdigest") -> Self:
        """Read the file's bytes; raises ValueError that names the key."""
        c = read(data, engine)
        made = cls(c.features, c.outputs, outcomes=c.outcomes, model=c.model, created=c.created)
        made.seconds, made.derived = c.seconds, c.derived
        return made

    def __add__(self, other: Reference) -> Reference:
        """Return the reference of both sides' rows; a column that one lacks is missing there."""
        rows = (self.rows, other.rows)
        outputs = merge_sides(self.outputs, other.outputs, rows)
        outcomes = self.outcomes or other.outcomes
        if self.outcomes is not None and other.outcomes is not None:
            outcomes = self.outcomes.merge(other.outcomes, outputs)
        return Reference(
            merge_sides(self.features, other.features, rows),
            outputs,
            outcomes=outcomes,
            model=self.model or other.model,
            created=max(self.created, other.created),
            derived=merge_derived(self.derived, other.derived),
        )

    def compare(
        self,
        data: Any,
        *,
        ground_truth: str | None = None,
        window: str = "24h",
        config: Config | None = None,
        now: float | None = None,
    ) -> Comparison:
        """Compare rows with the reference, by the scores and thresholds of a server's window.

        Args:
            data: A mapping name -> 1-D array or list, a DataFrame or an Arrow table.
            ground_truth: The column with the outcome; quality is compared, too.
            window: The time that the rows are of: what natural variation and the budget of false
                alarms allow depends on it.
            config: Floors, budget and other settings; the defaults if None.
            now: Unix seconds of the comparison; the clock by default.

        Raises:
            ValueError: There are no rows, or no column of the reference.
            ConfigError: `window` is no duration.
        """
        settings = Config.from_options(config or Config(), windows=[window])
        model = model_settings(settings, chosen(settings, self.model))
        part = (*rows_of(data, self.vector_columns), 1.0)
        moment = time.time() if now is None else now
        return compare(self.for_model("reference"), model, [part], ground_truth, moment)

    def for_model(self, source: str) -> ModelReference:
        """Return the part that the model's state needs, without secrets and free texts."""
        features, outputs = (
            tuple(without_long_names(c) for c in side if not is_secret(c.name))
            for side in (self.features, self.outputs)
        )
        made = ModelReference(features, outputs, self.created, source, self.outcomes)
        return made._replace(seconds=self.seconds, derived=self.derived)
