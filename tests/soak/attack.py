"""An attack on the labels of one real server: `make soak ARGS="attack 1000000"`.

Every request brings names that were never there before: routes, methods, hosts, categories,
versions, models, segments, prediction ids, KPIs. Series and memory must stay bounded, caps that
are hit be counted, and honest requests between them be counted exactly.
"""

from __future__ import annotations

import socket
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import orjson
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import ASGIApp, Receive, Scope, Send

from mlmon_exporter import Config, Monitor, MonitorMiddleware, Reference
from tests.e2e.servers import serving

TOKEN = "t"
HONEST_EVERY, POSTED = 8, 50
"""One request in so many is honest; so many names are in each body that is posted to us."""
CONNECTIONS, AT_ONCE = 4, 40
"""So many requests are sent on each connection before their answers are read."""
LOOKS = (1, 10_000, 100_000, 1_000_000)
CAPPED = ("route", "method", "version", "segment", "kpi")
COLOURS, MAX_SEGMENTS = 30, 5
HONEST = "/v1/models/m:predict"


class _Template(NamedTuple):
    """A route as frameworks leave it in the scope."""

    path: str


class Seen(NamedTuple):
    """What a scrape shows."""

    series: int
    resident_bytes: float
    overflows: dict[str, float]
    pending: float
    honest: float
    """Requests that were counted under the honest route."""
    honest_rows: float
    """Their rows, counted under the configured version."""


class Result(NamedTuple):
    """What an attack came to."""

    honest: int
    """Honest requests that were answered with 200."""
    statuses: Counter[int]
    seen: dict[int, Seen]
    """What was there after so many requests."""


class _Connection:
    """Sends many requests before it reads their answers, so that the server has the time."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self._socket = socket.create_connection((place.hostname, place.port))
        self._answers = self._socket.makefile("rb")

    def send(self, requests: Iterable[bytes]) -> None:
        """Send requests, one after another."""
        self._socket.sendall(b"".join(requests))

    def status(self) -> int:
        """Return the status of the next answer."""
        status, length = int(self._answers.readline().split()[1]), 0
        while (line := self._answers.readline()) != b"\r\n":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        self._answers.read(length)
        return status

    def close(self) -> None:
        self._answers.close()
        self._socket.close()


def config(folder: Path) -> Config:
    """Return a configuration of two models with narrow caps."""
    colours = [f"c{i}" for i in range(COLOURS)] * 20
    rows = {"x": [*range(len(colours))], "c": colours, "y": ["a", "b"] * (len(colours) // 2)}
    for name in "mn":
        Reference.build(rows, predictions="y").save(folder / f"{name}.json")
    (folder / "mlmon.toml").write_text(
        f'token = "{TOKEN}"\nmax_routes = 20\nmax_kpis = 10\npending_rows = 1000\n'
        f"max_segments = {MAX_SEGMENTS}\n"
        + "".join(
            f'[[models]]\nname = "{name}"\nversion = "1"\nreference = "{name}.json"\n'
            'task = "classification"\nsegments = ["c"]\n'
            for name in "mn"
        )
    )
    return Config.from_options(folder / "mlmon.toml")


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer like a framework for which each path is a route, with the version that is asked."""
    if scope["type"] != "http":
        return
    message, body = await receive(), b""
    while message["more_body"]:
        body += message["body"]
        message = await receive()
    asked = orjson.loads(body + message["body"])
    said = orjson.dumps({"predictions": ["a"], "model_version": asked.get("model_version")})
    scope["route"] = _Template(scope["path"])
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(said))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": said})


def attack(looks: Sequence[int]) -> Result:
    """Attack a server, and scrape it after so many requests each; the last is all of them."""
    with tempfile.TemporaryDirectory() as folder:
        monitor = Monitor(config(Path(folder)))
        app: ASGIApp = MonitorMiddleware(answer, monitor)
        try:
            with serving(app, http="h11") as url:  # httptools refuses new methods
                return _attacked(url, looks)
        finally:
            monitor.close()


def _attacked(url: str, looks: Sequence[int]) -> Result:
    honest, statuses, seen = 0, Counter[int](), {}
    for done, look in pairwise([0, *looks]):
        for i, status in _answered(url, range(done, look)):
            statuses[status] += 1
            honest += not i % HONEST_EVERY and status == 200
        seen[look] = _seen(url)
    return Result(honest, statuses, seen)


def _answered(url: str, requests: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Send requests by their numbers; give the number and the status of each."""
    for start in range(0, len(requests), CONNECTIONS * AT_ONCE):
        some = requests[start:][: CONNECTIONS * AT_ONCE]
        # New ones each time: the server closes what is idle, while we look or are stopped.
        with ExitStack() as stack:
            sent = []
            for part in (some[k:][:AT_ONCE] for k in range(0, len(some), AT_ONCE)):
                connection = stack.enter_context(closing(_Connection(url)))
                connection.send(map(_request, part))
                sent.append((connection, part))
            yield from ((i, connection.status()) for connection, part in sent for i in part)


def _request(i: int) -> bytes:
    honest = "POST", HONEST, _body("c0", "1")
    method, path, body = _hostile(i) if i % HONEST_EVERY else honest
    content = orjson.dumps(body)
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: h{i}.test\r\nX-Prediction-Id: p{i}\r\n"
        f"Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def _hostile(i: int) -> tuple[str, str, Any]:
    kind = i % HONEST_EVERY
    if kind == 1:
        return "POST", f"/v1/models/m/versions/v{i}:predict", _body(f"new{i}", f"v{i}")
    if kind == 2:
        return f"M{i}", HONEST, {}
    if kind == 3:
        return "POST", "/kpi", [{"kpi": f"k{i}-{j}", "model": "m"} for j in range(POSTED)]
    if kind == 4:
        truths = [{"prediction_id": f"q{i}-{j}", "ground_truth": "a"} for j in range(POSTED)]
        return "POST", "/ground-truth", truths
    if kind == 5:
        return "POST", f"/v1/models/model{i}:predict", _body("c0", "1")
    return "POST", "/v1/models/n:predict", _body(f"c{i % COLOURS}", f"v{i}")


def _body(colour: str, version: str) -> Any:
    return {"instances": [{"x": 1.0, "c": colour}], "model_version": version}


def _seen(url: str) -> Seen:
    text = httpx.get(f"{url}/metrics", timeout=60).text
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]

    def total(name: str, **labels: str) -> float:
        found = (s for s in samples if s.name == name and labels.items() <= s.labels.items())
        return sum(s.value for s in found)

    overflows = {label: total("mlmon_label_overflow_total", label=label) for label in CAPPED}
    return Seen(
        len(samples),
        total("process_resident_memory_bytes"),
        overflows,
        total("mlmon_pending_predictions"),
        total("mlmon_requests_total", route=HONEST, method="POST"),
        total("mlmon_prediction_rows_total", model="m", version="1"),
    )


def table(requests: int) -> None:
    """Attack, and print what came of it."""
    found = attack([*(look for look in LOOKS if look < requests), requests])
    print(
        "| after requests | series | MiB resident | waiting predictions | honest, of which seen |"
    )
    print("|---|---|---|---|---|")
    for count, seen in found.seen.items():
        mebibytes = seen.resident_bytes / 2**20
        print(f"| {count} | {seen.series} | {mebibytes:.0f} | {seen.pending:g} | {seen.honest:g} |")
    print(f"\nHonest requests: {found.honest}. Statuses: {dict(found.statuses)}")
    overflows = found.seen[requests].overflows
    print("Counted as `other`:", {label: int(count) for label, count in overflows.items()})
