"""With us and without us: the same messages reach the server, the same exception comes out."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from fastapi import APIRouter, BackgroundTasks, FastAPI, HTTPException
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.counts.requests import RequestCounts
from mlmon_exporter.sources.asgi.middleware import AsgiSource
from mlmon_exporter.sources.asgi.routes import route_of
from mlmon_exporter.sources.model_routes import ModelRoutes
from mlmon_exporter.sources.sink import Sink

# --- A server in process ---


@dataclass(frozen=True)
class Call:
    """What a server is asked, and how its client behaves."""

    path: str = "/"
    method: str = "GET"
    body: tuple[bytes, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    root_path: str = ""
    extensions: Mapping[str, Any] = field(default_factory=dict)
    spec_version: str = "2.3"
    type: str = "http"
    inbound: tuple[Message, ...] = ()
    """What comes in on a connection that is not HTTP."""
    leaves_after: int | None = None
    """The client leaves when the server has sent so many messages."""
    leaves_by: Literal["disconnect", "cancel"] = "disconnect"
    """How the app learns of it: as ASGI says, or by the end of its task."""

    def scope(self) -> Scope:
        return {
            "type": self.type,
            "asgi": {"version": "3.0", "spec_version": self.spec_version},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": b"",
            "root_path": self.root_path,
            "headers": [
                (b"host", b"test"),
                *((name.encode(), value.encode()) for name, value in self.headers.items()),
            ],
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 8000),
            "subprotocols": [],
            "state": {},
            "extensions": dict(self.extensions),
        }

    def messages(self) -> Iterator[Message]:
        if self.type == "http":
            chunks = self.body or (b"",)
            for i, chunk in enumerate(chunks, start=1):
                yield {"type": "http.request", "body": chunk, "more_body": i < len(chunks)}
        yield from (dict(message) for message in self.inbound)


@dataclass
class Trace:
    """All that a server sees of an app."""

    sent: list[Any] = field(default_factory=list)
    received: int = 0
    error: str = ""
    log: list[str] = field(default_factory=list)


class Server:
    """Runs one connection as servers do: what the client sent, then a wait for its end."""

    def __init__(self, app: ASGIApp, call: Call, trace: Trace) -> None:
        self._app = app
        self._call = call
        self._inbound = call.messages()
        self._trace = trace
        self._over = asyncio.Event()
        self._has_left = False

    async def run(self) -> None:
        self._task = asyncio.create_task(self._serve())
        await asyncio.wait_for(self._task, timeout=120)

    async def _serve(self) -> None:
        try:
            await self._app(self._call.scope(), self._receive, self._send)
        except BaseException as error:  # noqa: BLE001 - what comes out is what is compared
            self._trace.error = _story(error)

    async def _receive(self) -> Message:
        self._trace.received += 1
        for message in self._inbound:
            return message
        await self._over.wait()
        return {"type": f"{self._call.type}.disconnect", "code": 1000}

    async def _send(self, message: Message) -> None:
        await asyncio.sleep(0)
        if self._has_left and self._call.spec_version >= "2.4":
            raise OSError("the client has left")
        self._trace.sent.append(_plain(message))
        if len(self._trace.sent) == self._call.leaves_after:
            self._leave()
        is_last = message["type"] in ("http.response.body", "http.response.pathsend")
        if is_last and not message.get("more_body"):
            self._over.set()

    def _leave(self) -> None:
        self._has_left = True
        self._over.set()
        if self._call.leaves_by == "cancel":
            self._task.cancel()


def _plain(message: Message) -> dict[str, Any]:
    """A message as it is compared: without our header, and without the app's own objects."""
    plain = dict(message)
    if "headers" in plain or message["type"] == "http.response.start":
        pairs = [(bytes(name), bytes(value)) for name, value in plain.get("headers", ())]
        plain["headers"] = [pair for pair in pairs if pair[0] != b"x-prediction-id"]
    if "body" in plain:
        plain["body"] = _timeless(bytes(plain["body"]))
    if message["type"] == "http.response.debug":
        plain["info"] = sorted(plain["info"])
    if message["type"].startswith("lifespan") and "message" in plain:
        plain["message"] = plain["message"].splitlines()[-1]  # a traceback, which has our frames
    return plain


def _timeless(body: bytes) -> bytes:
    """A body without the time that older Starlettes write into what they compress."""
    return body[:4] + bytes(4) + body[8:] if body.startswith(b"\x1f\x8b") else body


def _story(error: BaseException) -> str:
    """An exception, all that it holds, and what it came from."""
    parts = [repr(error), f"from {error.__cause__!r}", f"after {error.__context__!r}"]
    if isinstance(error, BaseExceptionGroup):
        parts += [_story(inner) for inner in error.exceptions]
    return ", ".join(parts)


class AllRoutes(ModelRoutes):
    """Every route is a model's, or none."""

    def __init__(self, model: str) -> None:
        super().__init__([], {}, Health())
        self._labels = (model, "1") if model else ("", "")

    def find(self, scope: Scope) -> tuple[str, str, str]:
        return (*self._labels, route_of(scope))


def new_sink(model: str) -> Sink:
    async def shutdown() -> None:
        await asyncio.sleep(0)

    return Sink(
        requests=RequestCounts(),
        health=Health(),
        routes=AllRoutes(model),
        in_flight={},
        max_body_bytes=1000,
        submit=lambda fields, asked, told, size: None,
        wake=lambda: None,
        shutdown=shutdown,
        service_apps={"/metrics": PlainTextResponse("")},
    )


# --- Apps ---

Log = list[str]
FILE = Path(__file__)
FILE_STAT = FILE.stat()


class BoomError(Exception):
    """What the apps here raise."""


async def _chunks(log: Log, fails: bool = False) -> AsyncIterator[bytes]:
    try:
        for i in range(4):
            yield b"chunk %d " % i
            await asyncio.sleep(0)
            if fails and i == 1:
                raise BoomError("in a generator")
    finally:
        log.append("generator closed")


async def _endless() -> AsyncIterator[bytes]:
    while True:
        yield b"more"
        await asyncio.sleep(0)


def _note(log: Log, text: str) -> None:
    log.append(text)


def _fail(text: str) -> None:
    raise BoomError(text)


def _log(request: Request) -> Log:
    log: Log = request.app.state.log
    return log


def new_fastapi(log: Log) -> FastAPI:
    app, router, sub = FastAPI(), APIRouter(prefix="/router"), FastAPI()

    @app.post("/predict")
    async def predict(body: dict[str, float]) -> dict[str, float]:
        return {"prediction": sum(body.values())}

    @app.post("/v1/models/{name}:predict")
    def predict_by_name(name: str, tasks: BackgroundTasks) -> dict[str, str]:
        tasks.add_task(_note, log, "background")
        return {"model": name}

    @router.get("/items/{item_id}")
    async def item(item_id: int) -> dict[str, int]:
        return {"item": item_id}

    @app.get("/raises")
    async def raises() -> None:
        raise BoomError("before the headers")

    @app.get("/refuses")
    async def refuses() -> None:
        raise HTTPException(418, detail="a teapot", headers={"x-why": "tea"})

    @app.get("/slash/")
    async def slash() -> dict[str, str]:
        return {}

    @sub.post("/in/{name}")
    async def within(name: str, request: Request) -> dict[str, Any]:
        return {"name": name, "body": (await request.body()).decode()}

    @app.websocket("/ws")
    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text())
        await websocket.close()

    app.include_router(router, prefix="/api/{version}")
    app.mount("/sub", sub)
    app.mount("/tenants/{tenant}", sub)
    return app


async def echo(request: Request) -> Response:
    return Response(await request.body(), media_type="application/json")


async def no_body(request: Request) -> Response:
    return Response(status_code=204)


async def unread(request: Request) -> Response:
    return JSONResponse({"read": False}, status_code=201)


async def partly_read(request: Request) -> Response:
    async for chunk in request.stream():
        return Response(chunk)
    return Response()


async def view(request: Request) -> Response:
    return Response(memoryview(b"view"))


async def background(request: Request) -> Response:
    return PlainTextResponse("done", background=BackgroundTask(_note, _log(request), "background"))


async def failing_background(request: Request) -> Response:
    return PlainTextResponse("done", background=BackgroundTask(_fail, "in the background"))


async def stream(request: Request) -> Response:
    return StreamingResponse(_chunks(_log(request)), media_type="text/event-stream")


async def failing_stream(request: Request) -> Response:
    return StreamingResponse(_chunks(_log(request), fails=True))


async def endless(request: Request) -> Response:
    return StreamingResponse(_endless())


async def big(request: Request) -> Response:
    return PlainTextResponse("a" * 5000)


async def file(request: Request) -> Response:
    return FileResponse(FILE, stat_result=FILE_STAT)


async def raises(request: Request) -> Response:
    raise BoomError("before the headers")


async def raises_group(request: Request) -> Response:
    raise BaseExceptionGroup("several", [BoomError("one"), asyncio.CancelledError("two")])


async def own_id(request: Request) -> Response:
    return PlainTextResponse("x", headers={"x-prediction-id": "mine"})


def in_a_thread(request: Request) -> Response:
    return PlainTextResponse("thread")


async def hello(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_json({"path": websocket.scope["path"]})
    await websocket.close()


ENDPOINTS: list[Callable[[Request], Any]] = [
    *(echo, no_body, unread, partly_read, view, background, failing_background, stream),
    *(failing_stream, endless, big, file, raises, raises_group, own_id, in_a_thread),
]


def new_starlette(log: Log, middleware: Iterable[Middleware] = ()) -> Starlette:
    routes: list[BaseRoute] = [
        *(Route(f"/{e.__name__}", e, methods=["GET", "POST"]) for e in ENDPOINTS),
        WebSocketRoute("/ws", hello),
        Route("/slash/", echo),
        Mount("/mnt", routes=[Route("/echo/{x:int}", echo, methods=["POST"])]),
        Mount("/files", app=StaticFiles(directory=FILE.parent)),
    ]
    app = Starlette(routes=routes, middleware=[*middleware])
    app.state.log = log
    return app


def with_gzip(log: Log) -> Starlette:
    return new_starlette(log, [Middleware(GZipMiddleware, minimum_size=10)])


def around_gzip(log: Log) -> ASGIApp:
    return GZipMiddleware(new_starlette(log), minimum_size=10)


def with_base_http(log: Log) -> Starlette:
    async def dispatch(request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers["x-dispatched"] = "1"
        return response

    return new_starlette(log, [Middleware(BaseHTTPMiddleware, dispatch=dispatch)])


def in_debug(log: Log) -> Starlette:
    app = new_starlette(log)
    app.debug = True
    return app


def raw(*messages: Message, error: BaseException | None = None, reads: bool = True) -> Any:
    """Return the factory of an ASGI app that sends just these messages."""

    def new(log: Log) -> ASGIApp:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if reads:
                await receive()
            for message in messages:
                await send(dict(message))
            if error is not None:
                raise error

        return app

    return new


async def _swallows_disconnect(scope: Scope, receive: Receive, send: Send) -> None:
    await send(START)
    try:
        while True:
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            await asyncio.sleep(0)
    except OSError:
        return


def _lifespan_app(log: Log, fails: bool = False) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        log.append("shutting down")
        end = "failed" if fails else "complete"
        await send({"type": f"lifespan.shutdown.{end}"})

    return app


START: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain")],
}
BODY: Message = {"type": "http.response.body", "body": b"hello"}
PART: Message = {"type": "http.response.body", "body": b"part", "more_body": True}
LIFESPAN: tuple[Message, ...] = ({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
SOCKET: tuple[Message, ...] = (
    {"type": "websocket.connect"},
    {"type": "websocket.receive", "text": "hello"},
    {"type": "websocket.disconnect", "code": 1000},
)
JSON_BODY = (b'{"a": 1, ', b'"b": 2}')
JSON = {"content-type": "application/json"}
ZIPPED = {"accept-encoding": "gzip"}


def post(path: str, **options: Any) -> Call:
    return Call(path, "POST", JSON_BODY, JSON, **options)


FASTAPI_CALLS = {
    "json": post("/predict"),
    "invalid": Call("/predict", "POST", (b'{"a": "x"}',), JSON),
    "not json": Call("/predict", "POST", (b"{",), JSON),
    "colon in the template, background": post("/v1/models/iris:predict"),
    "included router": Call("/api/v2/router/items/7"),
    "included router, invalid": Call("/api/v2/router/items/x"),
    "mounted app": post("/sub/in/a"),
    "mount with a parameter": post("/tenants/acme/in/a"),
    "mount, not found": Call("/tenants/acme/nothing"),
    "root path": post("/proxy/predict", root_path="/proxy"),
    "root path and mount": post("/proxy/sub/in/a", root_path="/proxy"),
    "exception": Call("/raises"),
    "http exception": Call("/refuses"),
    "not found": Call("/nothing"),
    "method not allowed": Call("/predict"),
    "options": Call("/predict", "OPTIONS"),
    "slash redirect": Call("/slash"),
    "docs": Call("/docs"),
    "schema": Call("/openapi.json"),
    "websocket": Call("/ws", type="websocket", inbound=SOCKET),
    "websocket, not found": Call("/nothing", type="websocket", inbound=SOCKET),
    "lifespan": Call(type="lifespan", inbound=LIFESPAN),
}
STARLETTE_CALLS = {
    "echo": post("/echo"),
    "echo in many chunks": Call("/echo", "POST", (b"x" * 600,) * 5),
    "no body": post("/no_body"),
    "body never read": post("/unread"),
    "body read in part": post("/partly_read"),
    "memoryview": post("/view"),
    "head": Call("/big", "HEAD"),
    "large": post("/big"),
    "large, gzip accepted": Call("/big", headers=ZIPPED),
    "stream, gzip accepted": Call("/stream", headers=ZIPPED),
    "zipped request": Call(
        "/echo", "POST", (gzip.compress(b"{}", mtime=0),), {"content-encoding": "gzip"}
    ),
    "background": post("/background"),
    "background fails": post("/failing_background"),
    "stream": post("/stream"),
    "stream, spec 2.4": post("/stream", spec_version="2.4"),
    "generator fails": post("/failing_stream"),
    "generator fails, spec 2.4": post("/failing_stream", spec_version="2.4"),
    "client leaves a stream": post("/endless", leaves_after=3),
    "client leaves a stream, spec 2.4": post("/endless", leaves_after=3, spec_version="2.4"),
    "client leaves before the answer": post("/stream", leaves_after=0),
    "task cancelled": post("/endless", leaves_after=3, leaves_by="cancel"),
    "file": Call("/file"),
    "file by path": Call("/file", extensions={"http.response.pathsend": {}}),
    "file by path, post": post("/file", extensions={"http.response.pathsend": {}}),
    "exception": post("/raises"),
    "exception group": post("/raises_group"),
    "own prediction id": post("/own_id"),
    "in a thread": post("/in_a_thread"),
    "mount": post("/mnt/echo/7"),
    "mount, not found": post("/mnt/echo/x"),
    "static file": Call("/files/test_identity.py"),
    "static file, not found": Call("/files/nothing"),
    "not found": Call("/nothing"),
    "method not allowed": Call("/echo", "DELETE"),
    "unknown method": Call("/echo", "BREW"),
    "slash redirect": Call("/slash"),
    "root path": post("/proxy/echo", root_path="/proxy"),
    "websocket": Call("/ws", type="websocket", inbound=SOCKET),
    "lifespan": Call(type="lifespan", inbound=LIFESPAN),
}
DEBUG: dict[str, Any] = {"http.response.debug": {}}
FRAMEWORK_APPS: dict[str, tuple[Callable[[Log], Any], Mapping[str, Call]]] = {
    "fastapi": (new_fastapi, FASTAPI_CALLS),
    "starlette": (new_starlette, STARLETTE_CALLS),
    "gzip inside": (with_gzip, STARLETTE_CALLS),
    "base http inside": (with_base_http, STARLETTE_CALLS),
}
RAW_APPS: dict[str, Any] = {
    "plain": raw(START, BODY),
    "bodies without a body": raw(
        START, {"type": "http.response.body", "more_body": True}, {"type": "http.response.body"}
    ),
    "empty messages": raw(START, PART, {**PART, "body": b""}, PART, {**BODY, "body": b""}),
    "trailers": raw(
        {**START, "trailers": True},
        BODY,
        {"type": "http.response.trailers", "headers": [(b"a", b"1")], "more_trailers": True},
        {"type": "http.response.trailers", "headers": [(b"b", b"2")]},
    ),
    "early hints": raw({"type": "http.response.early_hint", "links": [b"</a.css>"]}, START, BODY),
    "debug": raw({"type": "http.response.debug", "info": {"template": "x"}}, START, BODY),
    "pathsend": raw(START, {"type": "http.response.pathsend", "path": str(FILE)}),
    "zerocopysend": raw(START, {"type": "http.response.zerocopysend", "file": 3}),
    "headers as a tuple": raw({**START, "headers": ((b"a", b"1"), [b"b", b"2"])}, BODY),
    "no headers": raw({"type": "http.response.start", "status": 200}, BODY),
    "odd headers": raw({**START, "headers": [(b"X-Prediction-Id", b"1"), (b"a", b"\xff")]}, BODY),
    "start alone": raw(START),
    "nothing": raw(),
    "nothing read, nothing sent": raw(reads=False),
    "exception before the start": raw(error=BoomError("early")),
    "exception after the start": raw(START, error=BoomError("late")),
    "exception within the body": raw(START, PART, error=BoomError("late")),
    "exception after the body": raw(START, BODY, error=BoomError("afterwards")),
    "oserror of the app's own": raw(START, PART, error=FileNotFoundError("model.bin")),
    "exit": raw(START, error=SystemExit(3)),
    "group": raw(
        START, PART, error=BaseExceptionGroup("all", [BoomError("1"), asyncio.CancelledError()])
    ),
    "swallows disconnect": lambda log: _swallows_disconnect,
    "lifespan": _lifespan_app,
    "lifespan fails": lambda log: _lifespan_app(log, fails=True),
    "no lifespan": raw(error=ValueError("no lifespan here"), reads=False),
}
RAW_CALLS = {
    "swallows disconnect": post("/", spec_version="2.4", leaves_after=3),
    "lifespan": Call(type="lifespan", inbound=LIFESPAN),
    "lifespan fails": Call(type="lifespan", inbound=LIFESPAN),
    "no lifespan": Call(type="lifespan", inbound=LIFESPAN),
}


# --- With and without ---


def trace(new_app: Callable[[Log], Any], call: Call, wrap: Callable[[Any], ASGIApp]) -> Trace:
    result = Trace()
    app = wrap(new_app(result.log))
    asyncio.run(Server(app, call, result).run())
    return result


def added(sink: Sink, times: int = 1) -> Callable[[Any], ASGIApp]:
    def wrap(app: Any) -> ASGIApp:
        for _ in range(times):
            app.add_middleware(AsgiSource, sink=sink)
        return app  # type: ignore[no-any-return]

    return wrap


def around(sink: Sink) -> Callable[[Any], ASGIApp]:
    return lambda app: AsgiSource(app, sink)


def assert_identical(new_app: Callable[[Log], Any], call: Call, *, can_add: bool) -> None:
    bare = trace(new_app, call, wrap=lambda app: app)
    for model in ("model", ""):
        sinks = [new_sink(model) for _ in range(3)]
        wraps = [around(sinks[0])]
        if can_add:
            wraps += [added(sinks[1]), added(sinks[2], times=2)]
        for wrap, sink in zip(wraps, sinks, strict=False):
            assert trace(new_app, call, wrap) == bare
            assert sink.health.counters["mlmon_internal_errors_total"].cells["middleware",] == 0
            assert sink.in_flight == {}


@pytest.mark.parametrize(
    ("app", "call"),
    [(app, call) for app, (_, calls) in FRAMEWORK_APPS.items() for call in calls],
)
def test_an_app_of_a_framework_answers_the_same(app: str, call: str) -> None:
    new_app, calls = FRAMEWORK_APPS[app]
    assert_identical(new_app, calls[call], can_add=True)


def test_an_app_in_debug_mode_answers_the_same() -> None:
    # Not from within: its error page shows the traceback, and we stand in it.
    assert_identical(in_debug, post("/raises", extensions=DEBUG), can_add=False)


@pytest.mark.parametrize("call", STARLETTE_CALLS)
def test_an_app_below_another_middleware_answers_the_same(call: str) -> None:
    assert_identical(around_gzip, STARLETTE_CALLS[call], can_add=False)


@pytest.mark.parametrize("app", RAW_APPS)
def test_a_raw_app_answers_the_same(app: str) -> None:
    assert_identical(RAW_APPS[app], RAW_CALLS.get(app, post("/")), can_add=False)


def test_a_difference_would_be_seen() -> None:
    def spoil(app: Any) -> ASGIApp:
        async def spoilt(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_twice(message: Message) -> None:
                await send(message)
                if message["type"] == "http.response.body":
                    await send(message)

            await app(scope, receive, send_twice)

        return spoilt

    call = STARLETTE_CALLS["echo"]
    bare = trace(new_starlette, call, wrap=lambda app: app)
    assert bare.sent[-1]["body"] == b"".join(JSON_BODY)
    assert trace(new_starlette, call, wrap=spoil) != bare
