"""`mlmon-exporter ground-truth`: sends a file of ground truth to a monitor."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from mlmon_exporter.endpoints.records import MOST_RECORDS
from mlmon_exporter.reference.data.outcomes import OutcomeColumns, Record, outcomes_in
from mlmon_exporter.reference.data.readers import DataError

from .terminal import UserError, counted, progress_bar, thousands, user_errors

EXAMPLE = """mlmon-exporter ground-truth outcomes.csv --url http://localhost:8000/ground-truth"""

STATUSES = ("matched", "late", "unknown", "duplicate", "invalid")
WAITS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds before each retry while the server is away or busy."""
TIMEOUT_SECONDS = 60.0


def ground_truth(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV, Parquet, Feather or JSON lines.")
    ],
    url: Annotated[
        str, typer.Option(help="The ground truth endpoint of the model server or of 'serve'.")
    ] = "http://127.0.0.1:9464/ground-truth",
    token: Annotated[
        str,
        typer.Option(
            envvar="MLMON_TOKEN", show_default=False, help="The token of the configuration."
        ),
    ] = "",
    id_column: Annotated[
        str, typer.Option(metavar="A", help="The column with the id of the prediction.")
    ] = "prediction_id",
    ground_truth_column: Annotated[
        str, typer.Option(metavar="A", help="The column with the outcome.")
    ] = "ground_truth",
    time_column: Annotated[
        str, typer.Option(metavar="A", help="The time at which the outcome became known; optional.")
    ] = "timestamp",
    start: Annotated[
        int, typer.Option(min=0, metavar="ROW", help="The first row to send, to resume.")
    ] = 0,
) -> None:
    """Send the ground truth in a file to a monitor, for example every night.

    Sending a row twice does no harm: it counts as a duplicate.
    """
    if not url.startswith(("http://", "https://")):
        raise UserError(f"--url: expected http:// or https://, got {url!r}")
    if not token:
        raise UserError(
            "--token: expected the token of the configuration, got none; set MLMON_TOKEN"
        )
    token = token.rpartition(",")[2]  # of two that are valid, the newer one
    columns = OutcomeColumns(id_column, ground_truth_column, time_column)
    with user_errors(DataError), progress_bar(f"Sending {file}") as progress:
        rows = islice(outcomes_in(file, columns), start, None)
        totals = dict.fromkeys(STATUSES, 0)
        done, errors = start, []
        for batch, share in _batches(rows):
            answer = _send(url, token, batch, done)
            for status in STATUSES:
                totals[status] += int(answer.get(status, 0))
            errors += [(done + e["index"], e["reason"]) for e in answer.get("errors", ())]
            done += len(batch)
            progress(share)
    console = Console(highlight=False, soft_wrap=True)
    for row, reason in errors[:5]:
        console.print(f"row {row}: {reason}", markup=False)
    sums = ", ".join(f"{thousands(count)} {status}" for status, count in totals.items() if count)
    console.print(f"Sent {counted(done - start, 'row')}: {sums or 'nothing to send'}.")


def _batches(rows: Iterator[tuple[Record, float]]) -> Iterator[tuple[list[Record], float]]:
    while batch := [*islice(rows, MOST_RECORDS)]:
        yield [record for record, _ in batch], batch[-1][1]


def _send(url: str, token: str, records: Sequence[Record], done: int) -> Any:
    """Post records and return the answer; raises UserError if the server refuses them."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, orjson.dumps(records), headers)  # noqa: S310 - http was checked
    problem = ""
    for wait in (*WAITS, None):
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
                return orjson.loads(response.read())
        except urllib.error.HTTPError as error:
            problem = f"answered {error.code}: {_reason(error)}"
            if error.code not in (429, 502, 503, 504):
                break
        except (OSError, ValueError) as error:
            problem = str(getattr(error, "reason", error))
        if wait is not None:
            time.sleep(wait)
    raise UserError(f"{url}: {problem}; fix it and resume with --start {done}")


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(orjson.loads(error.read())["error"])
    except (ValueError, KeyError, TypeError, OSError):
        return error.reason
