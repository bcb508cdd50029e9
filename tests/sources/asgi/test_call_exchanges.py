"""Exchanges that are handed over, and the prediction's id."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlmon_exporter.sources.asgi import call
from mlmon_exporter.sources.ids import valid_id

from .seen import (
    BODY,
    PART,
    START,
    BoomError,
    predict,
    predictor,
    requests_of,
    scope_of,
    sends,
    serve,
    visit,
    watched,
)


def test_an_exchange_holds_both_bodies_and_where_they_belong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(call, "time", lambda: 1_800_000_000.0)
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
    assert [*exchange.request_chunks] == body
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
    assert sink.exchanges[0].response_chunks == (b"one", b"two")


@pytest.mark.parametrize("status", [200, 204, 400, 422, 500, 503])
def test_only_what_was_answered_well_is_handed_over(status: int) -> None:
    app, sink = watched(sends({**START, "status": status}, BODY))
    serve(app)
    assert [exchange.status for exchange in sink.exchanges] == [status] * (status < 300)


@pytest.mark.parametrize("status", [301, 401, 413, 429, 503])
def test_a_request_that_was_refused_before_its_body_was_read_is_no_loss(status: int) -> None:
    async def refuses(scope: Scope, receive: Receive, send: Send) -> None:
        await send({**START, "status": status})
        await send(BODY)

    app, sink = watched(refuses)
    serve(app)
    assert (sink.exchanges, sink.drops()) == ([], {})


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
    assert sink.counted() == {("/chat", "POST", "200", "ok"): 1}


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
            calls.append(len(call._notes._request_chunks))
        await send(START)
        await send(BODY)

    monitored, _ = watched(app, max_body_bytes=3)
    asyncio.run(visit(monitored, scope_of(), requests_of(*[b"xx"] * 5)))
    assert calls == [1, 0, 0, 0]


@pytest.mark.parametrize("parts", [0, 2])
def test_bodies_are_let_go_before_background_tasks_run(parts: int) -> None:
    kept: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await sends(START, *(PART for _ in range(parts)), BODY)(scope, receive, send)
        call = send.__self__  # type: ignore[attr-defined]
        kept.extend((call.asked, call.told))
        if call._notes is not None:
            kept.extend((*call._notes._request_chunks, *call._notes._response_chunks))

    monitored, sink = watched(app)
    serve(monitored)
    assert (kept, len(sink.exchanges)) == ([None, None], 1)


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
    assert exchange.request_chunks == (packed,)
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
