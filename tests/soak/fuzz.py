"""Each format under a fuzzer that watches the code's branches: `make soak ARGS="fuzz 120"`.

Any bytes give a batch or a FormatError, in bounded time and memory, whatever the fuzzer finds. What
breaks this is kept as `build/fuzz/FORMAT/crash-*`; what reached new branches is there for the next
run to start from.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from mlmon_exporter.formats import FORMATS
from tests.formats.bodies import Body, read_all

FOLDER = Path(__file__).parents[2] / "build" / "fuzz"
MARK = b"\n\0\n"
"""Stands between request and response in what the fuzzer changes."""
_TRIED_AND_BRANCHES = (r"number_of_executed_units: (\d+)", r"cov: (\d+)")


def table(seconds: int) -> None:
    """Fuzz each format for so many seconds and print what came of it."""
    print("| format | seconds | inputs tried | branches | any bytes give a batch or an error |")
    print("|---|---|---|---|---|")
    for name in [row.name for row in FORMATS]:
        code, output = _fuzz(name, seconds)
        tried, branches = (
            "".join(re.findall(pattern, output)[-1:]) for pattern in _TRIED_AND_BRANCHES
        )
        verdict = "no" if code else "yes"
        print(f"| {name} | {seconds} | {tried} | {branches} | {verdict} |", flush=True)
        if code:
            print(output[-4000:])


def _fuzz(name: str, seconds: int) -> tuple[int, str]:
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    for i, body in enumerate(bodies_of(name)):
        sent = body.exchange
        content = MARK.join([b"".join(sent.request_chunks), b"".join(sent.response_chunks)])
        (folder / f"real-{i}").write_bytes(bytes([i]) + content)
    command = [sys.executable, "-m", "tests.soak.fuzz_format", name, str(folder), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")
    return done.returncode, done.stdout + done.stderr


def bodies_of(name: str) -> list[Body]:
    """Return the real bodies of a format."""
    return [body for body in read_all() if body.format == name]
