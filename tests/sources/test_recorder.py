"""Turns that were heard are counted, and those of a model become rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import orjson
import pytest

from mlmon_exporter import Monitor, Reference
from mlmon_exporter.sources.proxy.listening import listening
from mlmon_exporter.sources.proxy.relay import Ear

ROW = orjson.dumps({"instances": [{"a": 1.0, "b": "x"}]})
ANSWER = orjson.dumps({"predictions": [0.5]})


def ear(monitor: Monitor) -> Ear:
    return monitor.attach(lambda sink: listening(sink)())


def request(path: str, body: bytes = ROW, method: str = "POST", extra: str = "") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    return head.encode() + body


def response(status: int = 200, body: bytes = ANSWER, extra: str = "") -> bytes:
    head = f"HTTP/1.1 {status} Text\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    return head.encode() + body


def counts(monitor: Monitor, name: str) -> dict[tuple[str, ...], float]:
    """Counts over 0 of a metric, by its label values."""
    monitor.flush()
    return {
        tuple(reading.labels.values()): reading.value
        for reading in monitor.readings()
        if reading.name == name and reading.value
    }


def rows(monitor: Monitor) -> float:
    return sum(counts(monitor, "mlmon_prediction_rows_total").values())


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v1/models/m:predict", "/v1/models/{model}:predict"),
        ("/v2/models/m/versions/3/infer", "/v2/models/{model}/versions/{version}/infer"),
        ("/predictions/m", "/predictions/{model}"),
        ("/invocations?x=1", "/invocations"),
        ("/v1/mod%65ls/m:predict", "/v1/models/{model}:predict"),
    ],
)
def test_routes_of_known_protocols_need_no_configuration(path: str, route: str) -> None:
    with Monitor(model="m") as monitor:
        listener = ear(monitor)
        listener.asked(request(path))
        listener.answered(response())
        assert counts(monitor, "mlmon_requests_total") == {("m", "", route, "POST", "200", "ok"): 1}


@pytest.mark.parametrize(
    ("path", "labels"),
    [
        ("/v2/models/n/infer", ("n", "", "/v2/models/{model}/infer")),
        ("/v2/models/unknown/infer", ("other", "", "/v2/models/{model}/infer")),
        ("/elsewhere", ("", "", "other")),
    ],
)
def test_a_request_in_progress_has_the_labels_it_will_be_counted_under(
    path: str, labels: tuple[str, ...]
) -> None:
    with Monitor(models=[{"name": "m"}, {"name": "n"}]) as monitor:
        listener = ear(monitor)
        listener.asked(request(path))
        assert counts(monitor, "mlmon_requests_in_progress") == {labels: 1}
        listener.answered(response())
        assert counts(monitor, "mlmon_requests_in_progress") == {}
        assert [*counts(monitor, "mlmon_requests_total")] == [(*labels, "POST", "200", "ok")]


def test_rows_are_read_from_what_was_heard() -> None:
    with Monitor(model="m") as monitor:
        listener = ear(monitor)
        for _ in range(3):
            listener.asked(request("/v1/models/m:predict"))
            listener.answered(response())
        assert rows(monitor) == 3


def test_a_path_that_nobody_knows_is_other_and_told() -> None:
    with Monitor(model="m") as monitor:
        listener = ear(monitor)
        listener.asked(request("/a/path/of/ours"))
        listener.answered(response())
        assert counts(monitor, "mlmon_requests_total") == {
            ("", "", "other", "POST", "200", "ok"): 1
        }
        assert counts(monitor, "mlmon_dropped_total") == {("unknown_route",): 1}


def test_configured_routes_come_before_known_ones() -> None:
    with Monitor(model="m", routes=["/v1/models/m:predict"]) as monitor:
        listener = ear(monitor)
        listener.asked(request("/v1/models/m:predict") + request("/v1/models/n:predict"))
        listener.answered(response() + response())
        assert counts(monitor, "mlmon_requests_total") == {
            ("m", "", "/v1/models/m:predict", "POST", "200", "ok"): 1,
            ("", "", "/v1/models/{model}:predict", "POST", "200", "ok"): 1,
        }
        assert rows(monitor) == 1


ENDS: Mapping[str, tuple[bytes, bool, tuple[str, str]]] = {
    "refused": (response(422, b"{}"), True, ("422", "client_error")),
    "failed": (response(500, b"{}"), True, ("500", "server_error")),
    "never answered": (b"", False, ("502", "server_error")),
    "client left": (b"", True, ("499", "disconnected")),
    "cut off": (response()[:-3], False, ("200", "interrupted")),
    "client left within": (response()[:-3], True, ("200", "disconnected")),
}


@pytest.mark.parametrize("how", ENDS)
def test_how_a_turn_ends_decides_its_status_and_outcome(how: str) -> None:
    answered, by_client, ending = ENDS[how]
    with Monitor(model="m") as monitor:
        listener = ear(monitor)
        listener.asked(request("/predict"))
        if answered:
            listener.answered(answered)
        listener.closed(by_client=by_client)
        assert counts(monitor, "mlmon_requests_total") == {
            ("m", "", "/predict", "POST", *ending): 1
        }
        assert rows(monitor) == 0


def test_outcomes_join_by_the_id_of_either_side(tmp_path: Path) -> None:
    labels = ["no", "yes"] * 50
    data = {"a": [0.0, 1.0] * 50, "label": labels, "truth": labels}
    path = tmp_path / "reference.json"
    Reference.build(data, predictions="label", ground_truth="truth").save(path)
    with Monitor(model="m", reference=path) as monitor:
        listener = ear(monitor)
        body = orjson.dumps({"predictions": [{"label": "yes"}]})
        listener.asked(request("/predict", extra="X-Prediction-Id: asked\r\n"))
        listener.answered(response(body=body))
        listener.asked(request("/predict"))
        listener.answered(response(body=body, extra="X-Prediction-Id: answered\r\n"))
        listener.asked(request("/predict"))
        listener.answered(response(body=body))
        assert monitor.observe_ground_truth("asked", "yes") == "matched"
        assert monitor.observe_ground_truth("answered", "no") == "matched"
        assert counts(monitor, "mlmon_dropped_total") == {}


def test_a_stream_of_tokens_is_timed_and_kept() -> None:
    events = b"".join(
        b"data: " + orjson.dumps({"choices": [{"delta": {"content": word}}]}) + b"\n\n"
        for word in ("one", "two", "three")
    )
    with Monitor(model="m") as monitor:
        listener = ear(monitor)
        chat = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]})
        listener.asked(request("/v1/chat/completions", chat))
        listener.answered(response(body=events, extra="Content-Type: text/event-stream\r\n"))
        assert rows(monitor) == 1
        timed = counts(monitor, "mlmon_request_first_token_seconds_count")
        assert timed == {("m", "", "/v1/chat/completions"): 1}
