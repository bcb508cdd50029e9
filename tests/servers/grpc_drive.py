"""Drive gRPC servers and clients that we did not write: `make servers ARGS=grpc`.

Each server is asked without us, with our interceptor in it, and behind our proxy; fails where an
answer or a status is another, or where rows, sums or drift are not those of the rows sent.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from mlmon_exporter import Monitor
from tests.e2e.servers import free_port, program, wait_until
from tests.e2e.test_proxy import is_open

from .drive import proxied, write_reference
from .environments import python
from .grpc_rows import CASES, Sent
from .linear import FEATURES, outputs

CLIENTS = {"kserve": ("triton", "kserve"), "mlserver": ("triton", "mlserver")}
"""Server -> clients."""
WAYS = ("interceptor", "proxy")
SEEN = ("mlmon_prediction_rows_total", "mlmon_feature_value_sum", "mlmon_prediction_value_sum",
        "mlmon_feature_psi", "mlmon_prediction_psi")  # fmt: skip
Numbers = dict[tuple[str, ...], float]


def drive() -> int:
    """Print a row a server, client and way; return how many are not as they should be."""
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        reference = Path(folder) / "linear.reference.json"
        write_reference(reference)
        for server, clients in CLIENTS.items():
            for client in clients:
                with _serving(server, None, Path(folder)) as (port, _):
                    plain = _asked(client, port)
                for way in WAYS:
                    with _watched(server, way, reference, Path(folder)) as (port, metrics_port):
                        problems = _problems(_asked(client, port), plain, metrics_port, reference)
                    told = "; ".join(problems) or f"{len(plain)} answers as sent"
                    print(f"grpc {server}, {client}'s client, {way}: {told}", flush=True)
                    failures += bool(problems)
    return failures


def _asked(client: str, port: int) -> dict[str, str]:
    command = [str(python(client)), "-m", "tests.servers.grpc_client", client, str(port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise RuntimeError(f"{client}: {done.stderr[-2000:]}")
    return dict(json.loads(line) for line in done.stdout.splitlines())


@contextmanager
def _serving(server: str, reference: Path | None, folder: Path) -> Iterator[tuple[int, int]]:
    port, metrics_port = free_port(), free_port()
    options = [] if reference is None else [str(reference)]
    command = [str(python(server)), "-m", f"tests.servers.grpc_{server}_app"]
    command += [str(port), str(metrics_port), *options]
    with program(command, lambda: is_open(port), folder / "server.log", seconds=120):
        yield port, metrics_port


@contextmanager
def _watched(server: str, way: str, reference: Path, folder: Path) -> Iterator[tuple[int, int]]:
    if way == "interceptor":
        with _serving(server, reference, folder) as ports:
            yield ports
        return
    with (
        _serving(server, None, folder) as (upstream, _),
        proxied(upstream, reference, folder) as ports,
    ):
        yield ports


def _problems(
    answers: dict[str, str], plain: dict[str, str], metrics_port: int, reference: Path
) -> list[str]:
    problems = [f"{name}: another answer" for name in plain if answers.get(name) != plain[name]]
    sent = [case for name in plain for case in CASES if case.id in name.split()]
    rows = sum(len(case.rows) for case in sent)
    url = f"http://127.0.0.1:{metrics_port}/metrics"
    wait_until(lambda: _scraped(url).get((SEEN[0], "linear"), 0.0) >= rows, 30)
    seen, expected = _scraped(url), _expected(sent, reference)
    keys = sorted(expected.keys() | seen.keys())
    return problems + [
        f"{key}: expected {expected.get(key)}, got {seen.get(key)}"
        for key in keys
        if not np.isclose(seen.get(key, np.nan), expected.get(key, np.nan))
    ]


def _scraped(url: str) -> Numbers:
    families = text_string_to_metric_families(httpx.get(url, timeout=30).text)
    return _numbers((s.name, s.labels, s.value) for family in families for s in family.samples)


def _expected(sent: list[Sent], reference: Path) -> Numbers:
    """Return the numbers of a monitor that was given the rows themselves."""
    with Monitor(model="linear", reference=reference) as monitor:
        for case in sent:
            matrix = np.array(case.rows, dtype=case.code)
            columns = {name: matrix[:, i] for i, name in enumerate(FEATURES)}
            monitor.observe(columns, {"y": outputs(matrix)})
        return _numbers((r.name, r.labels, r.value) for r in monitor.readings())


def _numbers(samples: Iterable[tuple[str, Mapping[str, str], float]]) -> Numbers:
    return {
        (name, *(labels[key] for key in sorted(labels) if key != "version")): value
        for name, labels, value in samples
        if name in SEEN and value == value
    }
