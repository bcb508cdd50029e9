"""`mlmon-exporter backtest`: replays logs, and shows when it would have alarmed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import typer
from rich.console import Console

from mlmon_exporter.assets.rules.notices import Notice
from mlmon_exporter.cli.past_alerts import PastAlerts
from mlmon_exporter.config.keys import Config, ConfigError, Duration, load_config
from mlmon_exporter.core.drift.alarms import Account
from mlmon_exporter.core.profile.free_text import input_names
from mlmon_exporter.core.records import Block
from mlmon_exporter.metrics.batch import PastScrapes
from mlmon_exporter.reference.compare import chosen
from mlmon_exporter.reference.data.files import DataError
from mlmon_exporter.reference.log_files import Remembered, replay_files
from mlmon_exporter.reference.reference import Reference
from mlmon_exporter.reference.replay import LogColumns, Replay
from mlmon_exporter.reference.settings import model_settings
from mlmon_exporter.reference.warnings import time_warnings

from .data_files import files_like, names, told
from .data_options import (
    Alerts,
    ChangedAt,
    ConfigFile,
    Every,
    GroundTruth,
    GroundTruthTime,
    Html,
    IdColumn,
    Json,
    Logs,
    LogTime,
    MaybeReference,
    Missing,
    OpenMetrics,
    Predictions,
    Sets,
    Version,
)
from .terminal import (
    UserError,
    counted,
    moment,
    print_warnings,
    progress_bar,
    user_errors,
    waiting,
)

EXAMPLE = """mlmon-exporter backtest log.parquet --reference bike-demand.reference.json
--time-column ts --ground-truth cnt --set psi_floor=0.2 --html backtest.html"""
SETTABLE = "windows psi_floor ks_floor share_floor min_window_rows false_alarm_every".split()
AS_CONFIGURED = "as configured"


def backtest(
    logs: Logs,
    time_column: LogTime,
    reference: MaybeReference = None,
    ground_truth: GroundTruth = "",
    ground_truth_time: GroundTruthTime = "",
    prediction: Predictions = "",
    version_column: Version = "",
    id_column: IdColumn = "",
    config: ConfigFile = None,
    every: Every = "15m",
    changed_at: ChangedAt = "",
    what_if: Sets = None,
    missing: Missing = "",
    json: Json = False,
    openmetrics: OpenMetrics = None,
    alerts: Alerts = False,
    html: Html = None,
) -> None:
    """Replay logged rows in their own time: when would it have alarmed, and for what?

    The same windows, scores and thresholds as a server's, looked at every 15 minutes.
    """
    needing = {"--ground-truth-time": ground_truth_time, "--id-column": id_column}
    for option, given in needing.items():
        if given and not ground_truth:
            raise UserError(f"{option}: expected --ground-truth, the outcome, as well")
    with user_errors(ConfigError, DataError, ValueError), ExitStack() as stack:
        base = load_config(config) if config else Config()
        variants = {AS_CONFIGURED: base} | {text: varied(base, text) for text in what_if or ()}
        file = _reference(reference, base)
        known = Reference.load(file, base.digest)
        columns = LogColumns(
            *(time_column, ground_truth, ground_truth_time, version_column, id_column),
            outputs=_outputs(known, prediction),
        )
        looks = _Looks(Duration.parse(every).seconds, moment("--changed-at", changed_at))
        past = _past(stack, openmetrics, alerts, looks.every)
        files = [files_like(known, base, path, missing, columns) for path in logs]
        remembered = Remembered(base.pending_rows, base.pending_age.seconds)
        of_model = known.for_model(file.name)
        settings = [model_settings(c, chosen(c, known.model)) for c in variants.values()]

        def new_replays() -> list[Replay]:
            past.restart()
            on_looks = [past.add, *[_unseen] * (len(settings) - 1)]
            each = zip(settings, on_looks, strict=True)
            return [Replay(of_model, s, columns, *looks, on_look) for s, on_look in each]

        with progress_bar(f"Replaying {counted(len(logs), 'log')}") as progress:
            replays, accounts = replay_files(files, columns, new_replays, remembered, progress)
        with waiting("Evaluating the alerting rules"):
            notices = past.end()
        found = Found(dict(zip(variants, accounts, strict=True)), replays[0], notices)
    if html is not None:
        _write(html, known.model, found)
    if json:
        _print_json(found)
    else:
        _print(found, [*time_warnings(known, base.windows), *told(files), *_warnings(replays[0])])


def _reference(given: Path | None, config: Config) -> Path:
    """Return the reference file: the one given, or that of the configuration's only model."""
    named = [model.reference for model in config.models if model.reference is not None]
    if given is None and len(named) != 1:
        raise UserError(
            "--reference: expected a file, or --config with one model that has a reference, "
            f"got {len(named)} in it"
        )
    return Path(named[0]) if given is None else given


def _outputs(known: Reference, prediction: str) -> dict[str, str]:
    """Return the log's column of each output: in order, those given; none if none is."""
    given, outputs = names(prediction), input_names(column.name for column in known.outputs)
    if given and len(given) != len(outputs):
        raise UserError(
            f"--prediction: expected a column for each output of the reference, "
            f"{', '.join(outputs)}; got {prediction!r}"
        )
    return dict(zip(outputs, given, strict=False))


class _Looks(NamedTuple):
    """Times of the looks."""

    every: float
    """Seconds between them."""
    changed_at: float
    """Unix seconds at which something is known to have changed; NaN if nothing is."""


class Found(NamedTuple):
    """Outcome of a backtest."""

    accounts: Mapping[str, Account]
    """By the settings; the first as configured."""
    replay: Replay
    """As configured."""
    notices: Sequence[Notice] | None
    """Pages and tickets; None where nobody asked."""


def _unseen(now: float, blocks: Sequence[Block]) -> None:
    """Ignore a look."""


class _Past:
    """Other results of the looks: scrapes of the past, and the alerts on them."""

    def __init__(self, scrapes: PastScrapes | None, alerts: PastAlerts | None) -> None:
        self._scrapes = scrapes
        self._alerts = alerts
        both: tuple[PastScrapes | PastAlerts | None, ...] = (scrapes, alerts)
        self._makers = [maker for maker in both if maker is not None]

    def restart(self) -> None:
        for maker in self._makers:
            maker.restart()

    def add(self, now: float, blocks: Sequence[Block]) -> None:
        for maker in self._makers:
            maker.add(now, blocks)

    def end(self) -> list[Notice] | None:
        if self._scrapes is not None:
            self._scrapes.end()
        return None if self._alerts is None else self._alerts.notices()


def _past(stack: ExitStack, openmetrics: Path | None, alerts: bool, every: float) -> _Past:
    promtool = shutil.which("promtool")
    if alerts and promtool is None:
        raise UserError(
            "--alerts: expected promtool on the PATH, got none; it comes with Prometheus"
        )
    scrapes = None if openmetrics is None else stack.enter_context(openmetrics.open("wb"))
    return _Past(
        None if scrapes is None else PastScrapes(scrapes),
        PastAlerts(promtool, every) if alerts and promtool else None,
    )


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


def _write(html: Path, model: str, found: Found) -> None:
    from mlmon_exporter.cli.timeline import told as lines_of
    from mlmon_exporter.page.backtest import Told, backtest_page

    notices = None
    if found.notices is not None:
        notices = [Told(n.kind, n.begin, n.end, [*lines_of(n)]) for n in found.notices]
    with user_errors():
        page = backtest_page(f"Backtest of {model or 'the model'}", found.accounts, notices)
        html.write_bytes(page)


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
        "are of an id that no row had, or had any more": (counts.unknown_truths, "ground truth"),
        "came for a row that had its own already": (counts.duplicate_truths, "ground truth"),
        "have the id of an earlier one, so wait for no ground truth": (counts.duplicate_ids, "row"),
        "were forgotten before their ground truth came: raise pending_rows": (
            counts.forgotten_rows,
            "row",
        ),
    }
    return [f"{counted(count, noun)} {text}" for text, (count, noun) in said.items() if count]


def _print_json(found: Found) -> None:
    from mlmon_exporter.cli.timeline import as_json, notice_as_json

    form: dict[str, Any] = {
        "settings": {name: as_json(account) for name, account in found.accounts.items()},
        **found.replay.counts._asdict(),
    }
    if found.notices is not None:
        form["notices"] = [notice_as_json(notice) for notice in found.notices]
    # orjson writes NaN as null.
    typer.echo(orjson.dumps(form, option=orjson.OPT_INDENT_2))


def _print(found: Found, warnings: Sequence[str]) -> None:
    from mlmon_exporter.cli.timeline import print_account, print_notices, side_by_side

    console = Console(highlight=False)
    first, *others = found.accounts.values()
    print_account(console, first)
    if found.notices is not None:
        print_notices(console, found.notices, first.days)
    if others:
        console.print(side_by_side(found.accounts))
    print_warnings(console, warnings)
