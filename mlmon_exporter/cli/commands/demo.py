"""`mlmon-exporter demo`: real models on real data, and the drift that really happened."""

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
        typer.Option(min=5, show_default="until ctrl-c", help="How long the traffic lasts."),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where to serve on 127.0.0.1; 0 takes a free one.")
    ] = 8000,
    once: Annotated[
        bool,
        typer.Option(
            "--once",
            help="No live table: 60 seconds of traffic, a summary, and exit code 0 where the "
            "drift was seen that is there, 1 where not.",
        ),
    ] = False,
) -> None:
    """Serve two models on real data, replay traffic, and show which features drift.

    A model of bicycle rentals was trained in winter; then the seasons pass. A model of incomes
    gets the traffic that it was made for. What came true arrives late, and not for all rows: how
    good the predictions are is shown, too. Nothing leaves this machine.

    With Prometheus and Alertmanager on the PATH, they run the rules as they ship, an hour of theirs
    in half a minute, and the page for the drift is shown when it arrives.
    """
    absent = [name for module, name in NEEDED.items() if find_spec(module) is None]
    if absent:
        raise UserError(f"the demo needs {', '.join(absent)}: pip install 'mlmon-exporter[demo]'")
    from mlmon_exporter.cli.demo.run import DemoError, run

    with user_errors(DemoError):
        code = run(seconds=seconds or (60 if once else None), port=port, once=once)
    raise typer.Exit(code)
