"""The program: a table of commands, one file each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, NamedTuple

import typer

from mlmon_exporter import __version__

from .commands import (
    assets,
    backtest,
    build_reference,
    check,
    compare,
    demo,
    ground_truth,
    proxy,
    report,
    send_alert,
    serve,
)
from .commands.terminal import UserError, fail


class Command(NamedTuple):
    """A command: its docstring is its help, which ends with the example."""

    run: Callable[..., None]
    example: str


COMMANDS = {
    "build-reference": Command(build_reference.build_reference, build_reference.EXAMPLE),
    "compare": Command(compare.compare, compare.EXAMPLE),
    "backtest": Command(backtest.backtest, backtest.EXAMPLE),
    "serve": Command(serve.serve, serve.EXAMPLE),
    "proxy": Command(proxy.proxy, proxy.EXAMPLE),
    "report": Command(report.report, report.EXAMPLE),
    "check": Command(check.check, check.EXAMPLE),
    "ground-truth": Command(ground_truth.ground_truth, ground_truth.EXAMPLE),
    "demo": Command(demo.demo, demo.EXAMPLE),
    "test-alert": Command(send_alert.send_alert, send_alert.EXAMPLE),
    "assets": Command(assets.assets, assets.EXAMPLE),
}


class _OneLineErrors(typer.core.TyperGroup):
    """Reports errors of arguments, files and configuration in one line, and exits with 2."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        try:
            code = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
        except typer.Abort:
            fail("stopped", code=130)
        except UserError as error:
            fail(str(error))
        except Exception as error:
            # What is wrong with arguments; its class has moved between versions of typer.
            if not hasattr(error, "format_message"):
                raise
            fail(_usage(error))
        if not standalone_mode:
            return code
        raise SystemExit(code or 0)


def _usage(error: Any) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "mlmon-exporter"
    message = " ".join(str(error.format_message()).split())
    if not message:  # no arguments at all: the help was printed
        return ""
    return f"{message.rstrip('.')}; see '{path} --help'"


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mlmon-exporter {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Monitor model servers with Prometheus: references, checks, a demo, boards and rules."""


def program() -> typer.Typer:
    """Return the program with all its commands."""
    app = typer.Typer(
        cls=_OneLineErrors,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for name, command in COMMANDS.items():
        app.command(name, epilog=f"[bold]Example:[/bold] {command.example}")(command.run)
    return app
