"""Facts about what may be posted to /ground-truth and /kpi, and what is answered."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmon_exporter.core.outcomes.pending import GroundTruth
from mlmon_exporter.endpoints.feedback import FeedbackApp
from mlmon_exporter.endpoints.post import MOST_BYTES
from mlmon_exporter.endpoints.records import (
    ID,
    MOST_RECORDS,
    RefusedError,
    ground_truths_in,
    kpi_events_in,
    records_in,
)
from mlmon_exporter.state.errors import StoreError

TOKEN = "a token"
GOOD = {"Authorization": f"Bearer {TOKEN}"}
ONE = {"prediction_id": "a-1", "ground_truth": 1}


def post(
    content: bytes, headers: Mapping[str, str] = GOOD, method: str = "POST", fails: bool = False
) -> tuple[httpx.Response, list[Any]]:
    """Send a request to the app; return the answer and what was handled."""
    handled: list[Any] = []

    def handle(records: Sequence[Any]) -> Mapping[str, Any]:
        if fails:
            raise StoreError("/secret/path: disk full")
        handled.extend(records)
        return ground_truths_in(records).answer({"matched": 0})

    async def go() -> httpx.Response:
        transport = httpx.ASGITransport(FeedbackApp(handle, [TOKEN]))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, "/", content=content, headers=headers)

    return asyncio.run(go()), handled


@pytest.mark.parametrize(
    ("content", "records"),
    [
        (orjson.dumps(ONE), [ONE]),
        (orjson.dumps([ONE, ONE]), [ONE, ONE]),
        (orjson.dumps(ONE) + b"\n\n" + orjson.dumps(ONE) + b"\r\n", [ONE, ONE]),
        (b"[]", []),
    ],
    ids=["object", "list", "lines", "empty list"],
)
def test_an_object_a_list_and_lines_are_taken(content: bytes, records: list[Any]) -> None:
    answer, handled = post(content)
    assert (answer.status_code, handled) == (200, records)


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}],
    ids=["none", "wrong", "basic"],
)
def test_without_the_token_nothing_is_taken_or_told(headers: dict[str, str]) -> None:
    answer, handled = post(orjson.dumps(ONE), headers)
    assert (answer.status_code, handled) == (401, [])
    assert answer.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in answer.text


def test_only_post_is_allowed() -> None:
    answer, _ = post(b"", method="GET")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xfe", b"{", b"[1,"])
def test_what_is_no_json_is_refused(content: bytes) -> None:
    answer, handled = post(content)
    assert (answer.status_code, handled) == (400, [])
    assert "JSON" in answer.json()["error"]


def test_too_much_is_refused_whole() -> None:
    assert post(b" " * (MOST_BYTES + 1))[0].status_code == 413
    answer, handled = post(orjson.dumps([ONE] * (MOST_RECORDS + 1)))
    assert (answer.status_code, handled) == (413, [])
    assert "10000 records at most, got 10001" in answer.json()["error"]


def test_a_small_body_that_inflates_to_much_is_refused() -> None:
    bomb = gzip.compress(b" " * (MOST_BYTES * 2))
    assert post(bomb, {**GOOD, "Content-Encoding": "gzip"})[0].status_code == 413


def test_compressed_bodies_are_taken() -> None:
    packed = gzip.compress(orjson.dumps(ONE))
    answer, handled = post(packed, {**GOOD, "Content-Encoding": "gzip"})
    assert (answer.status_code, handled) == (200, [ONE])


def test_a_store_that_fails_asks_to_send_again_and_tells_nothing() -> None:
    answer, _ = post(orjson.dumps(ONE), fails=True)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "secret" not in answer.text


def test_invalid_records_are_told_by_place_and_the_others_are_taken() -> None:
    lines = [ONE, {"prediction_id": "", "ground_truth": 1}, [], {"prediction_id": "b"}]
    body = b"\n".join(map(orjson.dumps, lines)) + b"\nnonsense"
    answer, _ = post(body)
    assert answer.json() == {
        "matched": 0,
        "invalid": 4,
        "errors": [
            {"index": 1, "reason": f"prediction_id: expected {ID}, got another text"},
            {"index": 2, "reason": "expected an object, got a list"},
            {
                "index": 3,
                "reason": "ground_truth: expected a finite number, a boolean, "
                "or a text of 1 to 128 characters, got nothing",
            },
            {"index": 4, "reason": "expected JSON"},
        ],
    }


def test_only_the_first_few_faults_are_told() -> None:
    answer, _ = post(orjson.dumps([{}] * 100))
    assert (answer.json()["invalid"], len(answer.json()["errors"])) == (100, 5)


@pytest.mark.parametrize(
    ("timestamp", "seconds"),
    [
        (None, None),
        (1_700_000_000, 1.7e9),
        (1_700_000_000.5, 1_700_000_000.5),
        ("2023-11-14T22:13:20Z", 1.7e9),
        ("2023-11-14T22:13:20", 1.7e9),
        ("2023-11-14T23:13:20+01:00", 1.7e9),
    ],
)
def test_times_are_unix_seconds_or_iso_8601(timestamp: Any, seconds: float | None) -> None:
    read = ground_truths_in([{**ONE, "timestamp": timestamp}])
    assert read.usable == [GroundTruth("a-1", 1, seconds)]


@pytest.mark.parametrize(
    "change",
    [
        {"timestamp": "yesterday"},
        {"timestamp": True},
        {"timestamp": float("inf")},
        {"ground_truth": None},
        {"ground_truth": ""},
        {"ground_truth": [1]},
        {"ground_truth": float("nan")},
        {"ground_truth": "x" * 129},
        {"prediction_id": 7},
        {"prediction_id": "a b"},
        {"prediction_id": "x" * 129},
        {"prediction_id": "\ud800"},
    ],
)
def test_a_ground_truth_that_cannot_be_used_is_invalid(change: dict[str, Any]) -> None:
    read = ground_truths_in([{**ONE, **change}])
    assert (read.usable, len(read.errors)) == ([], 1)


def test_kpi_events_count_1_unless_they_say_otherwise() -> None:
    read = kpi_events_in(
        [{"kpi": "sale"}, {"kpi": "sale", "value": -2.5, "prediction_id": "a-1"}], ["m"]
    )
    assert [(event.value, event.prediction_id) for event in read.usable] == [
        (1.0, None),
        (-2.5, "a-1"),
    ]


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"kpi": ""},
        {"kpi": "x" * 129},
        {"kpi": 1},
        {"kpi": "a", "value": True},
        {"kpi": "a", "value": "1"},
        {"kpi": "a", "model": 3},
        {"kpi": "a", "model": "typo"},
        {"kpi": "a", "prediction_id": ""},
    ],
)
def test_a_kpi_event_that_cannot_be_used_is_invalid(record: dict[str, Any]) -> None:
    read = kpi_events_in([record], ["m"])
    assert (read.usable, len(read.errors)) == ([], 1)


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        records = records_in(content)
    except RefusedError:
        return
    for read in (ground_truths_in(records), kpi_events_in(records, ["m"])):
        assert len(read.usable) + len(read.errors) == len(records)
