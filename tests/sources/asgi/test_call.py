"""How requests are counted: outcomes, times, sizes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlmon_exporter.sources.asgi import call
from mlmon_exporter.sources.asgi.middleware import AsgiSource
from mlmon_exporter.sources.asgi.routes import route_of

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

# --- Outcomes ---


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "ok"), (204, "ok"), (307, "ok"), (400, "client_error"), (499, "client_error"),
     (500, "server_error"), (503, "server_error")],
)  # fmt: skip
def test_a_finished_response_has_the_outcome_of_its_status(status: int, outcome: str) -> None:
    app, sink = watched(sends({**START, "status": status}, BODY))
    serve(app)
    assert sink.outcome() == (str(status), outcome)


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
    asyncio.run(visit(AsgiSource(sends(), other := Seen()), scope_of(), [LEFT]))
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
    assert {key[2:] for key in sink.counted()} == {("504", "server_error"), ("200", "interrupted")}


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

    sink = Seen()
    app = Starlette(routes=[Route("/predict/{x}", raises)])
    app.add_middleware(AsgiSource, sink=sink)  # below what makes a response of it
    serve(app, "/predict/1", "GET")
    assert sink.counted() == {("/predict/{x}", "GET", "500", "server_error"): 1}


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
    assert [(key[3], n) for key, n in sink.counted().items()] == [(outcome, 1)]


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
        seen.append((sink.counted(), len(sink.exchanges), len(sink.in_flight)))

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
        scopes = [each for each in sink.in_flight.values() if not callable(each)]
        seen.append((len(sink.in_flight), [*map(route_of, scopes)]))
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
    monkeypatch.setattr(call, "perf_counter", lambda: clock[0])

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
        ("/quick", (b"/quick",), (b"/quick" * 10,)),
        ("/slow", (b"/slow",), (b"/slow" * 10,)),
    ]
    assert len({e.prediction_id for e in sink.exchanges}) == 2
