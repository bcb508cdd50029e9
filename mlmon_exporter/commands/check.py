"""`mlmon-exporter check`: the configuration, what each model will watch, installed rules."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from mlmon_exporter import Monitor
from mlmon_exporter.config import Config, ConfigError, ModelConfig, load_config
from mlmon_exporter.reference import Reference
from mlmon_exporter.reference_warnings import reference_warnings

from .rules import check_rules
from .terminal import age, column_table, counted, print_warnings, user_errors

EXAMPLE = """mlmon-exporter check --config mlmon.toml"""


def check(
    config: Annotated[
        Path, typer.Option(envvar="MLMON_CONFIG", help="The configuration file.")
    ] = Path("mlmon.toml"),
    rules: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            show_default=False,
            help="Check installed rules instead, a file or a folder: "
            "whether all metrics that they name exist.",
        ),
    ] = None,
    url: Annotated[
        str, typer.Option(help="With --rules: the metrics of a running exporter.")
    ] = "http://127.0.0.1:8000/metrics",
    metrics_token: Annotated[
        str | None,
        typer.Option(
            envvar="MLMON_METRICS_TOKEN",
            show_default=False,
            help="With --rules: the token that the exporter asks for.",
        ),
    ] = None,
) -> None:
    """Check a configuration and its references, and show what each model will watch.

    Exits with 0 where a server would start with it, and with 2 where it would not.

    With --rules, exits with 2 where a rule names a metric that the exporter never serves.
    """
    if rules is not None:
        check_rules(rules, url, metrics_token)
    else:
        check_config(config)


def check_config(config: Path) -> None:
    """Print what a configuration says, and what each of its models will watch."""
    with user_errors(ConfigError):
        settings = load_config(config)
        Monitor(settings).close()  # whatever stops a server, stops here, too
    console = Console(highlight=False)
    windows = ", ".join(window.label for window in settings.windows)
    console.print(
        f"[bold]{escape(str(config))}[/bold]: windows {windows}; at most one false page "
        f"per model in {settings.false_alarm_every.label}; state "
        f"{f'in {settings.state_dir}' if settings.state_dir else 'in memory'}",
        soft_wrap=True,
    )
    warnings = list(_settings_warnings(settings))
    for model in settings.models:
        warnings += [f"{model.name}: {text}" for text in _show(console, settings, model)]
    print_warnings(console, warnings)
    found = counted(len(warnings), "warning") if warnings else "no warnings"
    console.print(f"[green]OK[/green], {found}: a server will start with this.")


def _settings_warnings(settings: Config) -> Iterator[str]:
    folder = settings.state_dir
    if folder is None:
        return
    existing = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        yield f"state_dir: {folder} cannot be written: {existing} is not yours, or no folder"


def _show(console: Console, settings: Config, model: ModelConfig) -> list[str]:
    """Print what is known of a model; return warnings."""
    routes = ", ".join(model.routes) or "every POST that parses"
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
    console.print(column_table({"feature": reference.features, "output": reference.outputs}))
    return [*_fit(model, reference), *reference_warnings(reference)]


def _fit(model: ModelConfig, reference: Reference) -> Iterator[str]:
    if reference.model not in ("", "default", model.name):
        yield f"reference: {model.reference} was built for the model {reference.model!r}"
    features = {column.name for column in reference.features}
    for name in model.segments:
        if name not in features:
            yield f"segments: {name!r} is no feature of the reference"
    outputs = {column.name for column in reference.outputs}
    for name in model.outputs:
        if outputs and name not in outputs:
            yield f"outputs: {name!r} is no output of the reference; it has {', '.join(outputs)}"
