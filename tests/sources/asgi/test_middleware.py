"""The middleware in the request path: what it counts, what it hands over, what it never does."""

from __future__ import annotations

import asyncio
import gzip
import math
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision, StaticSampler
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.counts.requests import Traffic
from mlmon_exporter.core.records import Exchange, Histograms
from mlmon_exporter.formats.event_stream import GAP
from mlmon_exporter.sources.asgi import middleware
from mlmon_exporter.sources.asgi import stream as streamed_answer
from mlmon_exporter.sources.asgi.ids import valid_id
from mlmon_exporter.sources.asgi.middleware import MonitorMiddleware, route_of
from mlmon_exporter.sources.asgi.spans import annotate, current_span_context
from mlmon_exporter.sources.asgi.templates import RouteTemplates

Headers = Sequence[tuple[bytes, bytes]]
START: Message = {"type": "http.response.start", "status": 200, "headers": []}
BODY: Message = {"type": "http.response.body", "body": b"answer"}
PART: Message = {"type": "http.response.body", "body": b"part", "more_body": True}


class Sink:
    """What the middleware needs of a monitor; every POST to `/predict...` is a model's."""

    def __init__(self, max_body_bytes: int = 1000) -> None:
        self.service_apps: Mapping[str, ASGIApp] = {}
        self.max_body_bytes = max_body_bytes
        self.health = Health()
        self.traffic = Traffic()
        self.in_flight: dict[int, Scope] = {}
        self.exchanges: list[Exchange] = []
        self.templates = RouteTemplates()
        self.without_routes = 0
        self.shutdowns = 0

    def model_of(self, scope: Scope, route: str) -> tuple[str, str]:
        return ("bike", "7") if route.startswith("/predict") else ("", "")

    def submit(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)

    def without_route(self) -> None:
        self.without_routes += 1

    async def shutdown(self) -> None:
        self.shutdowns += 1

    # What was counted, in few words.

    def requests(self) -> dict[tuple[str, ...], float]:
        """(route, method, status, outcome) -> requests, where there were any."""
        for block in self.traffic.readings():
            if block.name == "mlmon_requests_total" and not isinstance(block, Histograms):
                rows = zip(block.labels, block.values, strict=True)
                return {labels[2:]: float(n) for labels, n in rows if n}
        return {}

    def outcome(self) -> tuple[str, str]:
        """Status and outcome of the only request."""
        [(_, _, status, outcome)] = self.requests()
        return status, outcome

    def histogram(self, name: str) -> tuple[int, float]:
        """Number and sum of all that was observed."""
        for block in self.traffic.readings():
            if block.name == name and isinstance(block, Histograms):
                return sum(int(n) for counts in block.counts for n in counts), sum(block.sums)
        return 0, 0.0

    def drops(self) -> dict[str, int]:
        return {key[0]: n for key, n in self.health.counts["mlmon_dropped_total"].items() if n}

    def faults(self) -> int:
        return self.health.counts["mlmon_internal_errors_total"]["middleware",]


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


def watched(app: ASGIApp, **options: Any) -> tuple[MonitorMiddleware, Sink]:
    sink = Sink(**options)
    return MonitorMiddleware(app, monitor=sink), sink


async def predict(request: Request) -> Response:
    await request.body()
    return JSONResponse({"predictions": [1]})


async def hello(request: Request) -> Response:
    return PlainTextResponse("hello")


def predictor(**options: Any) -> Starlette:
    return Starlette(routes=[Route("/predict", predict, methods=["POST"])], **options)


# --- Outcomes ---

LEFT: Message = {"type": "http.disconnect"}


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "ok"), (204, "ok"), (307, "ok"), (400, "client_error"), (499, "client_error"),
     (500, "server_error"), (503, "server_error")],
)  # fmt: skip
def test_a_finished_response_has_the_outcome_of_its_status(status: int, outcome: str) -> None:
    app, sink = watched(sends({**START, "status": status}, BODY))
    serve(app)
    assert sink.outcome() == (str(status), outcome)


class BoomError(Exception):
    """What the apps here raise."""


@pytest.mark.parametrize(
    ("app", "status", "outcome"),
    [
        (sends(error=BoomError()), "500", "server_error"),
        (sends(START, error=BoomError()), "200", "interrupted"),
        (sends(START, PART, error=BoomError()), "200", "interrupted"),
        (sends(START, PART, error=FileNotFoundError()), "200", "interrupted"),
        (sends(START, error=BaseExceptionGroup("", [SystemExit()])), "200", "interrupted"),
        (sends(START, BODY, error=BoomError()), "200", "ok"),  # in a background task
        (sends(START), "200", "interrupted"),
        (sends(START, PART), "200", "interrupted"),
        (sends({**START, "status": 500}, PART), "500", "interrupted"),
        (sends(), "500", "server_error"),  # what servers make of it
        (sends(error=asyncio.CancelledError()), "504", "server_error"),
        (sends(START, error=asyncio.CancelledError()), "200", "interrupted"),
        (sends(START, PART, error=asyncio.CancelledError()), "200", "interrupted"),
        (sends(START, BODY, error=asyncio.CancelledError()), "200", "ok"),
        (sends(START, PART, BODY, error=asyncio.CancelledError()), "200", "ok"),
        (sends(error=GeneratorExit()), "504", "server_error"),
    ],
)  # fmt: skip
def test_a_response_that_is_not_finished_is_not_ok(app: ASGIApp, status: str, outcome: str) -> None:
    app, sink = watched(app)
    serve(app)
    assert sink.outcome() == (status, outcome)


def test_a_client_that_leaves_is_disconnected() -> None:
    async def listens(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        while (await receive())["type"] != "http.disconnect":
            pass

    app, sink = watched(listens)
    asyncio.run(visit(app, scope_of(), [*requests_of(b"{}"), LEFT]))
    assert sink.outcome() == ("200", "disconnected")


def test_a_client_that_leaves_before_the_answer_is_disconnected_with_status_499() -> None:
    app, sink = watched(predictor())
    asyncio.run(visit(app, scope_of(), [LEFT]))
    assert sink.outcome()[1] == "disconnected"
    asyncio.run(visit(MonitorMiddleware(sends(), monitor=(other := Sink())), scope_of(), [LEFT]))
    assert other.outcome() == ("499", "disconnected")


def test_a_time_limit_around_us_is_the_servers_doing() -> None:
    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/begun":
            await send(START)
        await asyncio.Event().wait()

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.wait_for(app(scope, receive, send), 0.01)

    app, sink = watched(never)
    for path in ("/never", "/begun"):
        assert isinstance(serve(limited, path).error, TimeoutError)
    assert {key[2:] for key in sink.requests()} == {("504", "server_error"), ("200", "interrupted")}


def test_what_is_cancelled_after_the_client_has_left_is_disconnected() -> None:
    async def listens(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        raise asyncio.CancelledError

    app, sink = watched(listens)
    asyncio.run(visit(app, scope_of(), [*requests_of(b"{}"), LEFT]))
    assert sink.outcome() == ("499", "disconnected")


def test_a_client_that_leaves_after_the_last_byte_got_its_answer() -> None:
    async def listens(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(BODY)
        while (await receive())["type"] != "http.disconnect":
            pass

    app, sink = watched(listens)
    serve(app)
    assert sink.outcome() == ("200", "ok")


def test_a_client_that_leaves_during_the_last_send_got_its_answer() -> None:
    async def listens(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(START)
        await asyncio.gather(send(BODY), receive())

    async def on_send(message: Message) -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    app, sink = watched(listens)
    asyncio.run(visit(app, scope_of(), [*requests_of(b"{}"), LEFT], on_send))
    assert sink.outcome() == ("200", "ok")


def test_a_send_that_fails_means_that_the_client_has_left() -> None:
    async def on_send(message: Message) -> None:
        if message["type"] == "http.response.body":
            raise BrokenPipeError

    app, sink = watched(predictor())
    served = asyncio.run(visit(app, scope_of(), requests_of(b"{}"), on_send))
    assert isinstance(served.error, OSError)
    assert sink.outcome() == ("200", "disconnected")
    assert sink.exchanges == []


def test_an_app_that_hides_a_failed_send_changes_nothing() -> None:
    async def hides(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        try:
            await send(PART)
        except OSError:
            return

    async def on_send(message: Message) -> None:
        if message["type"] == "http.response.body":
            raise ConnectionResetError

    app, sink = watched(hides)
    asyncio.run(visit(app, scope_of(), (), on_send))
    assert sink.outcome() == ("200", "disconnected")


def test_an_exception_before_the_start_counts_for_the_route_that_raised_it() -> None:
    async def raises(request: Request) -> Response:
        raise BoomError

    sink = Sink()
    app = Starlette(routes=[Route("/predict/{x}", raises)])
    app.add_middleware(MonitorMiddleware, monitor=sink)  # below what makes a response of it
    serve(app, "/predict/1", "GET")
    assert sink.requests() == {("/predict/{x}", "GET", "500", "server_error"): 1}


def test_the_exception_that_comes_out_is_the_apps_own() -> None:
    for error in (BoomError(), BaseExceptionGroup("", [SystemExit()]), asyncio.CancelledError()):
        app, _ = watched(sends(START, error=error))
        served = serve(app)
        assert served.error is error
        assert (error.__cause__, error.__context__) == (None, None)


# --- Answers in parts ---

EMPTY: Message = {"type": "http.response.body"}
NINE = {**START, "headers": [(b"content-length", b"9")]}


@pytest.mark.parametrize(
    ("app", "outcome"),
    [
        (sends(START, PART, EMPTY), "ok"),
        (sends(START, PART, EMPTY, error=BoomError()), "interrupted"),
        (sends(START, EMPTY, error=BoomError()), "interrupted"),
        (sends(START, PART, BODY, error=BoomError()), "interrupted"),  # a compressor's last part
        (sends(START, PART, EMPTY, error=SystemExit()), "ok"),
        (sends({**NINE}, PART, EMPTY, error=BoomError()), "interrupted"),
        (sends({**NINE}, PART, {**PART, "body": b"whole"}, EMPTY, error=BoomError()), "ok"),
        (sends({**START, "headers": [[]]}, PART, EMPTY), "ok"),
        (sends({**START, "headers": iter([])}, PART, EMPTY), "ok"),
        (sends({**START, "headers": None}, PART, EMPTY), "ok"),
        (sends({**START, "status": 204}, EMPTY, error=BoomError()), "ok"),
        (sends({**START, "status": 404}, PART, EMPTY, error=BoomError()), "client_error"),
    ],
)  # fmt: skip
def test_an_answer_in_parts_is_ok_if_its_length_or_the_app_says_so(
    app: ASGIApp, outcome: str
) -> None:
    app, sink = watched(app)
    serve(app, method="GET")
    assert [(key[3], n) for key, n in sink.requests().items()] == [(outcome, 1)]


def within_base_http_middleware(endpoint: Callable[[Request], Awaitable[Response]]) -> ASGIApp:
    async def dispatch(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        return response

    return Starlette(
        routes=[Route("/predict", endpoint, methods=["POST"])],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=dispatch)],
    )


@pytest.mark.parametrize("parts", [0, 1, 3])
@pytest.mark.parametrize("is_packed", [False, True])
def test_a_stream_that_raises_within_base_http_middleware_is_interrupted(
    parts: int, is_packed: bool
) -> None:
    async def breaks() -> AsyncIterator[bytes]:
        for _ in range(parts):
            yield b"part"
        raise BoomError

    async def streams(request: Request) -> Response:
        return StreamingResponse(breaks())

    app, sink = watched(GZipMiddleware(within_base_http_middleware(streams), minimum_size=1))
    headers = [(b"accept-encoding", b"gzip")] if is_packed else []
    assert isinstance(serve(app, headers=headers).error, BoomError)
    assert sink.outcome() == ("200", "interrupted")


def test_a_background_task_that_raises_within_base_http_middleware_cut_nothing_off() -> None:
    async def raises() -> None:
        raise BoomError

    async def answers(request: Request) -> Response:
        return JSONResponse({"predictions": [1]}, background=BackgroundTask(raises))

    app, sink = watched(within_base_http_middleware(answers))
    assert isinstance(serve(app).error, BoomError)
    assert sink.outcome() == ("200", "ok")


def test_only_the_count_of_an_answer_in_parts_waits_for_the_background_task() -> None:
    seen: list[Any] = []

    def look() -> None:
        names = ("mlmon_request_duration_seconds", "mlmon_response_size_bytes")
        seen.append([sink.histogram(name) for name in names])
        seen.append((sink.requests(), len(sink.exchanges), len(sink.in_flight)))

    async def answers(request: Request) -> Response:
        await request.body()
        return StreamingResponse(iter(["a", "b"]), background=BackgroundTask(look))

    app, sink = watched(Starlette(routes=[Route("/predict", answers, methods=["POST"])]))
    serve(app)
    look()
    [(before, while_waiting), (after, in_the_end)] = [seen[:2], seen[2:]]
    assert before == after
    assert before[0][0] == 1
    assert before[1] == (1, 2)
    assert while_waiting == ({}, 1, 0)
    assert in_the_end == ({("/predict", "POST", "200", "ok"): 1}, 1, 0)


# --- In flight ---


def test_a_request_is_in_flight_while_it_runs_and_its_route_can_be_read() -> None:
    seen: list[tuple[int, list[str]]] = []

    async def looks(request: Request) -> Response:
        seen.append((len(sink.in_flight), [route_of(s) for s in sink.in_flight.values()]))
        return PlainTextResponse(
            "x", background=BackgroundTask(lambda: seen.append((-len(sink.in_flight), [])))
        )

    app, sink = watched(Starlette(routes=[Route("/predict/{x}", looks)]))
    serve(app, "/predict/1", "GET")
    assert seen == [(1, ["/predict/{x}"]), (0, [])]


@pytest.mark.parametrize(
    "app",
    [
        sends(START, BODY),
        sends(START, PART),
        sends(),
        sends(error=BoomError()),
        sends(START, error=BoomError()),
        sends(error=asyncio.CancelledError()),
        sends(error=BaseExceptionGroup("", [SystemExit()])),
    ],
)
def test_in_flight_returns_to_zero(app: ASGIApp) -> None:
    app, sink = watched(app)
    serve(app)
    assert sink.in_flight == {}


# --- Times and sizes ---


def test_latency_ends_at_the_last_byte_not_after_the_background_task() -> None:
    counted: list[int] = []

    async def background() -> None:
        counted.append(sink.histogram("mlmon_request_duration_seconds")[0])

    async def answers(request: Request) -> Response:
        return PlainTextResponse("done", background=BackgroundTask(background))

    app, sink = watched(Starlette(routes=[Route("/x", answers)]))
    serve(app, "/x", "GET")
    assert counted == [1]


def test_the_first_byte_is_timed_at_the_start_and_the_duration_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [100.0]
    monkeypatch.setattr(middleware, "perf_counter", lambda: clock[0])

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        clock[0] += 0.25
        await send(START)
        clock[0] += 0.5
        await send(PART)
        await send(BODY)
        clock[0] += 10

    async def on_send(message: Message) -> None:
        clock[0] += 1 if message is BODY else 0

    app, sink = watched(slow)
    asyncio.run(visit(app, scope_of("/x"), (), on_send))
    assert sink.histogram("mlmon_request_first_byte_seconds") == (1, 0.25)
    assert sink.histogram("mlmon_request_duration_seconds") == (1, 1.75)


def test_a_response_that_never_started_has_no_first_byte_and_no_size() -> None:
    app, sink = watched(sends(error=BoomError()))
    serve(app)
    assert sink.histogram("mlmon_request_first_byte_seconds") == (0, 0)
    assert sink.histogram("mlmon_response_size_bytes") == (0, 0)
    assert sink.histogram("mlmon_request_duration_seconds")[0] == 1


def test_sizes_are_counted_not_read_from_a_header() -> None:
    async def streams(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["more_body"]:
            pass
        await send({**START, "headers": [(b"content-length", b"1")]})
        for _ in range(3):
            await send({**PART, "body": b"x" * 700})
        await send({"type": "http.response.body"})

    app, sink = watched(streams)
    headers = [(b"content-length", b"2")]
    inbound = requests_of(b"a" * 1500, b"", b"b" * 500)
    asyncio.run(visit(app, scope_of("/x", headers=headers), inbound))
    assert sink.histogram("mlmon_request_size_bytes") == (1, 2000)
    assert sink.histogram("mlmon_response_size_bytes") == (1, 2100)


def test_requests_at_the_same_time_do_not_mix() -> None:
    turn = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = Route("/predict", predict)
        await receive()
        await send(START)
        if scope["path"] == "/slow":
            await turn.wait()
        await send({**BODY, "body": scope["path"].encode() * 10})
        turn.set()

    async def both() -> None:
        await asyncio.gather(
            *(visit(monitored, scope_of(p), requests_of(p.encode())) for p in ("/slow", "/quick"))
        )

    monitored, sink = watched(app)
    asyncio.run(both())
    assert sink.histogram("mlmon_response_size_bytes") == (2, 110)
    assert [(e.path, e.request_chunks, e.response_chunks) for e in sink.exchanges] == [
        ("/quick", [b"/quick"], [b"/quick" * 10]),
        ("/slow", [b"/slow"], [b"/slow" * 10]),
    ]
    assert len({e.prediction_id for e in sink.exchanges}) == 2


# --- Labels ---


def test_a_request_is_counted_under_its_routes_template() -> None:
    app, sink = watched(Starlette(routes=[Route("/predict/{x}", hello)]))
    for path in ("/predict/1", "/predict/2", "/predict/1/2", "/favicon.ico"):
        serve(app, path, "GET")
    assert sink.requests() == {
        ("/predict/{x}", "GET", "200", "ok"): 2,
        ("other", "GET", "404", "client_error"): 2,
    }


def test_a_mount_whose_parameter_is_hidden_by_an_inner_one_is_bounded_by_the_cap() -> None:
    app, sink = watched(Starlette(routes=[Mount("/t/{id}", routes=[Route("/{id}", hello)])]))
    sink.traffic = Traffic(max_routes=5, on_overflow=sink.health.overflow)
    for i in range(20):
        serve(app, f"/t/{i}/x", "GET")
    assert len(sink.requests()) == 6
    assert sink.health.counts["mlmon_label_overflow_total"]["route",] == 15


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as an app of no framework does, which leaves nothing in the scope."""
    while (await receive()).get("more_body"):
        pass
    await send({**START, "status": 404 if scope["path"] == "/predict/none" else 200})
    await send(BODY)


def test_an_app_that_names_no_route_has_the_ones_that_are_configured() -> None:
    app, sink = watched(bare)
    sink.templates = RouteTemplates(["/predict", "/predict/{x}"])
    ids = [serve(app, path, root_path="/v").prediction_id for path in ("/v/predict", "/predict/1")]
    serve(app, "/predict/1", "GET")
    serve(app, "/login")
    assert sink.requests() == {
        ("/predict", "POST", "200", "ok"): 1,
        ("/predict/{x}", "POST", "200", "ok"): 1,
        ("/predict/{x}", "GET", "200", "ok"): 1,
        ("other", "POST", "200", "ok"): 1,
    }
    assert [exchange.prediction_id for exchange in sink.exchanges] == ids


def copying(app: ASGIApp) -> ASGIApp:
    async def copies(scope: Scope, receive: Receive, send: Send) -> None:
        await app(dict(scope), receive, send)

    return copies


def test_a_middleware_that_copies_the_scope_hides_no_configured_route() -> None:
    app, sink = watched(copying(predictor()))
    sink.templates = RouteTemplates(["/predict"])
    serve(app)
    assert sink.requests() == {("/predict", "POST", "200", "ok"): 1}
    assert len(sink.exchanges) == 1


def test_a_mounted_app_that_names_no_route_has_the_ones_that_are_configured() -> None:
    app, sink = watched(Starlette(routes=[Mount("/predict", app=bare)]))
    sink.templates = RouteTemplates(["/predict/a"])
    for path in ("/predict/a", "/predict/b"):
        serve(app, path)
    assert {route for route, *_ in sink.requests()} == {"/predict/a", "/predict/{path}"}


def test_what_the_app_says_goes_before_what_is_configured() -> None:
    app, sink = watched(Starlette(routes=[Route("/predict/{x}", predict, methods=["POST"])]))
    sink.templates = RouteTemplates(["/predict/1", "/{path}/1"])
    serve(app, "/predict/1")
    assert sink.requests() == {("/predict/{x}", "POST", "200", "ok"): 1}


@pytest.mark.parametrize(
    ("app", "path", "method", "times"),
    [
        (bare, "/predict", "POST", 1),
        (copying(predictor()), "/predict", "POST", 1),
        (bare, "/predict", "GET", 0),
        (bare, "/predict/none", "POST", 0),
        (predictor(), "/predict", "POST", 0),
        (predictor(), "/none", "POST", 0),
    ],
)
def test_a_post_that_is_answered_well_on_no_known_route_is_told(
    app: ASGIApp, path: str, method: str, times: int
) -> None:
    app, sink = watched(app)
    serve(app, path, method)
    assert sink.without_routes == times


def test_methods_become_labels_only_if_http_knows_them() -> None:
    app, sink = watched(sends(START, BODY))
    for method in ("GET", "POST", "BREW", "get"):
        serve(app, method=method)
    methods = Counter(method for _, method, _, _ in sink.requests())
    assert set(methods) == {"GET", "POST", "other"}


# --- Exchanges ---


def test_an_exchange_holds_both_bodies_and_where_they_belong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(middleware, "time", lambda: 1_800_000_000.0)
    app, sink = watched(predictor())
    body = [b'{"a": ', b"1}"]
    served = asyncio.run(
        visit(app, scope_of("/proxy/predict", root_path="/proxy"), requests_of(*body))
    )
    [exchange] = sink.exchanges
    assert exchange.arrived == pytest.approx(1_800_000_000.0, abs=1)
    assert (exchange.model, exchange.route, exchange.status) == ("bike", "/predict", 200)
    assert exchange.path == "/proxy/predict"
    assert exchange.prediction_id == served.prediction_id
    assert exchange.request_chunks == body
    assert exchange.request_headers == {b"content-type": b"application/json"}
    assert b"".join(exchange.response_chunks) == b'{"predictions":[1]}'
    assert exchange.response_headers[b"content-type"] == b"application/json"


def test_chunks_are_kept_by_reference() -> None:
    chunk = b"x" * 500
    app, sink = watched(sends(START, {**BODY, "body": chunk}))
    asyncio.run(visit(app, scope_of(), requests_of(chunk)))
    [exchange] = sink.exchanges
    assert exchange.request_chunks[0] is chunk
    assert exchange.response_chunks[0] is chunk


def test_a_buffer_that_changes_after_it_was_sent_is_copied() -> None:
    async def reuses(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = Route("/predict", predict)
        await receive()
        await send(START)
        buffer = bytearray(b"one")
        await send({**PART, "body": memoryview(buffer)})
        buffer[:] = b"two"
        await send({**BODY, "body": buffer})
        buffer[:] = b"???"

    app, sink = watched(reuses)
    serve(app)
    assert sink.exchanges[0].response_chunks == [b"one", b"two"]


@pytest.mark.parametrize("status", [200, 204, 400, 422, 500, 503])
def test_an_exchange_is_handed_over_whatever_the_status(status: int) -> None:
    app, sink = watched(sends({**START, "status": status}, BODY))
    serve(app)
    assert [exchange.status for exchange in sink.exchanges] == [status]


def test_an_exchange_is_handed_over_before_background_tasks_run() -> None:
    seen: list[int] = []

    async def answers(request: Request) -> Response:
        await request.body()
        return PlainTextResponse(
            "x", background=BackgroundTask(lambda: seen.append(len(sink.exchanges)))
        )

    app, sink = watched(Starlette(routes=[Route("/predict", answers, methods=["POST"])]))
    serve(app)
    assert seen == [1]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_only_a_post_is_an_exchange(method: str) -> None:
    app, sink = watched(sends(START, BODY))
    served = serve(app, method=method)
    assert (sink.exchanges, sink.drops()) == ([], {})
    assert b"x-prediction-id" not in served.headers


def test_a_route_without_a_model_is_counted_and_no_more() -> None:
    app, sink = watched(Starlette(routes=[Route("/chat", predict, methods=["POST"])]))
    served = serve(app, "/chat")
    assert (sink.exchanges, sink.drops()) == ([], {})
    assert b"x-prediction-id" not in served.headers
    assert sink.requests() == {("/chat", "POST", "200", "ok"): 1}


@pytest.mark.parametrize(
    ("request_bytes", "response_bytes", "is_kept"),
    [(1000, 1000, True), (1001, 1, False), (1, 1001, False), (5000, 5000, False)],
)
def test_bodies_beyond_the_cap_are_dropped_and_counted_once(
    request_bytes: int, response_bytes: int, is_kept: bool
) -> None:
    answer = [{**PART, "body": b"x"} for _ in range(response_bytes - 1)]
    app, sink = watched(sends(START, *answer, {**BODY, "body": b"x"}))
    inbound = requests_of(*[b"x"] * request_bytes)
    asyncio.run(visit(app, scope_of(), inbound))
    assert len(sink.exchanges) == is_kept
    assert sink.drops() == ({} if is_kept else {"body_too_large": 1})
    assert sink.histogram("mlmon_request_size_bytes") == (1, request_bytes)
    assert sink.histogram("mlmon_response_size_bytes") == (1, response_bytes)


def test_a_body_beyond_the_cap_of_no_model_is_not_counted_as_dropped() -> None:
    app, sink = watched(
        Starlette(routes=[Route("/chat", predict, methods=["POST"])]), max_body_bytes=1
    )
    asyncio.run(visit(app, scope_of("/chat"), requests_of(b"too long")))
    assert sink.drops() == {}


def test_what_was_kept_is_let_go_at_the_cap() -> None:
    calls: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        call = receive.__self__  # type: ignore[attr-defined]
        while (await receive())["more_body"]:
            calls.append(len(call._request_chunks))
        await send(START)
        await send(BODY)

    monitored, _ = watched(app, max_body_bytes=3)
    asyncio.run(visit(monitored, scope_of(), requests_of(*[b"xx"] * 5)))
    assert calls == [1, 0, 0, 0]


def test_bodies_are_let_go_before_background_tasks_run() -> None:
    kept: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await sends(START, BODY)(scope, receive, send)
        call = send.__self__  # type: ignore[attr-defined]
        kept.append(len(call._request_chunks) + len(call._response_chunks))

    monitored, sink = watched(app)
    serve(monitored)
    assert (kept, len(sink.exchanges)) == ([0], 1)


def test_an_app_that_never_reads_the_body_makes_no_exchange() -> None:
    async def unread(request: Request) -> Response:
        return JSONResponse({})

    app, sink = watched(Starlette(routes=[Route("/predict", unread, methods=["POST"])]))
    serve(app)
    assert (sink.exchanges, sink.drops()) == ([], {"request_unread": 1})


def test_an_app_that_reads_a_part_of_the_body_makes_no_exchange() -> None:
    async def reads_once(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = Route("/predict", predict)
        await receive()
        await send(START)
        await send(BODY)

    app, sink = watched(reads_once)
    asyncio.run(visit(app, scope_of(), requests_of(b"a", b"b")))
    assert (sink.exchanges, sink.drops()) == ([], {"request_unread": 1})


@pytest.mark.parametrize("kind", ["pathsend", "zerocopysend"])
def test_a_response_read_from_a_file_has_no_size_and_makes_no_exchange(kind: str) -> None:
    app, sink = watched(sends(START, {"type": f"http.response.{kind}", "path": "/x", "file": 3}))
    serve(app)
    assert (sink.exchanges, sink.drops()) == ([], {"response_unread": 1})
    assert sink.histogram("mlmon_response_size_bytes") == (0, 0)
    assert sink.outcome() == ("200", "ok")


@pytest.mark.parametrize("app", [sends(START, PART), sends(START, PART, error=BoomError())])
def test_an_interrupted_response_makes_no_exchange(app: ASGIApp) -> None:
    app, sink = watched(app)
    serve(app)
    assert (sink.exchanges, sink.drops()) == ([], {})


def test_a_response_in_many_messages_is_one_exchange() -> None:
    hints: Message = {"type": "http.response.early_hint", "links": [b"</a>"]}
    trailers: Message = {"type": "http.response.trailers", "headers": []}
    nothing: Message = {"type": "http.response.body", "more_body": True}
    last: Message = {"type": "http.response.body"}
    app, sink = watched(
        sends(hints, {**START, "trailers": True}, nothing, PART, PART, last, trailers)
    )
    serve(app)
    [exchange] = sink.exchanges
    assert b"".join(exchange.response_chunks) == b"partpart"
    assert sink.faults() == 0


EVENTS: Message = {**START, "headers": [(b"content-type", b"text/event-stream; charset=utf-8")]}


def events(count: int) -> list[Message]:
    return [{**PART, "body": b"data: %d\n\n" % i} for i in range(count)]


def test_a_streamed_answer_is_timed_and_handed_over() -> None:
    app, sink = watched(sends(EVENTS, *events(5), {**BODY, "body": b""}))
    served = serve(app)
    assert [message["body"] for message in served.sent[1:-1]] == [e["body"] for e in events(5)]
    [exchange] = sink.exchanges
    assert b"".join(exchange.response_chunks) == b"".join(e["body"] for e in events(5))
    assert sink.histogram("mlmon_request_first_token_seconds")[0] == 1
    assert sink.histogram("mlmon_output_token_seconds")[0] == 4


def test_tokens_are_timed_as_they_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 0.5, 1.0, 1.25, 1.75, 2.0])  # call, start, three events, end
    monkeypatch.setattr(middleware, "perf_counter", lambda: next(moments))
    monkeypatch.setattr(streamed_answer, "perf_counter", lambda: next(moments))
    app, sink = watched(sends(EVENTS, *events(3), {**BODY, "body": b""}))
    serve(app)
    assert sink.histogram("mlmon_request_first_byte_seconds") == (1, 0.5)
    assert sink.histogram("mlmon_request_first_token_seconds") == (1, 1.0)
    assert sink.histogram("mlmon_output_token_seconds") == (2, 0.75)
    assert sink.histogram("mlmon_request_duration_seconds") == (1, 2.0)


def test_an_interrupted_stream_is_timed_and_makes_no_exchange() -> None:
    app, sink = watched(sends(EVENTS, *events(3), error=BoomError()))
    serve(app)
    assert sink.outcome() == ("200", "interrupted")
    assert sink.histogram("mlmon_output_token_seconds")[0] == 2
    assert not sink.exchanges


def test_of_a_stream_beyond_the_cap_both_ends_are_handed_over() -> None:
    app, sink = watched(sends(EVENTS, *events(100), {**BODY, "body": b""}), max_body_bytes=100)
    serve(app)
    [exchange] = sink.exchanges
    kept = b"".join(exchange.response_chunks)
    assert kept.startswith(b"data: 0\n\ndata: 1\n\n")
    assert kept.endswith(b"data: 98\n\ndata: 99\n\n")
    assert len(kept) <= 100 + len(GAP)
    assert not sink.drops()
    # The size is counted over all of it.
    size = sum(len(event["body"]) for event in events(100))
    assert sink.histogram("mlmon_response_size_bytes") == (1, size)


def test_a_long_stream_of_an_app_that_never_read_the_body_was_not_too_large() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = Route("/predict", predict)
        for message in (EVENTS, *events(100), {**BODY, "body": b""}):
            await send(message)

    watching, sink = watched(app, max_body_bytes=100)
    serve(watching)
    assert sink.drops() == {"request_unread": 1}


def test_a_compressed_stream_beyond_the_cap_is_dropped_and_counted() -> None:
    start = {**EVENTS, "headers": [*EVENTS["headers"], (b"content-encoding", b"gzip")]}
    app, sink = watched(sends(start, *events(100), {**BODY, "body": b""}), max_body_bytes=100)
    serve(app)
    assert not sink.exchanges
    assert sink.drops() == {"body_too_large": 1}


def test_a_stream_of_no_model_is_not_timed() -> None:
    app, sink = watched(sends(EVENTS, *events(3), {**BODY, "body": b""}))
    serve(app, method="GET")
    assert sink.histogram("mlmon_output_token_seconds")[0] == 0


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


def test_below_gzip_an_exchange_has_the_plain_body_and_no_encoding() -> None:
    inner, sink = watched(predictor())
    served = serve(GZipMiddleware(inner, minimum_size=1), headers=[(b"accept-encoding", b"gzip")])
    [exchange] = sink.exchanges
    assert served.headers[b"content-encoding"] == b"gzip"
    assert b"".join(exchange.response_chunks) == b'{"predictions":[1]}'
    assert b"content-encoding" not in exchange.response_headers


def test_below_gzip_the_headers_of_an_app_with_its_own_id_are_kept_too() -> None:
    inner, sink = watched(sends({**START, "headers": [(b"x-prediction-id", b"mine")]}, BODY))
    serve(GZipMiddleware(inner, minimum_size=1), headers=[(b"accept-encoding", b"gzip")])
    assert sink.exchanges[0].response_headers == {b"x-prediction-id": b"mine"}


def test_above_gzip_an_exchange_has_the_compressed_body_and_says_so() -> None:
    app, sink = watched(predictor(middleware=[Middleware(GZipMiddleware, minimum_size=1)]))
    serve(app, headers=[(b"accept-encoding", b"gzip")])
    [exchange] = sink.exchanges
    assert gzip.decompress(b"".join(exchange.response_chunks)) == b'{"predictions":[1]}'
    assert exchange.response_headers[b"content-encoding"] == b"gzip"


def test_a_zipped_request_is_kept_as_it_came_even_if_the_app_unpacks_it() -> None:
    packed = gzip.compress(b"{}")

    def unpacks(app: ASGIApp) -> ASGIApp:
        async def unpacking(scope: Scope, receive: Receive, send: Send) -> None:
            async def unpacked() -> Message:
                message = await receive()
                return {**message, "body": gzip.decompress(message["body"])}

            scope["headers"] = [h for h in scope["headers"] if h[0] != b"content-encoding"]
            await app(scope, unpacked, send)

        return unpacking

    app, sink = watched(unpacks(predictor()))
    asyncio.run(visit(app, scope_of(headers=[(b"content-encoding", b"gzip")]), requests_of(packed)))
    [exchange] = sink.exchanges
    assert exchange.request_chunks == [packed]
    assert exchange.request_headers == {b"content-encoding": b"gzip"}


# --- The prediction's id ---


def test_a_new_id_is_sent_when_the_client_gives_none() -> None:
    app, sink = watched(predictor())
    ids = [serve(app).prediction_id for _ in range(3)]
    assert ids == [exchange.prediction_id for exchange in sink.exchanges]
    assert len(set(ids)) == 3
    assert all(valid_id(text.encode()) for text in ids)


@pytest.mark.parametrize("given", [b"a", b"order-7/A~!", b"x" * 128])
def test_the_clients_id_is_kept(given: bytes) -> None:
    app, sink = watched(predictor())
    served = serve(app, headers=[(b"x-prediction-id", given)])
    assert served.prediction_id == given.decode() == sink.exchanges[0].prediction_id


@pytest.mark.parametrize("given", [b"", b"x" * 129, b"a b", b"a\tb", b"a\nb", b"\xff", b"\x00"])
def test_a_clients_id_that_is_no_id_is_replaced(given: bytes) -> None:
    app, sink = watched(predictor())
    served = serve(app, headers=[(b"x-prediction-id", given)])
    assert served.prediction_id == sink.exchanges[0].prediction_id
    assert valid_id(served.headers[b"x-prediction-id"])


def test_the_apps_own_id_is_the_id() -> None:
    own = [(b"x-prediction-id", b"mine")]
    app, sink = watched(sends({**START, "headers": own}, BODY))
    served = serve(app, headers=[(b"x-prediction-id", b"theirs")])
    assert served.sent[0]["headers"] == own
    assert sink.exchanges[0].prediction_id == "mine"


def test_the_apps_message_and_headers_are_never_changed() -> None:
    headers = [(b"a", b"1")]
    start = {**START, "headers": headers, "extra": 1}
    before = dict(start)
    app, _ = watched(sends(start, BODY))
    sent = serve(app).sent[0]
    assert start == before
    assert headers == [(b"a", b"1")]
    assert sent["headers"][:-1] == headers
    assert {**sent, "headers": headers} == before


def test_headers_of_any_kind_get_the_id() -> None:
    pairs = [(b"a", b"1"), [b"b", b"2"]]
    kinds: list[Any] = [tuple(pairs), iter(pairs), (pair for pair in pairs)]
    for headers in kinds:
        app, sink = watched(sends({**START, "headers": headers}, BODY))
        served = serve(app)
        assert [*map(tuple, served.sent[0]["headers"])][:-1] == [(b"a", b"1"), (b"b", b"2")]
        assert sink.exchanges[0].prediction_id == served.prediction_id
        assert sink.exchanges[0].response_headers == {b"a": b"1", b"b": b"2"}


def test_a_response_without_headers_gets_the_id() -> None:
    app, _ = watched(sends({"type": "http.response.start", "status": 200}, BODY))
    assert serve(app).prediction_id


# --- Several of us, and paths of ours ---


def test_wrapped_twice_only_the_outermost_counts() -> None:
    inner, inner_sink = watched(predictor())
    outer, outer_sink = watched(inner)
    served = serve(outer)
    assert outer_sink.requests() == {("/predict", "POST", "200", "ok"): 1}
    assert (inner_sink.requests(), inner_sink.exchanges) == ({}, [])
    names = [name for name, _ in served.sent[0]["headers"]]
    assert names.count(b"x-prediction-id") == 1


def test_registered_twice_counts_once() -> None:
    app, sink = predictor(), Sink()
    for _ in range(2):
        app.add_middleware(MonitorMiddleware, monitor=sink)
    for n in (1, 2):
        serve(app)
        assert sink.requests() == {("/predict", "POST", "200", "ok"): n}
    assert len(sink.exchanges) == 2


def test_a_watched_app_mounted_in_a_watched_app_counts_once() -> None:
    inner, inner_sink = watched(predictor())
    outer, outer_sink = watched(Starlette(routes=[Mount("/predictors", app=inner)]))
    serve(outer, "/predictors/predict")
    assert outer_sink.requests() == {("/predictors/predict", "POST", "200", "ok"): 1}
    assert inner_sink.requests() == {}


def with_metrics(app: ASGIApp) -> tuple[MonitorMiddleware, Sink]:
    monitored, sink = watched(app)
    sink.service_apps = {"/metrics": PlainTextResponse("numbers")}
    return monitored, sink


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
    assert (sink.requests(), sink.in_flight) == ({}, {})


@pytest.mark.parametrize(
    "path", ["/metrics/", "/metricsx", "/x/metrics", "/Metrics", "/proxyx/metrics"]
)
def test_any_other_path_is_the_apps(path: str) -> None:
    app, sink = with_metrics(sends(START, BODY))
    assert serve(app, path, "GET", root_path="/proxy").sent[-1] == BODY
    assert len(sink.requests()) == 1


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
    assert sink.requests() == {}


LIFESPAN: list[Message] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]


def live(app: ASGIApp) -> list[str]:
    served = asyncio.run(visit(app, {"type": "lifespan", "state": {}}, LIFESPAN))
    assert served.error is None
    return [message["type"] for message in served.sent]


def test_the_monitor_ends_before_the_server_hears_that_the_shutdown_is_complete() -> None:
    events: list[str] = []

    class Ending(Sink):
        async def shutdown(self) -> None:
            await asyncio.sleep(0)
            events.append("monitor")

    async def on_send(message: Message) -> None:
        events.append(message["type"])

    app = MonitorMiddleware(predictor(), monitor=Ending())
    asyncio.run(visit(app, {"type": "lifespan", "state": {}}, LIFESPAN, on_send))
    assert events == ["lifespan.startup.complete", "monitor", "lifespan.shutdown.complete"]


def test_the_monitor_ends_once_even_if_it_is_wrapped_twice() -> None:
    sink = Sink()
    live(MonitorMiddleware(MonitorMiddleware(predictor(), monitor=sink), monitor=sink))
    assert sink.shutdowns == 1


def test_two_monitors_end_both() -> None:
    inner, inner_sink = watched(predictor())
    outer, outer_sink = watched(inner)
    live(outer)
    assert (inner_sink.shutdowns, outer_sink.shutdowns) == (1, 1)


def test_a_monitor_that_cannot_end_does_not_stop_the_shutdown() -> None:
    class Stuck(Sink):
        async def shutdown(self) -> None:
            raise BoomError

    sink = Stuck()
    types = live(MonitorMiddleware(predictor(), monitor=sink))
    assert types == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert sink.faults() == 1


# --- Fail open ---


class Broken(Sink):
    """A monitor of which one part raises, once it is in use."""

    broken = ""

    def __getattribute__(self, name: str) -> Any:
        if name == object.__getattribute__(self, "broken"):
            raise BoomError(name)
        return object.__getattribute__(self, name)


def broken(part: str) -> Broken:
    sink = Broken()
    sink.broken = part
    return sink


@pytest.mark.parametrize(
    "part", ["service_apps", "max_body_bytes", "traffic", "in_flight", "model_of", "submit"]
)
def test_a_fault_of_ours_is_counted_and_the_response_is_unchanged(part: str) -> None:
    bare = serve(predictor())
    sink = broken(part)
    served = serve(MonitorMiddleware(predictor(), monitor=sink))
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
    assert sink.requests() == {("other", "POST", "200", "ok"): 1}
    assert sink.faults() == 1


def test_even_when_faults_cannot_be_counted_the_response_is_unchanged() -> None:
    sink = broken("health")
    sink.submit = None  # type: ignore[method-assign, assignment]
    served = serve(MonitorMiddleware(predictor(), monitor=sink))
    assert served.error is None
    assert served.sent[-1]["body"] == b'{"predictions":[1]}'


def test_a_fault_of_ours_does_not_cover_the_apps_exception() -> None:
    sink = broken("traffic")
    error = BoomError("the app's")
    served = serve(MonitorMiddleware(sends(START, error=error), monitor=sink))
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
    assert sink.requests() == {("/predict", "POST", "200", "ok"): 1}
    assert b"".join(sink.exchanges[0].response_chunks) == b'{"predictions":[1]}'


def test_a_stream_whose_client_leaves_is_disconnected_within_starlette() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"more"
            await asyncio.sleep(0)

    async def streams(request: Request) -> Response:
        return StreamingResponse(endless())

    app, sink = watched(Starlette(routes=[Route("/predict", streams)]))
    asyncio.run(asyncio.wait_for(visit(app, scope_of(method="GET"), [LEFT]), timeout=20))
    assert sink.outcome() == ("200", "disconnected")


# --- Traces ---


class Traces:
    """A tracer that is nobody's global one, and what it has finished."""

    def __init__(self, **options: Any) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(**options)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = provider.get_tracer("test")

    def finished(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()

    def around(self, app: ASGIApp) -> ASGIApp:
        async def traced(scope: Scope, receive: Receive, send: Send) -> None:
            with self.tracer.start_as_current_span("server"):
                await app(scope, receive, send)

        return traced


def exemplars(sink: Sink) -> list[Any]:
    return [
        mark
        for block in sink.traffic.readings()
        if isinstance(block, Histograms)
        for marks in block.exemplars
        for mark in (marks or {}).values()
    ]


@pytest.mark.parametrize("is_inside", [True, False])
def test_the_trace_of_a_request_is_its_exemplar_and_its_span_names_the_prediction(
    is_inside: bool,
) -> None:
    traces = Traces()
    if is_inside:
        app, sink = watched(traces.around(predictor()))
        served = serve(app)
    else:
        inner, sink = watched(predictor())
        served = serve(traces.around(inner))
    [span] = traces.finished()
    [mark] = exemplars(sink)
    assert span.context is not None
    assert (mark.trace_id, mark.span_id) == (
        f"{span.context.trace_id:032x}",
        f"{span.context.span_id:016x}",
    )
    assert math.isclose(mark.value, sink.histogram("mlmon_request_duration_seconds")[1])
    assert span.start_time is not None
    assert mark.timestamp == pytest.approx(span.start_time / 1e9, abs=60)
    assert dict(span.attributes or {}) == {
        "mlmon.model": "bike",
        "mlmon.prediction_id": served.prediction_id,
    }


def test_a_request_of_no_model_has_an_exemplar_and_nothing_is_said_on_its_span() -> None:
    traces = Traces()
    app, sink = watched(traces.around(Starlette(routes=[Route("/chat", hello)])))
    serve(app, "/chat", "GET")
    assert len(exemplars(sink)) == 1
    assert dict(traces.finished()[0].attributes or {}) == {}


@pytest.mark.parametrize("decision", [Decision.DROP, Decision.RECORD_ONLY])
def test_a_trace_that_is_not_sampled_is_no_exemplar(decision: Decision) -> None:
    app, sink = watched(Traces(sampler=StaticSampler(decision)).around(predictor()))
    serve(app)
    assert exemplars(sink) == []


def test_without_a_span_there_is_nothing_to_tell() -> None:
    assert current_span_context() is None
    annotate("bike", "id")


def test_a_span_that_has_ended_is_no_exemplar() -> None:
    tracer = Traces().tracer
    with tracer.start_as_current_span("ended") as span:
        assert current_span_context() is not None
        span.end()
        assert current_span_context() is None


def test_the_middleware_meets_what_its_monitor_promises() -> None:
    checked: middleware.Sink = Sink()
    assert checked.max_body_bytes == 1000
