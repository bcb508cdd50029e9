"""Drive servers that we did not write with each of their body forms: `make servers`.

Prints a row a body form; fails where features, predictions or rows are not what was sent, where
`/metrics` says otherwise, or where an answer is not the one that is given without us.
Then the same of apps with other POSTs beside the model, and of answers in parts.
`make servers ARGS=django` drives one; `ARGS=--record` keeps bodies under `tests/bodies`, for
`make test`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from . import grpc_drive
from .beside import CALLS, MARKER, Call
from .cases import Case, of_kserve, of_mlflow
from .drive import (
    Answer,
    Watched,
    is_same,
    read,
    send,
    serving,
    settled,
    watched,
    write_reference,
)
from .environments import python
from .record import columns, record

SERVERS = {"kserve": of_kserve, "mlflow": of_mlflow}
NAMES = {*SERVERS, *CALLS, "grpc"}


def main(options: list[str]) -> int:
    """Print the table of each server; return how many body forms were not as they should be."""
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        reference = Path(folder) / "linear.reference.json"
        write_reference(reference)
        for server, cases in SERVERS.items():
            if not NAMES & set(options) or server in options:
                failures += _drive(server, cases(), reference, "--record" in options)
        for server, calls in CALLS.items():
            if not NAMES & set(options) or server in options:
                failures += _drive_beside(server, calls, reference)
    if not NAMES & set(options) or "grpc" in options:
        failures += grpc_drive.drive()
    print(f"{failures} failed")
    return failures


def _drive(server: str, cases: list[Case], reference: Path, is_recorded: bool) -> int:
    with serving(python(server), server, None) as unwatched:
        plain = [send(unwatched, case) for case in cases]
    failures = 0
    with serving(python(server), server, reference) as served:
        for case, expected in zip(cases, plain, strict=True):
            before = watched(served)
            answer = send(served, case)
            problems = [*_problems(case, answer, expected), *_unseen(case, before, watched(served))]
            print(f"{server} {case.name}: {'; '.join(problems) or 'as sent'}", flush=True)
            failures += bool(problems)
            if is_recorded:
                record(server, case, answer)
    return failures


def _drive_beside(server: str, calls: list[Call], reference: Path) -> int:
    """Send each call some times, without us and with us; count rows, and look for texts."""
    with serving(python(server), server, None) as unwatched:
        plain = [send(unwatched, call) for call in calls]
    failures = 0
    with serving(python(server), server, reference) as served:
        for call, expected in zip(calls, plain, strict=True):
            before = watched(served)
            answers = [send(served, call) for _ in range(call.times)]
            rows = before.rows + call.times * call.rows
            found = settled(served, rows)
            problems = [f"rows {found.rows}, not {rows}"] if found.rows != rows else []
            if expected.status != 200:
                problems.append(f"status {expected.status}")
            if call.is_fixed and not all(is_same(answer, expected) for answer in answers):
                problems.append("an answer is not the one without us")
            for name, value in call.sums.items():
                seen = found.sums.get(name, 0.0) - before.sums.get(name, 0.0)
                if not np.isclose(seen, call.times * value):
                    problems.append(f"{name}: {seen}, not {call.times * value}")
            if MARKER.partition(" ")[0] in found.text:
                problems.append("a text is on /metrics")
            counted = f"{call.times} x {call.rows} rows, the same answers"
            print(f"{server} {call.name}: {'; '.join(problems) or counted}", flush=True)
            failures += bool(problems)
    return failures


def _problems(case: Case, answer: Answer, expected: Answer) -> list[str]:
    if answer.status != 200:
        return [f"status {answer.status}: {answer.body[:200]!r}"]
    problems = [] if is_same(answer, expected) else ["the answer is not the one without us"]
    parsed = read(case, answer)
    batch = parsed.batch
    if parsed.format != case.format:
        problems.append(f"recognised as {parsed.format}")
    if columns(batch.features) != case.features():
        problems.append(f"features {batch.features}")
    if [*columns(batch.predictions).values()] != [*case.predictions().values()]:
        problems.append(f"predictions {batch.predictions}")
    return problems


def _unseen(case: Case, before: Watched, after: Watched) -> list[str]:
    """Return what `/metrics` does not say of the rows that were sent."""
    problems = [] if after.rows - before.rows == len(case.rows) else ["/metrics: rows"]
    sent = case.features() | {"y": case.predictions()["y"]}
    for name, values in sent.items():
        seen = after.sums.get(name, 0.0) - before.sums.get(name, 0.0)
        if not np.isclose(seen, sum(values)):
            problems.append(f"/metrics: {name}: expected {sum(values)}, got {seen}")
    return problems


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) > 0)
