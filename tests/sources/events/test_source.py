"""Calls that loggers tell of are counted exactly, and so is each event that is not joined."""

from __future__ import annotations

import gzip
import random
import struct
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from cloudevents.core.v1.event import CloudEvent

from mlmon_exporter import FormatError, Monitor
from mlmon_exporter.sources.events.halves import Bounds
from mlmon_exporter.sources.events.source import EventSource
from tests.references import small_reference

from .logger import SELDON, Posted, batch, binary, event, structured

BOUNDS = Bounds(events=100_000, bytes=2**26, seconds=600.0)
NOW = 1_800_000_000.0
MOST = 2**23
MODES: tuple[Callable[[CloudEvent], Posted], ...] = (binary, structured, batch)


@pytest.fixture
def reference(tmp_path: Path) -> str:
    return small_reference(tmp_path)


@pytest.fixture
def monitor(reference: str) -> Iterator[Monitor]:
    with Monitor(model="fraud", reference=reference) as monitor:
        yield monitor


def source_of(monitor: Monitor, bounds: Bounds = BOUNDS) -> EventSource:
    return monitor.attach(lambda sink: EventSource(sink, bounds))


def request(key: str, at: float | None = None, a: float = 1.0, **attributes: Any) -> Any:
    return event("request", key, {"instances": [{"a": a, "b": "x"}]}, at, **attributes)


def response(key: str, at: float | None = None, p: float = 0.5, **attributes: Any) -> Any:
    return event("response", key, {"predictions": [p]}, at, **attributes)


def post(source: EventSource, posted: Posted, now: float = NOW) -> None:
    source.take(*posted, MOST, now)


def value(monitor: Monitor, name: str, **labels: str) -> float:
    monitor.flush(60)
    return sum(
        reading.value
        for reading in monitor.readings(NOW)
        if reading.name == name and labels.items() <= reading.labels.items()
    )


def dropped(monitor: Monitor) -> dict[str, float]:
    monitor.flush(60)
    return {
        reading.labels["reason"]: reading.value
        for reading in monitor.readings(NOW)
        if reading.name == "mlmon_dropped_total" and reading.value
    }


def test_events_that_are_shuffled_repeated_lost_and_late_are_counted_exactly(
    monitor: Monitor,
) -> None:
    rng = random.Random(21)
    calls, durations = 3000, {}
    coming: list[tuple[float, str, bool, Posted]] = []
    for number in range(calls):
        began, key = NOW - 3600 + number, f"call-{number}"
        durations[key] = rng.choice([0.002, 0.03, 0.4])
        late = rng.uniform(0, 5) + (number % 3 == 0) * rng.uniform(60, 500)
        halves = [
            (began, True, request(key, began, a=number / 1000)),
            (began + durations[key] + late, False, response(key, began + durations[key], p=number)),
        ]
        if number % 2:  # the request is the late one
            halves = [(halves[1][0], True, halves[0][2]), (began, False, halves[1][2])]
        for at, is_request, told in halves:
            if rng.random() < 0.05:
                continue
            for again in range(1 + (rng.random() < 0.1)):
                posted = rng.choice(MODES)(told)
                coming.append((at + again * rng.uniform(0, 60), key, is_request, posted))
    coming.sort(key=lambda each: each[0])
    sides = {(key, is_request) for _, key, is_request, _ in coming}
    joined = {key for key, _ in sides if {(key, True), (key, False)} <= sides}
    source = source_of(monitor)
    for at, _, _, posted in coming:
        post(source, posted, at)
    source.expire(NOW + 600)

    alone = Counter(is_request for key, is_request in sides if key not in joined)
    assert 2600 < len(joined) < 2800
    assert dropped(monitor) == {
        "event_duplicate": len(coming) - len(sides),
        "event_unanswered": alone[True],
        "event_unasked": alone[False],
    }
    assert value(monitor, "mlmon_requests_total", outcome="ok") == len(joined)
    assert value(monitor, "mlmon_prediction_rows_total") == len(joined)
    numbers = [int(key.removeprefix("call-")) for key in joined]
    assert value(monitor, "mlmon_feature_value_sum", feature="a") == pytest.approx(
        sum(numbers) / 1000
    )
    assert value(monitor, "mlmon_prediction_value_sum") == pytest.approx(sum(numbers))
    seconds = Counter(durations[key] for key in joined)
    for bound, expected in [("0.0025", seconds[0.002]), ("0.05", len(joined) - seconds[0.4])]:
        found = value(monitor, "mlmon_request_duration_seconds_bucket", le=bound)
        assert found == expected


def test_rows_are_of_the_time_of_their_request(monitor: Monitor) -> None:
    source = source_of(monitor)
    for number in range(200):
        post(source, binary(request(str(number), NOW - 5400)))
        post(source, binary(response(str(number), NOW - 5400)))
    name = "mlmon_feature_window_rows"
    assert value(monitor, name, window="24h", feature="a") == 200
    assert value(monitor, name, window="1h", feature="a") == 0


@pytest.mark.parametrize("at", [None, NOW + 60, 0.0])
def test_without_a_time_that_can_be_they_are_of_now(monitor: Monitor, at: float | None) -> None:
    source = source_of(monitor)
    asked, told = binary(request("1", at)), binary(response("1", at))
    if at is None:
        asked[0].pop(b"ce-time")  # type: ignore[attr-defined] # the SDK always gives one
        told[0].pop(b"ce-time")  # type: ignore[attr-defined] # likewise
    post(source, asked)
    post(source, told)
    assert value(monitor, "mlmon_prediction_rows_total") == 1
    assert value(monitor, "mlmon_feature_window_rows", window="1h", feature="a") == 1
    known = value(monitor, "mlmon_request_duration_seconds_count")
    assert known == (at is not None)


def test_memory_is_bounded_by_events_and_by_bytes(monitor: Monitor) -> None:
    source = source_of(monitor, Bounds(events=1000, bytes=2**20, seconds=600.0))
    posted = [binary(event("request", str(n), bytes(10_000))) for n in range(5000)]
    tracemalloc.start()
    for each in posted:
        headers, body = each
        post(source, (headers, bytes(bytearray(body))))
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    held = len(source._halves)
    assert held == 2**20 // 11_000
    assert used < 2 * 2**20
    assert dropped(monitor) == {"events_full": 5000 - held}
    for number in range(5000, 9000):
        post(source, binary(request(str(number))))
    assert len(source._halves) <= 1000
    source.close()
    assert sum(dropped(monitor).values()) == 9000


def test_a_body_that_is_too_long_is_counted_and_not_kept(reference: str) -> None:
    with Monitor(model="fraud", reference=reference, max_body_bytes=1000) as monitor:
        source = source_of(monitor)
        post(source, binary(event("request", "1", bytes(1001))))
        post(source, binary(response("1")))
        assert dropped(monitor) == {"body_too_large": 1}
        assert value(monitor, "mlmon_requests_total", outcome="ok") == 1
        assert value(monitor, "mlmon_request_size_bytes_sum") == 1001


def models(reference: str, **routes: list[str]) -> Monitor:
    return Monitor(
        models=[
            {"name": name, "reference": reference, "routes": each} for name, each in routes.items()
        ]
    )


def call(source: EventSource, key: str, **attributes: Any) -> None:
    post(source, binary(request(key, **attributes)))
    post(source, binary(response(key, **attributes)))


def test_the_service_chooses_the_model_and_is_the_route(reference: str) -> None:
    with models(reference, fraud=[], churn=[]) as monitor:
        source = source_of(monitor)
        call(source, "1")
        call(source, "2", inferenceservicename="churn", endpoint="canary")
        call(source, "3", inferenceservicename="churn", component=None)
        rows = [
            {"model": "fraud", "route": "/bank/fraud/predictor", "status": "200", "method": "POST"},
            {"model": "churn", "route": "/bank/churn/predictor/canary"},
            {"model": "churn", "route": "/bank/churn"},
        ]
        for labels in rows:
            assert value(monitor, "mlmon_requests_total", outcome="ok", **labels) == 1
        assert value(monitor, "mlmon_prediction_rows_total", model="churn") == 2


def test_seldons_node_and_predictor_are_in_the_route(monitor: Monitor) -> None:
    seldons: dict[str, Any] = {"modelid": "classifier", "endpoint": "default", "requestid": "r"}
    source = source_of(monitor)
    for kind, told in {"request": request("1"), "response": response("2")}.items():
        kinds = {"type": f"{SELDON}.inference.{kind}"}
        body = orjson.loads(told.get_data())
        post(
            source,
            binary(event(kind, told.get_id(), body, NOW, component=None, **seldons, **kinds)),
        )
    labels = {"model": "fraud", "route": "/bank/fraud/classifier/default", "outcome": "ok"}
    assert value(monitor, "mlmon_requests_total", **labels) == 1
    assert value(monitor, "mlmon_prediction_rows_total", model="fraud") == 1


def test_routes_choose_by_namespace_and_component(reference: str) -> None:
    given = {"live": ["/bank/fraud/predictor"], "shadow": ["/{namespace}/fraud/{component}"]}
    with models(reference, **given) as monitor:
        source = source_of(monitor)
        call(source, "1")
        call(source, "2", namespace="lab")
        call(source, "3", component="transformer")
        assert value(monitor, "mlmon_prediction_rows_total", model="live") == 1
        assert value(monitor, "mlmon_prediction_rows_total", model="shadow") == 2
        labels = {"model": "shadow", "route": "/{namespace}/fraud/{component}", "outcome": "ok"}
        assert value(monitor, "mlmon_requests_total", **labels) == 2


def test_events_of_no_model_are_counted_and_told_once(
    monitor: Monitor, caplog: pytest.LogCaptureFixture
) -> None:
    source = source_of(monitor)
    call(source, "1", inferenceservicename="other")
    call(source, "2", component="explainer")
    post(source, binary(request("3", type="io.seldon.serving.feedback")))
    assert dropped(monitor) == {"unknown_route": 4, "event_unknown": 1}
    (line,) = caplog.messages
    assert "an event of /bank/other/predictor is of no configured model" in line
    assert len(source._halves) == 0


def test_a_logger_of_requests_alone_is_told_once(
    monitor: Monitor, caplog: pytest.LogCaptureFixture
) -> None:
    source = source_of(monitor)
    for number in range(30):
        post(source, binary(request(str(number))))
    source.expire(NOW + 600)
    source.expire(NOW + 1200)
    (line,) = caplog.messages
    assert "mode: all" in line
    assert dropped(monitor) == {"event_unanswered": 30}


def test_the_version_is_the_answers(monitor: Monitor) -> None:
    source = source_of(monitor)
    inputs = [
        {"name": "a", "shape": [1], "datatype": "FP64", "data": [1.5]},
        {"name": "b", "shape": [1], "datatype": "BYTES", "data": ["x"]},
    ]
    outputs = [{"name": "p", "shape": [1], "datatype": "FP64", "data": [0.5]}]
    post(source, binary(event("request", "1", {"inputs": inputs})))
    told = {"model_name": "fraud", "model_version": "7", "outputs": outputs}
    post(source, binary(event("response", "1", told)))
    assert value(monitor, "mlmon_prediction_rows_total", version="7") == 1


def test_a_compressed_answer_is_read_though_no_header_says_so(monitor: Monitor) -> None:
    source = source_of(monitor)
    post(source, binary(request("1")))
    post(source, binary(event("response", "1", gzip.compress(orjson.dumps({"predictions": [2]})))))
    assert value(monitor, "mlmon_prediction_value_sum") == 2


@pytest.mark.parametrize("media", ["application/octet-stream", "application/json"])
def test_binary_tensors_are_read_though_no_header_says_where_they_begin(
    media: str, monitor: Monitor
) -> None:
    def body(side: str, values: dict[str, list[float]]) -> bytes:
        tensors = [
            {"name": name, "datatype": "FP64", "shape": [len(column)]}
            | {"parameters": {"binary_data_size": 8 * len(column)}}
            for name, column in values.items()
        ]
        head = orjson.dumps({"model_name": "fraud \u00e9", side: tensors})
        return head + b"".join(struct.pack(f"<{len(c)}d", *c) for c in values.values())

    source = source_of(monitor)
    asked = body("inputs", {"a": [1.5, 2.5]})
    told = body("outputs", {"p": [0.5, 0.25]})
    post(source, binary(event("request", "1", asked, datacontenttype=media)))
    post(source, binary(event("response", "1", told, datacontenttype=media)))
    assert value(monitor, "mlmon_prediction_rows_total") == 2
    assert value(monitor, "mlmon_feature_value_sum", feature="a") == 4
    assert value(monitor, "mlmon_prediction_value_sum") == 0.75


def test_json_that_calls_itself_bytes_is_json(monitor: Monitor) -> None:
    source = source_of(monitor)
    post(source, binary(request("1", datacontenttype="application/octet-stream")))
    post(source, binary(response("1", datacontenttype="application/octet-stream")))
    assert value(monitor, "mlmon_prediction_value_sum") == 0.5


@pytest.mark.parametrize(
    ("metadata", "key"), [("{}", "call-1"), ('{"X-Prediction-Id": ["a-7"]}', "a-7")]
)
def test_ground_truth_finds_the_call_by_its_id(monitor: Monitor, metadata: str, key: str) -> None:
    source = source_of(monitor)
    post(source, binary(request("call-1", NOW, metadata=metadata)))
    post(source, binary(response("call-1", NOW, metadata=metadata)))
    monitor.flush(60)
    assert monitor.observe_ground_truth(key, 1.0, now=NOW) == "matched"


def test_what_is_no_event_is_refused_and_counted(monitor: Monitor) -> None:
    source = source_of(monitor)
    with pytest.raises(FormatError, match="expected JSON"):
        post(source, ({b"content-type": b"application/cloudevents+json"}, b"{"))
    errors = {"format": "cloudevents", "reason": "not_json"}
    assert value(monitor, "mlmon_parse_errors_total", **errors) == 1
