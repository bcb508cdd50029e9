"""Options and output shared by the commands: errors of one line, tables, a progress bar, units."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from typing import NoReturn

import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from mlmon_exporter.core.profile.bins import CategoryBins
from mlmon_exporter.core.profile.column import ColumnReference

SHOWN = 40
"""Rows of a table; models may have thousands of columns."""


class UserError(Exception):
    """A mistake that the user can fix; each line names the file, the key and the fix."""


def fail(message: str, code: int = 2) -> NoReturn:
    """Print an error, a line for each problem, and exit."""
    for line in message.splitlines():
        sys.stderr.write(f"mlmon-exporter: {line}\n")
    raise SystemExit(code)


@contextmanager
def user_errors(*kinds: type[Exception]) -> Iterator[None]:
    """Turn exceptions of these kinds, and OSError, into `UserError`."""
    try:
        yield
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise UserError(f"{where}{error.strerror or error}") from error
    except kinds as error:
        raise UserError(str(error)) from error


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[float], None]]:
    """Give a function that takes the share done, 0 to 1; draws only on a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:  # older versions of rich end a bar that is disabled with a line
        yield lambda share: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=1.0)
        yield lambda share: progress.update(task, completed=share)


def waiting(what: str) -> AbstractContextManager[object]:
    """Say on a terminal that something runs whose end is not known."""
    console = Console(stderr=True)
    return console.status(what) if console.is_terminal else nullcontext()


def print_warnings(console: Console, warnings: Sequence[str]) -> None:
    """Print warnings, a line each."""
    for warning in warnings:
        console.print(f"[yellow]Warning:[/yellow] {escape(warning)}", soft_wrap=True)


def column_table(sides: Mapping[str, Sequence[ColumnReference]]) -> Table:
    """Return a table of columns under their headings."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    first, *_ = sides
    table.add_column(first, overflow="ellipsis", no_wrap=True, max_width=32)
    table.add_column("kind", no_wrap=True)
    for name in ("bins", "rows", "missing"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("values", overflow="ellipsis", max_width=44)
    for heading, columns in sides.items():
        if heading != first and columns:
            table.add_section()
            table.add_row(f"[bold]{heading}[/bold]")
        for column in columns[:SHOWN]:
            table.add_row(*map(escape, _column_row(column)))
        if len(columns) > SHOWN:
            table.add_row(f"... and {thousands(len(columns) - SHOWN)} more")
    return table


def _column_row(column: ColumnReference) -> tuple[str, ...]:
    share = column.missing / column.rows if column.rows else math.nan
    return (
        column.name,
        column.kind,
        str(len(column.bins.bin_names)),
        thousands(column.rows),
        percent(share),
        _values(column),
    )


def _values(column: ColumnReference) -> str:
    if isinstance(column.bins, CategoryBins):
        names = column.bins.categories
        shown = [name[:20] for name in names[:3]]
        rest = len(names) + len(column.bins.rare) - len(shown)
        return ", ".join([*shown, f"+{thousands(rest)}"] if rest else shown)
    edges = column.bins.edges
    if not len(edges):
        return ""
    # The first edge is just under the least value.
    least = np.nextafter(edges[0], np.inf) + 0.0  # no -0
    return f"{least:.6g} to {edges[-1]:.6g}"


def moment(option: str, text: str) -> float:
    """Return a time in ISO 8601, UTC unless it says otherwise, as Unix seconds; NaN for none.

    Raises:
        UserError: It is none.
    """
    if not text:
        return math.nan
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(
            f"{option}: expected a time such as 2026-11-23T12:00, got {text!r}"
        ) from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def key_values(option: str, given: Sequence[str] | None) -> dict[str, str]:
    """Return the values of an option that is given as KEY=VALUE, again and again.

    Raises:
        UserError: One has no `=`.
    """
    found = {}
    for text in given or ():
        key, sign, value = text.partition("=")
        if not sign:
            raise UserError(f"{option}: expected KEY=VALUE, got {text!r}")
        found[key] = value
    return found


def percent(share: float) -> str:
    """Return a share as text: `0 %`, `0.3 %`, `12 %`."""
    if math.isnan(share):
        return ""
    digits = 1 if 0 < share < 0.0995 else 0
    return "<0.1 %" if 0 < share < 0.0005 else f"{100 * share:.{digits}f} %"


def thousands(number: int) -> str:
    """Return a whole number with spaces between thousands."""
    return f"{number:,}".replace(",", " ")


def size(count: int) -> str:
    """Return a number of bytes as text: `312 KiB`."""
    return f"{max(1, round(count / 1024)):,} KiB".replace(",", " ")


def age(seconds: float) -> str:
    """Return a span as text: `3 days`."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return counted(count, unit)
    return "less than a minute"


def counted(number: int, noun: str) -> str:
    """Return a count with its noun: `1 output`, `2 outputs`."""
    return f"{thousands(number)} {noun}{'' if number == 1 else 's'}"
