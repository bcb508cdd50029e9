"""`mlmon-exporter compare`: compares data with a reference, as a step of a pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import orjson
import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mlmon_exporter.config.keys import Config, ConfigError, load_config
from mlmon_exporter.metrics.batch import push, textfile
from mlmon_exporter.reference.compare import ColumnCheck, Comparison, QualityCheck, chosen
from mlmon_exporter.reference.compare_files import compare_files
from mlmon_exporter.reference.data.files import DataError
from mlmon_exporter.reference.reference import Reference
from mlmon_exporter.reference.settings import model_settings
from mlmon_exporter.reference.warnings import time_warnings

from .data_files import files_like, names, told
from .data_options import (
    ConfigFile,
    FailOn,
    GroundTruth,
    Html,
    Json,
    Missing,
    New,
    Pushgateway,
    ReferenceFile,
    TextFile,
    Window,
)
from .terminal import SHOWN, UserError, counted, print_warnings, progress_bar, user_errors

EXAMPLE = """mlmon-exporter compare today.parquet --reference bike-demand.reference.json
--ground-truth cnt --html today.html"""
FAILURES = ("drift", "quality", "none")


def compare(
    new: New,
    reference: ReferenceFile,
    ground_truth: GroundTruth = "",
    window: Window = "24h",
    fail_on: FailOn = "drift",
    config: ConfigFile = None,
    missing: Missing = "",
    json: Json = False,
    html: Html = None,
    text_file: TextFile = None,
    pushgateway: Pushgateway = "",
) -> None:
    """Compare data with a reference: has a column drifted, is quality worse?

    Scores, thresholds and verdicts are those of a server whose window holds these rows.

    Exits with 1 if what --fail-on names was found, with 2 if it cannot be told.
    """
    failing = _failures(fail_on, ground_truth)
    with user_errors(ConfigError, DataError), progress_bar(f"Reading {new}") as progress:
        settings = Config.from_options(
            load_config(config) if config else Config(), windows=[window]
        )
        known = Reference.load(reference, settings.digest)
        model = model_settings(settings, chosen(settings, known.model))
        files = files_like(known, settings, new, missing)
        found = compare_files(
            files, known.for_model(reference.name), model, ground_truth or None, progress
        )
    with user_errors():
        _write(found, html, text_file)
        if pushgateway:
            push(pushgateway, found.snapshot.blocks, {"model": model.name})
    if json:
        typer.echo(orjson.dumps(found.to_dict(), option=orjson.OPT_INDENT_2))
    else:
        console = Console(highlight=False)
        console.print(_table(found))
        print_warnings(console, [*time_warnings(known, settings.windows), *told([files])])
        _print_result(console, found, reference)
    if ("drift" in failing and found.drifted) or ("quality" in failing and found.worse):
        raise typer.Exit(1)
    _check_judged(found, failing)


def _failures(text: str, ground_truth: str) -> Sequence[str]:
    failing = names(text)
    if not failing or not {*failing} <= {*FAILURES}:
        raise UserError(f"--fail-on: expected {', '.join(FAILURES)}, got {text!r}")
    if "quality" in failing and not ground_truth:
        raise UserError("--fail-on quality: expected --ground-truth, the column with the outcome")
    return failing


def _check_judged(found: Comparison, failing: Sequence[str]) -> None:
    """Raise UserError where nothing was judged, which a pipeline must not take for calm."""
    verdicts = {
        "drift": [(check.is_drifted, check.inactive) for check in found.columns],
        "quality": [(check.is_worse, check.inactive) for check in found.qualities],
    }
    for what in failing:
        whys = dict.fromkeys(why for verdict, why in verdicts.get(what, ()) if verdict is None)
        if what in verdicts and len(whys) and all(v is None for v, _ in verdicts[what]):
            raise UserError(
                f"--fail-on {what}: nothing could be judged: {', '.join([*whys][:3])}; "
                "give more rows, or --fail-on none"
            )


def _write(found: Comparison, html: Path | None, text_file: Path | None) -> None:
    if html is not None:
        from mlmon_exporter.page.report import report

        html.write_bytes(report(found.snapshot).encode("utf-8", "replace"))
    if text_file is not None:
        # Whole or not at all: node_exporter may be reading.
        part = text_file.with_name(f".{text_file.name}.part")
        part.write_bytes(textfile(found.snapshot.blocks))
        part.replace(text_file)


def _print_result(console: Console, found: Comparison, reference: Path) -> None:
    drifted = counted(len(found.drifted), "column")
    said = f"{drifted} of {len(found.columns)} drifted"
    if found.qualities:
        judged = [check for check in found.qualities if check.is_worse is not None]
        said += f"; {len(found.worse)} of {counted(len(judged), 'quality check')} worse"
    console.print(
        f"{counted(found.rows, 'row')} as a window of {found.window} against "
        f"{escape(str(reference))}: [bold]{said}[/bold].",
        soft_wrap=True,
    )


def _table(found: Comparison) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("feature", overflow="ellipsis", no_wrap=True, max_width=36)
    table.add_column("score", no_wrap=True)
    for name in ("value", "threshold"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("why")
    sections = {
        side: [_column_row(check) for check in found.columns if check.side == side]
        for side in ("feature", "output", "derived")
    }
    sections["quality"] = [*map(_quality_row, found.qualities)]
    for title, rows in sections.items():
        if rows and title != "feature":
            table.add_section()
            table.add_row(f"[bold]{title}[/bold]")
        for row in _shown(rows):
            table.add_row(*row)
    return table


def _shown(rows: Sequence[tuple[str, ...]]) -> Iterable[tuple[str, ...]]:
    yield from rows[:SHOWN]
    if len(rows) > SHOWN:
        yield (f"... and {len(rows) - SHOWN} more",)


def _column_row(check: ColumnCheck) -> tuple[str, ...]:
    verdict = _verdict(check.is_drifted, "constant" if check.is_constant else "drifted")
    return (
        escape(check.name),
        check.score,
        *_numbers(check),
        verdict,
        escape(check.moved or check.inactive),
    )


def _quality_row(check: QualityCheck) -> tuple[str, ...]:
    feature, value = check.segment
    name = f"{feature} = {value}" if feature else "all rows"
    verdict = _verdict(check.is_worse, "worse")
    return (escape(name), check.name, *_numbers(check), verdict, escape(check.inactive))


def _numbers(check: ColumnCheck | QualityCheck) -> Iterator[str]:
    return ("" if n != n else f"{n:.3g}" for n in (check.value, check.threshold))


def _verdict(is_wrong: bool | None, wrong: str) -> str:
    if is_wrong is None:
        return "[yellow]unknown[/yellow]"
    return f"[red]{wrong}[/red]" if is_wrong else "[green]ok[/green]"
