"""`mlmon-exporter backtest`: replays logs, and shows when it would have alarmed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from mlmon_exporter.config.keys import Config, ConfigError, Duration, load_config
from mlmon_exporter.core.drift.alarms import Account
from mlmon_exporter.core.profile.bins import CategoryBins
from mlmon_exporter.metrics.batch import PastScrapes
from mlmon_exporter.reference.compare import chosen
from mlmon_exporter.reference.data.files import DataError, DataFiles
from mlmon_exporter.reference.log_files import replay_files
from mlmon_exporter.reference.reference import Reference
from mlmon_exporter.reference.replay import LogColumns, Replay
from mlmon_exporter.reference.settings import model_settings
from mlmon_exporter.reference.warnings import time_warnings

from .build_reference import names
from .terminal import UserError, counted, moment, print_warnings, progress_bar, user_errors

EXAMPLE = """mlmon-exporter backtest log.parquet --reference bike-demand.reference.json
--time-column ts --ground-truth cnt --set psi_floor=0.2 --html backtest.html"""
SETTABLE = "windows psi_floor ks_floor share_floor min_window_rows false_alarm_every".split()
AS_CONFIGURED = "as configured"


def backtest(
    logs: Annotated[
        list[Path],
        typer.Argument(
            metavar="LOGS...",
            help="CSV (also .gz), Parquet, Feather or Arrow: files or folders, oldest first.",
            show_default=False,
        ),
    ],
    reference: Annotated[
        Path, typer.Option(show_default=False, help="The reference file to compare with.")
    ],
    time_column: Annotated[
        str,
        typer.Option(
            metavar="A", show_default=False, help="The time of a row: ISO 8601 or Unix seconds."
        ),
    ],
    ground_truth: Annotated[
        str, typer.Option(metavar="A", show_default=False, help="The column with the outcome.")
    ] = "",
    ground_truth_time: Annotated[
        str,
        typer.Option(metavar="A", show_default="at once", help="When the outcome became known."),
    ] = "",
    version_column: Annotated[
        str, typer.Option(metavar="A", show_default=False, help="The version of the model.")
    ] = "",
    config: Annotated[
        Path | None,
        typer.Option(
            envvar="MLMON_CONFIG", show_default=False, help="The mlmon.toml with your settings."
        ),
    ] = None,
    every: Annotated[str, typer.Option(help="The time between looks.")] = "15m",
    changed_at: Annotated[
        str,
        typer.Option(
            metavar="TIME", show_default=False, help="When something is known to have changed."
        ),
    ] = "",
    what_if: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Other settings, side by side; several in quotes: 'psi_floor=0.2 windows=6h,7d'.",
        ),
    ] = None,
    missing: Annotated[
        str, typer.Option(metavar="A,B", show_default=False, help="Texts that mean missing.")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    openmetrics: Annotated[
        Path | None,
        typer.Option(
            show_default=False,
            help="Also write what scrapes would have shown, for 'promtool tsdb "
            "create-blocks-from openmetrics'.",
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(show_default=False, help="Also write a page to this file.")
    ] = None,
) -> None:
    """Replay logged rows in their own time: when would it have alarmed, and for what?

    The same windows, scores and thresholds as a server's, looked at every 15 minutes.
    """
    columns = LogColumns(time_column, ground_truth, ground_truth_time, version_column)
    if ground_truth_time and not ground_truth:
        raise UserError("--ground-truth-time: expected --ground-truth, the outcome, as well")
    with user_errors(ConfigError, DataError, ValueError), ExitStack() as stack:
        past = None
        if openmetrics is not None:
            past = PastScrapes(stack.enter_context(openmetrics.open("wb")))
        step, changed = Duration.parse(every).seconds, moment("--changed-at", changed_at)
        base = load_config(config) if config else Config()
        variants = {AS_CONFIGURED: base} | {text: varied(base, text) for text in what_if or ()}
        known = Reference.load(reference, base.digest)
        of_model = known.for_model(reference.name)
        settings = [model_settings(c, chosen(c, known.model)) for c in variants.values()]
        files = [_files(path, known, missing) for path in logs]

        def new_replays() -> list[Replay]:
            more: list[Any] = [()] * len(settings)
            if past is not None:
                past.restart()
                more[0] = (past.add,)
            each = zip(settings, more, strict=True)
            return [Replay(of_model, s, columns, step, changed, *m) for s, m in each]

        with progress_bar(f"Replaying {counted(len(logs), 'log')}") as progress:
            replays, accounts = replay_files(files, columns, new_replays, progress)
        if past is not None:
            past.end()
    found = dict(zip(variants, accounts, strict=True))
    if html is not None:
        _write(html, known.model, found)
    if json:
        _print_json(found, replays[0])
    else:
        warnings = [*time_warnings(known, base.windows), *_warnings(replays[0])]
        _print(found, warnings)


def _files(path: Path, known: Reference, missing: str) -> DataFiles:
    columns = (*known.features, *known.outputs)
    categorical = [c.name for c in columns if isinstance(c.bins, CategoryBins)]
    return DataFiles(path, categorical=categorical, missing=names(missing))


def varied(config: Config, text: str) -> Config:
    """Return a configuration with other settings, such as `psi_floor=0.2 windows=6h,7d`.

    Raises:
        UserError: A key decides no verdict.
        ConfigError: A value is wrong.
    """
    options: dict[str, Any] = {}
    for pair in text.split():
        key, _, value = pair.partition("=")
        if key not in SETTABLE or not value:
            raise UserError(
                f"--set: expected KEY=VALUE with one of {', '.join(SETTABLE)}, got {pair!r}"
            )
        options[key] = value.split(",") if key == "windows" else value
    return Config.from_options(config, **options)


def _write(html: Path, model: str, found: Mapping[str, Account]) -> None:
    from mlmon_exporter.page.backtest import backtest_page

    with user_errors():
        html.write_bytes(backtest_page(f"Backtest of {model or 'the model'}", found))


def _warnings(replay: Replay) -> list[str]:
    counts = replay.counts
    said = {
        "without a usable time were left out": (counts.untimed_rows, "row"),
        "came later than a look at their time: sort the log by time": (counts.late_rows, "row"),
        "became known after the longest window and were left out": (
            counts.late_truths,
            "ground truth",
        ),
        "were invalid": (counts.invalid_truths, "ground truth"),
    }
    return [f"{counted(count, noun)} {text}" for text, (count, noun) in said.items() if count]


def _print_json(found: Mapping[str, Account], replay: Replay) -> None:
    from mlmon_exporter.cli.timeline import as_json

    form = {
        "settings": {name: as_json(account) for name, account in found.items()},
        **replay.counts._asdict(),
    }
    # orjson writes NaN as null.
    typer.echo(orjson.dumps(form, option=orjson.OPT_INDENT_2))


def _print(found: Mapping[str, Account], warnings: Sequence[str]) -> None:
    from mlmon_exporter.cli.timeline import print_account, side_by_side

    console = Console(highlight=False)
    first, *others = found.values()
    print_account(console, first)
    if others:
        console.print(side_by_side(found))
    print_warnings(console, warnings)
