"""A WSGI app answers as without us, whatever happens, and its requests are counted."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import flask
import pytest

from mlmon_exporter import Monitor, MonitorWSGIMiddleware, Reference, instrument

ROW = json.dumps({"instances": [{"a": 1.0, "b": "x"}]}).encode()
ANSWER = json.dumps({"predictions": [0.5]}).encode()
JSON = ("Content-Type", "application/json")

App = Callable[..., Iterable[bytes]]


class Result:
    """What a server has of one request."""

    def __init__(
        self,
        app: App,
        path: str = "/predict",
        body: bytes = ROW,
        parts: int = -1,
        **environ: object,
    ) -> None:
        self.status, self.headers, self.body, self.error = "", dict[str, str](), b"", ""
        given = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": path,
            "SCRIPT_NAME": "",
            "QUERY_STRING": "",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            **environ,
        }
        setup_testing_defaults(given)
        try:
            answer = app(given, self.start_response)
            try:
                for i, part in enumerate(answer):
                    self.body += part
                    if i == parts:
                        break
            finally:
                close = getattr(answer, "close", None)
                if close is not None:
                    close()
        except (RuntimeError, AssertionError, KeyError) as error:
            self.error = repr(error)

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        self.status, self.headers = status, dict(headers)

        def write(data: bytes) -> None:
            self.body += data

        return write

    @property
    def seen(self) -> tuple[str, dict[str, str], bytes, str]:
        """All but the prediction's id."""
        headers = {k: v for k, v in self.headers.items() if k != "X-Prediction-Id"}
        return self.status, headers, self.body, self.error


def watched(app: App, **options: Any) -> tuple[MonitorWSGIMiddleware, Monitor]:
    monitor = Monitor(model="m", routes=["/predict"], **options)
    return MonitorWSGIMiddleware(app, monitor), monitor


def counts(monitor: Monitor, name: str = "mlmon_requests_total") -> dict[tuple[str, ...], float]:
    monitor.flush()
    return {
        tuple(reading.labels.values()): reading.value
        for reading in monitor.readings()
        if reading.name == name and reading.value
    }


def plain(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    start_response("200 OK", [JSON, ("Content-Length", str(len(ANSWER)))])
    return [ANSWER]


def lines(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    for _ in environ["wsgi.input"]:
        pass
    start_response("200 OK", [JSON])
    yield ANSWER[:5]
    yield ANSWER[5:]


def written(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    write = start_response("200 OK", [JSON])
    write(ANSWER[:5])
    return [ANSWER[5:]]


def into(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    buffer = bytearray(int(environ["CONTENT_LENGTH"]))
    environ["wsgi.input"].readinto(buffer)
    assert bytes(buffer) == ROW
    start_response("200 OK", [JSON])
    return [ANSWER]


def unread(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [JSON])
    return [ANSWER]


def refused(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("401 Unauthorized", [JSON])
    return [b"{}"]


def raises(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    raise RuntimeError("the model's own")


def raises_within(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [JSON])
    yield ANSWER[:5]
    raise RuntimeError("the model's own")


def corrects(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [JSON])
    start_response("500 Internal Server Error", [JSON], (None, None, None))
    return [b"{}"]


def file(environ: dict[str, Any], start_response: Any) -> Any:
    environ["wsgi.input"].read()
    start_response("200 OK", [JSON])
    return environ["wsgi.file_wrapper"](io.BytesIO(ANSWER))


APPS: Mapping[str, tuple[App, tuple[str, str], int]] = {
    "plain": (plain, ("200", "ok"), 1),
    "lines": (lines, ("200", "ok"), 1),
    "written": (written, ("200", "ok"), 1),
    "into": (into, ("200", "ok"), 1),
    "unread": (unread, ("200", "ok"), 0),
    "refused": (refused, ("401", "client_error"), 0),
    "raises": (raises, ("500", "server_error"), 0),
    "raises within": (raises_within, ("200", "interrupted"), 0),
    "corrects": (corrects, ("500", "server_error"), 0),
    "file": (file, ("200", "ok"), 0),
}


@pytest.mark.parametrize("name", APPS)
def test_an_app_answers_as_without_us_and_is_counted_by_its_end(name: str) -> None:
    app, ending, rows = APPS[name]
    wrapped, monitor = watched(app)
    with monitor:
        wrapper: dict[str, Any] = {"wsgi.file_wrapper": FileWrapper}
        assert Result(wrapped, **wrapper).seen == Result(app, **wrapper).seen
        assert counts(monitor) == {("m", "", "/predict", "POST", *ending): 1}
        assert sum(counts(monitor, "mlmon_prediction_rows_total").values()) == rows
        dropped = {"unread": {("request_unread",): 1}, "file": {("response_unread",): 1}}
        assert counts(monitor, "mlmon_dropped_total") == dropped.get(name, {})
        assert counts(monitor, "mlmon_internal_errors_total") == {}


@pytest.mark.parametrize("name", ["plain", "lines", "written"])
def test_the_middleware_is_a_server_to_the_app_and_an_app_to_the_server(name: str) -> None:
    wrapped, monitor = watched(validator(APPS[name][0]))
    with monitor:
        result = Result(validator(wrapped))
        assert (result.body, result.error) == (ANSWER, "")


def test_a_client_that_leaves_within_an_answer_has_left() -> None:
    wrapped, monitor = watched(lines)
    with monitor:
        assert Result(wrapped, parts=0).body == ANSWER[:5]
        assert counts(monitor) == {("m", "", "/predict", "POST", "200", "disconnected"): 1}


def test_a_server_may_stop_at_the_length_that_the_answer_says() -> None:
    wrapped, monitor = watched(plain)
    with monitor:
        assert Result(wrapped, parts=0).body == ANSWER
        assert counts(monitor) == {("m", "", "/predict", "POST", "200", "ok"): 1}


def started(status: str, headers: list[tuple[str, str]]) -> Callable[[bytes], object]:
    return lambda data: None


def test_the_length_of_one_part_can_be_told() -> None:
    wrapped, monitor = watched(plain)
    with monitor:
        environ: dict[str, Any] = {"PATH_INFO": "/predict", "REQUEST_METHOD": "POST"}
        setup_testing_defaults(environ)
        environ["CONTENT_LENGTH"] = "0"
        answer: Any = wrapped(environ, started)
        assert len(answer) == 1
        environ.pop("mlmon_exporter.seen")
        assert not hasattr(MonitorWSGIMiddleware(lines, monitor)(environ, started), "__len__")


def test_a_prediction_has_the_id_of_the_client_of_the_app_or_a_new_one() -> None:
    def own(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [JSON, ("X-Prediction-ID", "the app's")])
        return [ANSWER]

    wrapped, monitor = watched(plain)
    with monitor:
        assert Result(wrapped, HTTP_X_PREDICTION_ID="mine").headers["X-Prediction-Id"] == "mine"
        made = {Result(wrapped).headers["X-Prediction-Id"] for _ in range(100)}
        assert len(made) == 100
        headers = Result(MonitorWSGIMiddleware(own, monitor)).headers
        assert headers == dict([JSON, ("X-Prediction-ID", "the app's")])


@pytest.mark.parametrize("fails", ["begin", "answer_begins", "end"])
def test_a_fault_of_ours_is_counted_and_never_seen(
    fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*_: object) -> None:
        raise RuntimeError("ours")

    wrapped, monitor = watched(plain)
    monkeypatch.setattr(f"mlmon_exporter.sources.recorder.Recorder.{fails}", fault)
    with monitor:
        assert Result(wrapped).seen == Result(plain).seen
        assert counts(monitor, "mlmon_internal_errors_total") == {("middleware",): 1}


def test_metrics_and_ground_truth_are_served_there_too(tmp_path: Path) -> None:
    labels = ["no", "yes"] * 50
    path = tmp_path / "reference.json"
    data = {"a": [0.0, 1.0] * 50, "label": labels, "truth": labels}
    Reference.build(data, predictions="label", ground_truth="truth").save(path)

    def answers(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["wsgi.input"].read()
        start_response("200 OK", [JSON])
        return [b'{"predictions": [{"label": "yes"}]}']

    wrapped, monitor = watched(answers, reference=path, token="t" * 16)
    with monitor:
        body = b'{"instances": [{"a": 1.0}]}'
        Result(wrapped, body=body, HTTP_X_PREDICTION_ID="p")
        truth = b'{"prediction_id": "p", "ground_truth": "yes"}'
        token: dict[str, Any] = {"HTTP_AUTHORIZATION": f"Bearer {'t' * 16}"}
        assert Result(wrapped, "/ground-truth", truth).status == "401 Unauthorized"
        told = Result(wrapped, "/ground-truth", truth, **token)
        assert (told.status, json.loads(told.body)["matched"]) == ("200 OK", 1)
        scrape = Result(wrapped, "/metrics", b"", REQUEST_METHOD="GET")
        assert scrape.status == "200 OK"
        assert b'mlmon_requests_total{model="m"' in scrape.body
        assert b'route="/metrics"' not in scrape.body


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


def test_a_second_model_of_one_app_is_watched_by_the_first_ones_monitor() -> None:
    app = flask.Flask(__name__)
    with instrument(app, model="m", routes=["/m"]) as monitor:
        assert instrument(app, model="n", routes=["/n"]) is monitor
        assert [*monitor.models] == ["m", "n"]


def test_an_app_that_is_neither_is_an_error() -> None:
    with pytest.raises(TypeError, match=r"app: expected add_middleware .* got function; wrap it"):
        instrument(plain, model="m")
