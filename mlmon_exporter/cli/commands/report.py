"""`mlmon-exporter report`: writes the page to one file, to attach to an incident."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

import typer
from rich.console import Console

from mlmon_exporter.config.keys import ConfigError, load_config

from .terminal import UserError, size, user_errors
from .web import answer

EXAMPLE = """mlmon-exporter report --url http://localhost:8000/mlmon --out report.html"""
NO_SOURCE = (
    "report: expected --url, the page of a server that runs, or a configuration with the "
    "state_dir that it writes to, got neither"
)


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
    url: Annotated[
        str,
        typer.Option(show_default=False, help="The page of a server that runs: its page_path."),
    ] = "",
    token: Annotated[
        str,
        typer.Option(
            envvar="MLMON_METRICS_TOKEN", show_default=False, help="The page's token, with --url."
        ),
    ] = "",
) -> None:
    """Write the page, with all models and features, to one HTML file that loads nothing.

    With --url it comes from a server that runs. Else it needs only the configuration and the
    state directory of the server, which need not run.
    """
    page = _asked(url, window, token) if url else _read(config, window)
    with user_errors():
        written = out.write_bytes(page)
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"Wrote [bold]{out}[/bold], {size(written)}.")


def _asked(url: str, window: str | None, token: str) -> bytes:
    """Return the report of a server that runs; raises UserError where its page is not there."""
    query = urlencode({"report": "", **({"window": window} if window else {})})
    page = answer("--url", f"{url.partition('?')[0]}?{query}", token=token.rpartition(",")[2])
    if b"<title>Drift report" not in page:
        raise UserError(f"--url: expected the page of mlmon-exporter, got another at {url}")
    return page


def _read(config: Path | None, window: str | None) -> bytes:
    """Return the report of the state that a server has written."""
    from mlmon_exporter.cli.server import reader_of

    with user_errors(ConfigError, ValueError):
        settings = load_config(config)
        if settings.state_dir is None:
            raise UserError(NO_SOURCE)
        with closing(reader_of(settings)) as monitor:
            return monitor.report(window).encode("utf-8", "replace")
