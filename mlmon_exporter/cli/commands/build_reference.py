"""`mlmon-exporter build-reference`: builds a reference file from data files."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from rich.console import Console
from rich.markup import escape

from mlmon_exporter.config.keys import Config, ConfigError, Duration
from mlmon_exporter.core.outcomes.task import CLASSIFICATION, REGRESSION
from mlmon_exporter.core.settings import Choice
from mlmon_exporter.formats import BodyMap
from mlmon_exporter.reference.data.files import DataError, DataFiles
from mlmon_exporter.reference.from_files import (
    DEFAULT_WINDOWS,
    reference_from_files,
    reference_like,
)
from mlmon_exporter.reference.importance import weights_in
from mlmon_exporter.reference.reference import Reference
from mlmon_exporter.reference.roles import MOST_FEATURES, Roles
from mlmon_exporter.reference.settings import segment_feature
from mlmon_exporter.reference.warnings import file_warnings, reference_warnings, time_warnings

from .data_files import files_like, names, told
from .data_options import ConfigFile, Data, Missing, option
from .from_state import served_reference, served_warnings
from .sensitivity import sensitivity
from .terminal import (
    UserError,
    column_table,
    counted,
    moment,
    print_warnings,
    progress_bar,
    size,
    user_errors,
)

EXAMPLE = """mlmon-exporter build-reference train.parquet --model bike-demand --prediction cnt_hat
--ground-truth cnt --categorical season,weathersit --out bike-demand.reference.json"""

WINDOWS = ",".join(window.label for window in DEFAULT_WINDOWS)


ModelName: TypeAlias = Annotated[
    str, typer.Option(help="The model's name, as in mlmon.toml and in all metrics.")
]
Prediction: TypeAlias = Annotated[str, option("Columns with the model's predictions.")]
GroundTruth: TypeAlias = Annotated[str, option("Columns with the outcome; not features.")]
Categorical: TypeAlias = Annotated[
    str, option("Numeric columns that are categories; texts always are.")
]
Segment: TypeAlias = Annotated[
    str, option("Features that define segments; age:25:45:65 for ranges between edges.")
]
Task: TypeAlias = Annotated[
    str,
    option(
        "classification or regression; texts, and two numbers, are classes.",
        "T",
        "from the ground truth",
    ),
]
Score: TypeAlias = Annotated[
    str, option("The prediction that is the positive class's probability.", "A", "detected")
]
Label: TypeAlias = Annotated[
    str, option("The prediction that is the predicted class.", "A", "detected")
]
Positive: TypeAlias = Annotated[str, option("The positive class.", "C", "the last of two")]
TimeColumn: TypeAlias = Annotated[str, option("The time of a row; not a feature.", "A")]
Ignore: TypeAlias = Annotated[str, option("Columns to leave out, such as ids.")]
Features: TypeAlias = Annotated[str, option("Only these features.", default="all others")]
Windows: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="A,B",
        help="The monitor's windows, as in mlmon.toml. With --time-column, natural variation "
        "between windows of these lengths is measured, and is no drift later.",
    ),
]
MaxFeatures: TypeAlias = Annotated[
    int, typer.Option(min=1, help="As in mlmon.toml: a server takes no reference of more.")
]
Joint: TypeAlias = Annotated[
    bool,
    typer.Option(help="Derive columns that tell how features go together, as joint_distance."),
]
Vector: TypeAlias = Annotated[
    str,
    option("Columns of embeddings or other tensors, or of their numbers: emb_*; see docs."),
]
Begin: TypeAlias = Annotated[str, option("Only rows from this time on.", "TIME")]
End: TypeAlias = Annotated[str, option("Only rows before this time.", "TIME")]
FromState: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--from-state",
        help="Take what --model served in --window from the state directory, instead of DATA.",
    ),
]
ServedWindow: TypeAlias = Annotated[
    str, option("With --from-state: the window to take.", "24h", "the longest")
]
ServedVersion: TypeAlias = Annotated[
    str, option("With --from-state: the version to take.", "V", "the configured one")
]
KeepBins: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--keep-bins", help="With --from-state: keep the bins, so that fleet rules go on."
    ),
]
Importance: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        show_default="measured",
        help="A file with each feature and its weight for the predictions, as SHAP gives it: CSV, "
        "or a JSON object.",
    ),
]
Like: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        show_default=False,
        help="With DATA: keep this reference's columns and bins, so that fleet rules go on.",
    ),
]
Out: TypeAlias = Annotated[
    Path | None, typer.Option(show_default="MODEL.reference.json", help="The file to write.")
]


def build_reference(
    data: Data = None,
    model: ModelName = "default",
    prediction: Prediction = "",
    ground_truth: GroundTruth = "",
    categorical: Categorical = "",
    segment: Segment = "",
    task: Task = "",
    score: Score = "",
    label: Label = "",
    positive: Positive = "",
    time_column: TimeColumn = "",
    ignore: Ignore = "",
    features: Features = "",
    missing: Missing = "",
    begin: Begin = "",
    end: End = "",
    windows: Windows = WINDOWS,
    max_features: MaxFeatures = MOST_FEATURES,
    importance: Importance = None,
    joint: Joint = True,
    vector: Vector = "",
    like: Like = None,
    from_state: FromState = False,
    window: ServedWindow = "",
    version: ServedVersion = "",
    keep_bins: KeepBins = False,
    config: ConfigFile = None,
    out: Out = None,
) -> None:
    """Build the reference of a model from its data, in constant memory.

    If predictions are among the columns, use rows that the model was not trained on.
    """
    file = out or Path(f"{model.replace('/', '_')}.reference.json")
    check_out(file)
    started = time.perf_counter()
    if from_state:
        served = served_reference(config, model, version, window, keeps_bins=keep_bins)
        _save(served, file, [*served_warnings(served)], time.perf_counter() - started)
        return
    if data is None:
        raise UserError("Missing argument 'DATA'; see 'mlmon-exporter build-reference --help'")
    edges_of = segments(segment)
    roles = Roles(
        prediction=names(prediction),
        ground_truth=names(ground_truth),
        time_column=names(time_column),
        segment=tuple(edges_of),
        edges={name: edges for name, edges in edges_of.items() if edges},
        choice=Choice(task_name(task), score, label, positive),
        categorical=names(categorical),
        ignore=names(ignore),
        features=names(features),
        max_features=max_features,
        importance=_weights(importance),
        joint=joint,
        vector=names(vector),
        **_span(begin, end, time_column),
    )
    lengths = durations(windows)
    with user_errors(DataError, ConfigError), progress_bar(f"Reading {data}") as progress:
        if like is not None:
            known = Reference.load(like)
            files = files_like(known, Config(), data, missing)
            reference = reference_like(files, known, roles, lengths, progress)
        else:
            whole = tuple(each for each in roles.vector if not each.endswith("*"))
            bodies = BodyMap(
                feature_names=roles.features, output_names=roles.prediction, vectors=whole
            )
            files = DataFiles(
                data, categorical=roles.categorical, missing=names(missing), body_map=bodies
            )
            reference = reference_from_files(files, roles, model, lengths, progress)
    of_files = [] if like is not None else [*file_warnings(files, roles, reference)]
    warnings = [
        *told([files]),
        *of_files,
        *reference_warnings(reference),
        *time_warnings(reference, lengths),
    ]
    _save(reference, file, warnings, time.perf_counter() - started, lengths)


def _save(
    reference: Reference,
    file: Path,
    warnings: Sequence[str],
    seconds: float,
    lengths: Sequence[Duration] = (),
) -> None:
    with user_errors():
        reference.save(file)
    console = Console()
    console.print(column_table(reference.sides))
    for line in sensitivity(reference, lengths) if lengths else ():
        console.print(line, soft_wrap=True)
    print_warnings(console, warnings)
    _print_result(console, reference, file, seconds)


def _print_result(console: Console, reference: Reference, file: Path, seconds: float) -> None:
    console.print(
        f"Saved [bold]{escape(str(file))}[/bold] ({size(file.stat().st_size)}): "
        f"{counted(len(reference.features), 'feature')}, "
        f"{counted(len(reference.outputs), 'output')}, {counted(reference.rows, 'row')}, "
        f"in {seconds:.1f} s.",
        highlight=False,
        soft_wrap=True,
    )
    if reference.outcomes is not None:
        values = ", ".join(f"{name} {value:.4g}" for name, value in reference.quality.items())
        kind = reference.outcomes.choice.kind
        console.print(f"Quality on these rows ({kind}): {values}.", highlight=False, soft_wrap=True)
    console.print(
        f'Use it: instrument(app, model="{reference.model}", reference="{file}")',
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _weights(importance: Path | None) -> dict[str, float] | None:
    with user_errors(ValueError):
        return None if importance is None else weights_in(importance)


def _span(begin: str, end: str, time_column: str) -> dict[str, float]:
    """Return the times given, as fields of `Roles`."""
    given = {"begin": begin, "end": end}
    for name, text in given.items():
        if text and not time_column:
            raise UserError(f"--{name}: expected --time-column, the time of a row, as well")
    return {name: moment(f"--{name}", text) for name, text in given.items() if text}


def segments(text: str) -> dict[str, tuple[float, ...]]:
    """Return feature -> edges of a text such as `sex,age:25:45`; no edges for segments by value."""
    found = {}
    for name in names(text):
        feature, *edges = name.split(":")
        try:
            found[feature] = segment_feature((feature, [*map(float, edges)])).edges
        except ValueError:
            raise UserError(
                f"--segment: expected a feature, or one with ascending edges such as "
                f"age:25:45:65, got {name!r}"
            ) from None
    return found


def task_name(text: str) -> str:
    """Return the task, or an empty text; raises UserError for any other text."""
    if text not in ("", CLASSIFICATION, REGRESSION):
        raise UserError(f"--task: expected {CLASSIFICATION} or {REGRESSION}, got {text!r}")
    return text


def durations(text: str) -> tuple[Duration, ...]:
    """Return the windows in a text such as `1h,24h`."""
    try:
        return tuple(Duration.parse(name) for name in names(text))
    except ValueError as error:
        raise UserError(f"--windows: {error}") from error


def check_out(file: Path) -> None:
    """Raise UserError if the file cannot be written, before hours of work."""
    if file.is_dir():
        raise UserError(f"--out: {file}: expected a file, got a folder")
    if not file.parent.is_dir():
        raise UserError(f"--out: {file}: there is no folder {file.parent}; make it first")
