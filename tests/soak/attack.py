"""An attack on the labels of one real server: `make soak ARGS="attack 1000000"`.

Every request brings names that were never there before: routes, methods, hosts, categories,
versions, models, segments, prediction ids, KPIs. Series and memory must stay bounded, caps that
are hit be counted, and honest requests between them be counted exactly.
"""

from __future__ import annotations

import http.client
import json
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families
from starlette.types import ASGIApp, Receive, Scope, Send

from mlmon_exporter import Config, Monitor, MonitorMiddleware, Reference
from tests.e2e.servers import serving

TOKEN = "t"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
HONEST_EVERY, POSTED = 8, 50
"""One request in so many is honest; so many names are in each body that is posted to us."""
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
    before: Seen
    halfway: Seen
    after: Seen


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
    asked = json.loads(body + message["body"])
    said = json.dumps({"predictions": ["a"], "model_version": asked.get("model_version")})
    scope["route"] = _Template(scope["path"])
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": said.encode()})


def attack(requests: int) -> Result:
    """Attack a server with so many requests."""
    with tempfile.TemporaryDirectory() as folder:
        monitor = Monitor(config(Path(folder)))
        app: ASGIApp = MonitorMiddleware(answer, monitor)
        try:
            with (
                serving(app) as url,
                closing(http.client.HTTPConnection(urlsplit(url).netloc)) as connection,
            ):
                return _attacked(connection, requests)
        finally:
            monitor.close()


def _attacked(connection: http.client.HTTPConnection, requests: int) -> Result:
    honest, statuses = 0, Counter[int]()
    _send(connection, "POST", HONEST, _body("c0", "1"), {})
    before = halfway = _seen(connection)
    for i in range(requests):
        if i == requests // 2:
            halfway = _seen(connection)
        if i % HONEST_EVERY == 0:
            status = _send(connection, "POST", HONEST, _body("c0", "1"), {})
            honest += status == 200
        else:
            status = _send(connection, *_hostile(i))
        statuses[status] += 1
    return Result(honest + 1, statuses, before, halfway, _seen(connection))


def _hostile(i: int) -> tuple[str, str, Any, dict[str, str]]:
    headers = {"Host": f"h{i}.test", "X-Prediction-Id": f"p{i}"}
    kind = i % HONEST_EVERY
    if kind == 1:
        return "POST", f"/v1/models/m/versions/v{i}:predict", _body(f"new{i}", f"v{i}"), headers
    if kind == 2:
        return f"M{i}", HONEST, {}, headers
    if kind == 3:
        names = [{"kpi": f"k{i}-{j}", "model": f"model{i}"} for j in range(POSTED)]
        return "POST", "/kpi", names, headers | AUTHORIZED
    if kind == 4:
        ids = [{"prediction_id": f"q{i}-{j}", "ground_truth": "a"} for j in range(POSTED)]
        return "POST", "/ground-truth", ids, headers | AUTHORIZED
    if kind == 5:
        return "POST", f"/v1/models/model{i}:predict", _body("c0", "1"), headers
    return "POST", "/v1/models/n:predict", _body(f"c{i % COLOURS}", f"v{i}"), headers


def _body(colour: str, version: str) -> Any:
    return {"instances": [{"x": 1.0, "c": colour}], "model_version": version}


def _send(
    connection: http.client.HTTPConnection, method: str, path: str, body: Any, more: dict[str, str]
) -> int:
    headers = {"Content-Type": "application/json", **more}
    connection.request(method, path, json.dumps(body), headers)
    response = connection.getresponse()
    response.read()
    return response.status


def _seen(connection: http.client.HTTPConnection) -> Seen:
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
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
    found = attack(requests)
    print(
        "| after requests | series | MiB resident | waiting predictions | honest, of which seen |"
    )
    print("|---|---|---|---|---|")
    for count, seen in ((1, found.before), (requests // 2, found.halfway), (requests, found.after)):
        mebibytes = seen.resident_bytes / 2**20
        print(f"| {count} | {seen.series} | {mebibytes:.0f} | {seen.pending:g} | {seen.honest:g} |")
    print(f"\nHonest requests: {found.honest}. Statuses: {dict(found.statuses)}")
    print("Counted as `other`:", {k: int(v) for k, v in found.after.overflows.items()})
