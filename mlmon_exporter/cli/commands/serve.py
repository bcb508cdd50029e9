"""`mlmon-exporter serve`: metrics of a host's model servers, or of those that loggers tell of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlmon_exporter.config.keys import ConfigError, load_config

from .terminal import user_errors

EXAMPLE = """mlmon-exporter serve --config mlmon.toml --port 9464"""


def serve(
    config: Annotated[
        Path | None,
        typer.Option(show_default="the environment", help="The model server's mlmon.toml."),
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on.")] = 9464,
) -> None:
    """Serve /metrics and /healthz from the state directory that the model server writes to.

    Needs only the configuration and the state directory of the model server. With an events_path in
    the configuration it takes CloudEvents of payload loggers there, and counts their calls.
    """
    import uvicorn

    from mlmon_exporter.cli.server import server_app

    with user_errors(ConfigError):
        app = server_app(load_config(config))
    uvicorn.run(app, host=host, port=port, log_level="warning")
