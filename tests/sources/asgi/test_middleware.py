"""The middleware in the request path: it changes nothing, and fails open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlmon_exporter.sources.asgi.middleware import AsgiSource

from .seen import (
    BODY,
    LEFT,
    PART,
    START,
    BoomError,
    Seen,
    predict,
    predictor,
    requests_of,
    scope_of,
    sends,
    serve,
    visit,
    watched,
)


def test_receive_is_only_called_when_the_app_calls_it() -> None:
    received: list[int] = []

    async def run() -> None:
        async def receive() -> Message:
            received.append(1)
            return requests_of(b"{}")[0]

        async def send(message: Message) -> None: ...

        await app(scope_of(), receive, send)

    async def ignores(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(BODY)

    app, _ = watched(ignores)
    asyncio.run(run())
    assert received == []


def test_each_message_is_forwarded_at_once_and_as_it_is() -> None:
    arrived: list[Message] = []
    own = [{**PART, "extra": object()} for _ in range(3)] + [BODY]

    async def on_send(message: Message) -> None:
        arrived.append(message)

    async def checks(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = Route("/predict", predict)
        assert await receive() is inbound[0]
        await send(START)
        for i, message in enumerate(own):
            await send(message)
            assert arrived[-1] is message
            assert len(arrived) == i + 2

    inbound = requests_of(b"{}")
    app, _ = watched(checks)
    assert asyncio.run(visit(app, scope_of(), inbound, on_send)).error is None


# --- Several of us, and paths of ours ---


def test_wrapped_twice_only_the_outermost_counts() -> None:
    inner, inner_sink = watched(predictor())
    outer, outer_sink = watched(inner)
    served = serve(outer)
    assert outer_sink.counted() == {("/predict", "POST", "200", "ok"): 1}
    assert (inner_sink.counted(), inner_sink.exchanges) == ({}, [])
    names = [name for name, _ in served.sent[0]["headers"]]
    assert names.count(b"x-prediction-id") == 1


def test_registered_twice_counts_once() -> None:
    app, sink = predictor(), Seen()
    for _ in range(2):
        app.add_middleware(AsgiSource, sink=sink)
    for n in (1, 2):
        serve(app)
        assert sink.counted() == {("/predict", "POST", "200", "ok"): n}
    assert len(sink.exchanges) == 2


def test_a_watched_app_mounted_in_a_watched_app_counts_once() -> None:
    inner, inner_sink = watched(predictor())
    outer, outer_sink = watched(Starlette(routes=[Mount("/predictors", app=inner)]))
    serve(outer, "/predictors/predict")
    assert outer_sink.counted() == {("/predictors/predict", "POST", "200", "ok"): 1}
    assert inner_sink.counted() == {}


def with_metrics(app: ASGIApp) -> tuple[AsgiSource, Seen]:
    return watched(app, service_apps={"/metrics": PlainTextResponse("numbers")})


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize(
    ("path", "root_path"),
    [("/metrics", ""), ("/proxy/metrics", "/proxy"), ("/metrics", "/proxy")],
)
def test_a_path_of_ours_is_answered_and_neither_passed_on_nor_counted(
    method: str, path: str, root_path: str
) -> None:
    async def unreachable(scope: Scope, receive: Receive, send: Send) -> None:
        raise BoomError

    app, sink = with_metrics(unreachable)
    served = serve(app, path, method, root_path=root_path)
    assert served.error is None
    assert served.sent[1]["body"] == b"numbers"
    assert (sink.counted(), sink.in_flight) == ({}, {})


@pytest.mark.parametrize(
    "path", ["/metrics/", "/metricsx", "/x/metrics", "/Metrics", "/proxyx/metrics"]
)
def test_any_other_path_is_the_apps(path: str) -> None:
    app, sink = with_metrics(sends(START, BODY))
    assert serve(app, path, "GET", root_path="/proxy").sent[-1] == BODY
    assert len(sink.counted()) == 1


# --- Websockets and lifespan ---


def test_a_websocket_passes_untouched() -> None:
    passed: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        passed.extend((scope, receive, send, dict(scope)))

    async def receive() -> Message:
        return {}

    async def send(message: Message) -> None: ...

    monitored, sink = watched(app)
    scope = {"type": "websocket", "path": "/metrics", "headers": []}
    asyncio.run(monitored(scope, receive, send))
    assert passed[0] is scope
    assert passed[1:3] == [receive, send]
    assert passed[3] == {"type": "websocket", "path": "/metrics", "headers": []}
    assert sink.counted() == {}


LIFESPAN: list[Message] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]


def live(app: ASGIApp) -> list[str]:
    served = asyncio.run(visit(app, {"type": "lifespan", "state": {}}, LIFESPAN))
    assert served.error is None
    return [message["type"] for message in served.sent]


def test_the_monitor_ends_before_the_server_hears_that_the_shutdown_is_complete() -> None:
    events: list[str] = []

    async def shutdown() -> None:
        await asyncio.sleep(0)
        events.append("monitor")

    async def on_send(message: Message) -> None:
        events.append(message["type"])

    app = AsgiSource(predictor(), Seen(shutdown=shutdown))
    asyncio.run(visit(app, {"type": "lifespan", "state": {}}, LIFESPAN, on_send))
    assert events == ["lifespan.startup.complete", "monitor", "lifespan.shutdown.complete"]


def test_the_monitor_ends_once_even_if_it_is_wrapped_twice() -> None:
    sink = Seen()
    live(AsgiSource(AsgiSource(predictor(), sink), sink))
    assert sink.shutdowns == 1


def test_two_monitors_end_both() -> None:
    inner, inner_sink = watched(predictor())
    outer, outer_sink = watched(inner)
    live(outer)
    assert (inner_sink.shutdowns, outer_sink.shutdowns) == (1, 1)


def test_a_monitor_that_cannot_end_does_not_stop_the_shutdown() -> None:
    async def shutdown() -> None:
        raise BoomError

    sink = Seen(shutdown=shutdown)
    types = live(AsgiSource(predictor(), sink))
    assert types == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert sink.faults() == 1


# --- Fail open ---


class Broken(Seen):
    """A sink of which one part raises, once it is in use."""

    def __init__(self, broken: str, **parts: Any) -> None:
        super().__init__(**parts)
        self.broken = broken

    def __getattribute__(self, name: str) -> Any:
        if name == object.__getattribute__(self, "__dict__").get("broken"):
            raise BoomError(name)
        return object.__getattribute__(self, name)


@pytest.mark.parametrize(
    "part", ["service_apps", "wake", "max_body_bytes", "requests", "in_flight", "routes", "submit"]
)
def test_a_fault_of_ours_is_counted_and_the_response_is_unchanged(part: str) -> None:
    bare = serve(predictor())
    sink = Broken(part)
    served = serve(AsgiSource(predictor(), sink))
    assert served.error is None
    assert _without_id(served.sent) == _without_id(bare.sent)
    assert sink.faults() >= 1


def _without_id(sent: list[Message]) -> list[Message]:
    return [
        {
            **message,
            "headers": [h for h in message.get("headers", ()) if h[0] != b"x-prediction-id"],
        }
        for message in sent
    ]


def test_a_route_that_cannot_be_read_is_counted_as_other() -> None:
    class Unreadable:
        @property
        def path_format(self) -> str:
            raise BoomError

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = Unreadable()
        await send(START)
        await send(BODY)

    monitored, sink = watched(app)
    assert len(serve(monitored).sent) == 2
    assert sink.counted() == {("other", "POST", "200", "ok"): 1}
    assert sink.faults() == 1


def test_even_when_faults_cannot_be_counted_the_response_is_unchanged() -> None:
    sink = Broken("health", submit=None)
    served = serve(AsgiSource(predictor(), sink))
    assert served.error is None
    assert served.sent[-1]["body"] == b'{"predictions":[1]}'


def test_a_fault_of_ours_does_not_cover_the_apps_exception() -> None:
    sink = Broken("requests")
    error = BoomError("the app's")
    served = serve(AsgiSource(sends(START, error=error), sink))
    assert served.error is error
    assert error.__context__ is None
    assert sink.in_flight == {}


@pytest.mark.parametrize(
    "message",
    [
        {"type": "http.response.body", "body": 7},
        {"type": "http.response.body", "body": "text"},
        {"type": "http.response.body", "body": object(), "more_body": True},
        {"no": "type"},
    ],
)
def test_a_message_that_we_cannot_read_passes_and_makes_no_exchange(message: Message) -> None:
    app, sink = watched(sends(START, message, BODY))
    served = serve(app)
    assert served.sent[1] is message
    assert sink.exchanges == []


def test_a_scope_with_little_in_it_is_served() -> None:
    for scope in (
        {"type": "http"},
        {"type": "http", "path": "/x"},
        {"type": "http", "path": "/x", "method": "GET"},
    ):
        app, _ = watched(sends(START, BODY))
        served = asyncio.run(visit(app, scope, requests_of(b"")))
        assert [m["type"] for m in served.sent] == ["http.response.start", "http.response.body"]


# --- Within other middleware ---


def test_base_http_middleware_inside_changes_nothing_of_what_is_counted() -> None:
    async def dispatch(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        return response

    app, sink = watched(predictor(middleware=[Middleware(BaseHTTPMiddleware, dispatch=dispatch)]))
    serve(app)
    assert sink.counted() == {("/predict", "POST", "200", "ok"): 1}
    assert b"".join(sink.exchanges[0].response_chunks) == b'{"predictions":[1]}'


def test_a_stream_whose_client_leaves_is_disconnected_within_starlette() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"more"
            await asyncio.sleep(0)

    async def streams(request: Request) -> Response:
        return StreamingResponse(endless())

    app, sink = watched(Starlette(routes=[Route("/predict", streams)]))
    asyncio.run(asyncio.wait_for(visit(app, scope_of(method="GET"), [LEFT]), timeout=120))
    assert sink.outcome() == ("200", "disconnected")
