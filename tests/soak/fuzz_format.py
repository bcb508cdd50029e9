"""The process that `fuzz` starts for a format: `python -m tests.soak.fuzz_format NAME DIR SECONDS`.

The code that is fuzzed must be imported here first, under the fuzzer's eye.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["mlmon_exporter.formats"]):
    from mlmon_exporter.formats import BodyMap

from tests.formats.bodies import exchange
from tests.formats.test_fuzz import check

from .fuzz import MARK, bodies_of

MAX_BYTES = 16_384
LONGEST_SECONDS, MOST_MEGABYTES = 10, 2048
SMALL = BodyMap(max_rows=100, max_features=50, max_values=1000)


def main(name: str, folder: str, seconds: str) -> None:
    """Fuzz one format, with the files of a folder to start from."""
    bodies = bodies_of(name)

    def rule(data: bytes) -> None:
        # The first byte chooses whose path, headers and names the others are sent with.
        body = bodies[data[0] % len(bodies)] if data else bodies[0]
        request, _, response = data[1:].partition(MARK)
        sent = body.exchange._replace(request_chunks=[request], response_chunks=[response])
        check(sent, body.body_map, name)
        check(exchange(request, response, path=sent.path), SMALL, name)

    atheris.Setup([sys.argv[0], *options(folder, seconds), folder], rule)
    atheris.Fuzz()


def options(folder: str, seconds: str) -> list[str]:
    """Return what libFuzzer is told."""
    return [
        f"-max_total_time={seconds}",
        f"-max_len={MAX_BYTES}",
        f"-timeout={LONGEST_SECONDS}",
        f"-rss_limit_mb={MOST_MEGABYTES}",
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
    ]


if __name__ == "__main__":
    main(*sys.argv[1:])
