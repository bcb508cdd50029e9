"""`mlmon-exporter assets`: the bundled boards, rules and runbooks as files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from mlmon_exporter.assets.bundle import asset_files, assets_root, object_files
from mlmon_exporter.assets.rules import DEFAULTS, Settings
from mlmon_exporter.assets.rules.kubernetes import Cluster

from .terminal import UserError, user_errors

EXAMPLE = """mlmon-exporter assets --out monitoring --availability-objective 0.995"""

IN_RULES, IN_OBJECTS = "Settings of the rules", "Kubernetes"


def assets(
    out: Annotated[
        Path, typer.Option(metavar="DIR", show_default=False, help="The folder to write to.")
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files that were changed, too.")
    ] = False,
    job: Annotated[
        str,
        typer.Option(
            metavar="REGEX", rich_help_panel=IN_RULES, help="The scrape jobs of your model servers."
        ),
    ] = DEFAULTS.job,
    availability_objective: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            rich_help_panel=IN_RULES,
            help="Requests that do not end in a server error, 0 to 1.",
        ),
    ] = DEFAULTS.availability_objective,
    latency_objective: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            rich_help_panel=IN_RULES,
            help="Requests that are answered within --latency-seconds, 0 to 1.",
        ),
    ] = DEFAULTS.latency_objective,
    latency_seconds: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            rich_help_panel=IN_RULES,
            show_default=f"{DEFAULTS.slow_seconds:g}, and slow answers page nobody",
            help="A bucket bound of mlmon_request_duration_seconds: slower answers page.",
        ),
    ] = DEFAULTS.latency_seconds,
    parity_objective: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            rich_help_panel=IN_RULES,
            help="How often the least selected segment should be, as a share of the most selected.",
        ),
    ] = DEFAULTS.parity_objective,
    cpu_cores: Annotated[
        float,
        typer.Option(
            metavar="CORES", rich_help_panel=IN_RULES, help="How many cores a model server may use."
        ),
    ] = DEFAULTS.cpu_cores,
    runbook_url: Annotated[
        str,
        typer.Option(
            metavar="URL",
            rich_help_panel=IN_RULES,
            help="Where you put the runbooks: alerts link to URL/<alert>.md.",
        ),
    ] = DEFAULTS.runbook_url,
    dashboard_url: Annotated[
        str,
        typer.Option(
            metavar="URL",
            rich_help_panel=IN_RULES,
            show_default=False,
            help="Your Grafana: alerts link to URL/d/<board>.",
        ),
    ] = DEFAULTS.dashboard_url,
    kubernetes: Annotated[
        bool,
        typer.Option(
            "--kubernetes",
            rich_help_panel=IN_OBJECTS,
            help="Write objects for the Prometheus Operator and Grafana's sidecar instead.",
        ),
    ] = False,
    selector: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            rich_help_panel=IN_OBJECTS,
            show_default=False,
            help="A label of the model servers' pods; may be repeated.",
        ),
    ] = None,
    port: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            rich_help_panel=IN_OBJECTS,
            help="The name of the pods' port that serves /metrics.",
        ),
    ] = "http",
    namespace: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            rich_help_panel=IN_OBJECTS,
            show_default="kubectl's",
            help="The namespace of objects and pods.",
        ),
    ] = "",
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            rich_help_panel=IN_OBJECTS,
            show_default=False,
            help="A label of all objects, such as release=kube-prometheus-stack; may be repeated.",
        ),
    ] = None,
) -> None:
    """Write the Grafana boards, the Prometheus rules and their runbooks to a folder.

    Files that are there already and differ are let be, unless --force is given.
    """
    settings = rule_settings(
        job=job,
        availability_objective=availability_objective,
        latency_objective=latency_objective,
        latency_seconds=latency_seconds,
        parity_objective=parity_objective,
        cpu_cores=cpu_cores,
        runbook_url=runbook_url.rstrip("/"),
        dashboard_url=dashboard_url.rstrip("/"),
    )
    given = {"--selector": selector, "--label": label, "--namespace": namespace}
    with user_errors(FileNotFoundError):
        root = assets_root()
    if kubernetes:
        with _option_errors():
            cluster = Cluster(
                selector=_labels("--selector", selector),
                port=port,
                namespace=namespace,
                labels=_labels("--label", label),
            )
        contents = object_files(root, settings, cluster)
    elif needless := [option for option, value in given.items() if value]:
        raise UserError(f"{needless[0]}: needs --kubernetes")
    else:
        contents = asset_files(root, settings)
    written, same = write_files(contents, out, force=force)
    console = Console(highlight=False, soft_wrap=True)
    for name in written:
        console.print(f"  {name}", markup=False)
    kept = f"; {same} were there already" if same else ""
    console.print(f"Wrote {len(written)} files to [bold]{out}[/bold]{kept}.")
    if not kubernetes and settings != DEFAULTS:
        console.print("Tests of the rules are about the default settings: none were written.")


def rule_settings(**options: Any) -> Settings:
    """Return settings from options; raises UserError where one makes no sense."""
    try:
        re.compile(options["job"])
    except re.error as error:
        raise UserError(
            f"--job: expected a regular expression, got {options['job']!r}: {error}"
        ) from error
    with _option_errors():
        return Settings(**options)


@contextmanager
def _option_errors() -> Iterator[None]:
    """Name the option where an error names the field."""
    try:
        yield
    except ValueError as error:
        field, _, rest = str(error).partition(": ")
        raise UserError(f"--{field.replace('_', '-')}: {rest}") from error


def _labels(option: str, given: Sequence[str] | None) -> dict[str, str]:
    labels = {}
    for text in given or ():
        key, sign, value = text.partition("=")
        if not sign:
            raise UserError(f"{option}: expected KEY=VALUE such as app=bike-demand, got {text!r}")
        labels[key] = value
    return labels


def write_files(
    contents: Mapping[str, bytes], out: Path, *, force: bool = False
) -> tuple[list[str], int]:
    """Write path -> content; return the paths written, and how many were there already.

    Raises:
        UserError: Some would overwrite files that differ. Then nothing was written.
    """
    with user_errors():
        present = {name: (out / name).read_bytes() for name in contents if (out / name).is_file()}
        changed = [name for name, content in present.items() if content != contents[name]]
        if changed and not force:
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            raise UserError(
                f"{out / changed[0]}{more}: differs from what would be written; "
                "move it away, or add --force to overwrite it"
            )
        wanted = [name for name, content in contents.items() if present.get(name) != content]
        for name in wanted:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_bytes(contents[name])
    return wanted, len(contents) - len(wanted)
