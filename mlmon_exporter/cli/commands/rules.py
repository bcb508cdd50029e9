"""`mlmon-exporter check --rules`: whether an exporter serves what installed rules name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mlmon_exporter.assets.installed_rules import (
    Gap,
    RulesError,
    find_gaps,
    later_metrics,
    read_rules,
    served_metrics,
)

from .terminal import UserError, counted, user_errors

TIMEOUT_SECONDS = 10.0


def check_rules(path: Path, url: str, token: str | None) -> None:
    """Print what rules name and an exporter lacks.

    Raises:
        UserError: Rules or metrics cannot be read, or a rule names what the exporter never serves.
    """
    with user_errors(RulesError):
        rules = read_rules(path)
    served = served_metrics(fetch(url, token))
    gaps = find_gaps(rules, served)
    missing = [gap for gap in gaps if not gap.is_later]
    later = sorted({gap.metric for gap in gaps if gap.is_later})
    console = Console(highlight=False)
    if missing:
        console.print(_table(path, missing, served))
    if later:
        console.print(
            f"Not served yet, but with the first row, event or error: {', '.join(later)}.",
            soft_wrap=True,
        )
    if missing:
        names = {gap.metric for gap in missing}
        wrong = {gap.rule for gap in missing}
        raise UserError(
            f"{path}: expected metrics of {url}, got {len(names)} that it never serves, in "
            f"{counted(len(wrong), 'rule')}; write the rules anew with 'mlmon-exporter assets'"
        )
    named = {metric for rule in rules for metric in rule.metrics}
    files = {rule.file for rule in rules}
    console.print(
        f"[green]OK[/green]: {counted(len(rules), 'rule')} in {counted(len(files), 'file')} name "
        f"{counted(len(named), 'metric')}, none is missing.",
        soft_wrap=True,
    )


def fetch(url: str, token: str | None) -> str:
    """Return what an exporter serves.

    Raises:
        UserError: The URL is none, or does not answer with metrics.
    """
    if not url.startswith(("http://", "https://")):
        raise UserError(f"--url: expected one such as http://127.0.0.1:8000/metrics, got {url!r}")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urlopen(Request(url, headers=headers), timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 it is http
            text: str = answer.read().decode("utf-8", "replace")
    except HTTPError as error:
        error.close()
        hint = "; give --metrics-token" if error.code == 401 else ""
        raise UserError(f"--url: {url}: expected metrics, got status {error.code}{hint}") from error
    except (URLError, OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise UserError(f"--url: {url}: cannot be read: {reason}") from error
    if "mlmon_build_info" not in text:
        raise UserError(f"--url: {url}: expected metrics of mlmon-exporter, got none; add /metrics")
    return text


def _table(root: Path, gaps: Iterable[Gap], served: Iterable[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("rule", "missing metric"):
        table.add_column(name, overflow="fold")
    known = sorted(later_metrics().union(served))
    file = name = ""
    for gap in gaps:
        if file != (file := _shown(root, gap.rule.file)):
            table.add_row(Text(file, style="bold"))
            name = ""
        rule = "" if gap.rule.name == name else gap.rule.name
        table.add_row(Text(f"  {rule}"), _suggested(gap.metric, known))
        name = gap.rule.name
    return table


def _shown(root: Path, file: Path) -> str:
    return file.relative_to(root).as_posix() if root.is_dir() else file.name


def _suggested(metric: str, known: Sequence[str]) -> Text:
    text = Text(metric, style="red")
    for close in difflib.get_close_matches(metric, known, n=1, cutoff=0.8):
        text.append(f"\n  perhaps {close}", style="dim")
    return text
