"""The process that `fuzz` starts for an input: `python -m tests.soak.fuzz_input NAME DIR SECONDS`.

Half of the changes are to bytes; the others put junk in the place of a value of a JSON text, which
bytes changed at random seldom leave one.
"""

from __future__ import annotations

import copy
import random
import sys
from collections.abc import Iterator
from typing import Any

import atheris
import orjson

# Whatever is fuzzed must be imported here first, under the fuzzer's eye.
with atheris.instrument_imports(include=["mlmon_exporter"]):
    from tests.hostile.inputs import INPUTS, JUNK

from .fuzz_format import options


def main(name: str, folder: str, seconds: str) -> None:
    """Fuzz one input, with the files of a folder to start from."""
    arguments = [sys.argv[0], *options(folder, seconds), folder]
    atheris.Setup(arguments, INPUTS[name].rule, custom_mutator=_changed)
    atheris.Fuzz()


def _changed(data: bytes, most: int, seed: int) -> bytes:
    rng = random.Random(seed)
    start = 1 if data[:1] < b" " else 0  # a byte that chooses stands before some
    try:
        whole = [orjson.loads(data[start:])]
    except ValueError:
        whole = []
    if not whole or rng.random() < 0.5:
        return bytes(atheris.Mutate(data, most))
    holder, key = rng.choice([*_places(whole)])
    if isinstance(holder, dict) and rng.random() < 0.2:
        del holder[key]
    else:
        holder[key] = copy.deepcopy(rng.choice(JUNK))
    return bytes((data[:start] + orjson.dumps(whole[0]))[:most])


def _places(form: Any) -> Iterator[tuple[Any, Any]]:
    for key in form if isinstance(form, dict) else range(len(form)):
        yield form, key
        if isinstance(form[key], dict | list):
            yield from _places(form[key])


if __name__ == "__main__":
    main(*sys.argv[1:])
