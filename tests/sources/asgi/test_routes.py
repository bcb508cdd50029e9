"""Labels of routes: whole templates, the same with any version of the framework, and few."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Host, Match, Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlmon_exporter.sources.asgi.routes import route_of, route_path


def scope_of(path: str, method: str = "GET", **more: object) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"test")],
        "server": ("test", 80),
        **more,
    }


def route_after(app: ASGIApp, scope: Scope) -> str:
    """The label of a request that the app has answered."""

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None: ...

    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
    return route_of(scope)


async def hello(request: Request) -> Response:
    return PlainTextResponse("hello")


async def connection(scope: Scope, receive: Receive, send: Send) -> None: ...


def framework_app() -> FastAPI:
    app, router, sub = FastAPI(), APIRouter(prefix="/r"), FastAPI()

    @app.post("/predict/{x:int}")
    async def one(x: int) -> int:
        return x

    @app.post("/v1/models/{name}:predict")
    async def model(name: str) -> str:
        return name

    @app.get("/slash/")
    async def slash() -> None: ...

    @router.get("/items/{item_id}")
    async def item(item_id: int) -> int:
        return item_id

    @sub.get("/in/{k}")
    async def within(k: str) -> str:
        return k

    inner = APIRouter()
    inner.add_route("/plain/{y}", hello)
    app.include_router(inner, prefix="/inner/{x}")
    app.include_router(router, prefix="/api/{version}")
    app.mount("/sub", sub)
    app.mount("/tenants/{tenant}", sub)
    app.mount("/files", StaticFiles(directory=Path(__file__).parent))
    return app


FASTAPI_ROUTES = [
    ("POST", "/predict/3", "/predict/{x}"),
    ("GET", "/predict/3", "/predict/{x}"),  # 405
    ("OPTIONS", "/predict/3", "/predict/{x}"),  # 405
    ("POST", "/predict/three", "other"),  # 404
    ("POST", "/v1/models/iris:predict", "/v1/models/{name}:predict"),
    ("GET", "/api/v2/r/items/7", "/api/{version}/r/items/{item_id}"),
    ("GET", "/api/v2/r/items/x", "/api/{version}/r/items/{item_id}"),  # 422
    ("GET", "/api/r/r/items/7", "/api/{version}/r/items/{item_id}"),
    ("GET", "/inner/7/plain/7", "/inner/{x}/plain/{y}"),
    ("GET", "/sub/in/3", "/sub/in/{k}"),
    ("POST", "/sub/in/3", "/sub/in/{k}"),  # 405
    ("GET", "/sub/nothing", "/sub/{path}"),  # 404 of the mounted app
    ("GET", "/tenants/acme/in/3", "/tenants/{tenant}/in/{k}"),
    ("GET", "/tenants/in/in/in", "/tenants/{tenant}/in/{k}"),
    ("GET", "/tenants/acme/nothing", "/tenants/{tenant}/{path}"),
    ("GET", "/files/test_routes.py", "/files/{path}"),
    ("GET", "/files/nothing", "/files/{path}"),
    ("GET", "/slash", "other"),  # redirect
    ("GET", "/docs", "/docs"),
    ("GET", "/nothing", "other"),
]


@pytest.mark.parametrize(("method", "path", "route"), FASTAPI_ROUTES)
@pytest.mark.parametrize("root_path", ["", "/proxy"])
def test_the_route_of_a_fastapi_app_is_its_whole_template(
    root_path: str, method: str, path: str, route: str
) -> None:
    scope = scope_of(root_path + path, method, root_path=root_path)
    assert route_after(framework_app(), scope) == route


def starlette_app() -> Starlette:
    mounted = Mount("/m", routes=[Route("/i/{k:int}", hello), Mount("/n/{deep}", routes=[
        Route("/{z}", hello), Route("/v1/{z}", hello),
    ])])  # fmt: skip
    return Starlette(
        routes=[
            Route("/p/{x}", hello, methods=["POST"]),
            Route("/v1/models/{name}:predict", hello, methods=["POST"]),
            Route("/rest/{rest:path}", hello),
            Route("/price/{price:float}", hello),
            mounted,
            Mount("/t/{tenant}", routes=[Route("/", hello), Route("/i", hello)]),
            Host("{domain}.test", app=Router([Route("/h/{x}", hello)])),
        ]
    )


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("POST", "/p/3", "/p/{x}"),
        ("GET", "/p/3", "/p/{x}"),  # 405
        ("POST", "/p/p", "/p/{x}"),
        ("POST", "/v1/models/v1:predict", "/v1/models/{name}:predict"),
        ("GET", "/rest/a/b/c.txt", "/rest/{rest}"),
        ("GET", "/rest/", "/rest/{rest}"),
        ("GET", "/m/i/3", "/m/i/{k}"),
        ("HEAD", "/m/i/3", "/m/i/{k}"),
        ("GET", "/m/n/dd/zz", "/m/n/{deep}/{z}"),
        ("GET", "/m/n/n/n", "/m/n/{deep}/{z}"),
        ("GET", "/m/n/1/v1/1", "/m/n/{deep}/v1/{z}"),
        ("GET", "/t/acme/", "/t/{tenant}/"),
        ("GET", "/t/acme/i", "/t/{tenant}/i"),
        ("GET", "/t/acme/nothing", "/t/{tenant}/{path}"),
        ("GET", "/m/i/x", "/m/{path}"),
        ("GET", "/nothing", "other"),
    ],
)
@pytest.mark.parametrize("root_path", ["", "/proxy"])
def test_the_route_of_a_starlette_app_is_its_template(
    root_path: str, method: str, path: str, route: str
) -> None:
    scope = scope_of(root_path + path, method, root_path=root_path)
    assert route_after(starlette_app(), scope) == route


def test_a_hosts_parameter_is_no_part_of_the_route() -> None:
    scope = scope_of("/h/1", headers=[(b"host", b"acme.test")])
    assert route_after(starlette_app(), scope) == "/h/{x}"


@pytest.mark.parametrize("path", ["/m/i/007", "/price/1.50"])
def test_a_number_spelled_differently_is_no_new_route(path: str) -> None:
    template = {"/m/i/007": "/m/i/{k}", "/price/1.50": "/price/{price}"}[path]
    assert route_after(starlette_app(), scope_of(path)) in {template, "other"}


def test_routes_stay_few_however_many_paths_are_asked_for() -> None:
    app = starlette_app()
    paths = [
        path
        for i in range(50)
        for path in (f"/p/{i}", f"/rest/{i}/{i}", f"/t/{i}/i", f"/t/{i}/{i}", f"/none/{i}")
    ]
    found = {route_after(app, scope_of(path)) for path in paths}
    assert found == {"/p/{x}", "/rest/{rest}", "/t/{tenant}/i", "/t/{tenant}/{path}", "other"}


class Pathless(BaseRoute):
    """A node of the routing tree without a path, as FastAPI has had since 0.137."""

    def __init__(self) -> None:
        self.matches_asked = 0

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        self.matches_asked += 1
        return Match.NONE, {}


def test_routes_are_neither_walked_nor_matched_again() -> None:
    node = Pathless()
    app = Starlette(routes=[node, Route("/predict", hello)])
    assert route_after(app, scope_of("/predict")) == "/predict"
    assert node.matches_asked == 1


@pytest.mark.parametrize(
    ("path", "params", "route"),
    [
        ("/p/p", {"x": "p"}, "/p/{x}"),
        ("/v1/1", {"x": "1"}, "/v1/{x}"),
        ("/1/v1", {"x": "1"}, "/{x}/v1"),
        ("/a/a/a", {"x": "a", "y": "a"}, "/a/{x}/{y}"),
        ("/rest/a/b", {"rest": "a/b"}, "/rest/{rest}"),
        ("/rest/", {"rest": ""}, "/rest/{rest}"),
        ("/models/iris:predict", {"name": "iris"}, "/models/{name}:predict"),
        ("/h/1", {"domain": "acme.test", "x": "1"}, "/h/{x}"),  # the host's is not in the path
        ("/i/7", {"k": 7}, "/i/{k}"),
        ("/i/007", {"k": 7}, "other"),  # better than a route for each way to write a number
        ("/price/1.50", {"price": 1.5}, "other"),
    ],
)
def test_without_a_route_the_template_is_rebuilt_from_the_path(
    path: str, params: dict[str, object], route: str
) -> None:
    assert route_of(scope_of(path, endpoint=hello, path_params=params)) == route


def test_before_it_is_routed_a_request_is_other() -> None:
    assert route_of(scope_of("/predict")) == "other"


@pytest.mark.parametrize("route", ["text", 7, object()])
def test_a_route_of_an_unknown_kind_is_other(route: object) -> None:
    assert route_of(scope_of("/x", route=route)) == "other"
    assert route_of(scope_of("/x", route=route, app_root_path="")) == "other"


def test_what_another_framework_calls_a_path_is_the_template() -> None:
    class Elsewhere:
        path = "/items/{id}"

    assert route_of(scope_of("/items/7", route=Elsewhere())) == "/items/{id}"


MOUNTED: dict[str, Any] = {"root_path": "/m", "app_root_path": "", "path_params": {"x": "1"}}


def test_a_partial_endpoint_is_a_routes() -> None:
    scope = scope_of("/m/x/1", endpoint=partial(hello), **MOUNTED)
    assert route_of(scope) == "/m/x/{x}"


def test_a_class_endpoint_is_a_routes() -> None:
    class Endpoint: ...

    assert route_of(scope_of("/m/x/1", endpoint=Endpoint, **MOUNTED)) == "/m/x/{x}"


def test_a_function_that_takes_a_connection_is_a_mounted_app() -> None:
    assert route_of(scope_of("/m/x/1", endpoint=connection, **MOUNTED)) == "/m/{path}"


@pytest.mark.parametrize(
    ("path", "root_path", "expected"),
    [
        ("/metrics", "", "/metrics"),
        ("/proxy/metrics", "/proxy", "/metrics"),
        ("/metrics", "/proxy", "/metrics"),
        ("/proxyx/metrics", "/proxy", "/proxyx/metrics"),
        ("/proxy", "/proxy", ""),
    ],
)
def test_the_path_below_the_root_path_is_starlettes(
    path: str, root_path: str, expected: str
) -> None:
    assert route_path({"path": path, "root_path": root_path}) == expected


def test_a_scope_without_a_root_path_has_its_path() -> None:
    assert route_path({"path": "/x"}) == "/x"
