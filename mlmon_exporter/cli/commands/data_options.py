"""Options of the commands that read data: each help text once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

FORMS = "CSV (also .gz), Parquet, Feather, Arrow, JSON lines, captured calls"


def option(text: str, metavar: str = "A,B", default: str | bool = False) -> Any:
    """Return an option whose default is shown as this text, or not at all."""
    return typer.Option(metavar=metavar, show_default=default, help=text)


def _file(text: str, **more: Any) -> Any:
    return typer.Option(show_default=False, help=text, **more)


def _data(metavar: str, text: str) -> Any:
    return typer.Argument(metavar=metavar, help=f"{FORMS}: {text}", show_default=False)


Data: TypeAlias = Annotated[Path | None, _data("DATA", "a file, or a folder of them.")]
New: TypeAlias = Annotated[Path, _data("NEW", "a file, or a folder of them.")]
Logs: TypeAlias = Annotated[list[Path], _data("LOGS...", "files or folders, oldest first.")]
ReferenceFile: TypeAlias = Annotated[Path, _file("The reference file to compare with.")]
MaybeReference: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        show_default="the one that --config names", help="The reference file to compare with."
    ),
]
ConfigFile: TypeAlias = Annotated[
    Path | None, _file("The mlmon.toml with your settings.", envvar="MLMON_CONFIG")
]
GroundTruth: TypeAlias = Annotated[str, option("The column with the outcome.", "A")]
GroundTruthTime: TypeAlias = Annotated[
    str, option("The column that says when the outcome became known.", "A", "at once")
]
IdColumn: TypeAlias = Annotated[
    str,
    option(
        "The column with the id of a row, by which ground truth in a log of its own joins.", "A"
    ),
]
Predictions: TypeAlias = Annotated[
    str, option("The columns with the predictions.", "A,B", "those of the reference")
]
Version: TypeAlias = Annotated[str, option("The column with the version of the model.", "A")]
LogTime: TypeAlias = Annotated[
    str, option("The column with the time of a row: ISO 8601 or Unix seconds.", "A")
]
Missing: TypeAlias = Annotated[str, option("Texts that mean a missing value, such as '?'.")]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Html: TypeAlias = Annotated[Path | None, _file("Also write a page to this file.")]
Window: TypeAlias = Annotated[
    str, typer.Option(help="The time that the rows are of: natural variation depends on it.")
]
FailOn: TypeAlias = Annotated[
    str, typer.Option(metavar="A,B", help="What to exit with 1 for: drift, quality, or none.")
]
TextFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--textfile",
        show_default=False,
        help="Also write metrics for node_exporter's textfile collector, such as /x/m.prom.",
    ),
]
Pushgateway: TypeAlias = Annotated[str, option("Also push metrics there.", "URL")]
Every: TypeAlias = Annotated[str, typer.Option(help="The time between looks.")]
ChangedAt: TypeAlias = Annotated[str, option("When something is known to have changed.", "TIME")]
Sets: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Other settings, side by side; several in quotes: 'psi_floor=0.2 windows=6h,7d'.",
    ),
]
OpenMetrics: TypeAlias = Annotated[
    Path | None,
    _file(
        "Also write what scrapes would have shown, for 'promtool tsdb create-blocks-from "
        "openmetrics'."
    ),
]
Alerts: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--alerts", help="Also evaluate the alerting rules with promtool: list pages and tickets."
    ),
]
