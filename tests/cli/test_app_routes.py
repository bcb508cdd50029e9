"""Facts about the routes of an app, as `mlmon-exporter check --app` reads them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from mlmon_exporter.cli.app_routes import load, post_routes, unmatched
from tests.command_line import error, succeeded


async def serve(request: Any) -> Any: ...


def test_post_routes_of_fastapi_with_included_and_mounted_ones() -> None:
    app, router, mounted = FastAPI(), APIRouter(), FastAPI()
    app.post("/predict")(serve)
    app.get("/about")(serve)
    app.post("/login", include_in_schema=False)(serve)
    router.post("/{name}")(lambda name: name)
    mounted.post("/score")(lambda: 1)
    app.include_router(router, prefix="/v1")
    app.mount("/other", mounted)
    assert set(post_routes(app)) == {"/predict", "/login", "/v1/{name}", "/other/score"}


def test_post_routes_of_starlette_and_flask() -> None:
    inner = Mount("/b", routes=[Route("/{id:int}", serve, methods=["POST"])])
    starlette = Starlette(routes=[Route("/a", serve, methods=["GET", "POST"]), inner])
    assert post_routes(starlette) == ["/a", "/b/{id}"]
    flask = Flask("a")
    flask.add_url_rule("/predict/<int:id>", "a", lambda **_: "", methods=["POST"])
    flask.add_url_rule("/<name>", "b", lambda name: "")
    assert post_routes(flask) == ["/predict/{id}"]
    assert post_routes(object()) == []


def test_a_route_that_the_app_has_not_is_named_with_the_one_that_was_meant() -> None:
    routes = ["/predict", "/v1/{name}"]
    assert [*unmatched(["/predict", "/v1/{name}", "/v1/bike"], routes)] == []
    (text,) = unmatched(["/predct"], routes)
    assert text == "routes: '/predct' is no POST route of the app; did you mean '/predict'?"


@pytest.fixture
def served(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    config = folder / "mlmon.toml"
    config.write_text('[[models]]\nname = "bike"\nroutes = ["/predict"]\n')
    (folder / "served.py").write_text(
        "from fastapi import FastAPI\napp = FastAPI()\n"
        "@app.post('/predict')\ndef predict() -> int: return 1\n"
        "@app.post('/login')\ndef login() -> int: return 1\n"
    )
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "served", raising=False)
    return config


def test_check_lists_the_routes_of_an_app(served: Path) -> None:
    text = succeeded("check", "--config", served, "--app", "served:app")
    assert "POST routes of the app: /predict, /login" in text
    assert "is no POST route" not in text
    served.write_text(served.read_text().replace('"/predict"', '"/predct"'))
    text = succeeded("check", "--config", served, "--app", "served")
    assert "bike: routes: '/predct' is no POST route of the app; did you mean '/predict'?" in text


def test_an_app_that_cannot_be_imported_is_told(served: Path) -> None:
    for name, why in (("nowhere:app", "ModuleNotFoundError"), ("served:api", "AttributeError")):
        told = error("check", "--config", served, "--app", name)
        assert f"expected an app such as server:app, got '{name}': {why}" in told
    with pytest.raises(ValueError, match="expected an app"):
        load("nowhere")
