"""`mlmon-exporter build-reference`: a reference file from data files."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from mlmon_exporter.config.keys import Duration
from mlmon_exporter.core.outcomes.task import CLASSIFICATION, REGRESSION
from mlmon_exporter.core.settings import Choice
from mlmon_exporter.reference.data.files import DataError, DataFiles
from mlmon_exporter.reference.from_files import DEFAULT_WINDOWS, Roles, reference_from_files
from mlmon_exporter.reference.reference import Reference, segment_feature
from mlmon_exporter.reference.warnings import file_warnings, reference_warnings

from .terminal import (
    UserError,
    column_table,
    counted,
    print_warnings,
    progress_bar,
    size,
    user_errors,
)

EXAMPLE = """mlmon-exporter build-reference train.parquet --model bike-demand --prediction cnt_hat
--ground-truth cnt --categorical season,weathersit --out bike-demand.reference.json"""

WINDOWS = ",".join(window.label for window in DEFAULT_WINDOWS)


def build_reference(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="CSV (also .gz), Parquet, Feather or Arrow: a file, or a folder of them.",
            show_default=False,
        ),
    ],
    model: Annotated[
        str, typer.Option(help="The model's name, as in mlmon.toml and in all metrics.")
    ] = "default",
    prediction: Annotated[
        str,
        typer.Option(
            metavar="A,B", show_default=False, help="Columns with what the model predicted."
        ),
    ] = "",
    ground_truth: Annotated[
        str,
        typer.Option(
            metavar="A,B", show_default=False, help="Columns with the outcome; not features."
        ),
    ] = "",
    categorical: Annotated[
        str,
        typer.Option(
            metavar="A,B", show_default=False, help="Numbers that are categories; texts always are."
        ),
    ] = "",
    segment: Annotated[
        str,
        typer.Option(
            metavar="A,B",
            show_default=False,
            help="Features by which rows are told apart; age:25:45:65 for ranges between edges.",
        ),
    ] = "",
    task: Annotated[
        str,
        typer.Option(
            metavar="T",
            show_default="from the ground truth",
            help="classification or regression; texts, and two numbers, are classes.",
        ),
    ] = "",
    score: Annotated[
        str,
        typer.Option(
            metavar="A",
            show_default="found out",
            help="The prediction that is the positive class's probability.",
        ),
    ] = "",
    label: Annotated[
        str,
        typer.Option(
            metavar="A", show_default="found out", help="The prediction that is the class itself."
        ),
    ] = "",
    positive: Annotated[
        str,
        typer.Option(
            metavar="C", show_default="the last of two", help="The class that counts as positive."
        ),
    ] = "",
    time_column: Annotated[
        str,
        typer.Option(metavar="A", show_default=False, help="The time of a row; not a feature."),
    ] = "",
    ignore: Annotated[
        str,
        typer.Option(metavar="A,B", show_default=False, help="Columns to leave out, such as ids."),
    ] = "",
    features: Annotated[
        str,
        typer.Option(metavar="A,B", show_default="all others", help="Just these features."),
    ] = "",
    missing: Annotated[
        str,
        typer.Option(
            metavar="A,B",
            show_default=False,
            help="Texts that mean there is no value, such as '?'.",
        ),
    ] = "",
    windows: Annotated[
        str,
        typer.Option(
            metavar="A,B",
            help="The monitor's windows, as in mlmon.toml. With --time-column, what stretches of "
            "these lengths differ by nature is measured, and is no drift later.",
        ),
    ] = WINDOWS,
    out: Annotated[
        Path | None,
        typer.Option(show_default="MODEL.reference.json", help="The file to write."),
    ] = None,
) -> None:
    """Build the reference of a model from its data, in constant memory.

    Use rows that the model was not trained on where predictions are among the columns.
    """
    sliced = segments(segment)
    roles = Roles(
        prediction=names(prediction),
        ground_truth=names(ground_truth),
        time_column=names(time_column),
        segment=tuple(sliced),
        edges={name: edges for name, edges in sliced.items() if edges},
        choice=Choice(task_name(task), score, label, positive),
        categorical=names(categorical),
        ignore=names(ignore),
        features=names(features),
    )
    lengths = durations(windows)
    file = out or Path(f"{model.replace('/', '_')}.reference.json")
    check_out(file)
    started = time.perf_counter()
    with user_errors(DataError), progress_bar(f"Reading {data}") as progress:
        files = DataFiles(data, categorical=roles.categorical, missing=names(missing))
        reference = reference_from_files(files, roles, model, lengths, progress)
        reference.save(file)
    console = Console()
    console.print(column_table({"feature": reference.features, "output": reference.outputs}))
    warnings = [*file_warnings(files, roles, reference), *reference_warnings(reference)]
    print_warnings(console, warnings)
    _say_where(console, reference, file, time.perf_counter() - started)


def _say_where(console: Console, reference: Reference, file: Path, seconds: float) -> None:
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
        console.print(f"Its {kind} of these rows: {values}.", highlight=False, soft_wrap=True)
    console.print(
        f'Use it: instrument(app, model="{reference.model}", reference="{file}")',
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def names(text: str) -> tuple[str, ...]:
    """Return the names in a text such as `a,b`."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def segments(text: str) -> dict[str, tuple[float, ...]]:
    """Return feature -> edges of a text such as `sex,age:25:45`; of those by value, none."""
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
    """Return the task in a text, empty if none is said."""
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
    """Raise UserError where a file cannot be written, before hours of work rather than after."""
    if file.is_dir():
        raise UserError(f"--out: {file}: expected a file, got a folder")
    if not file.parent.is_dir():
        raise UserError(f"--out: {file}: there is no folder {file.parent}; make it first")
