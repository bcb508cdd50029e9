"""Facts about answers of language models, whole or in events."""

from __future__ import annotations

from typing import Any

import pytest

from mlmon_exporter.formats import parse
from mlmon_exporter.formats.event_stream import GAP
from tests.formats.chat import BODIES, answered, delta, read

from .bodies import Body

STREAMS = [body for name, body in BODIES.items() if "stream" in name]


@pytest.mark.parametrize("body", STREAMS, ids=lambda body: body.name)
@pytest.mark.slow
def test_how_a_stream_was_cut_into_messages_does_not_matter(body: Body) -> None:
    whole = body.exchange.response_chunks[0]
    for i in range(len(whole) + 1):
        cut = body.exchange._replace(response_chunks=[whole[:i], whole[i:]])
        assert parse(cut, body.body_map) == parse(body.exchange, body.body_map)


@pytest.mark.parametrize("body", STREAMS, ids=lambda body: body.name)
@pytest.mark.slow
def test_a_stream_that_ends_anywhere_is_read_as_far_as_it_goes(body: Body) -> None:
    whole = body.exchange.response_chunks[0]
    full = parse(body.exchange, body.body_map).batch
    last: dict[str, Any] = {}
    for i in range(len(whole) + 1):
        batch = parse(body.exchange._replace(response_chunks=[whole[:i]]), body.body_map).batch
        now = dict(batch.predictions)
        # What is known stays known, and nothing is told that the whole does not tell.
        assert now.keys() >= last.keys()
        assert now.get("completion_characters", 0) >= last.get("completion_characters", 0)
        assert now.get("tool_calls", 0) >= last.get("tool_calls", 0)
        assert now.get("finish_reason") in {None, full.predictions.get("finish_reason"), "mixed"}
        last = now
    assert last == full.predictions


def test_the_last_usage_counts() -> None:
    usages = [{"prompt_tokens": 9, "completion_tokens": n} for n in range(4)]
    found = read(answered(*({**delta("x"), "usage": usage} for usage in usages)))
    assert (found["prompt_tokens"], found["completion_tokens"]) == (9, 3)


def test_of_a_stream_with_a_gap_the_usage_counts_and_the_rest_is_missing() -> None:
    start, end = answered(delta("Hello")), answered(delta(None, "stop"), {"usage": {
        "prompt_tokens": 9, "completion_tokens": 4000}, "choices": []})  # fmt: skip
    cut = start + answered(delta("abc"))[:20] + GAP + answered(delta("def"))[10:] + end
    found = read(cut)
    assert found["completion_tokens"] == 4000
    assert found["prompt_tokens"] == 9
    assert found["finish_reason"] == "stop"
    assert found["completion_characters"] is None
    assert found["tool_calls"] is None


def test_half_of_an_emoji_in_an_event_spoils_nothing() -> None:
    stream = b'data: {"choices":[{"delta":{"content":"\\ud83d"},"finish_reason":"stop"}]}\n\n'
    assert read(stream)["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        (["stop"], "stop"),
        (["stop", "stop"], "stop"),
        (["stop", "length"], "mixed"),
        (["stop", None], None),
        (["tell nobody"], "other"),
        ([7], None),
    ],
)
def test_the_reason_is_one_of_a_few(reasons: list[Any], expected: str | None) -> None:
    choices = [{"index": i, "delta": {}, "finish_reason": r} for i, r in enumerate(reasons)]
    assert read(answered({"choices": choices}))["finish_reason"] == expected


def test_a_count_of_0_where_there_was_text_means_that_nobody_counted() -> None:
    usage = {"prompt_tokens": 0, "completion_tokens": 0}
    assert read(answered({**delta("x", "stop"), "usage": usage}))["completion_tokens"] is None
    assert read(answered({**delta(None, "stop"), "usage": usage}))["completion_tokens"] == 0
