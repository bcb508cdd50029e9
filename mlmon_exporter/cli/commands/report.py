"""`mlmon-exporter report`: writes the page to one file, to attach to an incident."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mlmon_exporter.config.keys import ConfigError, load_config

from .terminal import size, user_errors

EXAMPLE = """mlmon-exporter report --config mlmon.toml --out report.html"""


def report(
    out: Annotated[Path, typer.Option(show_default=False, help="The file to write.")],
    config: Annotated[
        Path | None,
        typer.Option(show_default="the environment", help="The model server's mlmon.toml."),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(show_default="the longest", help="The window to draw, such as 1h."),
    ] = None,
) -> None:
    """Write the page, with all models and features, to one HTML file that loads nothing.

    Needs only the configuration and the state directory of the model server.
    """
    from mlmon_exporter.cli.server import reader_of

    with user_errors(ConfigError, ValueError):
        with closing(reader_of(load_config(config))) as monitor:
            page = monitor.report(window)
        written = out.write_bytes(page.encode("utf-8", "replace"))
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"Wrote [bold]{out}[/bold], {size(written)}.")
