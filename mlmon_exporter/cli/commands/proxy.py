"""`mlmon-exporter proxy`: the metrics of a server that takes no middleware."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from mlmon_exporter.config.keys import ConfigError, load_config

from .terminal import UserError, user_errors

EXAMPLE = """mlmon-exporter proxy --upstream 127.0.0.1:8000 --config mlmon.toml --port 8080"""


def proxy(
    upstream: Annotated[
        str, typer.Option(help="The model server: host:port, or unix:/path of its socket.")
    ],
    config: Annotated[
        Path | None,
        typer.Option(show_default="the environment", help="The models' mlmon.toml."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="The address that clients connect to, or unix:/path.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port that clients connect to.")
    ] = 8080,
    metrics_host: Annotated[
        str, typer.Option(help="The address of /metrics, the page and feedback.")
    ] = "127.0.0.1",
    metrics_port: Annotated[int, typer.Option(min=1, max=65535, help="Their port.")] = 9464,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Processes that relay; several need a state_dir.")
    ] = 1,
    connect_timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds to wait for the model server to accept.")
    ] = 5.0,
    idle_timeout: Annotated[
        float, typer.Option(min=1.0, help="Seconds after which a silent connection is closed.")
    ] = 3600.0,
) -> None:
    """Stand in front of a model server and watch it: any language, no change to the server.

    Bytes pass untouched in both directions; a copy is read. What cannot be read still passes.
    """
    absent = [name for name in ("hpack", "httptools", "uvloop") if find_spec(name) is None]
    if absent:
        wanted = ", ".join(absent)
        raise UserError(f"proxy: expected {wanted}; pip install 'mlmon-exporter[proxy]'")
    from mlmon_exporter.cli.proxy import Ports, run
    from mlmon_exporter.sources.proxy.address import Address

    with user_errors(ConfigError):
        settings = load_config(config)
        try:
            target = Address.parse(upstream)
        except ValueError as error:
            raise UserError(f"--upstream: {error}") from None
        listening = Address.parse(host) if host.startswith("unix:") else Address(host, port)
        metrics = Address(metrics_host, metrics_port)
        ports = Ports(target, listening, metrics, connect_timeout, idle_timeout)
        try:
            run(settings, ports, workers, typer.echo)
        except OSError as error:
            raise UserError(f"proxy: {error.strerror or error}") from None
