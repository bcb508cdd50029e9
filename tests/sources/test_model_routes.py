from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from starlette.routing import Route
from starlette.types import Scope

from mlmon_exporter import ModelConfig
from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.settings import ModelSettings
from mlmon_exporter.sources.model_routes import UNMATCHED_PATIENCE, ModelRoutes

OPENAI = "/v1/chat/completions"
BY_NAME = "/v1/models/{model_name}:predict"


def routes_of(*configured: dict[str, Any], health: Health | None = None) -> ModelRoutes:
    configs = [ModelConfig(**model) for model in configured]
    models = {
        c.name: Model(ModelSettings(name=c.name, version=c.version or ""), None) for c in configs
    }
    return ModelRoutes(configs, models, health or Health())


def scope_of(template: str | None, method: str = "POST", **params: str) -> Scope:
    scope: Scope = {"method": method, "path": "/elsewhere", "path_params": params}
    if template is not None:
        scope["route"] = Route(template, lambda request: None)
    return scope


def test_routes_belong_to_the_models_that_name_them() -> None:
    routes = routes_of({"name": "a", "routes": ["/a"], "version": "3"}, {"name": "rest"})
    assert routes.find(scope_of("/a")) == ("a", "3", "/a")
    assert routes.find(scope_of("/x")) == ("rest", "", "/x")
    assert routes.find(scope_of("/x", "GET")) == ("", "", "/x")
    assert routes.find(scope_of(None)) == ("", "", "other")
    only = routes_of({"name": "a", "routes": ["/a"]})
    assert only.find(scope_of("/x")) == ("", "", "/x")


def test_a_parameter_of_the_route_names_the_model() -> None:
    several = routes_of({"name": "iris", "version": "2"}, {"name": "wine"})
    for name, labels in (("iris", ("iris", "2")), ("wine", ("wine", "")), ("x", ("other", ""))):
        assert several.find(scope_of(BY_NAME, model_name=name)) == (*labels, BY_NAME)
    alone = routes_of({"name": "iris"})
    assert alone.find(scope_of(BY_NAME, model_name="x")) == ("iris", "", BY_NAME)


def test_a_route_that_is_known_is_told_apart_by_where_it_is_mounted() -> None:
    routes, route = routes_of({"name": "a"}), scope_of("/x")["route"]
    for root in ("", "/one", "/two", "/one", ""):
        scope = {**scope_of(None), "route": route, "root_path": root, "app_root_path": ""}
        assert routes.find(scope) == ("a", "", f"{root}/x")
        assert routes.find({**scope, "method": "GET"}) == ("", "", f"{root}/x")


def test_a_route_that_is_known_goes_with_its_app() -> None:
    routes, scope = routes_of({"name": "a"}), scope_of("/x")
    assert routes.find(scope) == routes.find(scope) == ("a", "", "/x")
    gone = weakref.ref(scope.pop("route"))
    gc.collect()
    assert gone() is None
    assert routes._plain == {}  # another route may have its identity


def test_requests_that_only_a_body_can_assign_are_counted_for_other() -> None:
    routes = routes_of({"name": "small"}, {"name": "large"})
    assert routes.find(scope_of(OPENAI)) == ("other", "", OPENAI)
    assert routes.find(scope_of(OPENAI, "GET")) == ("", "", OPENAI)


def test_requests_in_progress_are_counted_by_model_and_route() -> None:
    routes = routes_of({"name": "a", "routes": ["/a"]})
    scopes = [scope_of("/a"), scope_of("/a"), scope_of("/x", "GET")]
    assert routes.in_progress(scopes) == {("a", "", "/a"): 2, ("", "", "/x"): 1}


@pytest.mark.parametrize(
    ("configured", "route", "drops"),
    [({"name": "a"}, "other", 2), ({"name": "a"}, "/x", 0), ({"routes": ["/a"]}, "other", 0)],
)
def test_a_post_on_no_known_route_is_counted_and_the_first_is_logged(
    configured: dict[str, Any], route: str, drops: int, caplog: pytest.LogCaptureFixture
) -> None:
    health = Health()
    routes = routes_of(configured, health=health)
    for _ in range(2):
        routes.missed(route)
    assert health.counters["mlmon_dropped_total"].cells["unknown_route",] == drops
    assert [record.levelname for record in caplog.records] == ["WARNING"][:drops]


def test_routes_that_match_nothing_are_told_once_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    health = Health()
    routes = routes_of({"name": "a", "routes": ["/predcit"]}, health=health)
    for _ in range(UNMATCHED_PATIENCE + 5):
        assert routes.find(scope_of("/predict"))[0] == ""
        routes.missed("/predict")
    (record,) = caplog.records
    assert "configured are /predcit, the app's are /predict;" in record.getMessage()
    assert health.counters["mlmon_dropped_total"].cells["unknown_route",] == 5


def test_other_posts_are_no_loss_once_a_route_has_matched(caplog: pytest.LogCaptureFixture) -> None:
    health = Health()
    routes = routes_of({"name": "a", "routes": ["/predict"]}, health=health)
    for _ in range(UNMATCHED_PATIENCE - 1):
        routes.missed("/login")
    assert routes.find(scope_of("/predict"))[0] == "a"
    for _ in range(100):
        routes.missed("/login")
    assert not caplog.records
    assert health.counters["mlmon_dropped_total"].cells["unknown_route",] == 0
