"""A WSGI app answers as without us, whatever happens, and its requests are counted."""

from __future__ import annotations

from typing import Any
from wsgiref.validate import validator

import flask
import pytest

from mlmon_exporter import instrument
from tests.sources.wsgi.watched import (
    ANSWER,
    APPS,
    Result,
    counts,
    plain,
    watched,
)

IN_PROGRESS = "mlmon_requests_in_progress"


@pytest.mark.parametrize("name", ["plain", "lines", "written"])
def test_the_middleware_is_a_server_to_the_app_and_an_app_to_the_server(name: str) -> None:
    wrapped, monitor = watched(validator(APPS[name][0]))
    with monitor:
        result = Result(validator(wrapped))
        assert (result.body, result.error) == (ANSWER, "")


def test_flask_names_its_routes() -> None:
    app = flask.Flask(__name__)

    @app.post("/models/<name>/versions/<int:version>/predict")
    def predict(name: str, version: int) -> Any:
        flask.request.get_json()
        return {"predictions": [0.5]}

    @app.get("/healthz")
    def healthz() -> str:
        return "ok"

    with instrument(app, model="m") as monitor:
        client = app.test_client()
        row = {"instances": [{"a": 1.0}]}
        assert client.post("/models/m/versions/3/predict", json=row).json == {"predictions": [0.5]}
        assert client.get("/healthz").text == "ok"
        for answer in (client.get("/nowhere"), client.post("/models/m/versions/3/predict")):
            assert answer.data
        route = "/models/{name}/versions/{version}/predict"
        assert counts(monitor) == {
            ("m", "", route, "POST", "200", "ok"): 1,
            ("m", "", route, "POST", "415", "client_error"): 1,
            ("", "", "/healthz", "GET", "200", "ok"): 1,
            ("", "", "other", "GET", "404", "client_error"): 1,
        }
        assert sum(counts(monitor, "mlmon_prediction_rows_total").values()) == 1


def test_a_request_in_progress_has_the_route_that_flask_found() -> None:
    app = flask.Flask(__name__)

    @app.post("/models/<name>/predict")
    def predict(name: str) -> Any:
        return {str(labels): n for labels, n in counts(monitor, IN_PROGRESS).items()}

    with instrument(app, model="m") as monitor:
        labels = ("m", "", "/models/{name}/predict")
        assert app.test_client().post("/models/m/predict").json == {str(labels): 1}
        assert counts(monitor, IN_PROGRESS) == {}


def test_a_second_model_of_one_app_is_watched_by_the_first_ones_monitor() -> None:
    app = flask.Flask(__name__)
    with instrument(app, model="m", routes=["/m"]) as monitor:
        assert instrument(app, model="n", routes=["/n"]) is monitor
        assert [*monitor.models] == ["m", "n"]


def test_an_app_that_is_neither_is_an_error() -> None:
    with pytest.raises(TypeError, match=r"app: expected add_middleware .* got function; wrap it"):
        instrument(plain, model="m")
