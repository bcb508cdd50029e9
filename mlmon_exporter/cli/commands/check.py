"""`mlmon-exporter check`: checks the configuration, or a sample of its traffic."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.markup import escape

from mlmon_exporter import Monitor
from mlmon_exporter.cli.app_routes import load, post_routes, unmatched
from mlmon_exporter.config.keys import Config, ConfigError, ModelConfig, load_config
from mlmon_exporter.reference.reference import Reference
from mlmon_exporter.reference.settings import segment_feature
from mlmon_exporter.reference.warnings import reference_warnings, time_warnings

from .sample import Sample, show_sample
from .sensitivity import OUTCOMES, few_outcomes, rare_positives, rows_a_day, sensitivity
from .terminal import UserError, age, column_table, counted, print_warnings, user_errors

EXAMPLE = (
    """mlmon-exporter check --config mlmon.toml --body request.json --response response.json"""
)
CONFIG = Path("mlmon.toml")


def check(
    config: Annotated[
        Path, typer.Option(envvar="MLMON_CONFIG", help="The configuration file.")
    ] = CONFIG,
    body: Annotated[
        Path | None, typer.Option(help="The body of a request: show the features read from it.")
    ] = None,
    response: Annotated[Path | None, typer.Option(help="The body of its response.")] = None,
    model: Annotated[
        str | None, typer.Option(help="The model of the sample, if several are configured.")
    ] = None,
    format: Annotated[
        str | None, typer.Option(help="The format of the sample, instead of the model's.")
    ] = None,
    path: Annotated[str, typer.Option(help="The path of the request.")] = "/predict",
    header: Annotated[
        list[str] | None, typer.Option(help="A header of the request, as 'name: value'.")
    ] = None,
    response_header: Annotated[
        list[str] | None, typer.Option(help="A header of the response.")
    ] = None,
    app: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:APP",
            help="Import this app, list its POST routes, and say which configured ones are none.",
        ),
    ] = None,
    rows_per_day: Annotated[
        float | None,
        typer.Option(
            min=1,
            help="Rows of a day: say after how long a shift is seen. Those that a state directory "
            "holds by default.",
        ),
    ] = None,
) -> None:
    """Check a configuration and its references, and show what each model will watch.

    With --body and --response, show instead the features, outputs and version read from a sample,
    and the reason for what cannot be read; no configuration is needed.

    Exits with 0 if a server would start with it, or the sample can be read, else with 2.
    """
    if response is not None and body is None:
        raise UserError("--response: expected --body, the request, as well")
    with user_errors(ConfigError):
        is_needed = body is None or config != CONFIG or config.exists()
        settings, served = _load(config) if is_needed else (Config(), {})
    console = Console(highlight=False)
    if body is not None:
        sample = Sample(body, response, path, header or (), response_header or ())
        show_sample(console, settings, sample, model, format)
    else:
        with user_errors(ValueError):
            routes = None if app is None else post_routes(load(app))
        if rows_per_day is not None:
            served = dict.fromkeys((m.name for m in settings.models), Traffic(rows_per_day))
        _check_config(console, config, settings, served, routes)


class Traffic(NamedTuple):
    """Rows of a day, and those with an outcome; None where they are not known."""

    rows: float | None = None
    outcomes: float | None = None


def _load(config: Path) -> tuple[Config, Mapping[str, Traffic]]:
    """Return the configuration, and the traffic of each model whose state has any."""
    settings = load_config(config)
    with Monitor(settings) as monitor:  # what stops a server stops here too
        readings = [*monitor.readings()]
    rows = rows_a_day(readings, settings.windows)
    outcomes = rows_a_day(readings, settings.windows, OUTCOMES)
    return settings, {name: Traffic(count, outcomes.get(name)) for name, count in rows.items()}


def _check_config(
    console: Console,
    config: Path,
    settings: Config,
    served: Mapping[str, Traffic],
    routes: list[str] | None,
) -> None:
    windows = ", ".join(window.label for window in settings.windows)
    console.print(
        f"[bold]{escape(str(config))}[/bold]: windows {windows}; at most one false alarm "
        f"per model in {settings.false_alarm_every.label}; state "
        f"{f'in {settings.state_dir}' if settings.state_dir else 'in memory'}",
        soft_wrap=True,
    )
    warnings = list(_settings_warnings(settings))
    if routes is not None:
        listed = ", ".join(routes) or "none that can be seen"
        console.print(f"POST routes of the app: {escape(listed)}", soft_wrap=True)
    for model in settings.models:
        of_model = _show(console, settings, model, served.get(model.name, Traffic()))
        of_model += unmatched(model.routes, routes) if routes else ()
        warnings += [f"{model.name}: {text}" for text in of_model]
    print_warnings(console, warnings)
    found = counted(len(warnings), "warning") if warnings else "no warnings"
    console.print(f"[green]OK[/green], {found}: a server will start with this.")


def _settings_warnings(settings: Config) -> Iterator[str]:
    folder = settings.state_dir
    if folder is None:
        return
    existing = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        yield f"state_dir: {folder} cannot be written: {existing} is not writable, or not a folder"


def _show(console: Console, settings: Config, model: ModelConfig, traffic: Traffic) -> list[str]:
    """Print a model's settings and reference; return warnings."""
    routes = ", ".join(model.routes) or _default_routes(settings)
    about = [part for part in (model.version, model.task, f"format {model.format}") if part]
    console.print(
        f"\n[bold]{escape(model.name)}[/bold]: {escape(', '.join(about))}; "
        f"routes: {escape(routes)}",
        soft_wrap=True,
    )
    if model.reference is None:
        console.print(
            f"  learns its reference from the first {counted(settings.learn_rows, 'row')}"
        )
        return []
    reference = Reference.load(model.reference, settings.digest)
    old = age(time.time() - reference.created)
    console.print(
        f"  {escape(str(model.reference))}: {counted(len(reference.features), 'feature')}, "
        f"{counted(len(reference.outputs), 'output')}, {counted(reference.rows, 'row')}, "
        f"built {old} ago",
        soft_wrap=True,
    )
    console.print(column_table(reference.sides))
    for line in sensitivity(reference, settings.windows, settings, traffic.rows):
        console.print(f"  {line}", soft_wrap=True)
    return [
        *_fit(model, reference),
        *reference_warnings(reference),
        *time_warnings(reference, settings.windows),
        *rare_positives(reference, settings.windows, traffic.rows),
        *few_outcomes(reference, settings, traffic.outcomes or traffic.rows),
    ]


def _default_routes(settings: Config) -> str:
    """Describe the requests of a model without routes."""
    sharing = sum(not model.routes for model in settings.models)
    return "every POST that parses" if sharing == 1 else "POSTs that name it in the path or body"


def _fit(model: ModelConfig, reference: Reference) -> Iterator[str]:
    if reference.model not in ("", "default", model.name):
        yield f"reference: {model.reference} was built for the model {reference.model!r}"
    features = {column.name for column in reference.features}
    for name, _ in map(segment_feature, model.segments):
        if name not in features:
            yield f"segments: {name!r} is not a feature of the reference"
    outputs = {column.name for column in reference.outputs}
    for name in model.outputs:
        if outputs and name not in outputs:
            known = ", ".join(outputs)
            yield f"outputs: {name!r} is not an output of the reference; it has {known}"
