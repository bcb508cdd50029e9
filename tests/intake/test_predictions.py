"""Facts about which exchanges are predictions, with a reference and while one is learned."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from mlmon_exporter.config.keys import Config
from mlmon_exporter.core.counts.health import Health
from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.reference import ModelReference
from mlmon_exporter.core.profile.column import ColumnReference
from mlmon_exporter.core.settings import ModelSettings
from mlmon_exporter.formats import BodyMap, parse
from mlmon_exporter.intake.predictions import UNKNOWN_PATIENCE, Predictions
from tests.core.build import references
from tests.formats.bodies import exchange

ROW = {"age": 30, "income": 5.5, "city": "Bern", "rooms": 3}
GRAPHQL = ("/graphql", {"query": "query Q($a: Int) { user(a: $a) }", "variables": {"age": 3}})
JSON_RPC = ("/rpc", {"jsonrpc": "2.0", "method": "m", "params": {"age": 1, "city": "x"}, "id": 1})
LOGIN = ("/login", {"user": "jane", "password": "hunter2"})
LOAD = ("/v2/repository/models/m/load", {"parameters": {"age": 30, "income": 1}})
OTHERS = {"graphql": GRAPHQL, "json_rpc": JSON_RPC, "login": LOGIN, "load": LOAD}
ROUTES = ["/predict", *(route for route, _ in OTHERS.values())]


def of_rows(*names: str) -> tuple[ColumnReference, ...]:
    return references({name: [1.0, 2.0] * 50 for name in names})


class Watched:
    """Predictions of one model, and what becomes of bodies."""

    def __init__(self, known: ModelReference | None = None, **options: Any) -> None:
        config = Config(models=[{"name": "m", **options}])
        self.health = Health()
        self.model = Model(ModelSettings("m", learn_rows=100), known)
        self.predictions = Predictions(config.models, {"m": self.model}, self.health)

    def post(self, route: str, body: Any, answer: Any = 0.5) -> bool:
        sent = exchange(json.dumps(body).encode(), json.dumps(answer).encode(), path=route)
        names = BodyMap(self.model.feature_names(), self.model.output_names())
        batch = parse(sent, names).batch
        has = self.predictions.has(sent._replace(route=route), "m", batch)
        if has:
            self.model.observe(batch, 0.0)
        return has

    @property
    def counts(self) -> dict[tuple[str, ...], int]:
        return dict(self.health.counters["mlmon_not_predictions_total"].cells)


@pytest.fixture
def known() -> ModelReference:
    return ModelReference(of_rows("age", "income", "city", "rooms"), of_rows("y"), 0.0, "file")


# --- With a reference ---


@pytest.mark.parametrize("options", [{}, {"routes": ["/predict", "/login"]}])
@pytest.mark.parametrize("name", OTHERS)
def test_posts_that_are_no_predictions_are_counted_by_route(
    known: ModelReference, name: str, options: dict[str, Any]
) -> None:
    watched = Watched(known, **options)
    route, body = OTHERS[name]
    assert not watched.post(route, body, {"access_token": "t0"})
    (((counted, _), count),) = watched.counts.items()
    assert (counted, count) == (route, 1)
    assert watched.post("/predict", ROW)


def test_a_body_that_does_not_fit_is_a_row_only_if_its_answer_names_an_output() -> None:
    watched = Watched(ModelReference(of_rows("a", "b", "c"), of_rows("y"), 0.0, "file"))
    assert not watched.post("/queue/join", {"data": ["typed text"]}, {"event_id": "e"})
    assert watched.counts == {("/queue/join", "unknown_columns"): 1}
    assert watched.post("/predict", {"data": ["typed text"]}, {"y": 0.5})


TENSORS = [{"name": n, "shape": [1], "datatype": "FP64", "data": [1.0]} for n in ("age", "rooms")]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/models/{}:predict", {"instances": [ROW]}),
        ("/v2/models/{}/versions/1/infer", {"inputs": TENSORS}),
        ("/predictions/{}", ROW),
    ],
)
def test_a_path_that_names_another_model_is_not_this_ones(
    known: ModelReference, path: str, body: Any, caplog: pytest.LogCaptureFixture
) -> None:
    watched = Watched(known)
    routed = Watched(known, routes=[path.format("{name}")])
    assert watched.post(path.format("m"), body)
    assert not watched.post(path.format("n"), body)
    assert watched.counts == {(path.format("n"), "another_model"): 1}
    assert watched.post(path.format("m"), body)
    assert all(routed.post(path.format(name), body) for name in "mnm")
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_model_may_have_another_name_in_its_paths_but_two_are_told(
    known: ModelReference, caplog: pytest.LogCaptureFixture
) -> None:
    watched, body = Watched(known), {"instances": [ROW]}
    assert all(watched.post(f"/v1/models/{name}:predict", body) for name in "aaa")
    assert caplog.records == []
    assert all(watched.post(f"/v1/models/{name}:predict", body) for name in "bcab")
    [record] = caplog.records
    assert "name the models a, b, and all are counted as one" in record.getMessage()


@pytest.mark.parametrize(
    ("body", "is_one"),
    [
        (ROW, True),
        ({"age": None, "income": 1, "extra": 2}, True),
        ([{"age": 1}, {"income": 1}], True),
        ([[1, 2, 3, 4]], True),
        ({"age": 1, "name": "x"}, False),
        ({"a": 1, "b": 2}, False),
    ],
)
def test_a_row_holds_two_features_of_the_reference(
    known: ModelReference, body: Any, is_one: bool
) -> None:
    assert Watched(known).post("/predict", body) is is_one


def test_of_few_features_one_suffices() -> None:
    known = ModelReference(of_rows("a", "b", "c"), (), 0.0, "file")
    assert Watched(known).post("/predict", {"a": 1, "x": 2})
    assert not Watched(known).post("/predict", {"x": 2})


def test_an_upload_is_a_prediction_if_it_is_answered_with_an_output(known: ModelReference) -> None:
    watched = Watched(known)
    upload = exchange(b"\x89PNG", b'{"y": 1}', request_headers={"content-type": "image/png"})
    names = BodyMap(output_names=("y",))
    assert watched.predictions.has(upload, "m", parse(upload, names).batch)
    avatar = upload._replace(response_chunks=[b'{"a": 7, "b": 1}'])
    assert not watched.predictions.has(avatar, "m", parse(avatar, names).batch)


def test_a_refused_route_is_told_once(
    known: ModelReference, caplog: pytest.LogCaptureFixture
) -> None:
    watched = Watched(known)
    for _ in range(3):
        watched.post("/search", {"words": 3})
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "a POST to /search holds too few" in record.getMessage()
    assert 'routes = ["/predict"]' in record.getMessage()
    assert watched.counts == {("/search", "unknown_columns"): 3}


def test_routes_beyond_some_are_other(known: ModelReference) -> None:
    watched = Watched(known)
    for i in range(200):
        watched.post(f"/{i}", {"words": 3})
    assert len(watched.counts) == 51
    assert watched.counts["other", "unknown_columns"] == 150


def test_answers_that_never_have_the_references_outputs_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched = Watched(ModelReference(of_rows("age"), of_rows("y", "z"), 0.0, "file"))
    for _ in range(2 * UNKNOWN_PATIENCE):
        assert watched.post("/predict", {"age": 1}, {"answer": 1})
    assert [record.getMessage()[:60] for record in caplog.records] == [
        "mlmon: model m: 20 answers in a row had none of the referenc"
    ]
    assert watched.health.counters["mlmon_dropped_total"].cells["unknown_outputs",] == 40


# --- While one is learned ---


@pytest.mark.parametrize("options", [{}, {"routes": ROUTES}])
@pytest.mark.parametrize("name", ["graphql", "json_rpc", "load"])
def test_other_protocols_are_never_learned(name: str, options: dict[str, Any]) -> None:
    watched = Watched(**options)
    assert not watched.post(*OTHERS[name])
    assert watched.counts == {(OTHERS[name][0], "other_protocol"): 1}


def test_a_search_for_words_is_no_graphql() -> None:
    assert Watched().post("/predict", {"query": "red shoes"})
    assert Watched().post("/predict", {"query": "{ a }", "age": 3})


def test_without_routes_nothing_is_learned_from_a_body_with_a_secret() -> None:
    watched = Watched()
    assert not watched.post(*LOGIN)
    assert not watched.post("/token", {"grant_type": "x"}, {"access_token": "t0"})
    assert [*watched.counts] == [("/login", "secret"), ("/token", "secret")]
    assert Watched(routes=["/login"]).post(*LOGIN)


def test_the_only_route_that_parses_is_learned_from() -> None:
    watched = Watched()
    for _ in range(100):
        assert watched.post("/predict", ROW)
        for other in OTHERS.values():
            assert not watched.post(*other)
    assert watched.model.feature_names() == tuple(ROW)


def test_of_two_routes_neither_is_learned_from_and_both_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched = Watched()
    for _ in range(100):
        watched.post("/predict", ROW)
        watched.post("/search", {"words": 3, "page": 1})
    assert watched.model.reference is None
    told = " ".join(record.getMessage() for record in caplog.records)
    assert "/predict" in told
    assert "/search" in told


def test_a_stray_post_among_many_is_passed_over() -> None:
    watched = Watched()
    for _ in range(50):
        assert watched.post("/predict", ROW)
    assert not watched.post("/search", {"words": 3, "page": 1})
    assert watched.post("/predict", ROW)


def test_what_was_learned_from_another_route_first_is_forgotten() -> None:
    watched = Watched()
    assert watched.post("/search", {"words": 3, "page": 1})
    for _ in range(200):
        watched.post("/predict", ROW)
    assert watched.model.feature_names() == tuple(ROW)


def test_routes_with_the_same_features_are_one_models() -> None:
    watched = Watched()
    for _ in range(50):
        assert watched.post("/predict", ROW)
        assert watched.post("/predict_many", [ROW, ROW])
    assert watched.model.feature_names() == tuple(ROW)


def test_bodies_that_are_never_alike_are_not_learned_from() -> None:
    watched = Watched()
    for i in range(50):
        watched.post("/events", {f"a{i}": 1, f"b{i}": 2})
    assert watched.counts["/events", "unclear_route"] > 40
