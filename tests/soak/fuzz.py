"""All that is read under a fuzzer that watches the code's branches: `make soak ARGS="fuzz 120"`.

Of a format, any bytes give a batch or a FormatError, in bounded time and memory; the other inputs
have their rules in tests/hostile. What breaks one is kept as `build/fuzz/NAME/crash-*`; what
reached new branches is there for the next run to start from.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mlmon_exporter.formats import FORMATS
from tests.formats.bodies import Body, read_all
from tests.hostile.inputs import INPUTS

FOLDER = Path(__file__).parents[2] / "build" / "fuzz"
NAMES = (*(row.name for row in FORMATS), *INPUTS)
MARK = b"\n\0\n"
"""Stands between request and response in what the fuzzer changes."""
_TRIED_AND_BRANCHES = (r"number_of_executed_units: (\d+)", r"cov: (\d+)")


def table(seconds: int, names: Sequence[str] = ()) -> None:
    """Fuzz each format and input, or those named, for so many seconds and print what came of it."""
    print("| read | seconds | inputs tried | branches | any bytes keep the rule |")
    print("|---|---|---|---|---|")
    for name in names or NAMES:
        code, output = _fuzz(name, seconds)
        tried, branches = (
            "".join(re.findall(pattern, output)[-1:]) for pattern in _TRIED_AND_BRANCHES
        )
        verdict = "no" if code else "yes"
        print(f"| {name} | {seconds} | {tried} | {branches} | {verdict} |", flush=True)
        if code:
            # Where time or memory ran out there is no error, and the end says so.
            start = output.find("=== Uncaught Python exception")
            print(output[start:][:4000] if start >= 0 else output[-4000:])


def _fuzz(name: str, seconds: int) -> tuple[int, str]:
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    for i, seed in enumerate(_seeds(name)):
        (folder / f"real-{i}").write_bytes(seed)
    module = "fuzz_input" if name in INPUTS else "fuzz_format"
    command = [sys.executable, "-m", f"tests.soak.{module}", name, str(folder), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")
    return done.returncode, done.stdout + done.stderr


def _seeds(name: str) -> list[bytes]:
    """Return valid inputs; of a format its real bodies, after a byte that says which."""
    if name in INPUTS:
        return INPUTS[name].seeds()
    sent = [body.exchange for body in bodies_of(name)]
    pairs = [[b"".join(e.request_chunks), b"".join(e.response_chunks)] for e in sent]
    return [bytes([i]) + MARK.join(pair) for i, pair in enumerate(pairs)]


def bodies_of(name: str) -> list[Body]:
    """Return the real bodies of a format."""
    return [body for body in read_all() if body.format == name]
