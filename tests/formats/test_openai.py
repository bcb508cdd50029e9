"""Facts about what is read of language models: sizes and reasons, whatever the stream, no texts."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmon_exporter.core.records import Exchange
from mlmon_exporter.formats import BodyMap, FormatError, parse
from mlmon_exporter.formats.answers import FINISHES
from mlmon_exporter.formats.event_stream import GAP

from .bodies import Body, exchange, read_all

CHAT = "/v1/chat/completions"
EVENTS = {"content-type": "text/event-stream"}
BODIES = {body.name.partition("/")[2]: body for body in read_all() if body.format == "openai"}
STREAMS = [body for name, body in BODIES.items() if "stream" in name]


def asked(**body: Any) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": "Hi"}], **body}).encode()


def answered(*events: Any) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events)


def read(response: bytes, request: bytes | None = None, **more: Any) -> dict[str, Any]:
    """Return all that is read of a chat, features and outputs."""
    more = {"path": CHAT, "response_headers": EVENTS} | more
    batch = parse(exchange(request or asked(), response, **more), BodyMap()).batch
    return {**batch.features, **batch.predictions}


def delta(content: str | None, finish: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish}]}


# --- Streams ---


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


def test_a_stream_without_a_content_type_is_known_by_its_start() -> None:
    stream = answered(delta("Hello", "stop"))
    assert read(stream, response_headers={})["completion_characters"] == 5


def test_a_compressed_stream_is_read() -> None:
    stream = gzip.compress(answered(delta("Hello", "stop")))
    headers = {**EVENTS, "content-encoding": "gzip"}
    assert read(stream, response_headers=headers)["completion_characters"] == 5


def test_half_of_an_emoji_in_an_event_spoils_nothing() -> None:
    stream = b'data: {"choices":[{"delta":{"content":"\\ud83d"},"finish_reason":"stop"}]}\n\n'
    assert read(stream)["finish_reason"] == "stop"


# --- What is read ---


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


@pytest.mark.parametrize("key", ["temperature", "max_tokens", "n", "max_completion_tokens"])
@pytest.mark.parametrize("value", ["my secret", ["my secret"], {"a": "my secret"}, True])
def test_a_setting_that_is_no_number_is_missing(key: str, value: Any) -> None:
    found = read(answered(delta("x", "stop")), asked(**{key: value}))
    assert found[{"n": "choices", "max_completion_tokens": "max_tokens"}.get(key, key)] is None


def test_a_count_of_0_where_there_was_text_means_that_nobody_counted() -> None:
    usage = {"prompt_tokens": 0, "completion_tokens": 0}
    assert read(answered({**delta("x", "stop"), "usage": usage}))["completion_tokens"] is None
    assert read(answered({**delta(None, "stop"), "usage": usage}))["completion_tokens"] == 0


@pytest.mark.parametrize(
    ("model", "answered_by", "version"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
        ("m", "m", None),
        ("m", "a text that somebody wrote", None),
        ("m", "x" * 65, None),
        ("m", 7, None),
        (None, "meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"),
    ],
)
def test_the_version_is_the_model_that_answered_if_it_is_another(
    model: Any, answered_by: Any, version: str | None
) -> None:
    stream = answered({**delta("x", "stop"), "model": answered_by})
    parsed = parse(exchange(asked(model=model), stream, path=CHAT), BodyMap())
    assert parsed.batch.version == version


# --- What is recognised ---


@pytest.mark.parametrize(
    "path",
    [CHAT, "/openai/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses/",
     "/openai/deployments/gpt/chat/completions", "/v1/audio/transcriptions", "/v1/rerank"],
)  # fmt: skip
def test_paths_are_certain(path: str) -> None:
    with pytest.raises(FormatError) as raised:
        parse(exchange(b'{"text": "my secret"}', b'{"text": "my secret"}', path=path), BodyMap())
    assert raised.value.format == "openai"


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "user", "content": "Hi"}]},
        {"messages": ["Hi", "Ho"]},
        {"prompt": "Hi"},
        {"prompt": ["Hi", "Ho"]},
        {"model": "m", "input": "Hi"},
        {"model": "m", "input": ["Hi"]},
        {"model": "m", "input": [{"role": "user", "content": "Hi"}]},
    ],
)
def test_requests_are_known_by_their_keys(body: dict[str, Any]) -> None:
    parsed = parse(exchange(json.dumps(body).encode(), b'{"text": "x"}'), BodyMap())
    assert parsed.format == "openai"
    assert parsed.batch.predictions == {}


@pytest.mark.parametrize(
    "body",
    [
        {"messages": 3, "age": 4},
        {"messages": [1, 2], "age": [3, 4]},
        {"prompt": 1.5},
        {"input": 4.5},
        {"model": "m", "input": 4.5},
        {"model": "m", "input": [1.0, 2.0]},
        {"input": "red"},
    ],
)
def test_features_with_such_names_are_features(body: dict[str, Any]) -> None:
    assert parse(exchange(json.dumps(body).encode(), b"[1]"), BodyMap()).format == "json"


def test_a_mapping_that_the_user_gives_is_followed() -> None:
    body = {"messages": [{"role": "user", "content": "Hi"}], "context": {"age": 3}}
    both = exchange(json.dumps(body).encode(), b'{"reply": "Hi", "scores": {"risk": 0.5}}')
    batch = parse(both, BodyMap(features="context", predictions="scores")).batch
    assert (batch.features, batch.predictions) == ({"age": 3}, {"risk": 0.5})


# --- No text of anybody's ---

SECRET = "my-secret"


def spoiled(value: Any) -> Iterator[Any]:
    """Give the value with a secret in place of each value in it, one after another."""
    if isinstance(value, dict):
        for key in value:
            for inner in (*spoiled(value[key]), SECRET):
                yield {**value, key: inner}
    elif isinstance(value, list):
        for i in range(len(value)):
            for inner in (*spoiled(value[i]), SECRET):
                yield [*value[:i], inner, *value[i + 1 :]]


def texts(body: Exchange) -> Iterator[Any]:
    try:
        batch = parse(body, BodyMap()).batch
    except FormatError as error:
        yield str(error)
        return
    for columns in (batch.features, batch.predictions):
        yield from columns
        yield from columns.values()


@pytest.mark.parametrize(
    "body", [b for n, b in BODIES.items() if "stream" not in n], ids=lambda body: body.name
)
def test_no_text_of_a_body_becomes_a_value(body: Body) -> None:
    whole = body.exchange
    request, response = (json.loads(c[0]) for c in (whole.request_chunks, whole.response_chunks))
    for one in spoiled(request):
        changed = whole._replace(request_chunks=[json.dumps(one).encode()])
        assert not any(SECRET in str(text) for text in texts(changed)), one
    for one in spoiled(response):
        changed = whole._replace(response_chunks=[json.dumps(one).encode()])
        assert not any(SECRET in str(text) for text in texts(changed)), one


KEYS = st.sampled_from(
    """messages prompt input model role content text choices index delta message finish_reason usage
    prompt_tokens completion_tokens prompt_tokens_details cached_tokens tool_calls function_call
    response output type status incomplete_details reason data embedding tools n max_tokens
    temperature stream instructions""".split()
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.sampled_from([SECRET, "stop", "completed", "response.output_text.delta", "message"])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)
ALLOWED = {*FINISHES, "other", "mixed", "chat", "completions", "embeddings", "responses"}


@given(JSON, st.lists(JSON, max_size=4), st.booleans(), st.sampled_from([CHAT, "/v1/responses"]))
def test_whatever_stands_where_only_numbers_and_known_words_come_out(
    request_: Any, responses: list[Any], is_stream: bool, path: str
) -> None:
    answer = answered(*responses) if is_stream else json.dumps(responses[:1]).encode()[1:-1]
    body = exchange(json.dumps(request_).encode(), answer, path=path)
    try:
        batch = parse(body, BodyMap()).batch
    except FormatError:
        return
    assert batch.rows == 1
    for value in (*batch.features.values(), *batch.predictions.values()):
        assert value is None or type(value) in (int, float) or value in ALLOWED


def test_pictures_are_counted_and_not_looked_at() -> None:
    items = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "input_image", "image_url": "https://example.com/a.png"},
        {"type": "image", "source": {}},
    ]
    request = json.dumps({"messages": [{"role": "user", "content": items}]}).encode()
    found = read(answered(delta("A cat.", "stop")), request)
    assert (found["pictures"], found["prompt_characters"]) == (3, 11)
    assert read(answered(delta("Hi", "stop")))["pictures"] == 0
