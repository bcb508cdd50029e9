"""`mlmon-exporter demo`: real models, real data, real drift."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from .terminal import UserError, user_errors

EXAMPLE = """mlmon-exporter demo --port 8000"""

NEEDED = {"fastapi": "fastapi", "sklearn": "scikit-learn"}


def demo(
    seconds: Annotated[
        int | None,
        typer.Option(min=5, show_default="until ctrl-c", help="Duration of the traffic."),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 picks a free one.")
    ] = 8000,
    once: Annotated[
        bool,
        typer.Option(
            "--once",
            help="No live table: 60 seconds of traffic and a summary. Exit code 0 if exactly the "
            "expected drift was detected, else 1.",
        ),
    ] = False,
) -> None:
    """Serve two models on real data, replay traffic, and show which features drift.

    A model of bicycle rentals was trained in winter; then the seasons pass. A model of incomes
    gets the traffic that it was trained for. Ground truth arrives late, for part of the rows, and
    the quality of the predictions is shown. Nothing leaves this machine.

    With Prometheus and Alertmanager on the PATH, they run the bundled rules, sped up to an hour in
    half a minute, and the demo shows the page for the drift when it arrives.
    """
    absent = [name for module, name in NEEDED.items() if find_spec(module) is None]
    if absent:
        raise UserError(f"the demo needs {', '.join(absent)}: pip install 'mlmon-exporter[demo]'")
    from mlmon_exporter.cli.demo.run import DemoError, run

    with user_errors(DemoError):
        code = run(seconds=seconds or (60 if once else None), port=port, once=once)
    raise typer.Exit(code)
