"""An app with the middleware around it, a sink that remembers, and a server in process."""

from __future__ import annotations

import asyncio
from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Sequence,
)
from typing import Any, NamedTuple

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.counts.requests import RequestCounts
from mlmon_exporter.core.records import Exchange, ExchangeFields, HeaderPairs, Histograms
from mlmon_exporter.intake.waiting import Waiting
from mlmon_exporter.sources.asgi.middleware import AsgiSource
from mlmon_exporter.sources.asgi.routes import route_of
from mlmon_exporter.sources.model_routes import ModelRoutes
from mlmon_exporter.sources.sink import Sink
from mlmon_exporter.sources.templates import RouteTemplates

Headers = Sequence[tuple[bytes, bytes]]
START: Message = {"type": "http.response.start", "status": 200, "headers": []}
BODY: Message = {"type": "http.response.body", "body": b"answer"}
PART: Message = {"type": "http.response.body", "body": b"part", "more_body": True}
LEFT: Message = {"type": "http.disconnect"}


class BoomError(Exception):
    """An error of the apps here."""


class Routes(ModelRoutes):
    """Every request to `/predict...` is for a model."""

    def __init__(self, templates: Collection[str] = ()) -> None:
        super().__init__([], {}, Health())
        self.templates = RouteTemplates(templates)
        self.missed_routes: list[str] = []

    def find(self, scope: Scope) -> tuple[str, str, str]:
        route = route_of(scope, self.templates)
        return ("bike", "7", route) if route.startswith("/predict") else ("", "", route)

    def missed(self, route: str) -> None:
        self.missed_routes.append(route)


class Seen(Sink):
    """Remembers what the middleware hands over."""

    def __init__(self, **parts: Any) -> None:
        self.exchanges: list[Exchange] = []
        self.shutdowns = 0
        defaults: dict[str, Any] = {
            "requests": RequestCounts(),
            "health": Health(),
            "routes": Routes(),
            "in_flight": {},
            "max_body_bytes": 1000,
            "submit": self._submit,
            "wake": lambda: None,
            "shutdown": self._shut_down,
            "service_apps": {},
        }
        super().__init__(**defaults | parts)

    def _submit(
        self, fields: ExchangeFields, asked: HeaderPairs, told: HeaderPairs, size: int
    ) -> None:
        exchange = Waiting([fields], [asked], [told], [size]).exchange()
        assert exchange.size == size
        self.exchanges.append(exchange)

    async def _shut_down(self) -> None:
        self.shutdowns += 1

    # What was counted, in few words.

    def counted(self) -> dict[tuple[str, ...], float]:
        """(route, method, status, outcome) -> requests, where there were any."""
        for block in self.requests.readings():
            if block.name == "mlmon_requests_total" and not isinstance(block, Histograms):
                rows = zip(block.labels, block.values, strict=True)
                return {labels[2:]: float(n) for labels, n in rows if n}
        return {}

    def outcome(self) -> tuple[str, str]:
        """Status and outcome of the only request."""
        [(_, _, status, outcome)] = self.counted()
        return status, outcome

    def histogram(self, name: str) -> tuple[int, float]:
        """Number and sum of all that was observed."""
        for block in self.requests.readings():
            if block.name == name and isinstance(block, Histograms):
                return sum(int(n) for counts in block.counts for n in counts), sum(block.sums)
        return 0, 0.0

    def drops(self) -> dict[str, int]:
        return {
            key[0]: n for key, n in self.health.counters["mlmon_dropped_total"].cells.items() if n
        }

    def faults(self) -> int:
        return self.health.counters["mlmon_internal_errors_total"].cells["middleware",]


class Served(NamedTuple):
    """What reached the server."""

    sent: list[Message]
    error: BaseException | None

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def prediction_id(self) -> str:
        return self.headers[b"x-prediction-id"].decode()


def scope_of(path: str = "/predict", method: str = "POST", **more: Any) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"content-type", b"application/json")],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
        **more,
    }


def requests_of(*chunks: bytes) -> list[Message]:
    return [
        {"type": "http.request", "body": chunk, "more_body": i < len(chunks)}
        for i, chunk in enumerate(chunks, start=1)
    ]


async def visit(
    app: ASGIApp,
    scope: Scope,
    inbound: Iterable[Message] = (),
    on_send: Callable[[Message], Awaitable[None]] | None = None,
) -> Served:
    """Serve one connection; when all has come in, the client waits, and leaves at the end."""
    messages = iter([*inbound])
    sent: list[Message] = []
    over = asyncio.Event()

    async def receive() -> Message:
        for message in messages:
            return message
        await over.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if on_send is not None:
            await on_send(message)
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            over.set()

    try:
        await app(scope, receive, send)
    except BaseException as error:  # noqa: BLE001 - what comes out is looked at
        return Served(sent, error)
    return Served(sent, None)


def serve(app: ASGIApp, path: str = "/predict", method: str = "POST", **more: Any) -> Served:
    """Serve a request with the body `{}`."""
    return asyncio.run(visit(app, scope_of(path, method, **more), requests_of(b"{}")))


def sends(*messages: Message, error: BaseException | None = None) -> ASGIApp:
    """Return an app on the route `/predict` that reads its body and sends just these messages."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = Route("/predict", predict)
        while (await receive()).get("more_body"):
            pass
        for message in messages:
            await send(message)
        if error is not None:
            raise error

    return app


def watched(app: ASGIApp, **parts: Any) -> tuple[AsgiSource, Seen]:
    seen = Seen(**parts)
    return AsgiSource(app, seen), seen


async def predict(request: Request) -> Response:
    await request.body()
    return JSONResponse({"predictions": [1]})


async def hello(request: Request) -> Response:
    return PlainTextResponse("hello")


def predictor(**options: Any) -> Starlette:
    return Starlette(routes=[Route("/predict", predict, methods=["POST"])], **options)
