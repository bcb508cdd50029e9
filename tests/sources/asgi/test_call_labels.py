"""Labels that requests are counted under."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.counts.requests import RequestCounts

from .seen import BODY, START, Routes, hello, predict, predictor, sends, serve, watched


def test_a_request_is_counted_under_its_routes_template() -> None:
    app, sink = watched(Starlette(routes=[Route("/predict/{x}", hello)]))
    for path in ("/predict/1", "/predict/2", "/predict/1/2", "/favicon.ico"):
        serve(app, path, "GET")
    assert sink.counted() == {
        ("/predict/{x}", "GET", "200", "ok"): 2,
        ("other", "GET", "404", "client_error"): 2,
    }


def test_a_mount_whose_parameter_is_hidden_by_an_inner_one_is_bounded_by_the_cap() -> None:
    mounted = Starlette(routes=[Mount("/t/{id}", routes=[Route("/{id}", hello)])])
    health = Health()
    requests = RequestCounts(max_routes=5, on_overflow=health.overflow)
    app, sink = watched(mounted, requests=requests, health=health)
    for i in range(20):
        serve(app, f"/t/{i}/x", "GET")
    assert len(sink.counted()) == 6
    assert sink.health.counters["mlmon_label_overflow_total"].cells["route",] == 15


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as an app of no framework does, which leaves nothing in the scope."""
    while (await receive()).get("more_body"):
        pass
    await send({**START, "status": 404 if scope["path"] == "/predict/none" else 200})
    await send(BODY)


def test_an_app_that_names_no_route_has_the_ones_that_are_configured() -> None:
    app, sink = watched(bare, routes=Routes(["/predict", "/predict/{x}"]))
    ids = [serve(app, path, root_path="/v").prediction_id for path in ("/v/predict", "/predict/1")]
    serve(app, "/predict/1", "GET")
    serve(app, "/login")
    assert sink.counted() == {
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
    app, sink = watched(copying(predictor()), routes=Routes(["/predict"]))
    serve(app)
    assert sink.counted() == {("/predict", "POST", "200", "ok"): 1}
    assert len(sink.exchanges) == 1


def test_a_mounted_app_that_names_no_route_has_the_ones_that_are_configured() -> None:
    app, sink = watched(
        Starlette(routes=[Mount("/predict", app=bare)]), routes=Routes(["/predict/a"])
    )
    for path in ("/predict/a", "/predict/b"):
        serve(app, path)
    assert {route for route, *_ in sink.counted()} == {"/predict/a", "/predict/{path}"}


def test_what_the_app_says_goes_before_what_is_configured() -> None:
    app, sink = watched(
        Starlette(routes=[Route("/predict/{x}", predict, methods=["POST"])]),
        routes=Routes(["/predict/1", "/{path}/1"]),
    )
    serve(app, "/predict/1")
    assert sink.counted() == {("/predict/{x}", "POST", "200", "ok"): 1}


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
    routes: Any = sink.routes
    assert routes.missed_routes.count("other") == times


def test_methods_become_labels_only_if_http_knows_them() -> None:
    app, sink = watched(sends(START, BODY))
    for method in ("GET", "POST", "BREW", "get"):
        serve(app, method=method)
    methods = Counter(method for _, method, _, _ in sink.counted())
    assert set(methods) == {"GET", "POST", "other"}
